"""Requests of speaker recognition: defaults, limits and descriptions, the same for every door."""

from __future__ import annotations

from dataclasses import dataclass, field

from soundalike.errors import ParameterError
from soundalike.parameters import about

#: Highest rate of false accepts of requests that name none.
DEFAULT_RATE = 0.01


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """How sure an answer must be.

    Raises
    ------
    ParameterError
        A value is out of its range, or both are given.
    """

    max_false_accepts: float | None = field(
        default=None,
        metadata=about(
            "highest rate at which people who are not enrolled may be accepted, like 0.01; default: "
            "0.01, or the lowest rate that was measured where that is higher"
        ),
    )
    threshold: float | None = field(
        default=None,
        metadata=about(
            "lowest score that is accepted, -1 to 1, in place of max_false_accepts; its rate is not "
            "known"
        ),
    )

    def __post_init__(self) -> None:
        rate, threshold = self.max_false_accepts, self.threshold
        if rate is not None and threshold is not None:
            raise ParameterError(
                f"max_false_accepts is {rate} and threshold is {threshold}; give one of them"
            )
        if rate is not None and not 0 < rate < 1:
            raise ParameterError(f"max_false_accepts is {rate}; give a rate between 0 and 1, like 0.01")
        if threshold is not None and not -1 <= threshold <= 1:
            raise ParameterError(f"threshold is {threshold}; give a score from -1 to 1")
