"""Documents and parameters that travel between the executors, and their translation to the core."""
