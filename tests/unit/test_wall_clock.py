"""Times that people write, and recordings that get theirs."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from soundalike.clock.start_time import StartTime
from soundalike.clock.wall_clock import (
    StartTimeRules,
    parse_moment,
    parse_time_of_day,
    start_from_mtime,
    undo_start_from_mtime,
    with_start,
    with_times,
)
from soundalike.errors import ParameterError
from soundalike.filters import Filters
from soundalike.types import Recording

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-05-01", "2025-04-30T22:00:00+00:00"),
        ("2025-05-01T06:30", "2025-05-01T04:30:00+00:00"),
        (" 2025-05-01 06:30:15.25 ", "2025-05-01T04:30:15.250000+00:00"),
        ("2025-05-01T06:30Z", "2025-05-01T06:30:00+00:00"),
        ("2025-05-01T06:30-03:00", "2025-05-01T09:30:00+00:00"),
        # The hour that comes twice: its first time. The one that is left out: counted on.
        ("2025-10-26T02:30", "2025-10-26T00:30:00+00:00"),
        ("2025-03-30T02:30", "2025-03-30T01:30:00+00:00"),
    ],
)
def test_a_date_or_a_time_is_a_moment(text: str, expected: str):
    assert parse_moment(text, BERLIN, "--since").isoformat() == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2025-02-30", "1.5.2025", "06:30", "0001-01-01"])
def test_what_is_no_moment_is_said(text: str):
    with pytest.raises(ParameterError, match=r"--since is .*give a date or an ISO-8601 time"):
        parse_moment(text, BERLIN, "--since")


def test_what_a_person_describes():
    start_rules = StartTimeRules.described("+02:00", ["rec-%y%m%d%H%M%S"])
    assert start_rules.start_of(b"", "rec-250501063000.wav", None).at == datetime(
        2025, 5, 1, 4, 30, tzinfo=UTC
    )
    # The usual names are still known.
    assert start_rules.start_of(b"", "20250501_063000.wav", None).source == "filename"
    with pytest.raises(ParameterError, match="time zone 'Berlin' is unknown"):
        StartTimeRules.described("Berlin")
    with pytest.raises(ParameterError, match="lacks"):
        StartTimeRules.described("UTC", ["%y%m%d"])


def test_a_start_that_is_known_stays():
    at = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    found = StartTime(datetime(2025, 5, 1, 4, 30, tzinfo=UTC), "filename")
    known = Recording("id", "a.wav", 0.0, recorded_at=at, recorded_at_source="mtime")
    assert with_start(known, found) == known
    started = with_start(Recording("id", "a.wav", 0.0), found)
    assert (started.recorded_at, started.recorded_at_source) == (found.at, "filename")
    nothing = with_start(Recording("id", "a.wav", 0.0), StartTime(None, "unknown"))
    assert (nothing.recorded_at, nothing.recorded_at_source) == (None, None)


def test_a_start_that_was_counted_back_from_the_end_is_the_end_again():
    end = datetime(2025, 5, 1, 6, tzinfo=UTC)
    file = Recording("id", "a.wav", 60.0, recorded_at=end, recorded_at_source="mtime")
    began = start_from_mtime(file, 60.0)
    assert began.recorded_at == end - timedelta(minutes=1)
    assert undo_start_from_mtime(began) == file
    for other in (replace(began, recorded_at_source="given"), replace(began, recorded_at=None)):
        assert undo_start_from_mtime(other) == other


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("05:00-08:00", (time(5), time(8))),
        (" 5:30 - 8:15:59 ", (time(5, 30), time(8, 15, 59))),
        ("22:00-04:00", (time(22), time(4))),
        ("18:00-24:00", (time(18), time(0))),
    ],
)
def test_a_part_of_the_day(text: str, expected: tuple[time, time]):
    assert parse_time_of_day(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5-8", "05:00", "05:00-25:00", "24:00-05:00", "05:60-06:00", "05:00-24:01", "dawn"]
)
def test_what_is_no_part_of_the_day_is_said(text: str):
    with pytest.raises(ParameterError, match=r"time_of_day is .*; give two times of a clock, like"):
        parse_time_of_day(text)


def test_filters_with_times():
    filters = Filters(labels=("owl",))
    assert with_times(filters, "UTC") == filters
    found = with_times(
        filters, "Europe/Berlin", since="2025-05-01", until="2025-05-02T00:00Z", time_of_day="22:00-4:00"
    )
    assert found == Filters(
        labels=("owl",),
        since=datetime(2025, 4, 30, 22, tzinfo=UTC),
        until=datetime(2025, 5, 2, tzinfo=UTC),
        time_of_day=(time(22), time(4)),
        time_zone=BERLIN,
    )
    with pytest.raises(ParameterError, match="until is 'never'"):
        with_times(filters, "UTC", until="never")
