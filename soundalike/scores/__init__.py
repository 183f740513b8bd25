"""False-alarm rates of scores: how often unrelated recordings score as high."""
