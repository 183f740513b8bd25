"""Count occurrences by wall-clock time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import numpy as np

from soundalike.clock.times import FIRST_KNOWN, postgres_zone
from soundalike.errors import ParameterError
from soundalike.filters import Filters
from soundalike.store import sql
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.schema import extensions
from soundalike.store.searching import conditions, filter_values, vector_texts
from soundalike.types import Bucket, BucketWidth, FloatArray, Timeline, Window

#: Maximum number of buckets; each is a line of output.
MAX_BUCKETS = 100_000
#: Maximum gap between adjacent windows, for rounding errors of their starts and ends.
TOUCH_S = 0.001

_SHORTEST = {
    "hour": timedelta(minutes=30),
    "day": timedelta(hours=23),
    "week": timedelta(days=6),
    "month": timedelta(days=27),
}
_INTERVALS = {"hour": "1 hour", "day": "1 day", "week": "7 days", "month": "1 month"}
#: All stored start times are earlier.
_END_OF_CALENDAR = datetime(9999, 12, 31, tzinfo=UTC)


def first_windows(windows: Sequence[Window]) -> list[Window]:
    """Return the first window of each run of overlapping or adjacent windows.

    Parameters
    ----------
    windows : sequence of Window
        Windows of one recording, sorted by start.
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
        Zero vectors are ignored.

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
    """Return the start of the bucket that contains a time, in UTC.

    Hours are those of the local clock: an hour that occurs twice at a clock change is two buckets. A day
    begins with its first moment, even if the clock does not show midnight.
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
    """Return the start of the next bucket, in UTC."""
    try:
        if bucket == "hour":
            return bucket_start(start + timedelta(hours=1), bucket, zone)
        day = start.astimezone(zone).date()
        days = {"day": 1, "week": 7, "month": 32 - day.day}[bucket]
        return _midnight(_first_day(day + timedelta(days=days), bucket), zone)
    except (OverflowError, ValueError):
        return _END_OF_CALENDAR


def filled(counts: Mapping[datetime, int], bucket: BucketWidth, zone: tzinfo) -> list[Bucket]:
    """Return consecutive buckets from the first to the last with a count.

    Raises
    ------
    ParameterError
        There are more than `MAX_BUCKETS`.
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
    """Count windows similar to any of the vectors by wall-clock time.

    Exact: compares all windows that pass the filters. Overlapping or adjacent windows of a recording
    count once, at the start of the first.

    Parameters
    ----------
    cursor : cursor
    collection : Collection
    vectors : (n_query_windows, dimension) float32
    min_score : float
        Minimum cosine similarity of a window to any of the vectors.
    bucket : str
        ``hour``, ``day``, ``week`` (from Monday) or ``month``, in the calendar of `zone`.
    zone : tzinfo
        A `zoneinfo.ZoneInfo`, or a fixed offset.
    filters : Filters
        Filters of the windows.

    Raises
    ------
    ParameterError
        There are too many buckets.
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
