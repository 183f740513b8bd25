"""Best-window scores of pairs of clips, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from soundalike.types import FloatArray

#: Score of clips without a searchable window: below every cosine similarity.
NO_SCORE = -2.0
#: Maximum number of query windows per block; larger blocks read the candidates less often.
_BLOCK_ROWS = 256
#: Maximum number of similarities in memory (32 MiB).
_BLOCK_VALUES = 1 << 23


class Candidates:
    """Candidates, with their windows in one matrix.

    Parameters
    ----------
    embedded : sequence of (n_windows, dimension) float32
        One array per clip, rows of length 1. Clips without rows have the score `NO_SCORE`.
    """

    def __init__(self, embedded: Sequence[FloatArray]) -> None:
        self._n_clips = len(embedded)
        self._filled = [index for index, rows in enumerate(embedded) if len(rows)]
        filled = [embedded[index] for index in self._filled]
        self._first_rows = _first_rows(filled)
        self._rows = np.concatenate(filled) if filled else np.zeros((0, 0), np.float32)

    def scores(self, queries: Iterable[FloatArray]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the highest cosine similarity of any pair of windows with each clip, for each query.

        Parameters
        ----------
        queries : iterable of (n_windows, dimension) float32
            Rows of length 1.

        Yields
        ------
        scores : (n_clips,) float32
        """
        limit = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, len(self._rows))))
        block: list[FloatArray] = []
        for query in queries:
            if block and sum(map(len, block)) + len(query) > limit:
                yield from self._scores(block, limit)
                block = []
            block.append(query)
        yield from self._scores(block, limit)

    def _scores(self, queries: Sequence[FloatArray], limit: int) -> npt.NDArray[np.float32]:
        scores = np.full((len(queries), self._n_clips), NO_SCORE, dtype=np.float32)
        if not len(self._rows) or not any(map(len, queries)):
            return scores
        best = np.full((len(queries), len(self._rows)), NO_SCORE, dtype=np.float32)
        if len(queries) == 1:
            # A single query may exceed the limit.
            for begin in range(0, len(queries[0]), limit):
                part = queries[0][begin : begin + limit] @ self._rows.T
                np.maximum(best[0], part.max(axis=0), out=best[0])
        else:
            similarity = np.concatenate(queries) @ self._rows.T
            for of_query, first, query in zip(best, _first_rows(queries), queries, strict=True):
                similarity[first : first + len(query)].max(axis=0, initial=NO_SCORE, out=of_query)
        scores[:, self._filled] = np.maximum.reduceat(best, self._first_rows, axis=1)
        return scores


def _first_rows(parts: Sequence[FloatArray]) -> list[int]:
    """Return the first row of each part in their concatenation."""
    return [0, *accumulate(len(part) for part in parts[:-1])]


def best_window_scores(embedded: Sequence[FloatArray]) -> npt.NDArray[np.float32]:
    """Return the highest cosine similarity of any pair of windows, for every pair of clips.

    Parameters
    ----------
    embedded : sequence of (n_windows, dimension) float32
        Rows of length 1; clips without rows have the score `NO_SCORE`.

    Returns
    -------
    scores : (n_clips, n_clips) float32
    """
    return np.stack(list(Candidates(embedded).scores(embedded)))


def best_pair(query: FloatArray, found: FloatArray) -> tuple[int, int]:
    """Return the most similar pair of windows of two clips; of equally good pairs the earliest.

    Parameters
    ----------
    query, found : (n_windows, dimension) float32
        At least one row each.
    """
    similarity = query @ found.T
    row, column = np.unravel_index(int(similarity.argmax()), similarity.shape)
    return int(row), int(column)
