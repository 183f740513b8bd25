"""Decode files and uploads to mono samples at 16 kHz in bounded memory.

This module imports nothing, so that a process loads only the modules it needs.
"""
