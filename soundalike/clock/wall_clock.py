"""Wall-clock time as people write it, and how recordings come by theirs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path

from soundalike.clock.start_time import (
    DEFAULT_PATTERNS,
    NamePattern,
    StartTime,
    compile_pattern,
    start_time,
    start_time_of_upload,
    zone_named,
)
from soundalike.errors import ParameterError
from soundalike.types import Filters, Recording

_CLOCK = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
_TIME_OF_DAY = re.compile(rf"{_CLOCK}\s*-\s*{_CLOCK}")


@dataclass(frozen=True, slots=True)
class StartTimeRules:
    """How to find out when recordings began.

    Attributes
    ----------
    zone : tzinfo
        The zone of times that name none.
    patterns : sequence of NamePattern
        How the time stands in file names.
    """

    zone: tzinfo = UTC
    patterns: Sequence[NamePattern] = DEFAULT_PATTERNS

    @classmethod
    def described(cls, zone: str, patterns: Sequence[str] = ()) -> StartTimeRules:
        """Return what a person describes.

        Parameters
        ----------
        zone : str
            As for `soundalike.clock.start_time.zone_named`.
        patterns : sequence of str
            As for `soundalike.clock.start_time.compile_pattern`; tried before the usual ones.

        Raises
        ------
        ParameterError
            There is no such zone, or a pattern lacks something.
        """
        own = [compile_pattern(text) for text in patterns]
        return cls(zone_named(zone), (*own, *DEFAULT_PATTERNS))

    def start_of(
        self,
        source: Path | bytes,
        name: str | None,
        given: datetime | None,
        duration_s: float = 0.0,
        *,
        is_upload: bool = False,
    ) -> StartTime:
        """Return when a file or an upload began; see `soundalike.clock.start_time.start_time`.

        Parameters
        ----------
        source : Path or bytes
        name : str or None
            What an upload was called; a file's name is that of its path.
        given : datetime or None
            What the caller knows.
        duration_s : float
            Length in seconds; without it the time of the last change is that of the end.
        is_upload : bool
            The file was written when it came, and not when it was recorded.
        """
        if is_upload or isinstance(source, bytes):
            return start_time_of_upload(
                source, name, given=given, patterns=self.patterns, zone=self.zone
            )
        return start_time(
            source, given=given, patterns=self.patterns, zone=self.zone, duration_s=duration_s
        )


def with_start(recording: Recording, start: StartTime) -> Recording:
    """Return a recording with its start, where nobody has said it yet."""
    if recording.recorded_at is not None:
        return recording
    source = start.source if start.at else None
    return replace(recording, recorded_at=start.at, recorded_at_source=source)


def ended(recording: Recording) -> Recording:
    """Return a recording as it was before `start_from_mtime`; one with another start as it is."""
    if recording.recorded_at is None or recording.recorded_at_source != "mtime":
        return recording
    end = recording.recorded_at + timedelta(seconds=recording.duration_s)
    return replace(recording, recorded_at=end)


def start_from_mtime(recording: Recording, duration_s: float) -> Recording:
    """Return a recording whose start was that of its last change: the end, less its length."""
    assert recording.recorded_at is not None
    return replace(recording, recorded_at=recording.recorded_at - timedelta(seconds=duration_s))


def parse_moment(text: str, zone: tzinfo, what: str) -> datetime:
    """Return the moment that a person writes, in UTC.

    Parameters
    ----------
    text : str
        A date, which stands for its first moment, or a date and time in ISO 8601.
    zone : tzinfo
        Its zone where it names none. Of an hour that comes twice, the first is meant.
    what : str
        What it is called in messages.

    Raises
    ------
    ParameterError
        It is neither.

    Examples
    --------
    >>> parse_moment("2025-05-01T06:30+02:00", UTC, "since").isoformat()
    '2025-05-01T04:30:00+00:00'
    """
    try:
        written = datetime.fromisoformat(text.strip())
        return (written if written.tzinfo else written.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ParameterError(
            f"{what} is {text!r}; give a date or an ISO-8601 time, like 2025-05-01, "
            "2025-05-01T06:30 or 2025-05-01T06:30+02:00"
        ) from exc


def parse_time_of_day(text: str) -> tuple[time, time]:
    """Return the two ends of a part of the day.

    Parameters
    ----------
    text : str
        Two times with a hyphen between them; the second may be 24:00, or earlier than the first:
        over midnight.

    Raises
    ------
    ParameterError
        It is something else.

    Examples
    --------
    >>> parse_time_of_day("22:00-4:30")
    (datetime.time(22, 0), datetime.time(4, 30))
    """
    match = _TIME_OF_DAY.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        numbers = [int(part or 0) for part in match.groups()]
        if numbers[3:] == [24, 0, 0]:
            numbers[3] = 0
        return _time(*numbers[:3]), _time(*numbers[3:])
    except ValueError as exc:
        raise ParameterError(
            f"time_of_day is {text!r}; give two times of a clock, like 05:00-08:00 or 22:30-04:00"
        ) from exc


def _time(hour: int, minute: int, second: int) -> time:
    return time(hour, minute, second)


def with_times(
    filters: Filters,
    zone: str,
    *,
    since: str | None = None,
    until: str | None = None,
    time_of_day: str | None = None,
) -> Filters:
    """Return filters that are narrowed by times as people write them.

    Parameters
    ----------
    filters : Filters
    zone : str
        Zone of times that name none; as for `soundalike.clock.start_time.zone_named`.
    since, until : str or None
        As for `parse_moment`.
    time_of_day : str or None
        As for `parse_time_of_day`.

    Raises
    ------
    ParameterError
        One of them cannot be read.
    """
    there = zone_named(zone)
    return replace(
        filters,
        since=None if since is None else parse_moment(since, there, "since"),
        until=None if until is None else parse_moment(until, there, "until"),
        time_of_day=None if time_of_day is None else parse_time_of_day(time_of_day),
        time_zone=there,
    )
