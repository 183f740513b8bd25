"""Wall-clock time: start times of recordings, and parsing of times."""
