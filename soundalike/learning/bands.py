"""Bands of scores: samples to review, and the precision that reviewed samples show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from soundalike.learning.precision import Estimate

#: Bands that hits are divided into.
BANDS = 5
_DRAWS = 10_000
_TAILS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Band:
    """Hits with similar scores.

    Attributes
    ----------
    low, high : float
        Lowest and highest score.
    size : int
        Number of hits.
    reviewed, right : int
        Hits with a mark, and right ones among them.
    precision : Estimate or None
        Share of right hits with the interval of Clopper and Pearson; None if none is reviewed.
    """

    low: float
    high: float
    size: int
    reviewed: int
    right: int
    precision: Estimate | None


def bands_of(scores: npt.ArrayLike, count: int = BANDS) -> npt.NDArray[np.int_]:
    """Return the band of each hit, 0 for the highest scores.

    Bands have about the same number of hits. Hits with the same score are in the same band.

    Examples
    --------
    >>> bands_of([0.9, 0.5, 0.8, 0.5], count=2).tolist()
    [0, 1, 0, 1]
    """
    values = np.asarray(scores, dtype=float)
    descending = np.sort(values)[::-1]
    # The first place of an equal score decides.
    places = np.searchsorted(-descending, -values, side="left")
    found: npt.NDArray[np.int_] = places * count // max(1, len(values))
    return found


def sample(keys: Sequence[str], bands: npt.NDArray[np.int_], share: int, seed: int) -> list[int]:
    """Return the positions of a random sample of each band, in the order of review.

    A key is drawn by its hash, so that the sample stays nearly the same when hits are added.

    Parameters
    ----------
    keys : sequence of str
        Names of the hits.
    bands : (n_hits,) int
    share : int
        Percentage of each band, rounded up; 1 to 100.
    seed : int
    """
    draws = [sha256(f"{seed}:{key}".encode("utf-8", "surrogateescape")).digest() for key in keys]
    chosen: list[int] = []
    for band in np.unique(bands):
        own = sorted(np.flatnonzero(bands == band).tolist(), key=lambda row: (draws[row], row))
        chosen += own[: math.ceil(len(own) * share / 100)]
    return chosen


def reviewed_bands(
    scores: npt.ArrayLike, bands: npt.NDArray[np.int_], verdicts: Sequence[bool | None]
) -> list[Band]:
    """Return the bands with what was reviewed in them, the highest scores first.

    Parameters
    ----------
    scores : (n_hits,) array_like
    bands : (n_hits,) int
    verdicts : sequence of bool or None
        Whether each hit is right; None if it was not reviewed.
    """
    values = np.asarray(scores, dtype=float)
    found = []
    for band in np.unique(bands):
        rows = np.flatnonzero(bands == band).tolist()
        known = [verdicts[row] for row in rows if verdicts[row] is not None]
        right = sum(bool(one) for one in known)
        shown = clopper_pearson(right, len(known)) if known else None
        low, high = float(values[rows].min()), float(values[rows].max())
        found.append(Band(low, high, len(rows), len(known), right, shown))
    return found


def clopper_pearson(right: int, total: int) -> Estimate:
    """Return the share of right ones with its exact 95 % interval (Clopper and Pearson, 1934).

    Examples
    --------
    >>> [round(value, 3) for value in clopper_pearson(8, 10)]
    [0.8, 0.444, 0.975]
    """
    # SciPy takes a while to import.
    from scipy.stats import beta

    low = float(beta.ppf(0.025, right, total - right + 1)) if right else 0.0
    high = float(beta.ppf(0.975, right + 1, total - right)) if right < total else 1.0
    return Estimate(right / total, low, high)


def stratified(bands: Sequence[Band], seed: int = 0) -> Estimate | None:
    """Return the precision of all hits of all bands; None if a band has no reviewed hit.

    The share of each band counts by its size (Cochran, Sampling techniques, 1977, chapter 5). The
    interval is that of the number of right hits among the ones that were not reviewed, with Jeffreys'
    prior in each band (Brown, Cai and DasGupta, Interval estimation for a binomial proportion, 2001), by
    10 000 draws. It has no width once all hits are reviewed.
    """
    total = sum(band.size for band in bands)
    if not total or any(not band.reviewed for band in bands):
        return None
    value = sum(band.size * band.right / band.reviewed for band in bands) / total
    random = np.random.default_rng(seed)
    right = np.zeros(_DRAWS)
    for band in bands:
        wrong = band.reviewed - band.right
        shares = random.beta(band.right + 0.5, wrong + 0.5, _DRAWS)
        right += band.right + random.binomial(band.size - band.reviewed, shares)
    low, high = np.percentile(right / total, _TAILS)
    return Estimate(value, min(float(low), value), max(float(high), value))
