"""Wall-clock time as people write it, and how recordings come by theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from soundalike.errors import ParameterError
from soundalike.start_time import (
    DEFAULT_PATTERNS,
    NamePattern,
    StartTime,
    compile_pattern,
    start_time,
    start_time_of_bytes,
    zone_named,
)
from soundalike.types import Recording


@dataclass(frozen=True, slots=True)
class Dating:
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
    def described(cls, zone: str, patterns: Sequence[str] = ()) -> Dating:
        """Return what a person describes.

        Parameters
        ----------
        zone : str
            As for `soundalike.start_time.zone_named`.
        patterns : sequence of str
            As for `soundalike.start_time.compile_pattern`; tried before the usual ones.

        Raises
        ------
        ParameterError
            There is no such zone, or a pattern lacks something.
        """
        own = [compile_pattern(text) for text in patterns]
        return cls(zone_named(zone), (*own, *DEFAULT_PATTERNS))

    def start_of(
        self, source: Path | bytes, name: str | None, given: datetime | None, duration_s: float = 0.0
    ) -> StartTime:
        """Return when a file or an upload began; see `soundalike.start_time.start_time`.

        Parameters
        ----------
        source : Path or bytes
        name : str or None
            What an upload was called; a file's name is that of its path.
        given : datetime or None
            What the caller knows.
        duration_s : float
            Length in seconds; without it the time of the last change is that of the end.
        """
        if isinstance(source, bytes):
            return start_time_of_bytes(source, name, given=given, patterns=self.patterns, zone=self.zone)
        return start_time(
            source, given=given, patterns=self.patterns, zone=self.zone, duration_s=duration_s
        )

    def dated(self, recording: Recording, path: Path) -> Recording:
        """Return a recording with its start, where nobody has said it yet.

        One that only the time of its last change tells has that time until its length is known; see
        `counted_back`.
        """
        if recording.recorded_at is not None:
            return recording
        start = self.start_of(path, None, None)
        source = start.source if start.at else None
        return replace(recording, recorded_at=start.at, recorded_at_source=source)


def counted_back(recording: Recording, duration_s: float) -> Recording:
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
