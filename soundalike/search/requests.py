"""Requests of searches: their defaults, limits and descriptions, the same for every door.

The command line, the client, HTTP and gRPC take these from here. Little is imported, so that the
command line can describe its options without NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

from soundalike.clock.wall_clock import with_times
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.filters import Filters, parse_conditions
from soundalike.parameters import about
from soundalike.ranges import (
    MAX_TOP_K,
    GroupBy,
    check_count,
    check_group_by,
    check_max_false_alarms,
    check_min_score,
    check_top_k,
)
from soundalike.search.examples import Example
from soundalike.types import BucketWidth

if TYPE_CHECKING:
    from soundalike.search.queries import Query


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """Which recordings may answer, as people write it; each field has its description."""

    labels: tuple[str, ...] = field(
        default=(), metadata=about("only recordings with one of these labels")
    )
    tags: Mapping[str, Any] = field(
        default_factory=dict, metadata=about("only recordings with all these tags")
    )
    where: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "only recordings whose tags meet all these conditions, like depth_m>=1.5, site in "
            "pond,lake, gps.lat<0, species!=dog; recordings without the tag never match"
        ),
    )
    uri_prefix: str = field(default="", metadata=about("only recordings whose path begins like this"))
    under: str = field(
        default="", metadata=about("only recordings below this folder, in place of uri_prefix")
    )
    since: str | None = field(
        default=None,
        metadata=about("only what was heard at this time or later; a date, or ISO 8601"),
    )
    until: str | None = field(
        default=None, metadata=about("only what was heard before this time; a date, or ISO 8601")
    )
    time_of_day: str | None = field(
        default=None,
        metadata=about(
            "only what was heard between these times of a clock, like 05:00-08:00; over midnight where "
            "the second is earlier"
        ),
    )

    time_zone: str | None = field(
        default=None,
        metadata=about("zone of times that name none, and of the answer's, like Europe/Berlin"),
    )

    def filters(self, default_zone: str) -> Filters:
        """Return the store's filters.

        Parameters
        ----------
        default_zone : str
            The time zone where none was given.

        Raises
        ------
        ParameterError
            A condition, a time or the zone cannot be read, or a path is given in two ways.
        """
        filters = Filters(
            labels=tuple(self.labels),
            tags=self.tags,
            uri_prefix=prefix_of(self.uri_prefix, self.under),
            where=parse_conditions(self.where),
        )
        return with_times(
            filters,
            self.time_zone or default_zone,
            since=self.since,
            until=self.until,
            time_of_day=self.time_of_day,
        )


@dataclass(frozen=True)
class SearchRequest:
    """A search for the recordings that are most similar to a query.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    query: Query
    filters: Filters = field(default_factory=Filters)
    exclude_self: bool = field(default=False, metadata=about("leave out the query's own recording"))
    top_k: int = field(
        default=10, metadata=about("at most this many matches, 1 to 1000", ge=1, le=MAX_TOP_K)
    )
    min_score: float = field(default=-1.0, metadata=about("leave out matches with a lower score"))
    collections: tuple[str, ...] = field(
        default=(DEFAULT_COLLECTION,),
        metadata=about("search in these collections; all have the same encoder and windows"),
    )
    group_by: GroupBy = field(
        default="recording",
        metadata=about(
            "recording, or label: only the best match of each label; an unlabelled recording stands "
            "for itself"
        ),
    )
    max_false_alarms: float | None = field(
        default=None,
        metadata=about(
            "leave out matches whose false-alarm rate is higher or unknown, like 0.01: one unrelated "
            "recording in a hundred scores as high"
        ),
    )

    like: tuple[Example, ...] = field(
        default=(),
        metadata=about(
            "stored recordings that are right too: PATH or ID, or a part of one, like pond.flac:10-14"
        ),
    )
    unlike: tuple[Example, ...] = field(
        default=(), metadata=about("stored recordings that are wrong, or parts of them")
    )

    def __post_init__(self) -> None:
        check_max_false_alarms(self.max_false_alarms)
        check_top_k(self.top_k)
        check_min_score(self.min_score)
        check_group_by(self.group_by)


@dataclass(frozen=True)
class TimelineRequest:
    """A count over time of what is similar to a query.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    query: Query
    min_score: float = field(metadata=about("count windows whose score is at least this"))
    by: BucketWidth = field(
        default="day",
        metadata=about("length of a bucket, by the clocks of the time zone; weeks begin on Monday"),
    )
    zone: tzinfo = UTC
    filters: Filters = field(default_factory=Filters)
    exclude_self: bool = field(default=False, metadata=about("leave out the query's own recording"))
    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))

    def __post_init__(self) -> None:
        check_count(self.min_score, self.by)


def prefix_of(uri_prefix: str, under: str) -> str:
    """Return what paths begin with that have a prefix, or lie below a folder.

    Raises
    ------
    ParameterError
        Both were given.
    """
    if under and uri_prefix:
        raise ParameterError(f"under is {under!r} and uri_prefix is {uri_prefix!r}; give one of them")
    return under.rstrip("/") + "/" if under else uri_prefix
