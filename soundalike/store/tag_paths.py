"""Convert conditions on tags to jsonpath; the index of the tags supports ``=``."""

from __future__ import annotations

import json
from collections.abc import Sequence

from soundalike.filters import Condition


def to_jsonpath(conditions: Sequence[Condition]) -> str | None:
    """Return a predicate for ``tags @@ jsonpath`` that requires all conditions.

    In strict mode, so that lists are not unwrapped. Names and texts are JSON strings.

    Examples
    --------
    >>> from soundalike.filters import parse_conditions
    >>> to_jsonpath(parse_conditions(["gps.lat<-1.5", "site in pond,lake"]))
    'strict $."gps"."lat" < -1.5 && ($."site" == "pond" || $."site" == "lake")'
    """
    if not conditions:
        return None
    return "strict " + " && ".join(_predicate(condition) for condition in conditions)


def _predicate(condition: Condition) -> str:
    place = "$" + "".join(f".{json.dumps(part)}" for part in condition.key)
    values = [json.dumps(value) for value in condition.values]
    if condition.operator == "!=":
        # A comparison of different types is unknown, but the values differ.
        equal = f"{place} == {values[0]}"
        return f"(exists({place}) && (({equal}) is unknown || {place} != {values[0]}))"
    if condition.operator in ("=", "in"):
        return f"({' || '.join(f'{place} == {value}' for value in values)})"
    return f"{place} {condition.operator} {values[0]}"
