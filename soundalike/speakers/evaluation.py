"""Measure how often speakers are recognised, from recordings of each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.errors import ParameterError
from soundalike.evaluation.bootstrap import CONFIDENCE, intervals
from soundalike.speakers.calibration import FEWEST_SPEAKERS, RATES, calibrate
from soundalike.speakers.requests import DEFAULT_RATE
from soundalike.speakers.thresholds import Point, point_at
from soundalike.speakers.trials import (
    SEED,
    FloatRows,
    Trials,
    equal_error_rate,
    error_rates,
    make_trials,
)
from soundalike.types import FloatArray

#: One is held out, and a threshold is set on the others.
MIN_SPEAKERS = FEWEST_SPEAKERS + 1
_RESAMPLES = 500
#: Most splits into halves; of many speakers a random choice.
_MOST_SPLITS = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate with its 95 % interval, by resampling the speakers."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rates for speakers who were not used to set the threshold.

    Attributes
    ----------
    split : str
        ``one``: the threshold was set on all other speakers; ``half``: on half of the speakers, and the
        other half was tested.
    max_false_accepts : float
        Rate that was asked for.
    splits : int
        Number of different splits.
    strangers_accepted : Estimate
        Share of recordings of people who were not enrolled that were taken for one who was.
    known_identified : Estimate
        Share of recordings of enrolled people that were accepted as the right one.
    """

    split: str
    max_false_accepts: float
    splits: int
    strangers_accepted: Estimate
    known_identified: Estimate


@dataclass(frozen=True, slots=True)
class Curve:
    """Rates of errors at all thresholds, ``(n_thresholds,)`` each."""

    false_accepts: FloatRows
    false_rejects: FloatRows


@dataclass(frozen=True, slots=True)
class SpeakerEvaluation:
    """Results of an evaluation.

    Attributes
    ----------
    encoder : str
    speakers, recordings : int
    enrolled_from : int
        Recordings that each speaker was enrolled from; all others are tested.
    trials : int
        Tested recordings, over all random choices of the enrolled ones.
    equal_error_rate : Estimate
        Of verification.
    identification : Estimate
        Share of recordings of enrolled speakers with the highest score for the right one.
    points : tuple of Point
        Thresholds with the rates of false accepts of a comparison.
    held_out : tuple of HeldOut
    curve : Curve
    """

    encoder: str
    speakers: int
    recordings: int
    enrolled_from: int
    trials: int
    equal_error_rate: Estimate
    identification: Estimate
    points: tuple[Point, ...]
    held_out: tuple[HeldOut, ...]
    curve: Curve


def evaluate(
    voices: Mapping[str, FloatArray], encoder: str, n_enrolled: int, rate: float = DEFAULT_RATE
) -> SpeakerEvaluation:
    """Measure errors on recordings of several speakers.

    Parameters
    ----------
    voices : mapping of str to (n_recordings, dimension) float32
        Vectors of length 1 of each speaker's recordings.
    encoder : str
        Name of the encoder.
    n_enrolled : int
        Recordings to enrol each speaker from.
    rate : float
        Rate of false accepts to ask for in the tests of speakers who are held out.

    Raises
    ------
    ParameterError
        There are fewer than four speakers, or one has too few recordings.
    """
    _check(voices, n_enrolled)
    trials = make_trials(voices, n_enrolled)
    eer, _ = equal_error_rate(trials.genuine, trials.impostor)
    _, accepts, rejects = error_rates(trials.genuine, trials.impostor)
    return SpeakerEvaluation(
        encoder,
        len(voices),
        sum(map(len, voices.values())),
        n_enrolled,
        len(trials.speakers),
        Estimate(eer, *_interval_of_eer(trials)),
        _mean_by_speaker(trials, trials.is_identified()),
        tuple(calibrate(trials, RATES)),
        tuple(_held_out(trials, rate)),
        Curve(accepts, rejects),
    )


def _check(voices: Mapping[str, FloatArray], n_enrolled: int) -> None:
    if len(voices) < MIN_SPEAKERS:
        raise ParameterError(
            f"there are {len(voices)} speakers; give a folder with a subfolder for each of at least "
            f"{MIN_SPEAKERS}"
        )
    for name, rows in voices.items():
        if len(rows) <= n_enrolled:
            raise ParameterError(
                f"the speaker {name!r} has {len(rows)} recordings that can be used; enrolment from "
                f"{n_enrolled} needs at least {n_enrolled + 1}, or give a smaller --enrolled"
            )


def _mean_by_speaker(trials: Trials, is_right: npt.NDArray[np.bool_]) -> Estimate:
    """Return the mean of the speakers' shares, so that each speaker counts alike."""
    right = is_right.astype(float)
    n_speakers = trials.scores.shape[1]
    return _estimate([right[trials.speakers == one].mean() for one in range(n_speakers)])


def _estimate(by_speaker: Sequence[float]) -> Estimate:
    values = np.array([by_speaker], dtype=np.float64)
    ((low, high),) = intervals(values).tolist()
    return Estimate(float(values.mean()), low, high)


def _interval_of_eer(trials: Trials) -> tuple[float, float]:
    rng = np.random.default_rng(SEED)
    n_speakers = trials.scores.shape[1]
    genuine = [trials.genuine[trials.speakers == one] for one in range(n_speakers)]
    impostor = {(own, other): scores for own, other, scores in trials.pairs()}
    found = []
    for _ in range(_RESAMPLES):
        drawn = np.atleast_1d(rng.integers(n_speakers, size=n_speakers)).tolist()
        pairs = [impostor[own, other] for own in drawn for other in drawn if own != other]
        if pairs:
            own_scores = np.concatenate([genuine[one] for one in drawn])
            found.append(equal_error_rate(own_scores, np.concatenate(pairs))[0])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, (tail, 1 - tail))
    return float(low), float(high)


def _held_out(trials: Trials, rate: float) -> Iterator[HeldOut]:
    yield _leave_one_out(trials, rate)
    if trials.scores.shape[1] // 2 >= FEWEST_SPEAKERS:
        yield _halves(trials, rate)


def _leave_one_out(trials: Trials, rate: float) -> HeldOut:
    """Test each speaker with a threshold that was set on all others."""
    n_speakers = trials.scores.shape[1]
    strangers, known = [], []
    for own in range(n_speakers):
        others = [one for one in range(n_speakers) if one != own]
        points = calibrate(trials.among(others), RATES)
        is_own = trials.speakers == own
        as_stranger = point_at(points, rate / len(others)).threshold
        as_known = point_at(points, rate / n_speakers).threshold
        strangers.append(float((trials.best_other()[is_own] >= as_stranger).mean()))
        known.append(float((trials.is_identified() & (trials.genuine >= as_known))[is_own].mean()))
    return HeldOut("one", rate, n_speakers, _estimate(strangers), _estimate(known))


def _halves(trials: Trials, rate: float) -> HeldOut:
    """Test half of the speakers with a threshold that was set on the other half."""
    n_speakers = trials.scores.shape[1]
    strangers: list[list[float]] = [[] for _ in range(n_speakers)]
    known: list[list[float]] = [[] for _ in range(n_speakers)]
    splits = list(_splits(n_speakers))
    for half in splits:
        points = calibrate(trials.among(half), RATES)
        tested = [one for one in range(n_speakers) if one not in half]
        among = trials.among(tested)
        as_stranger = point_at(points, rate / max(1, len(tested) - 1)).threshold
        as_known = point_at(points, rate / len(tested)).threshold
        is_accepted = among.best_other() >= as_stranger
        is_right = among.is_identified() & (among.genuine >= as_known)
        for place, one in enumerate(tested):
            is_own = among.speakers == place
            strangers[one].append(float(is_accepted[is_own].mean()))
            known[one].append(float(is_right[is_own].mean()))
    return HeldOut("half", rate, len(splits), _mean_of_each(strangers), _mean_of_each(known))


def _mean_of_each(by_speaker: Sequence[Sequence[float]]) -> Estimate:
    return _estimate([float(np.mean(rates)) for rates in by_speaker if rates])


def _splits(n_speakers: int) -> Iterator[tuple[int, ...]]:
    """Yield halves of the speakers: all, or random ones where there are many."""
    size = n_speakers // 2
    every = list(itertools.islice(itertools.combinations(range(n_speakers), size), 1000))
    if len(every) <= _MOST_SPLITS:
        yield from every
        return
    rng = np.random.default_rng(SEED)
    for _ in range(_MOST_SPLITS):
        yield tuple(sorted(rng.permutation(n_speakers)[:size].tolist()))
