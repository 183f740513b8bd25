"""Keep integers within 32 bits: DocArray fails on larger ones."""

from typing import Any

#: Integers that fit.
INT32 = range(-(2**31), 2**31)


def to_int64(value: Any) -> Any:
    """Return tags, or a part of them, with floats in the place of integers that do not fit.

    Up to 2 to the power of 53 a float has the same value; PostgreSQL's jsonb takes both for equal.

    Examples
    --------
    >>> to_int64({"id": 5_000_000_000, "deep": [7, True, None]})
    {'id': 5000000000.0, 'deep': [7, True, None]}
    """
    if isinstance(value, dict):
        return {key: to_int64(part) for key, part in value.items()}
    if isinstance(value, list):
        return [to_int64(part) for part in value]
    return float(value) if isinstance(value, int) and value not in INT32 else value
