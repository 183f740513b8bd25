"""Describe parameters, reject unknown names and resolve aliases.

The command line, Python, HTTP forms and JSON, and Jina's endpoints all use these functions. Unknown
names are errors, because a misspelt ``collection`` would otherwise select the default collection and a
request to delete would remove the wrong recordings.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from typing import Any

from soundalike.errors import ParameterError, UnknownParameter

_SHOWN = 80


def about(description: str, **limits: float) -> dict[str, Any]:
    """Return the metadata of a field of a request; `limits` are ``ge`` and ``le``."""
    return {"description": description, "limits": limits}


def field_of(request: type, name: str) -> Field[Any]:
    """Return a field of a request, which is a dataclass."""
    (found,) = (one for one in fields(request) if one.name == name)
    return found


def description_of(request: type, name: str) -> str:
    """Return the description of a field of a request."""
    return str(field_of(request, name).metadata["description"])


def unknown_parameter(
    name: str, taken: Iterable[str], place: str = "", *, kind: str = "parameter"
) -> UnknownParameter:
    """Return the error for an unknown name.

    Parameters
    ----------
    name : str
        As received.
    taken : iterable of str
        The known names.
    place : str
        Position of the name, like ``data[0]``.
    kind : str
        Kind of the name, like ``option`` or ``field``.

    Examples
    --------
    >>> print(unknown_parameter("colection", ["collection", "limit"]))
    'colection' is not a known parameter, did you mean 'collection'? known: collection, limit
    """
    known = list(dict.fromkeys(taken))
    near = difflib.get_close_matches(name, known, n=1)
    shown = f"{place}.{name}" if place else name
    question = f", did you mean {near[0]!r}?" if near else ";"
    listed = ", ".join(known) or "none"
    return UnknownParameter(f"{shown[:_SHOWN]!r} is not a known {kind}{question} known: {listed}")


def refuse_unknown(
    given: Iterable[str], taken: Iterable[str], place: str = "", *, kind: str = "parameter"
) -> None:
    """Raise an error for the first unknown name; the parameters are those of `unknown_parameter`.

    Raises
    ------
    UnknownParameter
        A name is not known.
    """
    known = list(taken)
    for name in given:
        if name not in known:
            raise unknown_parameter(name, known, place, kind=kind)


def resolve_aliases(given: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Replace aliases with the primary names.

    Parameters
    ----------
    given : mapping
        Values by primary name or alias.
    aliases : mapping of str to str
        Primary names by alias.

    Raises
    ------
    ParameterError
        Both names were given, with different values.

    Examples
    --------
    >>> resolve_aliases({"label": ["dog"], "limit": 5}, {"label": "labels"})
    {'labels': ['dog'], 'limit': 5}
    """
    resolved: dict[str, Any] = {}
    for name, value in given.items():
        proper = aliases.get(name, name)
        if proper in resolved and resolved[proper] != value:
            other = next(key for key in given if key != name and aliases.get(key, key) == proper)
            raise ParameterError(
                f"{other} and {name} are two names of one parameter and have different values; "
                f"give {proper} alone"
            )
        resolved[proper] = value
    return resolved
