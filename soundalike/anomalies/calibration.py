"""The threshold, and the rate of false alarms that it can promise.

Each normal recording is scored by a model that was fitted without it. A new normal recording is as
likely to take any place among these scores as they are, so that the expected share of normal recordings
above the k-th of n scores is (n + 1 - k) / (n + 1): no rate below 1 / (n + 1) can be promised.

Sources: V. Vovk et al., "Algorithmic Learning in a Random World", 2005; R. Barber et al., "Predictive
inference with the jackknife+", 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from soundalike.anomalies.results import Numbers

#: Of the interval of the rate.
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold and its rate of false alarms.

    Attributes
    ----------
    threshold : float
        Recordings that score higher are anomalous.
    window_threshold : float
        Windows that score higher are unusual; as rare in normal recordings as a false alarm.
    rate : float
        Expected share of normal recordings above the threshold.
    low, high : float
        The rate's 95 % interval: few recordings tell it only roughly.
    finest : float
        The lowest rate that so many recordings can promise.
    """

    threshold: float
    window_threshold: float
    rate: float
    low: float
    high: float
    finest: float


def calibrate(held_out: Numbers, peaks: Numbers, wanted: float, n_groups: int) -> Calibration:
    """Return the threshold for a rate of false alarms, or for the lowest one that can be promised.

    Parameters
    ----------
    held_out : (n,) float64
        Score of each normal recording by a model without it.
    peaks : (n,) float64
        Highest score of its windows.
    wanted : float
        The rate.
    n_groups : int
        Number of recordings that are independent of each other.

    Examples
    --------
    >>> found = calibrate(np.arange(19.0), np.arange(19.0), 0.05, 19)
    >>> found.threshold, round(found.rate, 3), round(found.low, 4), round(found.high, 3)
    (18.0, 0.05, 0.0013, 0.176)
    """
    from scipy.stats import beta

    n = len(held_out)
    place = min(n, math.ceil((n + 1) * (1 - wanted) - 1e-9))
    rate = (n + 1 - place) / (n + 1)
    above, below = rate * (n_groups + 1), (1 - rate) * (n_groups + 1)
    tail = (1 - CONFIDENCE) / 2
    low, high = beta.ppf((tail, 1 - tail), above, below)
    return Calibration(
        threshold=float(np.sort(held_out)[place - 1]),
        window_threshold=float(np.sort(peaks)[place - 1]),
        rate=rate,
        low=float(low),
        high=float(high),
        finest=1 / (n_groups + 1),
    )


def p_value(score: float, held_out: Numbers) -> float:
    """Return the share of normal recordings that score at least as high; never below 1 / (n + 1)."""
    return (1 + int(np.count_nonzero(held_out >= score))) / (len(held_out) + 1)
