"""Retrieval metrics of rankings.

A ranking of a query has all candidates, best first, as booleans: is the recording at this rank relevant?
Queries without a relevant recording are counted separately and are not part of the means.

- Fewer ranked entries than `k`: missing ones count as not relevant, so precision at 5 is at most 2/5 if
  there are two relevant clips.
- Equal scores are not ordered by relevance; Soundalike orders them by path.
- Silent recordings, which a search never returns, are ranked last and are not relevant. All metrics of a
  silent query are 0.

Metrics: `precision_at_k`, `average_precision`, `reciprocal_rank`, `interpolated_precision`.

Source: Manning, Raghavan, Schütze, "Introduction to Information Retrieval", 2008, chapter 8.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from soundalike.errors import ParameterError

BoolArray = npt.NDArray[np.bool_]
#: Number of recall levels of `interpolated_precision`.
N_RECALL_LEVELS = 11


def validate(relevant: BoolArray) -> None:
    """Raise `ParameterError` unless `relevant` is a non-empty row of booleans."""
    if relevant.ndim != 1 or relevant.dtype != np.bool_ or not len(relevant):
        raise ParameterError(
            f"a ranking must be a non-empty row of booleans, not {relevant.dtype} of shape "
            f"{relevant.shape}; did you pass labels or scores?"
        )


def precision_at_k(relevant: BoolArray, k: int) -> float:
    """Return the share of relevant entries among the first `k`.

    If fewer than `k` entries are ranked, the missing ones count as not relevant.

    Examples
    --------
    >>> precision_at_k(np.array([True, False, True, False]), 2)
    0.5
    """
    validate(relevant)
    if k < 1:
        raise ParameterError(f"k is {k}; it must be at least 1")
    return float(relevant[:k].sum() / k)


def average_precision(relevant: BoolArray) -> float:
    """Return the mean of the precision at the ranks of the relevant entries.

    Examples
    --------
    Relevant at ranks 1 and 3: (1/1 + 2/3) / 2.

    >>> round(average_precision(np.array([True, False, True, False])), 4)
    0.8333
    """
    validate(relevant)
    ranks = np.flatnonzero(relevant) + 1
    if not len(ranks):
        return 0.0
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def reciprocal_rank(relevant: BoolArray) -> float:
    """Return one over the rank of the first relevant entry; 0 without a relevant entry.

    Examples
    --------
    >>> reciprocal_rank(np.array([False, True, True]))
    0.5
    """
    validate(relevant)
    return float(1 / (int(np.argmax(relevant)) + 1)) if relevant.any() else 0.0


def interpolated_precision(relevant: BoolArray) -> npt.NDArray[np.float64]:
    """Return the interpolated precision at the recall levels 0, 0.1, ... 1.

    That is the highest precision at any rank with at least this recall; 0 without a relevant entry.

    Returns
    -------
    precision : (11,) float64

    Examples
    --------
    Relevant at ranks 1 and 4: half of them are found with precision 1, both with precision 2/4.

    >>> interpolated_precision(np.array([True, False, False, True])).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5]
    """
    validate(relevant)
    ranks = np.flatnonzero(relevant) + 1
    if not len(ranks):
        return np.zeros(N_RECALL_LEVELS)
    precision = np.arange(1, len(ranks) + 1) / ranks
    at_least = np.maximum.accumulate(precision[::-1])[::-1]
    # Number of entries per level, rounded up with integers: as floats, 0.3 * 10 is more than 3.
    steps = N_RECALL_LEVELS - 1
    needed = -(-np.arange(N_RECALL_LEVELS) * len(ranks) // steps)
    interpolated: npt.NDArray[np.float64] = at_least[np.maximum(needed, 1) - 1]
    return interpolated
