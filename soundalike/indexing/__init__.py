"""Indexing: make a collection agree with files and folders, and keep it so."""
