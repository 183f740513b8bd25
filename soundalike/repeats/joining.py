"""Join what is alike to clusters, without comparing all pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.cluster import MiniBatchKMeans

from soundalike.types import FloatArray

#: Neighbours of each row; two rows are joined if each is a neighbour of the other.
_NEIGHBOURS = 10
#: Rows are sorted into cells of about this size, and compared with those of the nearest cells.
_CELL = 500
_PROBED = 3
#: Pairs that are drawn to know the scores of unrelated rows.
_DRAWN = 20_000
#: Deviations above the middle of these scores, and the least and the greatest threshold.
_RARE = 4.0
_LEAST, _GREATEST = 0.6, 0.9
_TO_DEVIATION = 1.4826

Edges = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]


def threshold(vectors: FloatArray) -> float:
    """Return the score from which two rows are alike, by the scores of random pairs."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, len(vectors), (2, _DRAWN))
    scores = (vectors[one] * vectors[other]).sum(axis=1)[one != other]
    if not len(scores):
        return _GREATEST
    middle = float(np.median(scores))
    spread = _TO_DEVIATION * float(np.median(np.abs(scores - middle)))
    return float(np.clip(middle + _RARE * spread, _LEAST, _GREATEST))


def neighbours(vectors: FloatArray, groups: npt.NDArray[np.int64], least: float) -> Edges:
    """Return pairs of rows that are among each other's nearest, once each, with their scores.

    Parameters
    ----------
    vectors : (n, dimension) float32
        Rows of length 1.
    groups : (n,) int64
        Rows of one group are not compared: what overlaps in one recording.
    least : float
        Lowest score.
    """
    count = len(vectors)
    n_cells = max(1, count // _CELL)
    cells = MiniBatchKMeans(n_cells, random_state=0, n_init=1).fit(vectors)
    near = np.argsort(cells.transform(vectors), axis=1)[:, :_PROBED]
    members = [np.flatnonzero(cells.labels_ == cell) for cell in range(n_cells)]
    rows: list[npt.NDArray[np.int64]] = []
    columns: list[npt.NDArray[np.int64]] = []
    for probes in np.unique(near, axis=0):
        asking = np.flatnonzero((near == probes).all(axis=1))
        asked = np.concatenate([members[cell] for cell in probes])
        scores = vectors[asking] @ vectors[asked].T
        scores[groups[asking][:, np.newaxis] == groups[asked]] = -1.0
        best = np.argsort(-scores, axis=1)[:, :_NEIGHBOURS]
        kept = np.take_along_axis(scores, best, axis=1) >= least
        rows.append(np.repeat(asking, kept.sum(axis=1)))
        columns.append(asked[best[kept]])
    graph = scipy.sparse.csr_array(
        (np.ones(sum(map(len, rows)), np.int8), (np.concatenate(rows), np.concatenate(columns))),
        shape=(count, count),
    )
    mutual = scipy.sparse.triu(graph.multiply(graph.T), 1).tocoo()
    scores = (vectors[mutual.row] * vectors[mutual.col]).sum(axis=1)
    return mutual.row.astype(np.int64), mutual.col.astype(np.int64), scores


def clusters(edges: Edges, count: int) -> list[npt.NDArray[np.int64]]:
    """Return the connected components of more than one row."""
    graph = scipy.sparse.coo_array((edges[2], (edges[0], edges[1])), shape=(count, count))
    n_found, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(labels, minlength=n_found))[:-1])
    return [part for part in parts if len(part) > 1]
