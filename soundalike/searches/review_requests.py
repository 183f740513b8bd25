"""Requests of reviews: their defaults, limits and descriptions, the same for every door."""

from __future__ import annotations

from dataclasses import dataclass, field

from soundalike.learning.orders import (
    MAX_SHARE,
    MIN_SHARE,
    ORDERS,
    PROPOSED_FROM,
    Order,
    check_order,
    check_precision,
    check_share,
)
from soundalike.parameters import about
from soundalike.ranges import MAX_TOP_K, check_min_score, check_top_k

__all__ = ["ORDERS", "PROPOSED_FROM", "EstimateRequest", "ReviewRequest"]


@dataclass(frozen=True, kw_only=True)
class ReviewRequest:
    """Which hits of a named search to review, and in which order.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    order: Order = field(
        default="uncertain",
        metadata=about(
            "uncertain: expected precision near 0.5 first; bands: a sample of each band of scores; "
            "score: highest first"
        ),
    )
    share: int = field(
        default=MAX_SHARE,
        metadata=about("with bands, the percentage of each band, 1 to 100", ge=MIN_SHARE, le=MAX_SHARE),
    )
    seed: int = field(default=0, metadata=about("with bands, another seed draws another sample"))
    min_precision: float | None = field(
        default=None, metadata=about("leave out hits whose expected precision is lower or unknown")
    )
    label: str | None = field(
        default=None, metadata=about("leave out places that are annotated with this label")
    )
    use_marks: bool = field(default=False, metadata=about("score with the marks as further examples"))
    min_score: float | None = field(default=None, metadata=about("leave out matches with a lower score"))
    top_k: int | None = field(
        default=None, metadata=about("at most this many hits, 1 to 1000", ge=1, le=MAX_TOP_K)
    )

    def __post_init__(self) -> None:
        check_order(self.order)
        check_share(self.share)
        if self.min_precision is not None:
            check_precision(self.min_precision)
        if self.top_k is not None:
            check_top_k(self.top_k)
        if self.min_score is not None:
            check_min_score(self.min_score)


@dataclass(frozen=True, kw_only=True)
class EstimateRequest:
    """How to estimate the precision of a named search."""

    use_marks: bool = field(default=False, metadata=about("score with the marks as further examples"))
    min_score: float | None = field(default=None, metadata=about("leave out matches with a lower score"))
    min_precision: float = field(
        default=PROPOSED_FROM,
        metadata=about("count hits with at least this expected precision, 0 to 1", ge=0, le=1),
    )

    def __post_init__(self) -> None:
        check_precision(self.min_precision)
        if self.min_score is not None:
            check_min_score(self.min_score)
