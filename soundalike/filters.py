"""Conditions on tags, as people write them: ``depth_m>=1.5``, ``site in pond,lake``, ``gps.lat<0``."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    """What the value of a tag must be like.

    A tag that is not there meets no condition, not even ``!=``. Numbers are compared as numbers, text
    by its characters' code points, and what is of another kind is neither equal, less nor greater: the
    number 5 is not the text ``"5"``. ``!=`` is met by every value that is there and is not equal.

    Attributes
    ----------
    key : tuple of str
        The tag, and the way into it where it is nested.
    operator : str
        ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``in``.
    values : tuple
        Text, numbers, truth values or None; one, or for ``in`` at least one.
    """

    key: tuple[str, ...]
    operator: Operator
    values: tuple[Scalar, ...]

    def __str__(self) -> str:
        """Return what `parse_condition` reads as this condition."""
        key = ".".join(_quoted(part) for part in self.key)
        return f"{key} {self.operator} {', '.join(map(_quoted, self.values))}"

    def matches(self, tags: Mapping[str, Any]) -> bool:
        """Tell whether tags meet the condition."""
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


def parse_condition(text: str) -> Condition:
    """Return the condition that a person writes.

    Parameters
    ----------
    text : str
        A tag, an operator and a value, or several values behind ``in`` with commas between them. Dots
        lead into nested tags. What reads as a JSON number, ``true``, ``false`` or ``null`` is taken as
        such, the rest as text; names and texts with other signs in them stand in double quotes.

    Raises
    ------
    ParameterError
        It is no condition, or its value cannot be compared in this way.

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
            f"where {text!r} cannot be read; write a tag, one of = != < <= > >= or in, and a value, "
            'like depth_m>=1.5 or site in pond,lake; names with other signs like "water temp"=5'
        )
    key = tuple(_key(part, text) for part in re.findall(_PART, match["key"]))
    if match["word"]:
        values = tuple(_value(item, text) for item in _items(match["value"], text))
        return Condition(key, "in", values)
    sign: Any = "=" if match["sign"] == "==" else match["sign"]
    value = _value(match["value"], text)
    if sign in _ORDERS and (value is None or isinstance(value, bool)):
        raise ParameterError(
            f"where {text!r}: nothing is less or greater than {match['value']}; use = or !="
        )
    return Condition(key, sign, (value,))


def parse_conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Return the conditions that a person writes; see `parse_condition`."""
    return tuple(parse_condition(text) for text in texts)


def _key(part: str, text: str) -> str:
    name = _unquoted(part, text) if part.startswith('"') else part
    if not name:
        raise ParameterError(f"where {text!r} has an empty name; give that of a tag")
    return name


def _items(values: str, text: str) -> list[str]:
    items: list[str] = []
    position = 0
    while position < len(values) or not items:
        match = _ITEM.match(values, position)
        if match is None or not match[1]:
            raise ParameterError(
                f"where {text!r} has an empty value behind in; write values with commas between "
                'them, like site in pond,lake, and empty text as ""'
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
        raise ParameterError(f"where {text!r}: {value} is too large a number")
    if isinstance(found, list | dict):
        raise ParameterError(
            f"where {text!r}: {value} is a list or an object; give text, a number, true, false or null"
        )
    return found  # type: ignore[no-any-return]


def _unquoted(quoted: str, text: str) -> str:
    try:
        found = json.loads(quoted)
    except ValueError as exc:
        raise ParameterError(f"where {text!r}: {quoted} is no quoted text: {exc}") from exc
    return str(found)


def _quoted(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)


def _no_constant(name: str) -> Any:
    """Refuse NaN and Infinity, which Python reads but JSON does not know."""
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
    """Return a number as it is written, which is how databases compare it."""
    return Decimal(repr(number))
