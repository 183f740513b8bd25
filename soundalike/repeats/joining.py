"""Join what is alike to clusters, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.cluster.vq import kmeans
from scipy.spatial.distance import cdist

from soundalike.types import FloatArray

#: Neighbours of each row.
_NEIGHBOURS = 100
#: Rows are sorted into cells of about this size, and compared with those of the nearest cells.
_CELL = 500
_PROBED = 3
#: Rows for each cell that k-means sees, and the gain at which it stops.
_PER_CELL, _LEAST_GAIN = 100, 1e-3
_BLOCK = 5_000
#: Pairs that are drawn to know the scores of unrelated rows.
_DRAWN = 20_000
#: Deviations above the middle of these scores; the least and the greatest threshold.
_RARE = 4.0
_LEAST, _GREATEST = 0.8, 0.86
_TO_DEVIATION = 1.4826
#: What a pair loses if one is e times as long as the other.
_LENGTH = 0.15

#: Returns the scores of one row with others.
Compare = Callable[[int, npt.NDArray[np.int64]], FloatArray]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Rows that are alike.

    Attributes
    ----------
    centre : int
        The row that the others are compared with.
    rows : (n,) int64
        With the centre.
    scores : (n,) float32
        Similarity to the centre; 1 for itself.
    """

    centre: int
    rows: npt.NDArray[np.int64]
    scores: FloatArray


def threshold(vectors: FloatArray) -> float:
    """Return the score from which two rows are alike, which follows from the scores of random pairs.

    Parameters
    ----------
    vectors : (n, dimension) float32
        Rows of length 1.
    """
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, len(vectors), (2, _DRAWN))
    scores = (vectors[one] * vectors[other]).sum(axis=1)[one != other]
    if not len(scores):
        return _GREATEST
    middle = float(np.median(scores))
    spread = _TO_DEVIATION * float(np.median(np.abs(scores - middle)))
    return float(np.clip(middle + _RARE * spread, _LEAST, _GREATEST))


def neighbours(
    vectors: FloatArray,
    lengths_s: FloatArray | None,
    least: float,
    most: int = _NEIGHBOURS,
    n_random: int = 0,
) -> scipy.sparse.csr_array:
    """Return a graph of the nearest rows, with scores as weights; the same in both directions.

    Rows are sorted into cells by k-means, and compared with the rows of the nearest cells only.

    Parameters
    ----------
    vectors : (n, dimension) float32
        Rows of length 1.
    lengths_s : (n,) float32, optional
        Pairs of different lengths score less.
    least : float
        Lowest score.
    most : int
        Nearest neighbours of each row.
    n_random : int
        Others for each row, chosen at random from the ones that reach `least`. A group with many more
        rows than neighbours are kept stays connected by them.
    """
    rng = np.random.default_rng(0)
    count = len(vectors)
    logs = np.zeros(count) if lengths_s is None else np.log(np.maximum(lengths_s, 1e-3))
    nearest = _nearest_cells(vectors)
    near = np.sort(nearest, axis=1)
    probes, asked_by = np.unique(near, axis=0, return_inverse=True)
    edges: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]] = []
    for number, probe in enumerate(probes):
        asked = np.flatnonzero(np.isin(nearest[:, 0], probe))
        for asking in np.array_split(*_blocks(np.flatnonzero(asked_by.ravel() == number))):
            scores = vectors[asking] @ vectors[asked].T
            scores -= _LENGTH * np.abs(logs[asking][:, np.newaxis] - logs[asked])
            scores[asking[:, np.newaxis] == asked] = -1.0
            rows, columns = np.nonzero(_chosen(scores, least, most, n_random, rng))
            edges.append((asking[rows], asked[columns], scores[rows, columns]))
    first, second, weights = (np.concatenate(each) for each in zip(*edges, strict=True))
    graph = scipy.sparse.csr_array((weights, (first, second)), shape=(count, count))
    return graph.maximum(graph.T).tocsr()


def _chosen(
    scores: FloatArray, least: float, most: int, n_random: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return which columns of each row are the nearest ones, or drawn from the others."""
    chosen = np.zeros(scores.shape, bool)
    np.put_along_axis(chosen, np.argsort(-scores, axis=1)[:, :most], True, axis=1)
    if n_random:
        order = np.where(chosen | (scores < least), -1.0, rng.random(scores.shape, np.float32))
        np.put_along_axis(chosen, np.argsort(-order, axis=1)[:, :n_random], True, axis=1)
    found: npt.NDArray[np.bool_] = chosen & (scores >= least)
    return found


def _nearest_cells(vectors: FloatArray) -> npt.NDArray[np.int64]:
    """Return the nearest cells of each row, the nearest first; cells are made from some of the rows."""
    rng = np.random.default_rng(0)
    n_cells = max(1, len(vectors) // _CELL)
    some = vectors[rng.permutation(len(vectors))[: n_cells * _PER_CELL]]
    centres, _ = kmeans(some, some[:n_cells].copy(), thresh=_LEAST_GAIN)
    found = [
        np.argsort(cdist(block, centres), axis=1)[:, :_PROBED]
        for block in np.array_split(vectors, -(-len(vectors) // _BLOCK))
    ]
    nearest: npt.NDArray[np.int64] = np.concatenate(found)
    return nearest


def _blocks(rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    return rows, max(1, -(-len(rows) // _CELL))


def rescored(graph: scipy.sparse.csr_array, compare: Compare, least: float) -> scipy.sparse.csr_array:
    """Return a graph with the scores of a better comparison, without the pairs that score less.

    Parameters
    ----------
    graph : csr_array
        As `neighbours` returns it.
    compare : callable
    least : float
        Lowest score.
    """
    upper = scipy.sparse.triu(graph).tocsr()
    for row in range(upper.shape[0]):
        begin, end = upper.indptr[row], upper.indptr[row + 1]
        if end > begin:
            scores = compare(row, upper.indices[begin:end])
            upper.data[begin:end] = np.where(scores >= least, scores, 0.0)
    upper.eliminate_zeros()
    return upper.maximum(upper.T).tocsr()


def clusters(graph: scipy.sparse.csr_array, min_count: int) -> list[Cluster]:
    """Return stars: the row with the highest sum of scores, with what is like it; then of the rest.

    Unlike connected components, a star does not grow along a chain of sounds that are little alike. The
    stars with the highest sums come first.

    Parameters
    ----------
    graph : csr_array
        As `neighbours` returns it.
    min_count : int
        Least rows of a cluster.
    """
    open_rows = _OpenRows(graph)
    found: list[Cluster] = []
    while (centre := open_rows.best(min_count - 1)) is not None:
        open_rows.close(np.array([centre]))
        rows, scores = _star(graph, centre, open_rows.is_open)
        if len(rows) + 1 < min_count:
            continue
        open_rows.close(rows)
        found.append(_cluster(centre, rows, scores))
    return sorted(found, key=lambda cluster: -float(cluster.scores.sum()))


def around_centre(
    graph: scipy.sparse.csr_array, rows: npt.NDArray[np.int64], compare: Compare
) -> Cluster:
    """Return a group of rows as a cluster around the row with the highest sum of scores."""
    sums = np.asarray(graph[rows][:, rows].sum(axis=1)).ravel()
    centre = int(rows[sums.argmax()])
    others = rows[rows != centre]
    return _cluster(centre, others, compare(centre, others))


def _cluster(centre: int, others: npt.NDArray[np.int64], scores: FloatArray) -> Cluster:
    rows = np.concatenate([[centre], others]).astype(np.int64)
    return Cluster(centre, rows, np.concatenate([[1.0], scores]).astype(np.float32))


class _OpenRows:
    """The rows that are in no cluster yet, with the sums of their scores."""

    def __init__(self, graph: scipy.sparse.csr_array) -> None:
        self._graph = graph
        self._sums = np.asarray(graph.sum(axis=1)).ravel()
        self._counts = np.diff(graph.indptr)
        self.is_open = np.ones(graph.shape[0], bool)

    def best(self, least_count: int) -> int | None:
        """Return the row with the highest sum of those with enough neighbours; None if there is none."""
        sums = np.where(self.is_open & (self._counts >= least_count), self._sums, -np.inf)
        row = int(sums.argmax())
        return row if np.isfinite(sums[row]) else None

    def close(self, rows: npt.NDArray[np.int64]) -> None:
        """Take rows out."""
        self.is_open[rows] = False
        self._sums = self._sums - np.asarray(self._graph[rows].sum(axis=0)).ravel()
        self._counts = self._counts - np.bincount(self._graph[rows].indices, minlength=len(self._counts))


def _star(
    graph: scipy.sparse.csr_array, centre: int, is_open: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    begin, end = graph.indptr[centre], graph.indptr[centre + 1]
    near = graph.indices[begin:end]
    kept = is_open[near]
    return near[kept].astype(np.int64), graph.data[begin:end][kept]
