"""Soundalike finds similar sounds: give it a clip, and it says which recordings hold something like it.

One sound through the modules: `audio` decodes a file to mono samples at 16 kHz, `segmenter` cuts them
into windows (planned by `windows`), `embedding` turns the windows into vectors with one of the
`encoders` (`vggish`, or the weight-free `modulation`), `store` keeps the vectors in PostgreSQL and
finds their neighbours, and `ranking` merges the hits into recordings. `pipeline` is the order of
these calls. The package knows nothing of Jina; the folder ``executors`` translates.
"""
