"""Errors of pydantic in the words of Soundalike, with a stable code."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from soundalike.errors import ParameterError

_SHOWN = 80
#: More would hide the first one.
_MOST = 5


def invalid_values(exc: ValidationError) -> ParameterError:
    """Return the error for values that do not have the type of their fields.

    Parameters
    ----------
    exc : ValidationError
        Of a parameter model or a document.
    """
    return ParameterError("; ".join(_sentence(error) for error in exc.errors()[:_MOST]))


def _sentence(error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"])) or "the value"
    given = error.get("input")
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{name} is missing; give it"
    if isinstance(given, str | int | float | bytes):
        return f"{name} is {str(given)[:_SHOWN]!r}: {text}"
    return f"{name}: {text}"
