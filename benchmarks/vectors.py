"""Vectors like those of real archives: kinds of sounds, recordings of a kind, windows of a recording."""

from __future__ import annotations

import numpy as np

from soundalike.types import FloatArray

_CENTRES = 2_000
#: Most of what distinguishes sounds lies in this many directions.
_INTRINSIC = 40


class Archive:
    """An endless archive, the same for the same seed.

    Parameters
    ----------
    dimension : int
    windows : int
        Windows of a recording; neighbours resemble each other.
    seed : int
    """

    def __init__(self, dimension: int = 512, windows: int = 5, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._windows = windows
        shape = np.random.default_rng(1)
        self._basis = shape.standard_normal((_INTRINSIC, dimension)).astype(np.float32)
        self._centres = shape.standard_normal((_CENTRES, _INTRINSIC)).astype(np.float32)

    def recordings(self, count: int) -> FloatArray:
        """Return ``(count, windows, dimension)`` float32 rows of length 1."""
        rng = self._rng
        kinds = self._centres[rng.integers(_CENTRES, size=count)]
        shape = (count, self._windows, _INTRINSIC)
        own = kinds + 0.6 * rng.standard_normal(kinds.shape, dtype=np.float32)
        inner = own[:, np.newaxis] + 0.35 * rng.standard_normal(shape, dtype=np.float32)
        rows = inner @ self._basis
        rows += 0.5 * rng.standard_normal(rows.shape, dtype=np.float32)
        found: FloatArray = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
        return found
