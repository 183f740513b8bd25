"""Leave recordings out, to choose a method and to know how normal recordings score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.anomalies.distances import Both, Mahalanobis, Neighbours, pairwise
from soundalike.anomalies.results import NormalRecording, Numbers
from soundalike.encoders.vectors import normalised
from soundalike.types import FloatArray

#: With more recordings, several are left out at once, so that learning takes seconds.
_MOST_FOLDS = 40
_SEED = 1993
#: Shifted copies of each recording that is left out.
_N_SHIFTS = 4
#: A method has to be so much better than one before it in the list: the area under a curve of twenty
#: recordings is known no better.
_CLEARLY = 0.1


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Normal recordings scored by models without them.

    Attributes
    ----------
    scores, peaks : (n,) float64
        Score of each recording, and the highest score of its windows.
    power : float
        Probability that a shifted copy of a recording scores higher than a recording (ROC AUC).
    """

    scores: Numbers
    peaks: Numbers
    power: float


def hold_out(
    recordings: Sequence[NormalRecording],
    sessions: Sequence[str],
    method: type[Neighbours] | type[Mahalanobis] | type[Both],
    n_worst: int,
) -> HeldOut:
    """Score each recording by a model that was fitted without it and its session.

    Anomalies are unknown while learning. Copies that are shifted in a random direction, as far as
    normal recordings are from each other, stand for them.

    Parameters
    ----------
    recordings : sequence of NormalRecording
    sessions : sequence of str
        The session of each; those of one are left out together. At least three different ones.
    method : type
        One of `soundalike.anomalies.distances.METHODS`.
    n_worst : int
        As for `recording_score`.
    """
    scores, peaks, shifted = np.empty(len(recordings)), np.empty(len(recordings)), []
    rng = np.random.default_rng(_SEED)
    for left_out in folds(sessions):
        others = [found for row, found in enumerate(recordings) if row not in left_out]
        vectors, owners = stacked(others)
        distance = method(vectors, owners)
        for row in left_out:
            own = recordings[row].vectors
            found = distance(own)
            scores[row], peaks[row] = recording_score(found, n_worst), found.max()
            shifted += [recording_score(distance(copy), n_worst) for copy in _shifted(own, vectors, rng)]
    return HeldOut(scores, peaks, _area(scores, np.array(shifted)))


def choose(power: Mapping[str, float]) -> str:
    """Return the method with the highest power, or an earlier one that is about as good."""
    best = max(power.values())
    return next(name for name, value in power.items() if value >= best - _CLEARLY)


def recording_score(windows: Numbers, n_worst: int) -> float:
    """Return the mean of the highest scores of windows.

    Examples
    --------
    >>> recording_score(np.array([1.0, 5.0, 3.0]), 2)
    4.0
    """
    return float(np.sort(windows)[-n_worst:].mean())


def stacked(recordings: Sequence[NormalRecording]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return the vectors of all windows, and the number of the recording of each."""
    vectors = np.concatenate([found.vectors for found in recordings])
    return vectors, np.repeat(np.arange(len(recordings)), [len(found.vectors) for found in recordings])


def folds(groups: Sequence[str]) -> list[set[int]]:
    """Return the recordings to leave out together: a group each, or several groups.

    Examples
    --------
    >>> folds(["a", "b", "a"])
    [{0, 2}, {1}]
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    n_folds = min(len(numbers), _MOST_FOLDS)
    found: list[set[int]] = [set() for _ in range(n_folds)]
    for row, group in enumerate(groups):
        found[numbers[group] % n_folds].add(row)
    return found


def _shifted(own: FloatArray, others: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
    size = float(np.median(pairwise(own, others).min(axis=1)))
    copies = []
    for _ in range(_N_SHIFTS):
        direction = rng.normal(size=own.shape[1])
        step = (size / float(np.linalg.norm(direction))) * direction
        copies.append(normalised((own + step).astype(np.float32)))
    return copies


def _area(normal: Numbers, shifted: Numbers) -> float:
    """Return the area under the ROC curve."""
    higher = (shifted[:, np.newaxis] > normal).mean()
    equal = (shifted[:, np.newaxis] == normal).mean()
    return float(higher + equal / 2)
