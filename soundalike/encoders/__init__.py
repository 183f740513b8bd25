"""Encoders, which turn windows into vectors, and their weights."""
