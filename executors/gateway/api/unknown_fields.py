"""Names that a route does not know are refused.

A misspelt ``collection`` would else stand for the default one, and a request to delete would take the
wrong recordings.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.params import Form

from executors.messages.names import FIELD_ALIASES, both_given
from soundalike.parameters import refuse_unknown

#: Proper names in a query string by their aliases: the seconds of what is played or drawn.
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
    # What the routes depend on takes no fields of its own.
    dependant = request.scope["route"].dependant
    known = [field.alias for field in dependant.query_params]
    _rename(request, known)
    given = list(request.query_params)
    form_fields = [field.alias for field in dependant.body_params if isinstance(field.field_info, Form)]
    if form_fields:
        # FastAPI has read it already.
        given += list(await request.form())
        known += form_fields
    refuse_unknown(given, known)


def _rename(request: Request, known: list[str]) -> None:
    """Give what came under an alias its proper name; FastAPI reads the query after this."""
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    aliases = {
        alias: proper
        for alias, proper in _ALIASES.items()
        if proper in known and any(name == alias for name, _ in pairs)
    }
    if not aliases:
        return
    for alias, proper in aliases.items():
        if len({value for name, value in pairs if name in (alias, proper)}) > 1:
            raise both_given(alias, proper)
    named = [(aliases.get(name, name), value) for name, value in pairs]
    request.scope["query_string"] = urlencode(named).encode("latin-1")
    # What Starlette has read of it before.
    vars(request).pop("_query_params", None)
