"""Collections of vectors that other programs computed: read them from files and store them."""

from soundalike.vectors.indexing import external_spec, index_vectors
from soundalike.vectors.reading import read_vectors
from soundalike.vectors.recordings import VectorRecording

__all__ = ["VectorRecording", "external_spec", "index_vectors", "read_vectors"]
