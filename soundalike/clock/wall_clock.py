"""Parse wall-clock times, and set the start times of recordings."""

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
from soundalike.filters import Filters
from soundalike.types import Recording

_CLOCK = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
_TIME_OF_DAY = re.compile(rf"{_CLOCK}\s*-\s*{_CLOCK}")


@dataclass(frozen=True, slots=True)
class StartTimeRules:
    """Rules for finding the start times of recordings.

    Attributes
    ----------
    zone : tzinfo
        Time zone for times without one.
    patterns : sequence of NamePattern
        Patterns of times in file names.
    """

    zone: tzinfo = UTC
    patterns: Sequence[NamePattern] = DEFAULT_PATTERNS

    @classmethod
    def described(cls, zone: str, patterns: Sequence[str] = ()) -> StartTimeRules:
        """Return rules from user input.

        Parameters
        ----------
        zone : str
            As for `soundalike.clock.start_time.zone_named`.
        patterns : sequence of str
            As for `soundalike.clock.start_time.compile_pattern`; tried before the default ones.

        Raises
        ------
        ParameterError
            The zone is unknown, or a pattern is invalid.
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
        """Return the start time of a file or an upload; see `soundalike.clock.start_time.start_time`.

        Parameters
        ----------
        source : Path or bytes
        name : str or None
            File name of an upload; the name of a file is taken from its path.
        given : datetime or None
            Start time from the caller.
        duration_s : float
            Length in seconds, subtracted from the modification time.
        is_upload : bool
            The modification time is the time of the upload, so it is ignored.
        """
        if is_upload or isinstance(source, bytes):
            return start_time_of_upload(
                source, name, given=given, patterns=self.patterns, zone=self.zone
            )
        return start_time(
            source, given=given, patterns=self.patterns, zone=self.zone, duration_s=duration_s
        )


def with_start(recording: Recording, start: StartTime) -> Recording:
    """Return a recording with a start time, unless it has one already."""
    if recording.recorded_at is not None:
        return recording
    source = start.source if start.at else None
    return replace(recording, recorded_at=start.at, recorded_at_source=source)


def undo_start_from_mtime(recording: Recording) -> Recording:
    """Undo `start_from_mtime`; a recording with another source of its start time is unchanged."""
    if recording.recorded_at is None or recording.recorded_at_source != "mtime":
        return recording
    end = recording.recorded_at + timedelta(seconds=recording.duration_s)
    return replace(recording, recorded_at=end)


def start_from_mtime(recording: Recording, duration_s: float) -> Recording:
    """Return a recording whose start time, so far the modification time, is moved back by its length."""
    assert recording.recorded_at is not None
    return replace(recording, recorded_at=recording.recorded_at - timedelta(seconds=duration_s))


def parse_moment(text: str, zone: tzinfo, what: str) -> datetime:
    """Parse a date or time, and return it in UTC.

    Parameters
    ----------
    text : str
        A date (its first moment), or a date and time in ISO 8601.
    zone : tzinfo
        Time zone for text without one. An hour that occurs twice is the first one.
    what : str
        Name of the value in messages.

    Raises
    ------
    ParameterError
        The text is neither.

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
    """Parse a period of the day.

    Parameters
    ----------
    text : str
        Two times with a hyphen between them. The second may be 24:00, or earlier than the first for a
        period over midnight.

    Raises
    ------
    ParameterError
        The text has another form.

    Examples
    --------
    >>> parse_time_of_day("22:00-4:30")
    (datetime.time(22, 0), datetime.time(4, 30))
    """
    match = _TIME_OF_DAY.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        hour, minute, second, *end = (int(part or 0) for part in match.groups())
        end_hour, end_minute, end_second = [0, 0, 0] if end == [24, 0, 0] else end
        return time(hour, minute, second), time(end_hour, end_minute, end_second)
    except ValueError as exc:
        raise ParameterError(
            f"time_of_day is {text!r}; give two times of a clock, like 05:00-08:00 or 22:30-04:00"
        ) from exc


def with_times(
    filters: Filters,
    zone: str,
    *,
    since: str | None = None,
    until: str | None = None,
    time_of_day: str | None = None,
) -> Filters:
    """Add time filters from user input.

    Parameters
    ----------
    filters : Filters
    zone : str
        Time zone for times without one; as for `soundalike.clock.start_time.zone_named`.
    since, until : str or None
        As for `parse_moment`.
    time_of_day : str or None
        As for `parse_time_of_day`.

    Raises
    ------
    ParameterError
        A value is invalid.
    """
    there = zone_named(zone)
    return replace(
        filters,
        since=None if since is None else parse_moment(since, there, "since"),
        until=None if until is None else parse_moment(until, there, "until"),
        time_of_day=None if time_of_day is None else parse_time_of_day(time_of_day),
        time_zone=there,
    )
