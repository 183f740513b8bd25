"""Counting by wall-clock time: what a bucket is, the same for every store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import numpy as np

from soundalike.errors import ParameterError
from soundalike.store import sql
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.schema import extensions
from soundalike.store.searching import conditions, filter_values, vector_texts
from soundalike.store.times import FIRST_KNOWN, postgres_zone
from soundalike.types import Bucket, BucketWidth, Filters, FloatArray, Timeline, Window

#: More than anybody looks at; each is a line of output.
MAX_BUCKETS = 100_000
#: Windows that lie this close together touch: starts and ends are sums of decimal fractions.
TOUCH_S = 0.001

_SHORTEST = {
    "hour": timedelta(minutes=30),
    "day": timedelta(hours=23),
    "week": timedelta(days=6),
    "month": timedelta(days=27),
}
_INTERVALS = {"hour": "1 hour", "day": "1 day", "week": "7 days", "month": "1 month"}
#: No start that is stored lies after it.
_END_OF_CALENDAR = datetime(9999, 12, 31, tzinfo=UTC)


def begins(windows: Sequence[Window]) -> list[Window]:
    """Return the first window of each run of windows that overlap or touch.

    Parameters
    ----------
    windows : sequence of Window
        Of one recording, in the order of their starts.
    """
    found, reach_s = [], -math.inf
    for window in windows:
        if window.start_s > reach_s + TOUCH_S:
            found.append(window)
        reach_s = max(reach_s, window.end_s)
    return found


def scores(embeddings: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return each row's best cosine similarity to any of the vectors; -inf for a row of zeros.

    Parameters
    ----------
    embeddings : (n, dimension) float32
    vectors : (m, dimension) float32
        Those of zeros are left out.

    Returns
    -------
    scores : (n,) float32
    """
    usable = vectors[vectors.any(axis=1)]
    lengths = np.linalg.norm(embeddings, axis=1)[:, np.newaxis] * np.linalg.norm(usable, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = embeddings @ usable.T / lengths
    best: FloatArray = np.where(lengths > 0, cosines, -np.inf).max(axis=1, initial=-np.inf)
    return best


def bucket_start(at: datetime, bucket: BucketWidth, zone: tzinfo) -> datetime:
    """Return when the bucket began in which a moment lies, in UTC.

    An hour is one of a clock that shows it: where clocks are put back, the same hour comes twice and
    is two buckets. A day begins with its first moment, whatever the clock shows then.
    """
    local = at.astimezone(zone)
    if bucket == "hour":
        offset = local.utcoffset() or timedelta(0)
        full = local.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        return (full - offset).replace(tzinfo=UTC)
    return _midnight(_first_day(local.date(), bucket), zone)


def _first_day(day: date, bucket: BucketWidth) -> date:
    if bucket == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if bucket == "month" else day


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def next_start(start: datetime, bucket: BucketWidth, zone: tzinfo) -> datetime:
    """Return when the bucket after the one that begins at `start` begins, in UTC."""
    try:
        if bucket == "hour":
            return bucket_start(start + timedelta(hours=1), bucket, zone)
        day = start.astimezone(zone).date()
        days = {"day": 1, "week": 7, "month": 32 - day.day}[bucket]
        return _midnight(_first_day(day + timedelta(days=days), bucket), zone)
    except (OverflowError, ValueError):
        return _END_OF_CALENDAR


def filled(counts: Mapping[datetime, int], bucket: BucketWidth, zone: tzinfo) -> list[Bucket]:
    """Return buckets without a gap from the first to the last that is counted.

    Raises
    ------
    ParameterError
        There would be more than `MAX_BUCKETS`.
    """
    if not counts:
        return []
    first, last = min(counts), max(counts)
    if (last - first) / _SHORTEST[bucket] > 2 * MAX_BUCKETS:
        raise ParameterError(
            f"from {first.astimezone(zone):%Y-%m-%d} to {last.astimezone(zone):%Y-%m-%d} there are too "
            f"many buckets of one {bucket}; choose wider ones, or give since and until"
        )
    starts = set(counts)
    start = first
    while (start := next_start(start, bucket, zone)) < last:
        starts.add(start)
    ordered = sorted(starts)
    ends = [*ordered[1:], next_start(last, bucket, zone)]
    return [
        Bucket(start.astimezone(zone), end.astimezone(zone), counts.get(start, 0))
        for start, end in zip(ordered, ends, strict=True)
    ]


def count_by_time(
    cursor: Cursor,
    collection: Collection,
    vectors: FloatArray,
    min_score: float,
    bucket: BucketWidth,
    zone: tzinfo,
    filters: Filters,
) -> Timeline:
    """Count by wall-clock time what resembles any of the vectors.

    Exact: compares with every window that the filters let through. Windows of one recording that
    overlap or touch count once, when the first of them begins.

    Parameters
    ----------
    cursor : cursor
    collection : Collection
    vectors : (n_query_windows, dimension) float32
    min_score : float
        A window counts whose best cosine similarity to any of the vectors is at least this.
    bucket : str
        ``hour``, ``day``, ``week`` (from Monday) or ``month``, of the calendar of `zone`.
    zone : tzinfo
        A `zoneinfo.ZoneInfo`, or a fixed offset.
    filters : Filters
        Which windows may count.

    Raises
    ------
    ParameterError
        There would be too many buckets.
    """
    usable = vectors[vectors.any(axis=1)]
    if not len(usable):
        return Timeline([], 0)
    has_timescaledb = extensions(cursor).get("timescaledb", (None,))[0] is not None
    clock = sql.queries()["time_bucket"] if has_timescaledb else sql.queries()["date_trunc"]
    statement = collection.statement("count_by_time").replace("{bucket}", clock)
    cursor.execute(
        statement.replace("{filters}", conditions(collection, filters)),
        {
            **filter_values(filters),
            "vectors": vector_texts(usable),
            "min_score": min_score,
            "touch_s": TOUCH_S,
            "first_known": FIRST_KNOWN,
            "bucket_zone": postgres_zone(zone),
            "unit": bucket,
            "width": _INTERVALS[bucket],
        },
    )
    counts: dict[datetime, int] = {}
    undated = 0
    for local, offset, count in cursor.fetchall():
        if local is None:
            undated += count
        elif offset is None:
            counts[_midnight(local.date(), zone)] = count
        else:
            counts[(local - offset).replace(tzinfo=UTC)] = count
    return Timeline(filled(counts, bucket, zone), undated)
