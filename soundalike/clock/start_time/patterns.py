"""How times are written: in names of files by recorders and by people, and in headers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from soundalike.clock.start_time.zones import OFFSET
from soundalike.errors import ParameterError

_DAY = r"(?P<Y>[0-9]{4})(?P<ds>[-_./: ]?)(?P<m>[0-9]{2})(?P=ds)(?P<d>[0-9 ][0-9])"
#: An hour of one digit only where what is around it shows that it is one: ``at 6.30.00``.
_HOUR = r"(?P<H>[0-9]{2}|(?<=[ T])[0-9](?=[-.:]))"
_MINUTE = r"(?P<ts>[-_.: ]?)(?P<M>[0-9]{2})"
_SECOND = r"(?P=ts)(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?"
#: No place between two digits: a longer number is not cut into pieces.
_EDGE = r"(?:(?<![0-9])|(?![0-9]))"
#: Between day and time: recorders have ``_`` or ``$`` in place of the T, Apple and WhatsApp the "at" of
#: their language, BirdNET-Pi words.
_BETWEEN = r"(?:(?P<T>T)|[ _.$-]{0,3}| (?:at|um|om|kl\.?|à|alle|a las|às) |-birdnet-(?:[^-]{1,32}-)?)"
#: Of a time with AM or PM; blanks are narrow ones on Apple's.
_HALF = "(?:[ \u00a0\u202f]?(?P<p>[AP])[.]?M(?![a-z]))?"
#: ``-01`` behind the time is mostly a count. It is an offset where the T shows that ISO 8601 is meant
#: and it has four digits.
_ZONE = (
    rf"(?:[ _]?(?P<z>Z(?![a-z])|(?:UTC|GMT)(?:[+-]{OFFSET})?|[+](?=[0-9]{{2}}){OFFSET}"
    rf"|(?(T)-(?:0[0-9]|1[0-2]):?(?:00|15|30|45)(?![0-9])|(?!))))?"
)
#: ``GMT20240115-063000``, as of video calls.
_ZONE_BEFORE = r"(?:(?<![a-z])(?P<before>GMT|UTC)[ _-]?)?"
#: ISO 8601 with its separators as names can hold them, and what recorders make of it.
_SECONDS = rf"{_EDGE}{_ZONE_BEFORE}{_DAY}{_BETWEEN}{_HOUR}{_MINUTE}{_SECOND}{_HALF}{_ZONE}{_EDGE}"
#: Milliseconds behind the seconds without anything between: phones.
_MILLISECONDS = (
    r"(?<![0-9])(?P<Y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})[_T-]"
    r"(?P<H>[0-9]{2})(?P<M>[0-9]{2})(?P<S>[0-9]{2})(?P<f>[0-9]{3})(?![0-9])"
)
#: Without seconds: something is between day and time, and nothing goes on behind the minute. 0001 to
#: 0059 are counts, unless they are multiples of five minutes, as recorders are set to.
_MINUTES = (
    rf"{_EDGE}{_ZONE_BEFORE}{_DAY}(?![0-9]){_BETWEEN}(?!00[0-5][1-46-9](?![0-9]))"
    rf"{_HOUR}(?P<ts>[-.:_]?)(?P<M>[0-9]{{2}})(?![0-9]|(?P=ts)[0-9]){_HALF}{_ZONE}"
)
#: Years of two digits, as of field recorders and voice recorders: year, month, day, and seconds too.
_SHORT_YEARS = (
    r"(?<![0-9])(?P<y>[0-6][0-9])(?P<m>[0-9]{2})(?P<d>[0-9]{2})[_-]"
    r"(?P<H>[0-9]{2})(?P<M>[0-9]{2})(?P<S>[0-9]{2})(?![0-9])"
)
#: The zone of the time in a name, wherever it stands in that.
ZONE_IN_BRACKETS = re.compile(rf"[(\[](?P<z>(?:UTC|GMT)(?:[+-]{OFFSET})?)[)\]]", re.IGNORECASE)
#: In a header. The hour may lack its leading zero, or have a blank for it.
IN_TAGS = re.compile(
    rf"{_DAY}[T ](?P<H>[0-9 ][0-9]|[0-9](?=[-_.:])){_MINUTE}(?:{_SECOND})?"
    rf"(?: ?(?P<z>Z|(?:UTC|GMT)?(?:[+-]{OFFSET})|UTC|GMT))?",
    re.IGNORECASE,
)
#: What shops write for a day: its first second, there or in California.
RELEASE = re.compile(r"[^T ]+[T ](?:00:00(?::00(?:[.]0+)?)?(?: ?(?:Z|[+-]00:?00))?|0[78]:00:00Z)")
#: AudioMoth's comment. Its first firmware names no zone and keeps to UTC.
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
    """How a recorder writes the time into names.

    Attributes
    ----------
    text : str
        What a person calls it.
    regex : re.Pattern
        Finds it anywhere in a name. Its groups are called like the directives of `compile_pattern`;
        ``hex`` is Unix time in hexadecimal, ``p`` the A or P of AM and PM, and ``before`` a zone that
        stands before the day.
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
