"""When a recording began: from what the caller says, its header, its name, or its last change.

Search by wall-clock time is worth no more than these, so each comes with its source.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Literal

from soundalike.errors import ConfigError, ParameterError

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

_OFFSET = r"(?:0?[0-9]|1[0-4])(?::?[0-5][0-9])?(?![0-9])"
_DAY = r"(?P<Y>[0-9]{4})(?P<ds>[-_./: ]?)(?P<m>[0-9]{2})(?P=ds)(?P<d>[0-9 ][0-9])"
_HOUR_MINUTE = r"(?P<H>[0-9]{2})(?P<ts>[-_.: ]?)(?P<M>[0-9]{2})"
_SECOND = r"(?P=ts)(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?"
#: No place between two digits: a longer number is not cut into pieces.
_EDGE = r"(?:(?<![0-9])|(?![0-9]))"

#: ISO 8601 with its separators as names can hold them, and what recorders make of it: ``_`` or
#: ``$`` in place of the T, BirdNET-Pi's words between the two, a blank for the day's leading zero.
#: ``-01`` behind the time is mostly a count. It is an offset where the T shows that ISO 8601 is
#: meant and it has four digits.
_IN_NAMES = (
    rf"{_EDGE}{_DAY}(?:(?P<T>T)|[ _.$-]{{0,3}}|-birdnet-(?:[^-]{{1,32}}-)?){_HOUR_MINUTE}{_SECOND}"
    rf"(?:[ _]?(?P<z>Z(?![a-z])|(?:UTC|GMT)(?:[+-]{_OFFSET})?|[+](?=[0-9]{{2}}){_OFFSET}"
    rf"|(?(T)-(?:0[0-9]|1[0-2]):?(?:00|15|30|45)(?![0-9])|(?!))))?{_EDGE}"
)
_IN_TAGS = re.compile(
    rf"{_DAY}[T ]{_HOUR_MINUTE}(?:{_SECOND})?(?: ?(?P<z>Z|(?:UTC|GMT)?(?:[+-]{_OFFSET})|UTC|GMT))?",
    re.IGNORECASE,
)
#: AudioMoth's comment. Its first firmware names no zone and keeps to UTC.
_AUDIOMOTH = re.compile(
    r"Recorded at (?P<H>[0-9]{2}):(?P<M>[0-9]{2}):(?P<S>[0-9]{2})(?:[.](?P<f>[0-9]{1,9}))?"
    rf" (?P<d>[0-9]{{2}})/(?P<m>[0-9]{{2}})/(?P<Y>[0-9]{{4}})(?: \((?P<z>UTC(?:[+-]{_OFFSET})?)\))?"
)
_FIXED_ZONE = re.compile(rf"(?:UTC|GMT|Z)|(?:UTC|GMT)?[+-]{_OFFSET}", re.IGNORECASE)
_SIGNED = re.compile(r"([+-])([0-9]{1,2})(?::?([0-9]{2}))?\Z")
#: Tags that may tell the start, in falling trust. The first ones are written by recorders alone,
#: the last two also by editors and converters.
_TAGS = (
    *("guano", "wamd", "bext", "recordingstart", "com.apple.quicktime.creationdate"),
    *("date_recorded", "recorded date", "date", "creation_time"),
)
_DIRECTIVES = {
    "Y": "[0-9]{4}",
    **dict.fromkeys("ymdHMS", "[0-9]{2}"),
    "f": "[0-9]{1,9}",
    "z": rf"Z|(?:UTC|GMT)?[+-]{_OFFSET}|UTC|GMT",
    "s": "[0-9]{9,10}",
}


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


@dataclass(frozen=True, slots=True)
class NamePattern:
    """How a recorder writes the time into names.

    Attributes
    ----------
    text : str
        What a person calls it.
    regex : re.Pattern
        Finds it anywhere in a name. Its groups are called like the directives of `compile_pattern`;
        ``hex`` is Unix time in hexadecimal.
    """

    text: str
    regex: re.Pattern[str]


DEFAULT_PATTERNS = (
    NamePattern("YYYYMMDD_HHMMSS", re.compile(_IN_NAMES, re.IGNORECASE)),
    NamePattern("Unix time in hexadecimal", re.compile(r"\A(?P<hex>[0-9A-F]{8}|[0-9a-f]{8})\Z")),
)


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


def compile_pattern(text: str) -> NamePattern:
    """Return the pattern that a person describes like for ``strptime``.

    It is looked for anywhere in a name without its extension, in any case, and never within a
    longer number.

    Parameters
    ----------
    text : str
        Plain text and directives. ``%Y`` or ``%y`` (2069 is 1969), ``%m``, ``%d``, ``%H`` (0 to 24)
        and ``%M`` are needed and ``%S`` nearly always, each with all its digits; or ``%s``, Unix
        time. ``%f`` is a fraction of a second, ``%z`` an offset like ``Z``, ``+0200`` or ``UTC+2``,
        ``%%`` a percent sign. SoundTrap's names are ``%y%m%d%H%M%S``.

    Raises
    ------
    ParameterError
        A directive is unknown, comes twice, or the time of day is missing.
    """
    pieces = re.split(r"%(.?)", text, flags=re.DOTALL)
    literals, directives = pieces[::2], pieces[1::2]
    regex = re.escape(literals[0])
    for directive, literal in zip(directives, literals[1:], strict=True):
        if directive not in (*_DIRECTIVES, "%"):
            known = " ".join(f"%{name}" for name in (*_DIRECTIVES, "%"))
            raise ParameterError(f"name pattern {text!r} holds %{directive}; choose from {known}")
        regex += "%" if directive == "%" else f"(?P<{directive}>{_DIRECTIVES[directive]})"
        regex += re.escape(literal)
    named = [directive for directive in directives if directive != "%"]
    if twice := [name for name in _DIRECTIVES if named.count(name) > 1]:
        raise ParameterError(f"name pattern {text!r} holds %{twice[0]} twice; give it once")
    year = "%y" if "y" in named else "%Y"
    missing = [name for name in (year, "%m", "%d", "%H", "%M") if name[1] not in named]
    if "s" not in named and missing:
        raise ParameterError(
            f"name pattern {text!r} lacks {' '.join(missing)}; give one like %Y%m%d_%H%M%S"
        )
    return NamePattern(text, re.compile(f"{_EDGE}{regex}{_EDGE}", re.IGNORECASE))


def zone_named(text: str) -> tzinfo:
    """Return the time zone that a person names.

    Parameters
    ----------
    text : str
        A name like ``Europe/Berlin``, or an offset like ``+02:00`` or ``UTC-3``, which suits
        recorders that stay on winter time. ``UTC`` and offsets need no time zone data.

    Raises
    ------
    ParameterError
        There is no such zone.
    ConfigError
        This machine has no time zone data.
    """
    text = text.strip()
    if _FIXED_ZONE.fullmatch(text):
        return _fixed_zone(text)
    try:
        return zoneinfo.ZoneInfo(text)
    except (KeyError, ValueError, OSError) as exc:
        known = zoneinfo.available_timezones()
        if not known:
            raise ConfigError(
                f"this machine has no time zone data to look {text!r} up in; install the package "
                "tzdata, or give an offset like +02:00"
            ) from exc
        by_lower = {name.lower(): name for name in known}
        close = difflib.get_close_matches(text.lower(), sorted(by_lower), n=1)
        example = by_lower[close[0]] if close else "Europe/Berlin"
        raise ParameterError(
            f"time zone {text!r} is unknown; give a name like {example}, or an offset like +02:00"
        ) from exc


def _given(given: datetime, zone: tzinfo) -> datetime:
    try:
        return (given if given.tzinfo else given.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as exc:
        raise ParameterError(f"start time {given} has no counterpart in UTC; give another") from exc


def _told(
    source: Path | bytes | None, name: str, patterns: Sequence[NamePattern], zone: tzinfo
) -> StartTime:
    """Look into the header and the name."""
    if source and (at := _from_header(source, zone)):
        return StartTime(at, "metadata")
    if at := _from_name(name, patterns, zone):
        return StartTime(at, "filename")
    return StartTime(None, "unknown")


def _from_header(source: Path | bytes, zone: tzinfo) -> datetime | None:
    # Imports numpy and the decoders; patterns and zones are asked for before they are needed.
    from soundalike.audio.tags import read_tags

    tags = read_tags(source)
    matches = [_AUDIOMOTH.match(tags.get("comment", ""))]
    matches += [_IN_TAGS.fullmatch(tags.get(key, "").strip("\0 \t\r\n")) for key in _TAGS]
    times = (_time_of(match, UTC if match.re is _AUDIOMOTH else zone) for match in matches if match)
    return next((at for at in times if at), None)


def _from_name(name: str, patterns: Sequence[NamePattern], zone: tzinfo) -> datetime | None:
    stem, suffix = os.path.splitext(name)
    # What follows the last full stop may be a part of the time.
    text = name if suffix[1:].isdigit() else stem
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
            there = _fixed_zone(parts["z"]) if "z" in parts else zone
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
    later = _fraction(parts)
    if (hour, minute, second) == (24, 0, 0):
        hour, later = 0, later + timedelta(days=1)
    # Leap seconds end an hour of UTC, in zones of broken hours a quarter of one.
    if second == 60 and minute % 15 == 14:
        second, later = 59, later + timedelta(seconds=1)
    return datetime(year, numbers["m"], numbers["d"], hour, minute, second) + later


def _fraction(parts: dict[str, str]) -> timedelta:
    return timedelta(microseconds=int(parts.get("f", "0").ljust(6, "0")[:6]))


def _fixed_zone(text: str) -> tzinfo:
    signed = _SIGNED.search(text)
    if not signed:
        return UTC
    offset = timedelta(hours=int(signed[2]), minutes=int(signed[3] or 0))
    return timezone(-offset if signed[1] == "-" else offset)


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
