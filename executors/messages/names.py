"""Aliases of parameters and fields."""

from __future__ import annotations

from typing import Any

from soundalike.errors import ParameterError

#: Proper names of parameters by their aliases. An alias counts where the proper name is a parameter.
PARAMETER_ALIASES = {
    "label": "labels",
    "window_s": "window_size",
    "stride_s": "stride",
    "bucket": "by",
}
#: The same of fields of documents.
FIELD_ALIASES = {"start": "start_s", "end": "end_s", "at": "at_s", "collection": "name"}
#: Names that Jina adds to the parameters of an answer, which clients may send back.
JINAS_OWN = frozenset({"__results__"})


def aliases_of(names: Any, aliases: dict[str, str]) -> dict[str, str]:
    """Return the aliases that count for a model with these names."""
    return {alias: proper for alias, proper in aliases.items() if proper in names and alias not in names}


def both_given(alias: str, proper: str) -> ParameterError:
    """Return the error for two different values of one field."""
    return ParameterError(
        f"{alias} and {proper} are two names of one field and have different values; give {proper} alone"
    )
