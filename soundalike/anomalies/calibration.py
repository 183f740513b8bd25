"""The threshold, and the rate of false alarms that it can promise.

Each normal recording is scored by a model that was fitted without its session. The recordings of a new
session are as likely to score high as those of any of the n known sessions, so the expected share of
them above a threshold is (1 + the sum over sessions of the share above it) / (n + 1): no rate below
1 / (n + 1) can be promised. A recording that belongs to no other is a session of its own.

Sources: V. Vovk et al., "Algorithmic Learning in a Random World", 2005; R. Barber et al., "Predictive
inference with the jackknife+", 2021; R. Dunn et al., "Distribution-free prediction sets for two-layer
hierarchical models", 2022.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
        The rate's 95 % interval: few sessions tell it only roughly.
    finest : float
        The lowest rate that so many sessions can promise.
    """

    threshold: float
    window_threshold: float
    rate: float
    low: float
    high: float
    finest: float


def calibrate(held_out: Numbers, peaks: Numbers, sessions: Sequence[str], wanted: float) -> Calibration:
    """Return the threshold for a rate of false alarms, or for the lowest one that can be promised.

    Parameters
    ----------
    held_out : (n,) float64
        Score of each normal recording by a model without it.
    peaks : (n,) float64
        Highest score of its windows.
    sessions : sequence of str
        The session of each.
    wanted : float
        The rate.

    Examples
    --------
    >>> scores, sessions = np.arange(19.0), [str(number) for number in range(19)]
    >>> found = calibrate(scores, scores, sessions, 0.05)
    >>> found.threshold, round(found.rate, 3), round(found.low, 4), round(found.high, 3)
    (18.0, 0.05, 0.0013, 0.176)
    """
    from scipy.stats import beta

    weights = session_weights(sessions)
    threshold, rate = _threshold(held_out, weights, wanted)
    n_sessions = len(set(sessions))
    tail = (1 - CONFIDENCE) / 2
    low, high = beta.ppf((tail, 1 - tail), rate * (n_sessions + 1), (1 - rate) * (n_sessions + 1))
    return Calibration(
        threshold=threshold,
        window_threshold=_threshold(peaks, weights, wanted)[0],
        rate=rate,
        low=float(low),
        high=float(high),
        finest=1 / (n_sessions + 1),
    )


def p_value(score: float, held_out: Numbers, sessions: Sequence[str]) -> float:
    """Return the expected share of normal recordings that score at least as high; never zero."""
    weights = session_weights(sessions)
    return float(weights[held_out >= score].sum()) + 1 / (len(set(sessions)) + 1)


def session_weights(sessions: Sequence[str]) -> Numbers:
    """Return the weight of each recording; all sessions and a new one have the same.

    Examples
    --------
    >>> session_weights(["a", "b", "a"]).round(3).tolist()
    [0.167, 0.333, 0.167]
    """
    sizes = Counter(sessions)
    return np.array([1 / sizes[session] for session in sessions]) / (len(sizes) + 1)


def _threshold(scores: Numbers, weights: Numbers, wanted: float) -> tuple[float, float]:
    """Return the lowest score that few enough recordings exceed, and their share; else the highest."""
    own = 1 - float(weights.sum())
    order = np.argsort(scores, kind="stable")
    above = own + np.cumsum(weights[order][::-1])[::-1] - weights[order]
    # Rounding must not decide.
    fitting = np.flatnonzero(above <= wanted + 1e-9)
    row = int(fitting[0]) if fitting.size else len(scores) - 1
    return float(scores[order][row]), round(float(above[row]), 12)
