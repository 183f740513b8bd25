"""Names that a route does not know are refused.

A misspelt ``collection`` would else stand for the default one, and a request to delete would take the
wrong recordings.
"""

from __future__ import annotations

from fastapi import Request
from fastapi.params import Form

from soundalike.errors import ParameterError


async def refuse_unknown_fields(request: Request) -> None:
    """Raise an error where the query or the form has a field that the route does not take.

    Raises
    ------
    ParameterError
        A name is unknown.
    """
    given = list(request.query_params)
    # What the routes depend on takes no fields of its own.
    dependant = request.scope["route"].dependant
    known = [field.alias for field in dependant.query_params]
    form_fields = [field.alias for field in dependant.body_params if isinstance(field.field_info, Form)]
    if form_fields:
        # FastAPI has read it already.
        given += list(await request.form())
        known += form_fields
    for name in given:
        if name not in known:
            taken = ", ".join(known) or "no fields"
            raise ParameterError(f"{name!r} is not known here; this takes {taken}")
