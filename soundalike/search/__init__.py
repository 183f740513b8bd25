"""Search: from a query to ranked recordings, and to counts over time."""
