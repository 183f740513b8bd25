"""Index new and changed files, and keep collections up to date."""
