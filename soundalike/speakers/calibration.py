"""Set thresholds by the scores of different people.

Scores of different people are taken to be normal: their mean and their spread, between pairs of people
and within a pair, are estimated, and a threshold is a quantile. With few people the highest scores say
little about rates as low as one in a thousand; the fit uses all scores. Other people may resemble each
other more: the interval, by resampling the people, shows by how much the rate may then be off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from soundalike.evaluation.bootstrap import CONFIDENCE
from soundalike.speakers.thresholds import Point
from soundalike.speakers.trials import SEED, FloatRows, Trials

#: Rates of false accepts, of one comparison.
RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_RESAMPLES = 2000
#: Fewer people do not show the spread between pairs.
FEWEST_SPEAKERS = 3


def calibrate(trials: Trials, rates: Sequence[float] = RATES) -> list[Point]:
    """Return the threshold for each rate of false accepts, with the interval of the rate.

    Parameters
    ----------
    trials : Trials
        Of at least three speakers.
    rates : sequence of float
        Highest first.
    """
    pairs = _Pairs.of(trials)
    everyone = np.arange(trials.scores.shape[1])
    mean, deviation = pairs.fit(everyone)
    resampled = list(_resampled(pairs, len(everyone)))
    tail = (1 - CONFIDENCE) / 2
    points = []
    for rate in rates:
        threshold = mean + NormalDist().inv_cdf(1 - rate) * deviation
        found = [float(ndtr((own - threshold) / spread)) for own, spread in resampled]
        low, high = np.quantile(found, (tail, 1 - tail))
        points.append(Point(rate, round(threshold, 4), (round(float(low), 5), round(float(high), 5))))
    return points


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Mean and variance of the scores of each pair of people, ``(n_speakers, n_speakers)``."""

    means: FloatRows
    variances: FloatRows

    @classmethod
    def of(cls, trials: Trials) -> _Pairs:
        n_speakers = trials.scores.shape[1]
        means, variances = np.zeros((2, n_speakers, n_speakers))
        for own, other, scores in trials.pairs():
            means[own, other], variances[own, other] = scores.mean(), scores.var()
        # One pair, whichever of the two was enrolled.
        return cls((means + means.T) / 2, (variances + variances.T) / 2)

    def fit(self, people: npt.NDArray[np.int64]) -> tuple[float, float]:
        """Return mean and deviation of the scores of a pair of people, who may come repeatedly."""
        first, second = np.triu_indices(len(people), 1)
        is_pair = people[first] != people[second]
        rows = people[first[is_pair]], people[second[is_pair]]
        between, within = self.means[rows], float(self.variances[rows].mean())
        return float(between.mean()), float(np.sqrt(float(between.var(ddof=1)) + within))


def _resampled(pairs: _Pairs, n_speakers: int) -> Iterator[tuple[float, float]]:
    """Yield fits of people drawn with replacement."""
    rng = np.random.default_rng(SEED)
    for _ in range(_RESAMPLES):
        drawn = rng.integers(n_speakers, size=n_speakers)
        if len(set(drawn.tolist())) >= FEWEST_SPEAKERS:
            yield pairs.fit(drawn)
