"""Find every occurrence of a query, with its begin and end."""
