"""Thresholds of scores, each with the rate of false accepts at which it was measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import NormalDist
from typing import Any

import yaml

from soundalike.errors import ParameterError
from soundalike.speakers.requests import DEFAULT_RATE, Acceptance

_FILE = "thresholds.yml"
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Point:
    """A threshold of one comparison.

    Attributes
    ----------
    false_accept_rate : float
        Share of comparisons of different people that are accepted.
    threshold : float
    interval : tuple of float
        95 % interval of the rate, by resampling the readers.
    """

    false_accept_rate: float
    threshold: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The thresholds of an encoder.

    Attributes
    ----------
    encoder : str
    measured_on : str
        Readers, utterances and method.
    points : tuple of Point
        The highest rate first.
    """

    encoder: str
    measured_on: str
    points: tuple[Point, ...]

    @property
    def finest(self) -> float:
        """The lowest rate that was measured."""
        return self.points[-1].false_accept_rate


@dataclass(frozen=True, slots=True)
class Threshold:
    """The score from which an answer is accepted.

    Attributes
    ----------
    score : float
    false_accept_rate : float or None
        Rate at which a person who is not enrolled is accepted; None if it is not known.
    interval : tuple of float or None
        95 % interval of the rate.
    measured_on : str or None
    """

    score: float
    false_accept_rate: float | None = None
    interval: tuple[float, float] | None = None
    measured_on: str | None = None

    def accepts(self, score: float) -> bool:
        """Tell whether a score is accepted."""
        return score >= self.score


@cache
def shipped() -> dict[str, Calibration]:
    """Return the calibrations that come with this program, by encoder."""
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    return {row["encoder"]: _calibration(row) for row in yaml.safe_load(text)}


def _calibration(row: dict[str, Any]) -> Calibration:
    points = []
    for one in row["points"]:
        low, high = map(float, one["interval"])
        points.append(Point(float(one["rate"]), float(one["threshold"]), (low, high)))
    return Calibration(row["encoder"], " ".join(row["measured_on"].split()), tuple(points))


def threshold_for(encoder: str, acceptance: Acceptance, n_speakers: int = 1) -> Threshold:
    """Return the threshold for a comparison with one speaker, or with several at once.

    An unknown voice that is compared with `n_speakers` has as many chances to be accepted, so each
    comparison gets an equal part of the rate (the bound of Bonferroni).

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    acceptance : Acceptance
    n_speakers : int

    Raises
    ------
    ParameterError
        No threshold was measured for the encoder, or none for so low a rate.
    """
    if acceptance.threshold is not None:
        return Threshold(acceptance.threshold)
    found = shipped().get(encoder)
    if found is None:
        known = ", ".join(shipped())
        raise ParameterError(
            f"no threshold was measured for the encoder {encoder!r}, only for {known}; give a "
            "threshold, and measure what it does: soundalike speakers evaluate FOLDER"
        )
    asked = acceptance.max_false_accepts
    wanted = (DEFAULT_RATE if asked is None else asked) / n_speakers
    point = point_at(found.points, wanted)
    if asked is not None and point.false_accept_rate > wanted * _ROUNDING:
        raise ParameterError(
            f"max_false_accepts is {asked:g}; the lowest rate that was measured for {encoder} is "
            f"{found.finest:g} for a comparison, so {min(1.0, found.finest * n_speakers):g} with "
            f"{n_speakers} compared; give that or a higher one"
        )
    low, high = (min(1.0, bound * n_speakers) for bound in point.interval)
    rate = min(1.0, point.false_accept_rate * n_speakers)
    return Threshold(point.threshold, round(rate, 6), (round(low, 6), round(high, 6)), found.measured_on)


def point_at(points: Sequence[Point], rate: float) -> Point:
    """Return the point of a rate: measured, or between two measured ones.

    Thresholds of a normal distribution are linear in the normal deviate of the rate. The interval covers
    those of both neighbours. Beyond the measured rates the last point stands.

    Parameters
    ----------
    points : sequence of Point
        The highest rate first.
    rate : float

    Examples
    --------
    >>> points = [Point(0.1, 0.5, (0.05, 0.2)), Point(0.01, 0.7, (0.001, 0.03))]
    >>> found = point_at(points, 0.03)
    >>> round(found.threshold, 2), found.interval
    (0.61, (0.001, 0.2))
    >>> point_at(points, 0.001) == points[1], point_at(points, 0.2) == points[0]
    (True, True)
    """
    if rate >= points[0].false_accept_rate:
        return points[0]
    for above, below in itertools.pairwise(points):
        if math.isclose(rate, below.false_accept_rate):
            return below
        if rate > below.false_accept_rate:
            first, last, here = (
                NormalDist().inv_cdf(one)
                for one in (above.false_accept_rate, below.false_accept_rate, rate)
            )
            share = (here - first) / (last - first)
            threshold = above.threshold + share * (below.threshold - above.threshold)
            return Point(rate, round(threshold, 4), (below.interval[0], above.interval[1]))
    return points[-1]
