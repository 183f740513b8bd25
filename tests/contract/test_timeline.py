"""Occurrences are counted by wall-clock time, in the calendar of a zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from soundalike.clock.start_time import zone_named
from soundalike.errors import DimensionMismatch, IndexEmpty, ModelMismatch, ParameterError
from soundalike.filters import Filters
from soundalike.types import FloatArray, IndexSpec, Timeline, Window

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

AT = datetime(2025, 5, 1, 6, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
CALL = np.eye(16, dtype=np.float32)[:1]
OTHER = np.eye(16, dtype=np.float32)[1:2]


def _count(collection: Collection, vectors: FloatArray = CALL, **options: Any) -> Timeline:
    given = {"min_score": 0.9, "bucket": "hour", "zone": UTC, **options}
    filters = Filters(**given.pop("filters", {}))
    return collection.store.count_by_time(vectors, collection.spec, filters=filters, **given)


def _rows(pattern: str) -> FloatArray:
    """Return a window for each sign: ``x`` is the call, ``.`` is something else."""
    return np.concatenate([CALL if sign == "x" else OTHER for sign in pattern])


def _told(timeline: Timeline) -> list[tuple[str, int]]:
    return [(bucket.start.isoformat(), bucket.count) for bucket in timeline.buckets]


def _starts(collection: Collection, texts: Sequence[str], pattern: str = "x") -> None:
    for number, text in enumerate(texts):
        at = datetime.fromisoformat(text)
        collection.add(f"/{number}.wav", _rows(pattern), recorded_at=at)


def test_hours_are_counted_and_gaps_are_filled(collection: Collection):
    _starts(collection, ["2025-05-01T06:10Z", "2025-05-01T06:59:59Z", "2025-05-01T09:00Z"])
    collection.add("/other.wav", _rows("...."), recorded_at=AT)

    timeline = _count(collection)
    assert _told(timeline) == [
        ("2025-05-01T06:00:00+00:00", 2),
        ("2025-05-01T07:00:00+00:00", 0),
        ("2025-05-01T08:00:00+00:00", 0),
        ("2025-05-01T09:00:00+00:00", 1),
    ]
    assert [bucket.end for bucket in timeline.buckets[:-1]] == [
        bucket.start for bucket in timeline.buckets[1:]
    ]
    assert timeline.buckets[-1].end == datetime(2025, 5, 1, 10, tzinfo=UTC)
    assert timeline.undated == 0


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("x", 1),
        ("xx", 1),
        ("xxxx....", 1),
        ("x.x", 1),  # windows of 4 s every 2 s: the first and the third touch
        ("x..x", 2),
        ("xx..xx...x", 3),
        ("....", 0),
    ],
)
def test_windows_that_overlap_or_touch_are_one_occurrence(
    collection: Collection, pattern: str, expected: int
):
    collection.add("/a.wav", _rows(pattern), recorded_at=AT)

    assert sum(bucket.count for bucket in _count(collection).buckets) == expected


def test_an_occurrence_counts_when_its_first_window_begins(collection: Collection):
    at = datetime(2025, 5, 1, 5, 59, 55, tzinfo=UTC)
    collection.add("/a.wav", _rows(".xxxxx"), recorded_at=at)
    assert _told(_count(collection)) == [("2025-05-01T05:00:00+00:00", 1)]
    # Also where its beginning lies before what is asked for.
    since = {"since": datetime(2025, 5, 1, 6, tzinfo=UTC)}
    assert _told(_count(collection, filters=since)) == [("2025-05-01T06:00:00+00:00", 1)]


def test_a_long_window_reaches_over_shorter_ones(collection: Collection):
    windows = [Window(0, 0, 20), Window(1, 2, 6), Window(2, 15, 19), Window(3, 20.0005, 24)]
    recording = collection.recording("/a.wav", recorded_at=AT)
    collection.store.add(recording, windows, _rows("xxxx"), collection.spec)

    assert [bucket.count for bucket in _count(collection).buckets] == [1]


def test_recordings_at_one_time_are_occurrences_each(collection: Collection):
    _starts(collection, ["2025-05-01T06:10Z", "2025-05-01T06:10Z"])

    assert [bucket.count for bucket in _count(collection).buckets] == [2]


def test_a_copy_of_a_recording_counts_once(collection: Collection):
    for uri in ("/a.wav", "/copy.wav"):
        collection.add(uri, _rows("x"), content="song", recorded_at=AT)

    assert [bucket.count for bucket in _count(collection).buckets] == [1]


def test_the_best_of_the_querys_windows_counts(collection: Collection):
    collection.add("/a.wav", _rows("x..."), recorded_at=AT)
    collection.add("/b.wav", _rows("...."), recorded_at=AT)

    def total(vectors: FloatArray, **options: Any) -> int:
        return sum(bucket.count for bucket in _count(collection, vectors, **options).buckets)

    assert total(np.concatenate([OTHER, CALL])) == 2
    assert total(7 * CALL) == 1
    assert total(CALL + OTHER, min_score=0.8) == 0
    assert total(CALL + OTHER, min_score=0.7) == 2
    assert total(np.concatenate([0 * CALL, CALL])) == 1
    assert total(0 * CALL, min_score=-1) == 0
    assert total(CALL, min_score=-1) == 2


def test_silent_and_clipped_windows_and_zeros_are_no_occurrence(collection: Collection):
    collection.add("/silent.wav", _rows("xx"), silent=[0, 1], recorded_at=AT)
    collection.add("/zero.wav", 0 * _rows("xx"), recorded_at=AT)
    clipped = collection.recording("/clipped.wav", recorded_at=AT)
    window = Window(0, 0.0, 4.0, is_clipped=True)
    collection.store.add(clipped, [window], _rows("x"), collection.spec)

    assert _count(collection, min_score=-1) == Timeline([], 0)


def test_what_was_heard_at_an_unknown_time_is_counted_apart(collection: Collection):
    collection.add("/unknown.wav", _rows("x...x"))
    collection.add("/known.wav", _rows("x"), recorded_at=AT)

    timeline = _count(collection)
    assert (timeline.undated, [bucket.count for bucket in timeline.buckets]) == (2, [1])
    since = {"since": datetime(1, 1, 1, tzinfo=UTC)}
    assert _count(collection, filters=since).undated == 0


def test_the_hour_that_comes_twice_is_two_buckets(collection: Collection):
    _starts(collection, ["2025-10-26T00:30Z", "2025-10-26T01:30Z", "2025-10-26T01:31Z"])

    assert _told(_count(collection, zone=BERLIN)) == [
        ("2025-10-26T02:00:00+02:00", 1),
        ("2025-10-26T02:00:00+01:00", 2),
    ]


def test_the_hour_that_is_left_out_is_no_bucket(collection: Collection):
    _starts(collection, ["2025-03-30T00:30Z", "2025-03-30T02:30Z"])

    assert _told(_count(collection, zone=BERLIN)) == [
        ("2025-03-30T01:00:00+01:00", 1),
        ("2025-03-30T03:00:00+02:00", 0),
        ("2025-03-30T04:00:00+02:00", 1),
    ]


def test_days_are_those_of_the_zone_also_when_clocks_change(collection: Collection):
    _starts(
        collection,
        ["2025-03-29T22:59Z", "2025-03-29T23:00Z", "2025-03-30T21:59Z", "2025-03-30T22:00Z"],
    )

    assert _told(_count(collection, zone=BERLIN, bucket="day")) == [
        ("2025-03-29T00:00:00+01:00", 1),
        ("2025-03-30T00:00:00+01:00", 2),
        ("2025-03-31T00:00:00+02:00", 1),
    ]


@pytest.mark.parametrize(
    ("zone", "starts", "expected"),
    [
        # Midnight comes twice in Havana: the day begins with the first.
        (
            "America/Havana",
            ["2025-11-02T04:30Z", "2025-11-02T05:30Z"],
            [("2025-11-02T00:00:00-04:00", 2)],
        ),
        # There is no midnight in Asunción: the day begins at one.
        ("America/Asuncion", ["2023-10-01T04:10Z"], [("2023-10-01T01:00:00-03:00", 1)]),
        ("Asia/Kolkata", ["2025-05-01T18:29Z", "2025-05-01T18:30Z"], None),
    ],
)
def test_days_of_odd_zones(
    collection: Collection, zone: str, starts: list[str], expected: list[tuple[str, int]] | None
):
    _starts(collection, starts)

    found = _told(_count(collection, zone=ZoneInfo(zone), bucket="day"))
    assert found == (expected or [("2025-05-01T00:00:00+05:30", 1), ("2025-05-02T00:00:00+05:30", 1)])


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        ("week", [("2024-12-30", 2), ("2025-01-06", 0), ("2025-01-13", 1)]),
        ("month", [("2024-12-01", 1), ("2025-01-01", 2)]),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(
    collection: Collection, bucket: str, expected: list[tuple[str, int]]
):
    _starts(collection, ["2024-12-30T23:30Z", "2025-01-05T12:00Z", "2025-01-19T12:00Z"])

    found = _count(collection, bucket=bucket, zone=zone_named("-01:00"))
    assert [(start[:10], count) for start, count in _told(found)] == expected


def test_old_recordings_are_counted_too(collection: Collection):
    _starts(collection, ["1860-04-09T20:00Z", "1877-12-06T12:00Z"])

    buckets = _count(collection, bucket="month", zone=ZoneInfo("Europe/Paris")).buckets
    assert (len(buckets), buckets[0].count, buckets[-1].count) == (213, 1, 1)
    assert (buckets[0].start.date().isoformat(), buckets[-1].start.date().isoformat()) == (
        "1860-04-01",
        "1877-12-01",
    )


def test_the_end_of_the_calendar_is_no_fault(collection: Collection):
    _starts(collection, ["9999-12-30T06:00Z"])

    for bucket in ("hour", "day", "week", "month"):
        (found,) = _count(collection, bucket=bucket, zone=zone_named("+14:00")).buckets
        assert found.count == 1


def test_filters_narrow_what_is_counted(collection: Collection):
    for hour in range(6):
        at = datetime(2025, 5, 1, hour, tzinfo=UTC)
        collection.add(
            f"/{hour}.wav", _rows("x"), recorded_at=at, label="even" if hour % 2 == 0 else "odd"
        )

    filters = {
        "labels": ("even",),
        "until": datetime(2025, 5, 1, 5, tzinfo=UTC),
        "time_of_day": (time(2), time(0)),
        "exclude_recording_id": collection.recording("/2.wav").recording_id,
    }
    assert _told(_count(collection, filters=filters)) == [("2025-05-01T04:00:00+00:00", 1)]


def test_too_many_buckets_are_refused(collection: Collection):
    _starts(collection, ["1990-01-01T06:00Z", "2025-01-01T06:00Z"])

    with pytest.raises(ParameterError, match="from 1990-01-01 to 2025-01-01 there are too many buckets"):
        _count(collection)
    assert len(_count(collection, bucket="month").buckets) == 35 * 12 + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_score": 1.5}, r"min_score is 1.5; choose a cosine similarity from -1 to 1"),
        ({"min_score": float("nan")}, "min_score is nan"),
        ({"bucket": "year"}, "bucket is 'year'; choose one of hour, day, week, month"),
        ({"filters": {"since": AT, "until": AT - timedelta(1)}}, "the period is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(collection: Collection, options: dict[str, Any], message: str):
    collection.add("/a.wav", recorded_at=AT)

    with pytest.raises(ParameterError, match=message):
        _count(collection, **options)


def test_an_index_that_is_not_there_or_does_not_fit_is_refused(collection: Collection):
    with pytest.raises(IndexEmpty):
        _count(collection)
    collection.add("/a.wav", recorded_at=AT)
    with pytest.raises(DimensionMismatch):
        _count(collection, CALL[:, :8])
    collection.spec = IndexSpec("other", "f00d", 16, 4.0, 2.0)
    with pytest.raises(ModelMismatch):
        _count(collection)
