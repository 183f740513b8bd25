"""The request for events: its defaults, limits and descriptions, the same for every door."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.filters import Filters
from soundalike.parameters import about
from soundalike.ranges import check_max_false_alarms

if TYPE_CHECKING:
    from soundalike.search.queries import Query

#: ``time``: recordings by their start, then their path, and the events of each by their begin.
#: ``score``: the best event first.
EventOrder = Literal["time", "score"]
EVENT_ORDERS: tuple[EventOrder, ...] = get_args(EventOrder)
#: Events that are kept while they are sorted by score.
MAX_EVENTS = 100_000
_MAX_S = 86_400.0


@dataclass(frozen=True)
class EventsRequest:
    """A request for every occurrence of a query.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    #: None where the vectors are known and no sound is read again.
    query: Query | None = None
    filters: Filters = field(default_factory=Filters)
    recording: str | None = field(
        default=None, metadata=about("only events in the recording with this id")
    )
    exclude_self: bool = field(default=False, metadata=about("leave out the query's own recording"))
    min_score: float = field(
        default=0.3, metadata=about("leave out events with a lower score", ge=-1, le=1)
    )
    order: EventOrder = field(
        default="time", metadata=about("time, or score: the best event of all recordings first")
    )
    max_per_recording: int | None = field(
        default=None,
        metadata=about("at most this many events of each recording, the best", ge=1, le=MAX_EVENTS),
    )
    limit: int | None = field(
        default=None,
        metadata=about("at most this many events, the first in the order", ge=1, le=MAX_EVENTS),
    )
    gap_s: float = field(
        default=1.5,
        metadata=about("join events with at most this many seconds between them", ge=0, le=_MAX_S),
    )
    min_duration_s: float = field(
        default=0.0, metadata=about("leave out events shorter than this many seconds", ge=0, le=_MAX_S)
    )
    reread_s: float = field(
        default=1800.0,
        metadata=about(
            "seconds of sound that may be read again to find exact begins and ends; 0: use the stored "
            "vectors alone",
            ge=0,
            le=_MAX_S,
        ),
    )
    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))
    max_false_alarms: float | None = field(
        default=None,
        metadata=about(
            "leave out events whose false-alarm rate is higher or unknown, like 0.01: one unrelated "
            "recording in a hundred, as long as this one, has an event that scores as high"
        ),
    )

    def __post_init__(self) -> None:
        if not -1 <= self.min_score <= 1:
            raise ParameterError(f"min_score is {self.min_score}; choose a similarity from -1 to 1")
        if self.order not in EVENT_ORDERS:
            raise ParameterError(f"order is {self.order!r}; choose {' or '.join(EVENT_ORDERS)}")
        for name in ("max_per_recording", "limit"):
            count = getattr(self, name)
            if count is not None and not 1 <= count <= MAX_EVENTS:
                raise ParameterError(f"{name} is {count}; choose a number from 1 to {MAX_EVENTS}")
        check_max_false_alarms(self.max_false_alarms)
        for name in ("gap_s", "min_duration_s", "reread_s"):
            seconds = getattr(self, name)
            if not 0 <= seconds <= _MAX_S or math.isnan(seconds):
                raise ParameterError(f"{name} is {seconds}; give seconds from 0 to {_MAX_S:g}")
