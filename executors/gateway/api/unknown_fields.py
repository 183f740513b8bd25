"""Refuse names that a route does not know.

A misspelt ``collection`` would else stand for the default one, and a request to delete would take the
wrong recordings.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.params import Form
from starlette.datastructures import FormData

from executors.messages.names import FIELD_ALIASES, both_given
from soundalike.parameters import refuse_unknown

#: Proper names in queries and forms by their aliases: the seconds to play or draw.
_ALIASES = {proper: alias for alias, proper in FIELD_ALIASES.items() if proper.endswith("_s")}


async def refuse_unknown_fields(request: Request) -> None:
    """Raise an error where the query or the form has a field that the route does not take.

    Raises
    ------
    UnknownParameter
        A name is unknown.
    ParameterError
        A value was given under two names.
    """
    # The dependencies of routes take no fields.
    dependant = request.scope["route"].dependant
    known = [field.alias for field in dependant.query_params]
    _rename_in_query(request, known)
    given = list(request.query_params)
    form_fields = [field.alias for field in dependant.body_params if isinstance(field.field_info, Form)]
    if form_fields:
        form = await request.form()
        _rename_in_form(form, form_fields)
        given += list(form)
        known += form_fields
    refuse_unknown(given, known)


def _rename_in_query(request: Request, known: list[str]) -> None:
    """Replace aliases by proper names; FastAPI reads the query after this."""
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    renamed = _renamed(pairs, known)
    if renamed == pairs:
        return
    request.scope["query_string"] = urlencode(renamed).encode("latin-1")
    # Starlette may have read it already.
    vars(request).pop("_query_params", None)


def _rename_in_form(form: FormData, known: list[str]) -> None:
    """Replace them in place: FastAPI has read the form already, and takes its values after this."""
    vars(form).update(vars(FormData(_renamed(form.multi_items(), known))))


def _renamed(pairs: list[tuple[str, Any]], known: list[str]) -> list[tuple[str, Any]]:
    """Return names and values with proper names.

    Raises
    ------
    ParameterError
        A value was given under two names.
    """
    given = {name for name, _ in pairs}
    aliases = {
        alias: proper
        for alias, proper in _ALIASES.items()
        if proper in known and alias in given - {*known}
    }
    for alias, proper in aliases.items():
        if len({value for name, value in pairs if name in (alias, proper)}) > 1:
            raise both_given(alias, proper)
    return [(aliases.get(name, name), value) for name, value in pairs]
