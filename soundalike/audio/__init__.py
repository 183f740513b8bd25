"""From a file or an upload to mono samples at 16 kHz, in bounded memory.

Nothing is imported here, so that a process loads only what it needs.
"""
