"""Arithmetic of vectors."""

from __future__ import annotations

import numpy as np

from soundalike.types import FloatArray


def normalised(vectors: FloatArray) -> FloatArray:
    """Return each row divided by its length; rows of zeros stay zeros.

    Examples
    --------
    >>> normalised(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result = np.zeros_like(vectors)
    np.divide(vectors, lengths, out=result, where=lengths > 0)
    return result
