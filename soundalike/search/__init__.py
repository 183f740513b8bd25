"""Search for recordings, and count occurrences over time."""
