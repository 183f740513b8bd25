"""Groups of rows that are closer to each other than to the rest, at whatever distance that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.sparse.csgraph import minimum_spanning_tree

from soundalike.types import FloatArray

#: A row takes part from the score at which it has so many neighbours, so that one row between two groups
#: does not join them.
_NEIGHBOURS = 2
#: scipy takes a stored zero for a missing edge.
_LEAST_DISTANCE = 1e-6

_Rows = npt.NDArray[np.int64]


def groups(graph: scipy.sparse.csr_array, min_count: int, least: float) -> list[_Rows]:
    """Return the dense groups of a graph, the most frequent and most alike first.

    The groups are those of HDBSCAN, with scores in place of inverse distances: of a group and the groups
    that it falls apart into at higher scores, those stay in which more rows are together for a wider
    range of scores. Unlike scikit-learn's, this one takes a graph that has several components.

    Parameters
    ----------
    graph : csr_array
        Scores as weights; the same in both directions.
    min_count : int
        Least rows of a group.
    least : float
        Lowest score in the graph.
    """
    forest = _Forest(graph.shape[0], min_count)
    needed = min(_NEIGHBOURS, min_count - 1)
    for row, other, score in zip(*_spanning_edges(graph, needed), strict=True):
        forest.join(int(row), int(other), float(score))
    return forest.chosen(least)


def _spanning_edges(graph: scipy.sparse.csr_array, needed: int) -> tuple[_Rows, _Rows, FloatArray]:
    """Return the edges of a maximum spanning tree of rows with the needed neighbours, the best first."""
    row_of = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    scores = graph.data[np.lexsort((-graph.data, row_of))]
    has_enough = np.diff(graph.indptr) >= needed
    core = np.full(graph.shape[0], -np.inf)
    core[has_enough] = scores[graph.indptr[:-1][has_enough] + needed - 1]
    edges = scipy.sparse.triu(graph).tocoo()
    reached = np.minimum(edges.data, np.minimum(core[edges.row], core[edges.col]))
    is_kept = np.isfinite(reached)
    distances = np.maximum(1.0 - reached[is_kept], _LEAST_DISTANCE)
    rows, others = edges.row[is_kept], edges.col[is_kept]
    tree = minimum_spanning_tree(
        scipy.sparse.csr_array((distances, (rows, others)), shape=graph.shape)
    ).tocoo()
    order = np.argsort(tree.data, kind="stable")
    return tree.row[order], tree.col[order], 1.0 - tree.data[order]


@dataclass(slots=True)
class _Part:
    """Rows that are joined so far, as a list in which each row knows the next.

    Attributes
    ----------
    head, tail : int
        First and last row.
    size : int
    sum : float
        Sum over the rows of the scores at which they joined; of a part of enough rows.
    below : float
        Weight of the best groups inside.
    inside : list of (weight, head, size)
        These groups.
    """

    head: int
    tail: int
    size: int = 1
    sum: float = 0.0
    below: float = 0.0
    inside: list[tuple[float, int, int]] | None = None

    def close(self, score: float) -> None:
        """Decide whether this part, on its own above a score, or the groups inside are better."""
        weight = self.sum - self.size * score
        if self.inside is None or weight >= self.below:
            self.below, self.inside = weight, [(weight, self.head, self.size)]


class _Forest:
    """Joins rows from the highest score to the lowest."""

    def __init__(self, count: int, min_count: int) -> None:
        self._min_count = min_count
        self._above = np.arange(count)
        self._next = np.full(count, -1)
        self._parts = {row: _Part(row, row) for row in range(count)}

    def _root(self, row: int) -> int:
        while self._above[row] != row:
            self._above[row] = self._above[self._above[row]]
            row = int(self._above[row])
        return row

    def join(self, row: int, other: int, score: float) -> None:
        """Join the parts of two rows at a score."""
        first, second = self._root(row), self._root(other)
        if self._parts[first].size < self._parts[second].size:
            first, second = second, first
        part, smaller = self._parts[first], self._parts.pop(second)
        self._above[second] = first
        if smaller.size >= self._min_count:
            part.close(score)
            smaller.close(score)
            part.below += smaller.below
            part.inside = [*(part.inside or []), *(smaller.inside or [])]
            part.sum = score * (part.size + smaller.size)
        elif part.size >= self._min_count:
            part.sum += score * smaller.size
        else:
            part.sum = score * (part.size + smaller.size)
        self._next[part.tail] = smaller.head
        part.tail = smaller.tail
        part.size += smaller.size

    def chosen(self, least: float) -> list[_Rows]:
        """Return the best groups, those with the highest weight first."""
        found: list[tuple[float, int, int]] = []
        for part in self._parts.values():
            if part.size >= self._min_count:
                part.close(least)
                found += part.inside or []
        return [self._rows(head, size) for _, head, size in sorted(found, key=lambda one: -one[0])]

    def _rows(self, head: int, size: int) -> _Rows:
        rows = np.empty(size, np.int64)
        for place in range(size):
            rows[place] = head
            head = int(self._next[head])
        return np.sort(rows)
