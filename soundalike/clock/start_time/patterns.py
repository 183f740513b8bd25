"""Patterns of times in file names and headers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from soundalike.clock.start_time.zones import OFFSET
from soundalike.errors import ParameterError

_DAY = r"(?P<Y>[0-9]{4})(?P<ds>[-_./: ]?)(?P<m>[0-9]{2})(?P=ds)(?P<d>[0-9 ][0-9])"
#: A one-digit hour only in an unambiguous context: ``at 6.30.00``.
_HOUR = r"(?P<H>[0-9]{2}|(?<=[ T])[0-9](?=[-.:]))"
_MINUTE = r"(?P<ts>[-_.: ]?)(?P<M>[0-9]{2})"
_SECOND = r"(?P=ts)(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?"
#: Not between two digits: a match must not be part of a longer number.
_EDGE = r"(?:(?<![0-9])|(?![0-9]))"
#: Between date and time: recorders write ``_`` or ``$`` instead of the T, Apple and WhatsApp the word
#: "at" in the user's language, BirdNET-Pi its name.
_BETWEEN = r"(?:(?P<T>T)|[ _.$-]{0,3}| (?:at|um|om|kl\.?|à|alle|a las|às) |-birdnet-(?:[^-]{1,32}-)?)"
#: AM or PM; Apple's systems use narrow spaces.
_HALF = "(?:[ \u00a0\u202f]?(?P<p>[AP])[.]?M(?![a-z]))?"
#: ``-01`` after the time is usually a counter. It is an offset only in ISO 8601 (with a T) and with four
#: digits.
_ZONE = (
    rf"(?:[ _]?(?P<z>Z(?![a-z])|(?:UTC|GMT)(?:[+-]{OFFSET})?|[+](?=[0-9]{{2}}){OFFSET}"
    rf"|(?(T)-(?:0[0-9]|1[0-2]):?(?:00|15|30|45)(?![0-9])|(?!))))?"
)
#: ``GMT20240115-063000``, in recordings of video calls.
_ZONE_BEFORE = r"(?:(?<![a-z])(?P<before>GMT|UTC)[ _-]?)?"
#: ISO 8601 with separators that are allowed in file names, and the variants of recorders.
_SECONDS = rf"{_EDGE}{_ZONE_BEFORE}{_DAY}{_BETWEEN}{_HOUR}{_MINUTE}{_SECOND}{_HALF}{_ZONE}{_EDGE}"
#: Milliseconds directly after the seconds: phones.
_MILLISECONDS = (
    r"(?<![0-9])(?P<Y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})[_T-]"
    r"(?P<H>[0-9]{2})(?P<M>[0-9]{2})(?P<S>[0-9]{2})(?P<f>[0-9]{3})(?![0-9])"
)
#: Without seconds: requires a separator between date and time and no digit after the minute. 0001 to
#: 0059 are counters, except multiples of five minutes, which are usual settings of recorders.
_MINUTES = (
    rf"{_EDGE}{_ZONE_BEFORE}{_DAY}(?![0-9]){_BETWEEN}(?!00[0-5][1-46-9](?![0-9]))"
    rf"{_HOUR}(?P<ts>[-.:_]?)(?P<M>[0-9]{{2}})(?![0-9]|(?P=ts)[0-9]){_HALF}{_ZONE}"
)
#: Two-digit years of field and voice recorders: year, month, day, with seconds.
_SHORT_YEARS = (
    r"(?<![0-9])(?P<y>[0-6][0-9])(?P<m>[0-9]{2})(?P<d>[0-9]{2})[_-]"
    r"(?P<H>[0-9]{2})(?P<M>[0-9]{2})(?P<S>[0-9]{2})(?![0-9])"
)
#: Time zone anywhere in a file name.
ZONE_IN_BRACKETS = re.compile(rf"[(\[](?P<z>(?:UTC|GMT)(?:[+-]{OFFSET})?)[)\]]", re.IGNORECASE)
#: In a header. The hour may have a space instead of its leading zero, or lack it.
IN_TAGS = re.compile(
    rf"{_DAY}[T ](?P<H>[0-9 ][0-9]|[0-9](?=[-_.:])){_MINUTE}(?:{_SECOND})?"
    rf"(?: ?(?P<z>Z|(?:UTC|GMT)?(?:[+-]{OFFSET})|UTC|GMT))?",
    re.IGNORECASE,
)
#: Shops write a date as its first second, in UTC or in California.
RELEASE = re.compile(r"[^T ]+[T ](?:00:00(?::00(?:[.]0+)?)?(?: ?(?:Z|[+-]00:?00))?|0[78]:00:00Z)")
#: AudioMoth's comment. Its first firmware writes UTC without naming it.
AUDIOMOTH = re.compile(
    r"Recorded at (?P<H>[0-9]{2}):(?P<M>[0-9]{2}):(?P<S>[0-9]{2})(?:[.](?P<f>[0-9]{1,9}))?"
    rf" (?P<d>[0-9]{{2}})/(?P<m>[0-9]{{2}})/(?P<Y>[0-9]{{4}})(?: \((?P<z>UTC(?:[+-]{OFFSET})?)\))?"
)
_DIRECTIVES = {
    "Y": "[0-9]{4}",
    **dict.fromkeys("ymdHMS", "[0-9]{2}"),
    "f": "[0-9]{1,9}",
    "z": rf"Z|(?:UTC|GMT)?[+-]{OFFSET}|UTC|GMT",
    "s": "[0-9]{9,10}",
}


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A pattern of times in file names.

    Attributes
    ----------
    text : str
        Description for users.
    regex : re.Pattern
        Matches anywhere in a name. Its groups have the names of the directives of `compile_pattern`;
        also ``hex`` (Unix time in hexadecimal), ``p`` (the A or P of AM and PM) and ``before`` (a time
        zone before the date).
    """

    text: str
    regex: re.Pattern[str]


DEFAULT_PATTERNS = (
    NamePattern("YYYYMMDD_HHMMSS", re.compile(_SECONDS, re.IGNORECASE)),
    NamePattern("YYYYMMDD_HHMMSSmmm", re.compile(_MILLISECONDS, re.IGNORECASE)),
    NamePattern("YYYYMMDD_HHMM", re.compile(_MINUTES, re.IGNORECASE)),
    NamePattern("YYMMDD_HHMMSS", re.compile(_SHORT_YEARS)),
    NamePattern("Unix time in hexadecimal", re.compile(r"\A(?P<hex>[0-9A-F]{8}|[0-9a-f]{8})\Z")),
)


def compile_pattern(text: str) -> NamePattern:
    """Compile a pattern in the style of ``strptime``.

    It matches anywhere in a file name without its suffix, ignoring case, but never inside a longer
    number.

    Parameters
    ----------
    text : str
        Plain text and directives. ``%Y`` or ``%y`` (69 is 1969), ``%m``, ``%d``, ``%H`` (0 to 24) and
        ``%M`` are required, with all digits, and ``%S`` is usual; or ``%s`` for Unix time. ``%f`` is a
        fraction of a second, ``%z`` an offset like ``Z``, ``+0200`` or ``UTC+2``, ``%%`` a percent
        sign. SoundTrap's names are ``%y%m%d%H%M%S``.

    Raises
    ------
    ParameterError
        A directive is unknown, repeated or missing.
    """
    pieces = re.split(r"%(.?)", text, flags=re.DOTALL)
    literals, directives = pieces[::2], pieces[1::2]
    regex = re.escape(literals[0])
    for directive, literal in zip(directives, literals[1:], strict=True):
        if directive not in (*_DIRECTIVES, "%"):
            known = " ".join(f"%{name}" for name in (*_DIRECTIVES, "%"))
            raise ParameterError(f"name pattern {text!r} contains %{directive}; choose from {known}")
        regex += "%" if directive == "%" else f"(?P<{directive}>{_DIRECTIVES[directive]})"
        regex += re.escape(literal)
    named = [directive for directive in directives if directive != "%"]
    if twice := [name for name in _DIRECTIVES if named.count(name) > 1]:
        raise ParameterError(f"name pattern {text!r} contains %{twice[0]} twice; give it once")
    year = "%y" if "y" in named else "%Y"
    missing = [name for name in (year, "%m", "%d", "%H", "%M") if name[1] not in named]
    if "s" not in named and missing:
        raise ParameterError(
            f"name pattern {text!r} lacks {' '.join(missing)}; give one like %Y%m%d_%H%M%S"
        )
    return NamePattern(text, re.compile(f"{_EDGE}{regex}{_EDGE}", re.IGNORECASE))
