"""Find where events may be, from the stored vectors of windows alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.events.parts import Found
from soundalike.search.queries import EmbeddedQuery
from soundalike.store.base import SearchableWindows
from soundalike.types import FloatArray, HalfArray

#: Windows of other sound that a recording's background is computed with, so that a short recording is
#: not taken for its own background.
_PRIOR_WINDOWS = 8
#: Windows that are compared at once, to bound the memory of their 32-bit copies.
_BLOCK = 4096
#: A recording of this many windows, 36 hours by default, is converted at once; 134 MB.
_KEPT_WINDOWS = 65_536
#: Share of the best matching second's part in the score from which a second belongs to an event.
_MATCHING = 0.25
#: Share of the greatest energy from which a window between the query's windows is looked for.
_STRONG = 0.5
#: An event reaches along its diagonal as far as windows score this share of its best.
_SHARE = 0.6


def blocks_of(embeddings: HalfArray) -> Iterable[FloatArray]:
    """Return vectors as 32-bit blocks, which may be gone through twice.

    The conversion is most of the work, so that of all but the longest recordings is kept.
    """
    if len(embeddings) <= _KEPT_WINDOWS:
        return [embeddings.astype(np.float32)]
    return _Blocks(embeddings)


class _Blocks:
    """Converts blocks each time, so that memory stays bounded."""

    def __init__(self, embeddings: HalfArray) -> None:
        self._embeddings = embeddings

    def __iter__(self) -> Iterator[FloatArray]:
        for begin in range(0, len(self._embeddings), _BLOCK):
            yield self._embeddings[begin : begin + _BLOCK].astype(np.float32)


def background_of(blocks: Iterable[FloatArray]) -> FloatArray:
    """Return the mean of a recording's windows, drawn towards zero where these are few."""
    sums, count = zip(*((block.sum(axis=0), len(block)) for block in blocks), strict=True)
    total: FloatArray = np.sum(sums, axis=0) / np.float32(sum(count) + _PRIOR_WINDOWS)
    return total


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for: windows of the query after the background is subtracted.

    Attributes
    ----------
    rows : (m, dimension) float32
        Of length 1.
    starts_s : (m,) float64
        Their begins in the query.
    step : int
        Rows from one window of the query to the one that follows after a stride of the index.
    """

    rows: FloatArray
    starts_s: npt.NDArray[np.float64]
    step: int


def _sought(query: EmbeddedQuery, n_examples: int, background: FloatArray) -> _Sought:
    """Return the query's windows; of vectors that stand side by side, also windows between them."""
    spec, windows = query.spec, query.windows
    if n_examples == 1:
        starts_s = np.array([window.start_s for window in windows])
        return _Sought(_unit(query.embeddings - background), starts_s, 1)
    example_s = spec.window_s / n_examples
    first = np.array([round((w.start_s - windows[0].start_s) / example_s) for w in windows])
    places = (first[:, np.newaxis] + np.arange(n_examples)).ravel()
    size = spec.dimension // n_examples
    seconds = np.zeros((places.max() + 1, size), np.float32)
    np.add.at(seconds, places, query.embeddings.reshape(-1, size))
    counts = np.bincount(places)[:, np.newaxis]
    seconds /= np.maximum(counts, 1)
    # Nothing, and not silence, is looked for where the query has no vector.
    seconds = np.where(counts > 0, seconds - background.reshape(n_examples, size).mean(axis=0), 0.0)
    padded = np.pad(seconds.astype(np.float32), ((n_examples - 1, n_examples - 1), (0, 0)))
    rows = np.lib.stride_tricks.sliding_window_view(padded, n_examples, axis=0).transpose(0, 2, 1)
    rows = rows.reshape(len(rows), spec.dimension)
    energies = (rows**2).sum(axis=1)
    strong = np.flatnonzero(energies >= _STRONG * energies.max())
    kept = np.arange(strong[0], strong[-1] + 1)
    starts_s = windows[0].start_s + (kept - (n_examples - 1)) * example_s
    return _Sought(_unit(rows[kept]), starts_s, max(1, round(spec.stride_s / example_s)))


def _contrast(blocks: Iterable[FloatArray], sought: FloatArray, background: FloatArray) -> FloatArray:
    """Return the cosines of windows with what is sought, after the background is subtracted.

    Parameters
    ----------
    blocks : iterable of (n, dimension) float32
        Rows of length 1.
    sought : (m, dimension) float32
        Rows of length 1, from which the background is subtracted.
    background : (dimension,) float32

    Returns
    -------
    scores : (n, m) float32
    """
    both = np.vstack([sought, background]).T
    offsets, power = sought @ background, float(background @ background)
    scores = []
    for block in blocks:
        products = block @ both
        lengths = np.sqrt(np.maximum(1.0 + power - 2.0 * products[:, -1:], 1e-6))
        scores.append((products[:, :-1] - offsets) / lengths)
    found: FloatArray = np.concatenate(scores)
    return found


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
    blocks = blocks_of(windows.embeddings)
    background = background_of(blocks)
    sought = _sought(query, n_examples, background)
    scores = _contrast(blocks, sought.rows, background)
    whole, base = _along_diagonals(scores, sought.step)
    best = np.maximum(scores.max(axis=1), whole)
    rows = np.flatnonzero(best >= min_score)
    rows = rows[np.argsort(-best[rows], kind="stable")]
    taken = np.zeros(len(best), dtype=bool)
    found: list[Found] = []
    for row in rows:
        if taken[row]:
            continue
        if whole[row] >= best[row]:
            count = -(-(scores.shape[1] - base[row]) // sought.step)
            first, last, column = int(row), int(row) + count - 1, int(base[row])
        else:
            first, last, column = _grown(scores, int(row), sought.step)
        last = min(last, len(best) - 1)
        is_free = not taken[first : last + 1].any()
        # Windows that share some time; a part that was found already is better.
        begin = np.searchsorted(windows.ends_s, windows.starts_s[first], "right")
        end = np.searchsorted(windows.starts_s, windows.ends_s[last], "left")
        taken[begin:end] = True
        if is_free:
            columns = column + sought.step * np.arange(last - first + 1)
            alike = sought.rows[np.minimum(columns, len(sought.rows) - 1)]
            start_s, end_s = _alike_part(windows, n_examples, background, first, alike)
            own_s = (sought.starts_s[column], sought.starts_s[column] + windows.ends_s[last])
            found.append(
                Found(
                    start_s,
                    end_s,
                    max(query.windows[0].start_s, float(own_s[0])),
                    min(query.windows[-1].end_s, float(own_s[1] - windows.starts_s[first])),
                    float(best[row]),
                )
            )
    return found


def best_scores(embeddings: FloatArray, query: EmbeddedQuery, n_examples: int) -> FloatArray:
    """Return the best score of each window of a recording: what `screen` compares with its limit.

    Parameters
    ----------
    embeddings : (n_windows, dimension) float32
        Of consecutive windows of one recording.
    query : EmbeddedQuery
    n_examples : int
        As for `screen`.
    """
    background = background_of([embeddings])
    sought = _sought(query, n_examples, background)
    scores = _contrast([embeddings], sought.rows, background)
    best: FloatArray = np.maximum(scores.max(axis=1), _along_diagonals(scores, sought.step)[0])
    return best


def _along_diagonals(scores: FloatArray, step: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return the mean score of the whole query if it begins with each window, and its first column."""
    n_windows, n_query = scores.shape
    means = np.full((min(step, n_query), n_windows), -1.0, np.float32)
    for base in range(len(means)):
        columns = range(base, n_query, step)
        total = np.zeros(n_windows, np.float32)
        for after, column in enumerate(columns[:n_windows]):
            total[: n_windows - after] += scores[after:, column]
        means[base] = total / len(columns)
    return means.max(axis=0), means.argmax(axis=0)


def _grown(scores: FloatArray, row: int, step: int) -> tuple[int, int, int]:
    """Return first and last row of the run of a window's diagonal, and the first row's column."""
    column = int(scores[row].argmax())
    least = _SHARE * scores[row, column]
    before = after = 0
    while (
        row > before
        and column >= (before + 1) * step
        and scores[row - before - 1, column - (before + 1) * step] >= least
    ):
        before += 1
    while (
        row + after + 1 < len(scores)
        and column + (after + 1) * step < scores.shape[1]
        and scores[row + after + 1, column + (after + 1) * step] >= least
    ):
        after += 1
    return row - before, row + after, column - before * step


def _alike_part(
    windows: SearchableWindows,
    n_examples: int,
    background: FloatArray,
    first: int,
    alike: FloatArray,
) -> tuple[float, float]:
    """Return the bounds of a run of windows without the seconds at both ends that match nothing."""
    rows = slice(first, first + len(alike))
    starts_s, ends_s = windows.starts_s[rows], windows.ends_s[rows]
    if n_examples == 1:
        return float(starts_s[0]), float(ends_s[-1])
    products = (windows.embeddings[rows].astype(np.float32) - background) * alike
    shares = products.reshape(len(alike), n_examples, -1).sum(axis=2)
    if shares.max() <= 0.0:
        return float(starts_s[0]), float(ends_s[-1])
    length_s = (ends_s - starts_s)[:, np.newaxis] / n_examples
    times_s = starts_s[:, np.newaxis] + np.arange(n_examples) * length_s
    matching = times_s[shares >= _MATCHING * shares.max()]
    return float(matching.min()), min(float(ends_s[-1]), float(matching.max() + length_s.max()))


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit
