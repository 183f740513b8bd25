"""A query as it comes over HTTP: JSON, or a form with a sound file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Dict, Optional, Type, TypeVar, get_origin

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from executors.gateway.api.form_names import unescape_name
from executors.gateway.api.models import SearchRequest, StrictModel
from executors.gateway.background.uploads import FIELD_LIMITS
from soundalike.errors import ParameterError

#: Fields that say what is heard, beside a file.
_SOURCES = ("uri", "recording_id", "vector", "text", "like_label")
_Query = TypeVar("_Query", bound=StrictModel)


@asynccontextmanager
async def read_query(
    request: Request, model: Type[_Query]
) -> AsyncIterator[tuple[_Query, Optional[UploadFile]]]:
    """Read a query; its file, where there is one, is there as long as the context is.

    Forms are taken as well as JSON: scripts that use ``curl -F`` rely on that.

    Raises
    ------
    RequestValidationError
        A field is wrong.
    ParameterError
        The body cannot be read, a field is unknown, or there is not exactly one source of sound.
    HTTPException
        The body is neither JSON nor a form, or a form that is damaged.
    """
    if _kind_of(request) != "application/json":
        async with _read_form(request, model, "multipart/form-data or application/json") as found:
            yield found
        return
    query = _validated(model, await _json(request))
    _check_sources(query, None)
    yield query, None


@asynccontextmanager
async def read_upload(request: Request, model: Type[_Query]) -> AsyncIterator[tuple[_Query, UploadFile]]:
    """Read a form with a file; raises what `read_query` does, also where there is no file."""
    async with _read_form(request, model, "multipart/form-data") as (query, upload):
        if upload is None:
            raise ParameterError("the form has no file; send a sound file as the field 'file'")
        yield query, upload


def _kind_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def _read_form(
    request: Request, model: Type[_Query], taken: str
) -> AsyncIterator[tuple[_Query, Optional[UploadFile]]]:
    """Read a form; `taken` says which bodies are."""
    kind = _kind_of(request)
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise HTTPException(415, f"the body is {kind or 'of no type'!r}; send {taken}")
    async with request.form(max_files=1, **FIELD_LIMITS) as form:
        fields, upload = _fields(form, model)
        if upload is not None:
            unescape_name(upload, request)
        query = _validated(model, fields)
        _check_sources(query, upload)
        yield query, upload


async def _json(request: Request) -> Dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as exc:
        raise ParameterError(f"the body is no JSON ({exc}); send one object") from exc
    if not isinstance(body, dict):
        raise ParameterError(f"the body is a JSON {type(body).__name__}; send one object")
    return body


def _fields(form: FormData, model: Type[StrictModel]) -> tuple[Dict[str, Any], Optional[UploadFile]]:
    """Return the fields of a form, those that may come again as lists, and the file."""
    fields: Dict[str, Any] = {}
    upload = None
    for name in dict.fromkeys(form):
        values = form.getlist(name)
        file = next((value for value in values if isinstance(value, UploadFile)), None)
        if file is not None:
            if name != "file":
                raise ParameterError(f"the form has a file named {name!r}; name it 'file'")
            upload = file
            continue
        # Forms in browsers send what was not filled in as empty text.
        texts = [str(value) for value in values if value != ""]
        if name == "file" and texts:
            raise ParameterError("file is text; send a sound file, with curl like -F file=@siren.mp3")
        info = model.model_fields.get(model.aliases.get(name, name))
        if name == "vector" and texts:
            fields[name] = _numbers(texts)
        elif name == "tags" and texts:
            fields[name] = parse_tags(texts[-1])
        elif texts:
            is_list = info is not None and get_origin(info.annotation) is list
            fields[name] = texts if is_list else texts[-1]
    return fields, upload


def _numbers(texts: list[str]) -> Any:
    """Return the numbers of a vector, written as a JSON list or as fields of their own."""
    try:
        return json.loads(texts[0]) if len(texts) == 1 else texts
    except (ValueError, RecursionError) as exc:
        raise ParameterError(f"vector is no JSON list ({exc}); send one like [0.1, -0.2]") from exc


def parse_tags(text: str) -> Dict[str, Any]:
    """Return the tags in a field of a form.

    Raises
    ------
    ParameterError
        They are no JSON object.
    """
    try:
        tags = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ParameterError(f"tags is no JSON ({exc}); send an object") from exc
    if not isinstance(tags, dict):
        raise ParameterError(f"tags is a JSON {type(tags).__name__}; send an object")
    return tags


def _validated(model: Type[_Query], fields: Dict[str, Any]) -> _Query:
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise RequestValidationError(exc.errors()) from exc


def _check_sources(query: StrictModel, upload: Optional[UploadFile]) -> None:
    names = [name for name in _SOURCES if name in type(query).model_fields]
    given = [name for name in names if getattr(query, name) is not None]
    given += ["file"] if upload is not None else []
    if not given and isinstance(query, SearchRequest) and query.like:
        query.promote_example()
        return
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        known = f"{', '.join(['file', *names][:-1])} and {names[-1]}"
        raise ParameterError(f"give one of {known}; there is {found}")
