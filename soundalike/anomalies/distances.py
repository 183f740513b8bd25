"""Distances of windows from normal ones: nearest neighbours, and Mahalanobis' distance.

Sources: M. Breunig et al., "LOF: identifying density-based local outliers", SIGMOD 2000, and
K. Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization", 2025
(distances divided by the usual ones around the neighbour); O. Ledoit and M. Wolf, "A
well-conditioned estimator for large-dimensional covariance matrices", 2004 (shrunk covariance).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from soundalike.anomalies.results import Numbers
from soundalike.types import FloatArray

#: Normal recordings whose nearest windows are averaged: one alone may be a copy.
_N_NEIGHBOURS = 2
#: Recordings around a normal window that say how dense it is there.
_N_AROUND = 4
#: Windows that are closer are the same; storing them with 16 bits moves them by a tenth of this.
_SAME = 0.01
#: Directions in which the normal windows vary less than this share of all variance are noise.
_LEAST_SHARE = 1e-10


class Distance(Protocol):
    """A distance from what is normal, fitted to normal windows."""

    def __call__(self, vectors: FloatArray) -> Numbers:
        """Return the distance of each window; larger is less usual."""
        ...


class Neighbours:
    """Mean distance to the nearest windows of two normal recordings, relative to the density there.

    Parameters
    ----------
    vectors : (n, dimension) float32
        Normal windows.
    owners : (n,) int
        The recording of each window; at least two different ones.
    """

    def __init__(self, vectors: FloatArray, owners: npt.NDArray[np.int64]) -> None:
        self._vectors = vectors
        self._firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        between = pairwise(vectors, vectors)
        by_recording = np.minimum.reduceat(between, self._firsts, axis=1)
        by_recording[np.arange(len(owners)), np.unique(owners, return_inverse=True)[1]] = np.inf
        n_around = min(_N_AROUND, len(self._firsts) - 1)
        around = np.sort(by_recording, axis=1)[:, :n_around].mean(axis=1)
        # A window between copies has no density of its own.
        self._around = np.maximum(around, max(0.1 * float(np.median(around)), _SAME))

    def __call__(self, vectors: FloatArray) -> Numbers:
        """Return the relative distance of each window; about 1 is usual."""
        relative = pairwise(vectors, self._vectors) / self._around
        by_recording = np.sort(np.minimum.reduceat(relative, self._firsts, axis=1), axis=1)
        found: Numbers = by_recording[:, :_N_NEIGHBOURS].mean(axis=1)
        return found


class Mahalanobis:
    """Distance from the mean in units of the deviation in each direction; the covariance is shrunk.

    Parameters
    ----------
    vectors : (n, dimension) float32
        Normal windows, at least two.
    owners : (n,) int
        Not used.
    """

    def __init__(self, vectors: FloatArray, owners: npt.NDArray[np.int64]) -> None:
        from sklearn.covariance import ledoit_wolf_shrinkage

        del owners
        rows = vectors.astype(np.float64)
        self._mean = rows.mean(axis=0)
        centred = rows - self._mean
        shrinkage = float(ledoit_wolf_shrinkage(centred, assume_centered=True))
        # Few windows span few directions; in all others the shrunk covariance is the same.
        _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
        variances = lengths**2 / len(rows)
        mean_variance = max(float(variances.sum()), _SAME**2) / rows.shape[1]
        self._rest = max(shrinkage, _LEAST_SHARE) * mean_variance
        self._directions = directions
        self._variances = (1 - shrinkage) * variances + self._rest

    def __call__(self, vectors: FloatArray) -> Numbers:
        """Return the distance of each window, divided by the square root of the dimension."""
        centred = vectors.astype(np.float64) - self._mean
        along = centred @ self._directions.T
        squares = (along**2 / self._variances).sum(axis=1)
        outside = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        found: Numbers = np.sqrt((squares + outside / self._rest) / centred.shape[1])
        return found


class Both:
    """The geometric mean of both distances, which needs no scale of either.

    Parameters
    ----------
    vectors, owners
        As for `Neighbours`.
    """

    def __init__(self, vectors: FloatArray, owners: npt.NDArray[np.int64]) -> None:
        self._parts: Sequence[Distance] = (Neighbours(vectors, owners), Mahalanobis(vectors, owners))

    def __call__(self, vectors: FloatArray) -> Numbers:
        """Return the distance of each window."""
        first, second = (np.maximum(part(vectors), _SAME) for part in self._parts)
        found: Numbers = np.sqrt(first * second)
        return found


#: The methods by name; where several do as well, the first is chosen.
METHODS: dict[str, type[Neighbours] | type[Mahalanobis] | type[Both]] = {
    "both": Both,
    "neighbours": Neighbours,
    "mahalanobis": Mahalanobis,
}


def pairwise(rows: FloatArray, others: FloatArray) -> Numbers:
    """Return the Euclidean distances between two sets of vectors, ``(n, m)``."""
    left, right = rows.astype(np.float64), others.astype(np.float64)
    squares = (left**2).sum(axis=1)[:, np.newaxis] + (right**2).sum(axis=1) - 2 * left @ right.T
    found: Numbers = np.sqrt(np.maximum(squares, 0.0))
    return found
