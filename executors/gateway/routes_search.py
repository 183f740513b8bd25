"""Search by an upload, a path, a stored recording or a vector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Optional

from docarray import BaseDoc, DocList
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from executors.documents import Clip, Counted, Found
from executors.gateway import models
from executors.gateway.context import Context, GivenContext, problems
from executors.gateway.problems import document_failed
from executors.gateway.queries import query_body, read_query

router = APIRouter(tags=["search"])


@router.post(
    "/api/search",
    responses=problems(404, 409, 415),
    openapi_extra=query_body(models.SearchRequest),
    summary="Which recordings hold something like this",
)
async def search(context: GivenContext, request: Request) -> models.Answer:
    """Take a form with a `file`, or `uri`, `recording_id` or `vector`; the file is not kept."""
    async with _query(context, request, models.SearchRequest) as (query, clip, name):
        found = await context.flow.one("/search", clip, Found, query.parameters)
    return models.Answer(**_finished(found, clip, name))


@router.post(
    "/api/timeline",
    responses=problems(404, 409, 415),
    openapi_extra=query_body(models.TimelineRequest),
    summary="When something like this was heard",
)
async def timeline(context: GivenContext, request: Request) -> models.TimelineAnswer:
    """Take what a search takes, and count by hour, day, week or month."""
    async with _query(context, request, models.TimelineRequest) as (query, clip, name):
        counted = await context.flow.one("/timeline", clip, Counted, query.parameters)
    return models.TimelineAnswer(**_finished(counted, clip, name))


@asynccontextmanager
async def _query(
    context: Context, request: Request, model: Any
) -> AsyncIterator[tuple[Any, Clip, Optional[str]]]:
    """Yield the parameters, the document to send, and what the client calls its file."""
    async with read_query(request, model) as (query, upload):
        if upload is None:
            yield query, Clip.model_validate({"id": "query", **query.source}), None
            return
        async with context.uploads.passing_file(upload) as path:
            clip = Clip.model_validate({"id": "query", **query.source, "uri": str(path)})
            yield query, clip, _called(upload)


def _called(upload: UploadFile) -> str:
    return upload.filename or "upload"


def _finished(found: Any, clip: Clip, name: Optional[str]) -> dict[str, Any]:
    """Return the fields of an answer; an upload is called what its client calls it.

    Raises
    ------
    HTTPException
        The query has failed.
    """
    if name is not None:
        found.uri = f"upload:{found.recording_id}"
        own = str(clip.uri)
        hide = (repr(own), repr(name)), (own, name), (Path(own).name, name)
        found.error = found.error and _replaced(found.error, hide)
        found.warnings = [_replaced(text, hide) for text in found.warnings]
    if found.error_code:
        raise document_failed(found)
    return _plain(found)


def _plain(doc: BaseDoc) -> dict[str, Any]:
    """Return the fields of a document and of those inside, which are checked later.

    DocArray's own way takes longer than the ranking: it looks at the type of every field once more.
    """
    return {
        name: [_plain(part) for part in value] if isinstance(value, DocList) else value
        for name, value in doc
    }


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text
