"""Orders of review and their limits; imported without NumPy."""

from __future__ import annotations

from typing import Literal, get_args

from soundalike.errors import ParameterError

Order = Literal["score", "uncertain", "bands"]
ORDERS: tuple[Order, ...] = get_args(Order)
MIN_SHARE, MAX_SHARE = 1, 100
#: Expected precision of proposals, unless another one is asked for.
PROPOSED_FROM = 0.8


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
