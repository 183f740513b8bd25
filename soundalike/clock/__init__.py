"""Wall-clock time: when a recording began, and times as people write them."""
