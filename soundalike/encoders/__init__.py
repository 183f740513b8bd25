"""Encoders: windows in, vectors out, and the weights that some of them need."""
