"""The order in which hits are reviewed, and the hits to propose for a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from soundalike.errors import ParameterError
from soundalike.learning.bands import bands_of, sample
from soundalike.learning.precision import Calibration

Order = Literal["score", "uncertain", "bands"]
ORDERS: tuple[Order, ...] = get_args(Order)
MIN_SHARE, MAX_SHARE = 1, 100
#: Expected precision of proposals, unless another one is asked for.
PROPOSED_FROM = 0.8


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


def check_order(order: str) -> None:
    """Raise `ParameterError` for an unknown order."""
    if order not in ORDERS:
        raise ParameterError(f"the order is {order!r}; it is one of {', '.join(ORDERS)}")


def check_share(share: int) -> None:
    """Raise `ParameterError` if a share is not a percentage."""
    if not MIN_SHARE <= share <= MAX_SHARE:
        raise ParameterError(f"the share is {share}; give a percentage from 1 to 100")


def check_precision(value: float) -> None:
    """Raise `ParameterError` if an expected precision is not from 0 to 1."""
    if not 0 <= value <= 1:
        raise ParameterError(f"the expected precision is {value}; give a number from 0 to 1")
