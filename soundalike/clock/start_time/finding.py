"""When a recording began: from what the caller says, its header, its name, or its last change.

Search by wall-clock time is worth no more than these, so each comes with its source.
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

#: In falling trust. A name is written by the recorder too, but people rename files; any copy may
#: change the time of the last change.
Source = Literal["given", "metadata", "filename", "mtime", "unknown"]

#: The year of the first recording of sound.
_EARLIEST = datetime(1857, 1, 1, tzinfo=UTC)
#: A recorder in another zone may be ahead of this machine's clock.
_AHEAD = timedelta(days=1)
#: The days on which clocks begin that nobody has set: MP4, Unix, FAT.
_UNSET_DAYS = (date(1904, 1, 1), date(1970, 1, 1), date(1980, 1, 1))
#: No file system that is in use tells of files from before it; in any zone.
_EARLIEST_CHANGE = datetime(1980, 1, 3, tzinfo=UTC)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: AudioMoth, which writes names in hexadecimal, is sold since then. Most other names of eight such
#: digits fall before it or in the future.
_EARLIEST_HEX = datetime(2017, 1, 1, tzinfo=UTC)

#: Tags that may tell the start, in falling trust. They are written by recorders, and for this.
_TAGS = (
    *("guano", "wamd", "bext", "recordingstart", "com.apple.quicktime.creationdate"),
    *("date_recorded", "recorded date", "icrd"),
)
#: These are written by editors, converters and shops as well, at a time of theirs. A name is better.
_VAGUE_TAGS = ("date", "creation_time")


@dataclass(frozen=True, slots=True)
class StartTime:
    """When a recording began.

    Attributes
    ----------
    at : datetime or None
        In UTC, so that seconds can be added to it whatever clocks are changed in between. None
        where nothing tells it.
    source : str
        Where it comes from: ``given``, ``metadata``, ``filename``, ``mtime`` or ``unknown``.
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
    """Return when a recording began, from the most trusted source that tells it.

    A source that is damaged, or tells what cannot be, is passed over: a time before 1857 or more
    than a day ahead, the day on which a clock begins that nobody has set, and a day without a time,
    which is no second to count from. In a header the minute is enough. The name and the last change
    take 15 microseconds, the header up to half a millisecond; see `soundalike.audio.tags.read_tags`.

    Parameters
    ----------
    path : Path
        The file.
    given : datetime, optional
        What the caller knows; believed as it is.
    patterns : sequence of NamePattern
        How the time stands in the name; the first that finds one counts.
    zone : tzinfo
        The zone of times that name none; see `zone_named`. Of an hour that comes twice when clocks
        are changed, the first is meant; one that is left out is counted on from before.
    duration_s : float
        Length of the recording in seconds. Recorders close a file when they stop, so that it is
        taken from the time of the last change.

    Raises
    ------
    ParameterError
        `given` lies at the end of the calendar.
    """
    if given is not None:
        return StartTime(_given(given, zone), "given")
    status = _regular_file(path)
    source = path if status is not None else None
    found = _told(source, path.name, patterns, zone)
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
    """Return when an upload began; like `start_time`, without a time of last change.

    Parameters
    ----------
    source : Path or bytes
        The content of a sound file, or where it was written to.
    name : str or None
        What it was called; folders before the name are left out.
    given, patterns, zone
        See `start_time`.

    Raises
    ------
    ParameterError
        `given` lies at the end of the calendar.
    """
    if given is not None:
        return StartTime(_given(given, zone), "given")
    return _told(source, re.split(r"[/\\]", name or "")[-1], patterns, zone)


def _given(given: datetime, zone: tzinfo) -> datetime:
    try:
        return (given if given.tzinfo else given.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as exc:
        raise ParameterError(f"start time {given} has no counterpart in UTC; give another") from exc


def _told(
    source: Path | bytes | None, name: str, patterns: Sequence[NamePattern], zone: tzinfo
) -> StartTime:
    """Look into the header and the name."""
    tags = _tags_of(source) if source else {}
    if at := _from_recorder(tags, zone):
        return StartTime(at, "metadata")
    if at := _from_name(name, patterns, zone):
        return StartTime(at, "filename")
    if at := _first_time(tags, _VAGUE_TAGS, zone):
        return StartTime(at, "metadata")
    return StartTime(None, "unknown")


def _tags_of(source: Path | bytes) -> dict[str, str]:
    # Imports numpy and the decoders; patterns and zones are asked for before they are needed.
    from soundalike.audio.tags import read_tags

    tags = {key: value.strip("\0 \t\r\n") for key, value in read_tags(source).items()}
    # A day, and no time.
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
    # What follows the last full stop may be a part of the time.
    text = name if suffix[1:].isdigit() else stem
    if bracketed := ZONE_IN_BRACKETS.search(text):
        zone = fixed_zone(bracketed["z"])
    matches = (match for pattern in patterns for match in _everywhere(pattern.regex, text))
    times = (_time_of(match, zone) for match in matches)
    return next((at for at in times if at), None)


def _everywhere(regex: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield matches, also those that begin inside another one."""
    position = 0
    while match := regex.search(text, position):
        yield match
        position = match.start() + 1


def _time_of(match: re.Match[str], zone: tzinfo) -> datetime | None:
    """Return the time in UTC that a match means, or None where it cannot be one."""
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
    """Return date and time as they are written, without a zone."""
    numbers = {name: int(parts.get(name, "0")) for name in "YymdHMS"}
    year = numbers["Y"] if "Y" in parts else numbers["y"] + (1900 if numbers["y"] >= 69 else 2000)
    hour, minute, second = (numbers[name] for name in "HMS")
    if "p" in parts and hour <= 12:
        hour = hour % 12 + 12 * (parts["p"] in "Pp")
    later = _fraction(parts)
    if (hour, minute, second) == (24, 0, 0):
        hour, later = 0, later + timedelta(days=1)
    # Leap seconds end an hour of UTC, in zones of broken hours a quarter of one.
    if second == 60 and minute % 15 == 14:
        second, later = 59, later + timedelta(seconds=1)
    return datetime(year, numbers["m"], numbers["d"], hour, minute, second) + later


def _fraction(parts: dict[str, str]) -> timedelta:
    return timedelta(microseconds=int(parts.get("f", "0").ljust(6, "0")[:6]))


def _latest() -> datetime:
    return datetime.now(UTC) + _AHEAD


def _regular_file(path: Path) -> os.stat_result | None:
    """Return the status of a file; None where there is none, or a pipe that would never answer."""
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
