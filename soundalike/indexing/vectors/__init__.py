"""Collections of vectors that other programs computed: read them from files and store them.

`soundalike.indexing.vectors.indexing` stores them. It is not imported here, because the gateway, which
only reads them, has no way to a database.
"""

from soundalike.indexing.vectors.reading import read_vectors
from soundalike.indexing.vectors.recordings import VectorRecording

__all__ = ["VectorRecording", "read_vectors"]
