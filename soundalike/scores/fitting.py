"""Fit the scores of unrelated recordings from a sample of a collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.scores.null_model import NullModel, to_line
from soundalike.types import FloatArray, HalfArray

#: Fewer recordings tell nothing about rates of 1 in 100.
MIN_RECORDINGS = 20
#: Pairs with a common label are related, unless most pairs have one.
_MIN_UNRELATED_SHARE = 1 / 3
#: Copies of each other score this many times further above the median than the best tenth: in an
#: exponential tail such pairs are rarer than 1 in 30,000. And they are alike throughout, not in one
#: window alone: the mean of the best scores of their windows is this many times further.
_COPIES_BEYOND, _COPIES_MEAN_BEYOND = 6.0, 2.5
#: Shares of pairs at which the distribution is stored.
_SHARES = (0.999, 0.99, 0.97, 0.9, 0.75, 0.5, 0.35, 0.25, *(0.17 / 2 ** (n / 2) for n in range(30)))
#: Pairs that must score higher than a stored score; beyond, the tail is exponential.
_MIN_ABOVE = 25
#: Share of pairs whose scores give the slope of that line.
_TAIL_SHARE = 0.03
#: Share of pairs at whose score the growth with the number of windows is measured.
_GROWTH_SHARE = 0.05
#: Of this many recordings at most, with this many pairs at least; else the usual growth is assumed.
_GROWTH_RECORDINGS = 128
_MIN_GROWTH_PAIRS = 200
_USUAL_GROWTH = 0.7
#: Recordings that are compared with all others at once.
_BLOCK = 16
#: Smallest distance of stored places.
_MIN_STEP = 1e-4
#: Length of the segment that gives the slope of the exponential tail, in its mean excess.
_TAIL_LENGTH = 10.0

Floats = npt.NDArray[np.float64]


class SampledRecording(NamedTuple):
    """Searchable windows of a recording.

    Attributes
    ----------
    labels : frozenset of str
        Labels of its paths.
    rows : (n_windows, dimension) float
        Vectors of adjacent windows, not zero.
    recording_id : str
    first_window : int
        Index of the first of these windows in the recording.
    """

    labels: frozenset[str]
    rows: FloatArray | HalfArray
    recording_id: str = ""
    first_window: int = 0


class _Pairs(NamedTuple):
    """Pairs of recordings: best score, mean score, number of pairs of windows, and positions.

    The mean is that of the best scores of each window of one of them, the higher of both ways.
    """

    scores: Floats
    means: Floats
    sizes: Floats
    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]


def fit(
    sample: Sequence[SampledRecording], collection_size: int, made_at: datetime | None = None
) -> NullModel | None:
    """Return the model of a sample; None if it is too small.

    Pairs of recordings with a common label are left out, unless most have one. So are copies: pairs that
    score far above all others, and in all windows.

    Parameters
    ----------
    sample : sequence of SampledRecording
        A random sample; recordings without rows are ignored.
    collection_size : int
        Number of recordings in the collection.
    made_at : datetime, optional
        Now by default.
    """
    usable = [each for each in sample if len(each.rows)]
    if len(usable) < MIN_RECORDINGS:
        return None
    rows = [_unit(each.rows) for each in usable]
    pairs = _unrelated(rows, [each.labels for each in usable])
    return model_of(
        pairs.scores, pairs.sizes, _growth(rows, pairs), len(usable), collection_size, made_at
    )


def unrelated_pairs(sample: Sequence[SampledRecording]) -> npt.NDArray[np.intp]:
    """Return the unrelated pairs of a sample, ``(n, 2)`` positions, as `fit` compares them.

    Parameters
    ----------
    sample : sequence of SampledRecording
        All with rows.
    """
    pairs = _unrelated([_unit(each.rows) for each in sample], [each.labels for each in sample])
    return np.stack([pairs.first, pairs.second], axis=1)


def model_of(
    scores: Floats,
    sizes: Floats,
    growth: float,
    n_recordings: int,
    collection_size: int,
    made_at: datetime | None = None,
) -> NullModel | None:
    """Return the model of the scores of unrelated pairs; None if they are too few, or all the same.

    Parameters
    ----------
    scores, sizes : (n_pairs,) float64
        Best scores, and how many pairs of windows each is the best of.
    growth : float
        Exponent of the number of chances beyond the usual sizes.
    n_recordings, collection_size : int
        Numbers of recordings that were compared, and of all.
    made_at : datetime, optional
        Now by default.
    """
    line = to_line(scores)
    if len(line) < MIN_RECORDINGS * (MIN_RECORDINGS - 1) // 4 or line.max() == line.min():
        return None
    usual = float(np.quantile(sizes, 0.05)), float(np.quantile(sizes, 0.95))
    size = float(np.exp(np.log(np.clip(sizes, *usual)).mean()))
    usual_growth = _usual_growth(scores, sizes, growth)
    knots = _knots(line, (np.clip(sizes, *usual) / size) ** usual_growth)
    return NullModel(
        scores=tuple(float(np.tanh(at)) for at, _ in knots),
        log_rates=tuple(log_rate for _, log_rate in knots),
        size=size,
        usual_sizes=usual,
        usual_growth=usual_growth,
        growth=growth,
        n_pairs=len(line),
        n_recordings=n_recordings,
        collection_size=collection_size,
        made_at=made_at or datetime.now(UTC),
    )


def _unit(rows: FloatArray | HalfArray) -> FloatArray:
    found = np.asarray(rows, dtype=np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def _unrelated(rows: Sequence[FloatArray], labels: Sequence[frozenset[str]]) -> _Pairs:
    """Return the pairs without a common label that are no copies of each other."""
    pairs = _kept(_all_pairs(rows), labels)
    return _chosen(pairs, ~_are_copies(pairs))


def _all_pairs(rows: Sequence[FloatArray]) -> _Pairs:
    """Return the best scores of all pairs of different recordings."""
    counts = np.array([len(each) for each in rows], dtype=np.float64)
    best = _of_pairs(rows, lambda similarity: similarity, np.maximum, np.maximum)
    means = _of_pairs(rows, lambda similarity: similarity, np.maximum, np.add) / counts[:, np.newaxis]
    means = np.maximum(means, means.T)
    first, second = np.triu_indices(len(rows), k=1)
    sizes = counts[first] * counts[second]
    return _Pairs(best[first, second], means[first, second], sizes, first, second)


def _of_pairs(
    rows: Sequence[FloatArray],
    values_of: Callable[[FloatArray], FloatArray],
    of_window: np.ufunc,
    of_all: np.ufunc,
) -> Floats:
    """Reduce the similarities of the windows of each two recordings to one number.

    `of_window` reduces those of one window of the first, `of_all` the results.
    """
    columns = np.concatenate(rows).T
    starts = _starts(rows)
    found = []
    for begin in range(0, len(rows), _BLOCK):
        block = rows[begin : begin + _BLOCK]
        by_window = of_window.reduceat(values_of(np.concatenate(block) @ columns), starts, axis=1)
        found.append(of_all.reduceat(by_window, _starts(block), axis=0))
    return np.concatenate(found).astype(np.float64)


def _starts(rows: Sequence[FloatArray]) -> list[int]:
    """Return the first row of each recording in their concatenation."""
    return [0, *accumulate(len(each) for each in rows[:-1])]


def _kept(pairs: _Pairs, labels: Sequence[frozenset[str]]) -> _Pairs:
    """Return the pairs without a common label; all pairs if most have one."""
    position = {name: number for number, name in enumerate(sorted(frozenset().union(*labels)))}
    has = np.zeros((len(labels), len(position)), dtype=np.float32)
    for row, of_one in zip(has, labels, strict=True):
        row[[position[name] for name in of_one]] = 1
    apart = (has @ has.T)[pairs.first, pairs.second] == 0
    if apart.mean() < _MIN_UNRELATED_SHARE:
        return pairs
    return _chosen(pairs, apart)


def _chosen(pairs: _Pairs, which: npt.NDArray[np.bool_]) -> _Pairs:
    return _Pairs(
        pairs.scores[which],
        pairs.means[which],
        pairs.sizes[which],
        pairs.first[which],
        pairs.second[which],
    )


def _are_copies(pairs: _Pairs) -> npt.NDArray[np.bool_]:
    """Return which pairs are copies of each other."""
    line = to_line(pairs.scores)
    median, high = np.quantile(line, (0.5, 0.9))
    is_far = line > median + _COPIES_BEYOND * (high - median)
    is_far &= to_line(pairs.means) > median + _COPIES_MEAN_BEYOND * (high - median)
    return np.asarray(is_far)


def _growth(rows: Sequence[FloatArray], pairs: _Pairs) -> float:
    """Return the exponent with which the chances of a score grow with the number of pairs of windows.

    It relates the share of pairs of windows that reach a score to the share of pairs of recordings that
    have at least one.
    """
    several = [number for number, each in enumerate(rows) if len(each) > 1][:_GROWTH_RECORDINGS]
    position = {number: place for place, number in enumerate(several)}
    within = np.isin(pairs.first, several) & np.isin(pairs.second, several)
    first = np.array([position[number] for number in pairs.first[within].tolist()], dtype=np.intp)
    second = np.array([position[number] for number in pairs.second[within].tolist()], dtype=np.intp)
    if len(first) < _MIN_GROWTH_PAIRS:
        return _USUAL_GROWTH
    score = float(np.quantile(pairs.scores[within], 1 - _GROWTH_SHARE))
    above = _of_pairs(
        [rows[number] for number in several],
        lambda similarity: (similarity >= score).astype(np.float32),
        np.add,
        np.add,
    )[first, second]
    return growth_of(above, pairs.sizes[within])


def growth_of(above: Floats, sizes: Floats) -> float:
    """Return the exponent of the number of chances, 0 to 1.

    Parameters
    ----------
    above, sizes : (n_pairs,) float64
        For each pair of recordings, the number of pairs of windows that reach a score, and of all.
    """
    share, n_reached = float((above / sizes).mean()), int((above > 0).sum())
    different, counts = np.unique(sizes, return_counts=True)
    exponents = np.linspace(0, 1, 101)
    expected = -np.expm1(-share * different ** exponents[:, np.newaxis]) @ counts
    return float(np.interp(n_reached, expected, exponents))


def _usual_growth(scores: Floats, all_sizes: Floats, growth: float) -> float:
    """Return the exponent between recordings of different sizes: the likeliest one up to `growth`."""
    score = float(np.quantile(scores, 1 - _GROWTH_SHARE))
    sizes, which = np.unique(all_sizes, return_inverse=True)
    n_all = np.bincount(which)
    n_above = np.bincount(which, weights=scores >= score)
    logs = np.linspace(-20.0, 5.0, 501)
    best = (-np.inf, 0.0)
    for exponent in np.linspace(0, growth, 21).tolist():
        chances = sizes**exponent
        expected = -np.expm1(-np.exp(logs)[:, np.newaxis] * chances) @ n_all
        chances = np.exp(np.interp(n_above.sum(), expected, logs)) * chances
        # Of pairs above and below the score.
        likelihood = n_above @ np.log(-np.expm1(-chances)) - (n_all - n_above) @ chances
        best = max(best, (float(likelihood), exponent))
    return best[1]


def _knots(line: Floats, sizes: Floats) -> list[tuple[float, float]]:
    """Return places on the line, and the logarithm of the number of chances beyond each.

    `sizes` are numbers of chances relative to the usual number. The last point is on the exponential
    tail.
    """
    line = np.sort(line)[::-1]
    different, counts = np.unique(sizes, return_counts=True)
    logs = np.linspace(-30.0, 10.0, 801)
    # How many of these pairs are expected to be beyond a place, by the logarithm of its chances.
    expected = -np.expm1(-np.exp(logs)[:, np.newaxis] * different) @ counts
    found: list[tuple[float, float]] = []
    for share in _SHARES:
        n_above = round(share * len(line))
        if n_above < _MIN_ABOVE:
            break
        at = float(line[n_above - 1])
        if not found or at > found[-1][0] + _MIN_STEP:
            found.append((at, float(np.interp(n_above, expected, logs))))
    n_tail = max(_MIN_ABOVE, round(_TAIL_SHARE * len(line)))
    spread = max(float((line[:n_tail] - line[n_tail - 1]).mean()), _MIN_STEP)
    at, log_chances = found[-1]
    return [*found, (at + _TAIL_LENGTH * spread, log_chances - _TAIL_LENGTH)]
