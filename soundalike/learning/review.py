"""The order in which hits are reviewed, and the hits to propose for a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundalike.learning.bands import bands_of, sample
from soundalike.learning.orders import (
    MAX_SHARE,
    PROPOSED_FROM,
    Order,
    check_order,
    check_precision,
    check_share,
)
from soundalike.learning.precision import Calibration


def review_order(
    keys: Sequence[str],
    scores: npt.ArrayLike,
    calibration: Calibration | None,
    *,
    order: Order = "uncertain",
    share: int = MAX_SHARE,
    seed: int = 0,
) -> list[int]:
    """Return the positions of hits in the order of review.

    Parameters
    ----------
    keys : sequence of str
        Names of the hits.
    scores : (n_hits,) array_like
    calibration : Calibration or None
    order : str
        ``score``: the highest first. ``uncertain``: those with an expected precision near 0.5 first
        (uncertainty sampling, Lewis and Gale, 1994); without a calibration those with the median score
        first. ``bands``: a sample of each band.
    share : int
        With ``bands``, the percentage of each band.
    seed : int
        With ``bands``; the same seed gives the same sample.

    Raises
    ------
    ParameterError
        The order or the share is not valid.
    """
    check_order(order)
    check_share(share)
    values = np.asarray(scores, dtype=float)
    if not len(values):
        return []
    if order == "bands":
        return sample(keys, bands_of(values), share, seed)
    if order == "score":
        return sorted(range(len(values)), key=lambda row: (-values[row], keys[row]))
    if calibration is None:
        distance = np.abs(values - np.median(values))
    else:
        distance = np.abs(np.array([one.value for one in calibration.expected(values)]) - 0.5)
    return sorted(range(len(values)), key=lambda row: (distance[row], -values[row], keys[row]))


def proposals(
    scores: npt.ArrayLike, calibration: Calibration | None, min_precision: float = PROPOSED_FROM
) -> list[int]:
    """Return the positions of hits with at least this expected precision, the highest score first.

    Without a calibration nothing is proposed.

    Raises
    ------
    ParameterError
        The precision is not from 0 to 1.
    """
    check_precision(min_precision)
    values = np.asarray(scores, dtype=float)
    if calibration is None or not len(values):
        return []
    expected = [one.value for one in calibration.expected(values)]
    chosen = [row for row, value in enumerate(expected) if value >= min_precision]
    return sorted(chosen, key=lambda row: (-values[row], row))
