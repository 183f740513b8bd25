"""From a file or an upload to mono samples at 16 kHz, in bounded memory.

Nothing is imported here: processes that decode, and commands that ask a server, load only what they need.
"""
