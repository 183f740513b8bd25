"""Show results in Python: tables, pictures and players, for notebooks."""
