"""Find the start time of a recording.

The sources are the caller, the header, the file name and the modification time. They differ in
reliability, so every start time has its source.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal

from soundalike.clock.start_time.patterns import (
    AUDIOMOTH,
    DEFAULT_PATTERNS,
    IN_TAGS,
    RELEASE,
    ZONE_IN_BRACKETS,
    NamePattern,
)
from soundalike.clock.start_time.zones import fixed_zone
from soundalike.errors import ParameterError

#: Sources by decreasing reliability. Recorders write file names too, but people rename files, and
#: copying may change the modification time.
Source = Literal["given", "metadata", "filename", "mtime", "unknown"]

#: The year of the first recording of sound.
_EARLIEST = datetime(1857, 1, 1, tzinfo=UTC)
#: A recorder in another time zone may be ahead of this machine's clock.
_AHEAD = timedelta(days=1)
#: Dates of clocks that were never set: MP4, Unix, FAT.
_UNSET_DAYS = (date(1904, 1, 1), date(1970, 1, 1), date(1980, 1, 1))
#: Earlier modification times are invalid in all common file systems, in any time zone.
_EARLIEST_CHANGE = datetime(1980, 1, 3, tzinfo=UTC)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: First year of AudioMoth, which writes names in hexadecimal. Most other names of eight hexadecimal
#: digits give an earlier or a future time.
_EARLIEST_HEX = datetime(2017, 1, 1, tzinfo=UTC)

#: Tags in which recorders write the start time, by decreasing reliability.
_TAGS = (
    *("guano", "wamd", "bext", "recordingstart", "com.apple.quicktime.creationdate"),
    *("date_recorded", "recorded date", "icrd"),
)
#: Tags that editors, converters and shops also write, with other times. A file name is more reliable.
_VAGUE_TAGS = ("date", "creation_time")


@dataclass(frozen=True, slots=True)
class StartTime:
    """Start time of a recording.

    Attributes
    ----------
    at : datetime or None
        In UTC; None if unknown.
    source : str
        ``given``, ``metadata``, ``filename``, ``mtime`` or ``unknown``.
    """

    at: datetime | None
    source: Source


def start_time(
    path: Path,
    *,
    given: datetime | None = None,
    patterns: Sequence[NamePattern] = DEFAULT_PATTERNS,
    zone: tzinfo = UTC,
    duration_s: float = 0.0,
) -> StartTime:
    """Return the start time of a recording from the most reliable source that has one.

    Damaged and impossible values are ignored: times before 1857 or more than a day ahead, dates of
    clocks that were never set, and dates without a time of day. A header may omit the seconds. The name
    and the modification time take 15 microseconds, the header up to half a millisecond; see
    `soundalike.audio.tags.read_tags`.

    Parameters
    ----------
    path : Path
        The file.
    given : datetime, optional
        Start time from the caller; used unchanged.
    patterns : sequence of NamePattern
        Patterns of times in file names; the first match counts.
    zone : tzinfo
        Time zone for times without one; see `zone_named`. An hour that occurs twice at a clock change
        is the first one; a skipped hour continues the time before the change.
    duration_s : float
        Length of the recording in seconds, subtracted from the modification time, because recorders
        close a file when they stop.

    Raises
    ------
    ParameterError
        `given` is outside the calendar in UTC.
    """
    if given is not None:
        return StartTime(_given(given, zone), "given")
    status = _regular_file(path)
    source = path if status is not None else None
    found = _from_content(source, path.name, patterns, zone)
    if found.at is None and status is not None:
        changed = _last_change(status, duration_s)
        return StartTime(changed, "mtime") if changed else found
    return found


def start_time_of_upload(
    source: Path | bytes,
    name: str | None,
    *,
    given: datetime | None = None,
    patterns: Sequence[NamePattern] = DEFAULT_PATTERNS,
    zone: tzinfo = UTC,
) -> StartTime:
    """Return the start time of an upload; like `start_time`, without the modification time.

    Parameters
    ----------
    source : Path or bytes
        The content of a sound file, or the file that holds it.
    name : str or None
        File name of the upload; folders in it are ignored.
    given, patterns, zone
        See `start_time`.

    Raises
    ------
    ParameterError
        `given` is outside the calendar in UTC.
    """
    if given is not None:
        return StartTime(_given(given, zone), "given")
    return _from_content(source, re.split(r"[/\\]", name or "")[-1], patterns, zone)


def _given(given: datetime, zone: tzinfo) -> datetime:
    try:
        return (given if given.tzinfo else given.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as exc:
        raise ParameterError(f"start time {given} is outside the calendar in UTC; give another") from exc


def _from_content(
    source: Path | bytes | None, name: str, patterns: Sequence[NamePattern], zone: tzinfo
) -> StartTime:
    """Return the start time from the header or the name."""
    tags = _tags_of(source) if source else {}
    if at := _from_recorder(tags, zone):
        return StartTime(at, "metadata")
    if at := _from_name(name, patterns, zone):
        return StartTime(at, "filename")
    if at := _first_time(tags, _VAGUE_TAGS, zone):
        return StartTime(at, "metadata")
    return StartTime(None, "unknown")


def _tags_of(source: Path | bytes) -> dict[str, str]:
    # A late import: this loads NumPy and the decoders, which patterns and zones do not need.
    from soundalike.audio.tags import read_tags

    tags = {key: value.strip("\0 \t\r\n") for key, value in read_tags(source).items()}
    # Ignore dates without a time of day.
    return {key: value for key, value in tags.items() if key != "date" or not RELEASE.fullmatch(value)}


def _from_recorder(tags: Mapping[str, str], zone: tzinfo) -> datetime | None:
    comment = AUDIOMOTH.match(tags.get("comment", ""))
    return (comment and _time_of(comment, UTC)) or _first_time(tags, _TAGS, zone)


def _first_time(tags: Mapping[str, str], keys: Sequence[str], zone: tzinfo) -> datetime | None:
    matches = (IN_TAGS.fullmatch(tags.get(key, "")) for key in keys)
    times = (_time_of(match, zone) for match in matches if match)
    return next((at for at in times if at), None)


def _from_name(name: str, patterns: Sequence[NamePattern], zone: tzinfo) -> datetime | None:
    stem, suffix = os.path.splitext(name)
    # The part after the last dot may belong to the time.
    text = name if suffix[1:].isdigit() else stem
    if bracketed := ZONE_IN_BRACKETS.search(text):
        zone = fixed_zone(bracketed["z"])
    matches = (match for pattern in patterns for match in _everywhere(pattern.regex, text))
    times = (_time_of(match, zone) for match in matches)
    return next((at for at in times if at), None)


def _everywhere(regex: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield all matches, including overlapping ones."""
    position = 0
    while match := regex.search(text, position):
        yield match
        position = match.start() + 1


def _time_of(match: re.Match[str], zone: tzinfo) -> datetime | None:
    """Return the time of a match in UTC, or None if it is impossible."""
    parts = {name: text for name, text in match.groupdict().items() if text}
    try:
        if "hex" in parts:
            at = _UNIX_EPOCH + timedelta(seconds=int(parts["hex"], 16))
            return at if _EARLIEST_HEX <= at <= _latest() else None
        if "s" in parts:
            written = _UNIX_EPOCH + timedelta(seconds=int(parts["s"])) + _fraction(parts)
        else:
            named = parts.get("z") or parts.get("before")
            there = fixed_zone(named) if named else zone
            written = _calendar_time(parts).replace(tzinfo=there)
        at = written.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if written.date() not in _UNSET_DAYS and _EARLIEST <= at <= _latest() else None


def _calendar_time(parts: dict[str, str]) -> datetime:
    """Return date and time without a time zone."""
    numbers = {name: int(parts.get(name, "0")) for name in "YymdHMS"}
    year = numbers["Y"] if "Y" in parts else numbers["y"] + (1900 if numbers["y"] >= 69 else 2000)
    hour, minute, second = (numbers[name] for name in "HMS")
    if "p" in parts and hour <= 12:
        hour = hour % 12 + 12 * (parts["p"] in "Pp")
    later = _fraction(parts)
    if (hour, minute, second) == (24, 0, 0):
        hour, later = 0, later + timedelta(days=1)
    # Leap seconds end an hour of UTC, which is a quarter of an hour in some zones.
    if second == 60 and minute % 15 == 14:
        second, later = 59, later + timedelta(seconds=1)
    return datetime(year, numbers["m"], numbers["d"], hour, minute, second) + later


def _fraction(parts: dict[str, str]) -> timedelta:
    return timedelta(microseconds=int(parts.get("f", "0").ljust(6, "0")[:6]))


def _latest() -> datetime:
    return datetime.now(UTC) + _AHEAD


def _regular_file(path: Path) -> os.stat_result | None:
    """Return the status of a regular file; None for other paths, such as pipes."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _last_change(status: os.stat_result, duration_s: float) -> datetime | None:
    try:
        changed = datetime.fromtimestamp(status.st_mtime, UTC)
        began = changed - timedelta(seconds=duration_s)
    except (ValueError, OverflowError, OSError):
        return None
    return began if _EARLIEST_CHANGE <= changed <= _latest() else None
