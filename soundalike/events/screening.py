"""Find where events may be, from the stored vectors of windows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundalike.search.queries import EmbeddedQuery
from soundalike.store.base import SearchableWindows
from soundalike.types import FloatArray, HalfArray

#: Windows of other sound that a recording's background is computed with, so that a short recording is
#: not taken for its own background.
_PRIOR_WINDOWS = 8
#: Windows that are compared at once, to bound the memory of their 32-bit copies.
_BLOCK = 4096
#: Share of the greatest energy of a second from which it belongs to an event.
_LOUD = 0.25
#: An event reaches along its diagonal as far as windows score this share of its best.
_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """A part of a recording that resembles a part of the query; positions in seconds."""

    start_s: float
    end_s: float
    query_start_s: float
    query_end_s: float
    score: float

    def overlaps(self, other: Found) -> bool:
        """Return whether two parts share some time."""
        return self.start_s < other.end_s and other.start_s < self.end_s


def background_of(embeddings: HalfArray) -> FloatArray:
    """Return the mean of a recording's windows, drawn towards zero where these are few."""
    total: FloatArray = np.zeros(embeddings.shape[1], np.float32)
    for begin in range(0, len(embeddings), _BLOCK):
        total += embeddings[begin : begin + _BLOCK].astype(np.float32).sum(axis=0)
    total /= len(embeddings) + _PRIOR_WINDOWS
    return total


def contrast(embeddings: HalfArray, query: FloatArray, background: FloatArray) -> FloatArray:
    """Return cosines of windows and query windows after the background is subtracted.

    Parameters
    ----------
    embeddings : (n, dimension) float16
        Rows of length 1.
    query : (m, dimension) float32
        Rows of length 1.
    background : (dimension,) float32

    Returns
    -------
    scores : (n, m) float32
    """
    sought = query - background
    sought /= np.maximum(np.linalg.norm(sought, axis=1, keepdims=True), 1e-9)
    both = np.vstack([sought, background]).T
    offsets, power = sought @ background, float(background @ background)
    scores = np.empty((len(embeddings), len(query)), np.float32)
    for begin in range(0, len(embeddings), _BLOCK):
        products = embeddings[begin : begin + _BLOCK].astype(np.float32) @ both
        lengths = np.sqrt(np.maximum(1.0 + power - 2.0 * products[:, -1:], 1e-6))
        scores[begin : begin + _BLOCK] = (products[:, :-1] - offsets) / lengths
    return scores


def screen(
    windows: SearchableWindows, query: EmbeddedQuery, n_examples: int, min_score: float
) -> list[Found]:
    """Return the parts of a recording that resemble the query, the best first, none overlapping.

    A part is the run of window pairs along a diagonal, or the whole query where that scores higher.

    Parameters
    ----------
    windows : SearchableWindows
    query : EmbeddedQuery
    n_examples : int
        Consecutive stretches of a window whose vectors stand side by side in that of the window.
    min_score : float
        Lowest score of a part.
    """
    background = background_of(windows.embeddings)
    scores = contrast(windows.embeddings, query.embeddings, background)
    best = scores.max(axis=1)
    whole = _along_diagonals(scores)
    best = np.maximum(best, whole)
    rows = np.flatnonzero(best >= min_score)
    rows = rows[np.argsort(-best[rows], kind="stable")]
    taken = np.zeros(len(best), dtype=bool)
    found: list[Found] = []
    for row in rows:
        if taken[row]:
            continue
        if whole[row] >= best[row]:
            first, last, column = int(row), int(row) + scores.shape[1] - 1, 0
        else:
            first, last, column = _grown(scores, int(row))
        last = min(int(last), len(best) - 1)
        start_s, end_s = float(windows.starts_s[first]), float(windows.ends_s[last])
        # Parts that were found already, which are better, keep their time.
        begin, end = (
            np.searchsorted(windows.ends_s, start_s, "right"),
            np.searchsorted(windows.starts_s, end_s, "left"),
        )
        is_free = not taken[first : last + 1].any()
        taken[begin:end] = True
        if is_free:
            found.append(
                _part(windows, query, n_examples, background, slice(first, last + 1), column, best[row])
            )
    return found


def _along_diagonals(scores: FloatArray) -> FloatArray:
    """Return the mean score of the whole query if it begins with each window."""
    n_windows, n_query = scores.shape
    total = np.zeros(n_windows, np.float32)
    for column in range(n_query):
        total[: n_windows - column] += scores[column:, column]
    mean: FloatArray = total / n_query
    return mean


def _grown(scores: FloatArray, row: int) -> tuple[int, int, int]:
    """Return first and last row of the run of a window's diagonal, and the first row's column."""
    column = int(scores[row].argmax())
    least = _SHARE * scores[row, column]
    before = after = 0
    while (
        row - before > 0
        and column - before > 0
        and scores[row - before - 1, column - before - 1] >= least
    ):
        before += 1
    while (
        row + after + 1 < len(scores)
        and column + after + 1 < scores.shape[1]
        and scores[row + after + 1, column + after + 1] >= least
    ):
        after += 1
    return row - before, row + after, column - before


def _part(
    windows: SearchableWindows,
    query: EmbeddedQuery,
    n_examples: int,
    background: FloatArray,
    rows: slice,
    column: int,
    score: float,
) -> Found:
    """Return a run of windows, without the seconds at both ends that are like the background."""
    starts_s, ends_s = windows.starts_s[rows], windows.ends_s[rows]
    begin_s, end_s = float(starts_s[0]), float(ends_s[-1])
    own = query.windows[column]
    last = query.windows[min(column + rows.stop - rows.start - 1, len(query.windows) - 1)]
    if n_examples > 1:
        parts = (windows.embeddings[rows].astype(np.float32) - background).reshape(
            len(starts_s), n_examples, -1
        )
        energies = (parts**2).sum(axis=2)
        length_s = (ends_s - starts_s)[:, np.newaxis] / n_examples
        times_s = starts_s[:, np.newaxis] + np.arange(n_examples) * length_s
        loud = times_s[energies >= _LOUD * energies.max()]
        begin_s, end_s = float(loud.min()), min(end_s, float(loud.max() + length_s.max()))
    return Found(begin_s, end_s, own.start_s, last.end_s, float(score))
