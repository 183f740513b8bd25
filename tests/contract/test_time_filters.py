"""Filters of wall-clock time look at when each window's sound began."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from soundalike.clock.start_time import zone_named
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

AT = datetime(2025, 5, 1, 6, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
DAWN = (time(5), time(8))


def _windows(collection: Collection, **filters: Any) -> set[tuple[str, int]]:
    """Return path and number of every window that passes."""
    names = {found.recording_id: uri for uri, found in collection.found(**filters).items()}
    hits = collection.hits(collection.vectors(1), top_k=1000, **filters)
    return {(names[hit.recording_id], hit.window_index) for hit in hits}


def test_a_range_begins_with_its_first_moment_and_ends_before_its_last(collection: Collection):
    collection.add("/a/one.wav", recorded_at=AT)  # windows begin at 0, 2, 4 and 6 s

    def numbers(since_s: float, until_s: float, later: timedelta = timedelta(0)) -> list[int]:
        begin, end = (AT + timedelta(seconds=at) + later for at in (since_s, until_s))
        return sorted(number for _, number in _windows(collection, since=begin, until=end))

    assert numbers(2, 6) == [1, 2]
    assert numbers(2, 6, TICK) == [2, 3]
    assert numbers(2, 6, -TICK) == [1, 2]
    assert numbers(7, 100) == []


def test_one_end_is_enough_and_zones_do_not_matter(collection: Collection):
    for day in range(4):
        collection.add(f"/a/{day}.wav", recorded_at=AT + timedelta(days=day))
    edge = (AT + timedelta(days=2)).astimezone(timezone(timedelta(hours=-11)))

    assert set(collection.found(since=edge)) == {"/a/2.wav", "/a/3.wav"}
    assert set(collection.found(until=edge)) == {"/a/0.wav", "/a/1.wav"}
    assert set(collection.found(since=edge, labels=("cat",))) == set()


@pytest.mark.parametrize(
    "filters",
    [
        {"since": datetime(1, 1, 1, tzinfo=UTC)},
        {"until": datetime(9999, 12, 31, tzinfo=UTC)},
        {"since": datetime(999, 1, 1, tzinfo=UTC), "until": datetime(1001, 1, 1, tzinfo=UTC)},
        {"time_of_day": (time(23, 59), time(23, 58))},
    ],
)
def test_what_began_at_an_unknown_time_passes_no_filter_of_time(
    collection: Collection, filters: dict[str, Any]
):
    collection.add("/a/unknown.wav")
    collection.add("/a/known.wav", recorded_at=AT)

    assert set(collection.found()) == {"/a/unknown.wav", "/a/known.wav"}
    known = {"/a/known.wav"} if filters.get("until", AT) >= AT else set()
    assert set(collection.found(**filters)) == known


#: When each began, by the clocks of Berlin.
BEGAN = {
    "winter 04:59": "2025-01-10T03:59:59+00:00",
    "winter 05:00": "2025-01-10T04:00:00+00:00",
    "summer 05:00": "2025-07-10T03:00:00+00:00",
    "summer 07:59": "2025-07-10T05:59:53+00:00",
    "summer 08:00": "2025-07-10T06:00:00+00:00",
    "midnight": "2025-07-09T22:00:00+00:00",
}


def _fill_days(collection: Collection) -> None:
    for name, text in BEGAN.items():
        collection.add(name, collection.vectors(1), recorded_at=datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("ends", "zone", "expected"),
    [
        (DAWN, "Europe/Berlin", {"winter 05:00", "summer 05:00", "summer 07:59"}),
        (DAWN, "CET", {"winter 05:00", "summer 05:00", "summer 07:59"}),
        (DAWN, "UTC", {"summer 07:59", "summer 08:00"}),
        (DAWN, "+01:00", {"winter 05:00", "summer 07:59", "summer 08:00"}),
        (DAWN, "-01:00", {"summer 08:00"}),
        ((time(0), time(1)), "Europe/Berlin", {"midnight"}),
        ((time(23), time(0)), "Europe/Berlin", set()),
        ((time(23), time(0, 0, 1)), "Europe/Berlin", {"midnight"}),
        (
            (time(22), time(5)),
            "Europe/Berlin",
            {"midnight", "winter 04:59"},
        ),
    ],
)
def test_a_time_of_day_is_that_of_clocks_in_a_zone(
    collection: Collection, ends: tuple[time, time], zone: str, expected: set[str]
):
    _fill_days(collection)

    found = collection.found(time_of_day=ends, time_zone=zone_named(zone))
    assert set(found) == expected


def test_both_hours_of_a_changed_clock_are_meant(collection: Collection):
    """In Berlin's night of 26 October 2025 it is half past two twice."""
    for hour in range(4):
        at = datetime(2025, 10, 25, 23, 30, tzinfo=UTC) + timedelta(hours=hour)
        collection.add(f"/a/{hour}.wav", collection.vectors(1), recorded_at=at)

    found = collection.found(time_of_day=(time(2), time(3)), time_zone=BERLIN)
    assert set(found) == {"/a/1.wav", "/a/2.wav"}


def test_all_filters_hold_at_once(collection: Collection):
    for day in range(6):
        for hour in (4, 16):
            at = datetime(2025, 5, 1 + day, hour, tzinfo=UTC)
            collection.add(f"/{day}/{hour}.wav", recorded_at=at, label="even" if day % 2 == 0 else "odd")

    found = collection.found(
        since=datetime(2025, 5, 2, tzinfo=UTC),
        until=datetime(2025, 5, 6, tzinfo=UTC),
        time_of_day=DAWN,
        time_zone=BERLIN,
        labels=("even",),
        uri_prefix="/",
    )
    assert set(found) == {"/2/4.wav", "/4/4.wav"}


def test_only_the_windows_in_time_count(collection: Collection):
    """A better window of the same recording that was heard too early is no hit."""
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows, recorded_at=AT)

    hits = collection.hits(rows[0], since=AT + timedelta(seconds=3))
    assert {hit.window_index for hit in hits} == {2, 3}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"since": datetime(2025, 5, 1)}, "since is 2025-05-01T00:00:00, without a time zone"),
        ({"until": datetime(2025, 5, 1)}, "until is 2025-05-01T00:00:00, without a time zone"),
        ({"since": AT, "until": AT}, "is not after since"),
        ({"since": AT, "until": AT - TICK}, "the period is empty"),
        ({"time_of_day": (time(5), time(5))}, "begins and ends at 05:00:00"),
    ],
)
def test_times_that_make_no_sense_are_refused(
    collection: Collection, filters: dict[str, Any], message: str
):
    collection.add("/a/one.wav", recorded_at=AT)

    with pytest.raises(ParameterError, match=message):
        collection.found(**filters)
