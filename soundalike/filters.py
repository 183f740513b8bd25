"""Search filters, and conditions on tags such as ``depth_m>=1.5`` and ``site in pond,lake``."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, Literal

from soundalike.errors import ParameterError

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in"]
Scalar = str | int | float | bool | None

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PART = rf'(?:{_QUOTED}|[^\s.=!<>"]+)'
_CONDITION = re.compile(
    rf"\s*(?P<key>{_PART}(?:\.{_PART})*)(?:\s*(?P<sign>!=|<=|>=|==|=|<|>)|\s+(?P<word>in)\s)\s*(?P<value>.*?)\s*",
    re.DOTALL | re.IGNORECASE,
)
_ITEM = re.compile(rf"\s*({_QUOTED}|[^,]*?)\s*(?:,|\Z)")
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the value of a tag.

    Recordings without the tag never match, not even with ``!=``. Numbers compare as numbers and text by
    code point. Values of different types are neither equal, less nor greater: the number 5 is not the
    text ``"5"``. ``!=`` matches every present value that is not equal.

    Attributes
    ----------
    key : tuple of str
        Path of the tag: its name, then the keys inside it.
    operator : str
        ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``in``.
    values : tuple
        Strings, numbers, booleans or None: one value, or at least one for ``in``.
    """

    key: tuple[str, ...]
    operator: Operator
    values: tuple[Scalar, ...]

    def __str__(self) -> str:
        """Return the text that `parse_condition` parses into this condition."""
        key = ".".join(_quoted(part) for part in self.key)
        return f"{key} {self.operator} {', '.join(map(_quoted, self.values))}"

    def matches(self, tags: Mapping[str, Any]) -> bool:
        """Return whether tags meet the condition."""
        value: Any = tags
        for part in self.key:
            if not isinstance(value, Mapping) or part not in value:
                return False
            value = value[part]
        if self.operator in ("=", "in"):
            return any(_is_equal(value, wanted) for wanted in self.values)
        if self.operator == "!=":
            return not _is_equal(value, self.values[0])
        return _is_ordered(_ORDERS[self.operator], value, self.values[0])


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of a search; an empty one selects all recordings.

    Attributes
    ----------
    labels, without_labels : tuple of str
        Labels to include (any of them), and labels to exclude.
    tags : mapping
        Tags that must all be present with equal values.
    uri_prefix : str
        Beginning of the path.
    exclude_recording_id : str or None
        A recording to exclude: the query's own.
    without_recordings : tuple of str
        Ids of further recordings to exclude.
    since, until : datetime or None
        Earliest (inclusive) and latest (exclusive) start time of the window, with time zone.
    time_of_day : tuple of time, or None
        Earliest (inclusive) and latest (exclusive) local time in `time_zone` at the start of the
        window; the period spans midnight if the second is before the first.
    time_zone : tzinfo
        A `zoneinfo.ZoneInfo`, or a fixed offset.
    where : tuple of Condition
        Conditions that the tags must all meet.

    Notes
    -----
    Time filters exclude recordings without a known start time.
    """

    labels: tuple[str, ...] = ()
    tags: Mapping[str, Any] = field(default_factory=dict)
    uri_prefix: str = ""
    exclude_recording_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    time_of_day: tuple[time, time] | None = None
    time_zone: tzinfo = UTC
    where: tuple[Condition, ...] = ()
    without_labels: tuple[str, ...] = ()
    without_recordings: tuple[str, ...] = ()

    @property
    def excluded(self) -> tuple[str, ...]:
        """Ids of all excluded recordings."""
        own = () if self.exclude_recording_id is None else (self.exclude_recording_id,)
        return (*own, *self.without_recordings)


def parse_condition(text: str) -> Condition:
    """Parse a condition.

    Parameters
    ----------
    text : str
        A tag, an operator and a value, or ``in`` and comma-separated values. Dots separate the keys of
        nested tags. JSON numbers, ``true``, ``false`` and ``null`` are values of their type; anything
        else is text. Put names and text with special characters in double quotes.

    Raises
    ------
    ParameterError
        The text is not a condition, or its value does not support the operator.

    Examples
    --------
    >>> parse_condition("depth_m >= 1.5")
    Condition(key=('depth_m',), operator='>=', values=(1.5,))
    >>> parse_condition('gps.place in pond, "a, b"').values
    ('pond', 'a, b')
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ParameterError(
            f"where {text!r} cannot be parsed; write a tag, one of = != < <= > >= or in, and a value, "
            'like depth_m>=1.5 or site in pond,lake; quote other names, like "water temp"=5'
        )
    key = tuple(_key(part, text) for part in re.findall(_PART, match["key"]))
    if match["word"]:
        values = tuple(_value(item, text) for item in _items(match["value"], text))
        return Condition(key, "in", values)
    sign: Any = "=" if match["sign"] == "==" else match["sign"]
    value = _value(match["value"], text)
    if sign in _ORDERS and (value is None or isinstance(value, bool)):
        raise ParameterError(f"where {text!r}: {match['value']} has no order; use = or !=")
    return Condition(key, sign, (value,))


def parse_conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Parse several conditions; see `parse_condition`."""
    return tuple(parse_condition(text) for text in texts)


def _key(part: str, text: str) -> str:
    name = _unquoted(part, text) if part.startswith('"') else part
    if not name:
        raise ParameterError(f"where {text!r} has an empty name; give the name of a tag")
    return name


def _items(values: str, text: str) -> list[str]:
    items: list[str] = []
    position = 0
    while position < len(values) or not items:
        match = _ITEM.match(values, position)
        if match is None or not match[1]:
            raise ParameterError(
                f"where {text!r} has an empty value after in; separate values with commas, like "
                'site in pond,lake, and write empty text as ""'
            )
        items.append(match[1])
        position = match.end()
    return items


def _value(value: str, text: str) -> Scalar:
    if value.startswith('"'):
        return _unquoted(value, text)
    try:
        found = json.loads(value, parse_constant=_no_constant)
    except ValueError:
        return value
    if isinstance(found, float) and not math.isfinite(found):
        raise ParameterError(f"where {text!r}: the number {value} is too large")
    if isinstance(found, list | dict):
        raise ParameterError(
            f"where {text!r}: {value} is a list or an object; give text, a number, true, false or null"
        )
    return found  # type: ignore[no-any-return]


def _unquoted(quoted: str, text: str) -> str:
    try:
        found = json.loads(quoted)
    except ValueError as exc:
        raise ParameterError(f"where {text!r}: {quoted} is not valid quoted text: {exc}") from exc
    return str(found)


def _quoted(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)


def _no_constant(name: str) -> Any:
    """Reject NaN and Infinity, which Python's parser accepts but JSON does not allow."""
    raise ValueError(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_equal(value: Any, wanted: Scalar) -> bool:
    if _is_number(value) and _is_number(wanted):
        return _exact(value) == _exact(wanted)
    return type(value) is type(wanted) and bool(value == wanted)


def _is_ordered(order: Callable[[Any, Any], bool], value: Any, wanted: Scalar) -> bool:
    if _is_number(value) and _is_number(wanted):
        return order(_exact(value), _exact(wanted))
    return isinstance(value, str) and isinstance(wanted, str) and order(value, wanted)


def _exact(number: Any) -> Decimal:
    """Return a number as its decimal text; databases compare numbers this way."""
    return Decimal(repr(number))
