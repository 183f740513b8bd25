"""Index vectors that other programs computed.

`soundalike.indexing.vectors.indexing` stores them. It is not imported here, because the gateway only
reads them and has no database.
"""

from soundalike.indexing.vectors.reading import read_vectors
from soundalike.indexing.vectors.recordings import VectorRecording

__all__ = ["VectorRecording", "read_vectors"]
