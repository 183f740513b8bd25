"""Threads, memory and lifetime of the process."""
