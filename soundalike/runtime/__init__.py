"""How this process runs: threads, memory, and its end when its starter is gone."""
