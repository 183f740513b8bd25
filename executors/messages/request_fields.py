"""Fields of pydantic's models with the defaults and descriptions of the core's requests."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any

from pydantic import Field

from soundalike.parameters import field_of


def pydantic_field(request: type, name: str, *, is_limited: bool = False, **other: Any) -> Any:
    """Return the field of a model that stands for a field of a request.

    Parameters
    ----------
    request : type
        A dataclass of the core.
    name : str
    is_limited : bool
        Let pydantic check the limits and describe them; otherwise the request checks them.
    other
        Arguments of `pydantic.Field` that replace those of the request.
    """
    found = field_of(request, name)
    given: dict[str, Any] = {"description": found.metadata["description"]}
    if found.default_factory is not MISSING:
        given["default"] = found.default_factory()
    elif found.default is not MISSING:
        given["default"] = list(found.default) if isinstance(found.default, tuple) else found.default
    if is_limited:
        given |= found.metadata["limits"]
    return Field(**{**given, **other})
