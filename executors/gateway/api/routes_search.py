"""Search by an upload, a path, a stored recording, a vector or a text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Optional

from docarray import BaseDoc, DocList
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from executors.gateway.api import models
from executors.gateway.api.context import Context, GivenContext
from executors.gateway.api.described import (
    BODY,
    FORM,
    JSON,
    SIREN_ID,
    body,
    named_after_function,
    problems,
)
from executors.gateway.api.queries import read_query, read_upload
from executors.gateway.problems import document_failed
from executors.messages.documents import Clip, Counted, Found

router = APIRouter(tags=["search"], generate_unique_id_function=named_after_function)
_SEARCH_FAILURES = problems(*BODY, 404, 409, 415)
_UPLOAD_FAILURES = problems(*BODY, 409, 415, 507)
_BY_ID = {"recording_id": SIREN_ID}
#: A query and its file, which is there as long as the context is.
Reading = AbstractAsyncContextManager[tuple[models.Narrowing, Optional[UploadFile]]]


@router.post(
    "/api/search",
    responses=_SEARCH_FAILURES,
    openapi_extra=body(JSON, "SearchRequest", {**_BY_ID, "top_k": 3}),
    summary="Search by a path, a stored recording, a vector or a text",
)
async def search(context: GivenContext, request: Request) -> models.Answer:
    """Take one of `uri`, `recording_id`, `vector`, `text` and `like_label`; return similar sounds."""
    return await _search(context, read_query(request, models.SearchRequest))


@router.post(
    "/api/search/upload",
    responses=_UPLOAD_FAILURES,
    openapi_extra=body(FORM, "Body_search_upload"),
    summary="Search by an uploaded file",
)
async def search_upload(context: GivenContext, request: Request) -> models.Answer:
    """Return the recordings that are most similar to the file, which is not kept."""
    return await _search(context, read_upload(request, models.SearchRequest))


@router.post(
    "/api/timeline",
    responses=_SEARCH_FAILURES,
    openapi_extra=body(JSON, "TimelineRequest", {**_BY_ID, "min_score": 0.5}),
    summary="Count over time what resembles a path, a stored recording, a vector or a text",
)
async def timeline(context: GivenContext, request: Request) -> models.TimelineAnswer:
    """Take one of `uri`, `recording_id`, `vector`, `text` and `like_label`, and count by time."""
    return await _timeline(context, read_query(request, models.TimelineRequest))


@router.post(
    "/api/timeline/upload",
    responses=_UPLOAD_FAILURES,
    openapi_extra=body(FORM, "Body_timeline_upload"),
    summary="Count over time what resembles an uploaded file",
)
async def timeline_upload(context: GivenContext, request: Request) -> models.TimelineAnswer:
    """Count by hour, day, week or month what is similar to the file, which is not kept."""
    return await _timeline(context, read_upload(request, models.TimelineRequest))


async def _search(context: Context, reading: Reading) -> models.Answer:
    return models.Answer(**await find(context, reading))


async def find(context: Context, reading: Reading) -> dict[str, Any]:
    """Return the fields of the answer to a search.

    Raises
    ------
    HTTPException
        The query has failed.
    """
    async with reading as (query, upload), sent_clip(context, query, upload) as (clip, name):
        found = await context.flow.one("/search", clip, Found, query.parameters)
    return finished(found, clip, name)


async def _timeline(context: Context, reading: Reading) -> models.TimelineAnswer:
    async with reading as (query, upload), sent_clip(context, query, upload) as (clip, name):
        counted = await context.flow.one("/timeline", clip, Counted, query.parameters)
    return models.TimelineAnswer(**finished(counted, clip, name))


@asynccontextmanager
async def sent_clip(
    context: Context, query: models.Narrowing, upload: Optional[UploadFile]
) -> AsyncIterator[tuple[Clip, Optional[str]]]:
    """Yield the document to send, and what the client calls its file."""
    if upload is None:
        yield Clip.model_validate({"id": "query", **query.source}), None
        return
    async with context.uploads.passing_file(upload) as path:
        clip = Clip.model_validate({"id": "query", **query.source, "uri": str(path)})
        yield clip, _called(upload)


def _called(upload: UploadFile) -> str:
    return upload.filename or "upload"


def finished(found: Any, clip: Clip, name: Optional[str]) -> dict[str, Any]:
    """Return the fields of an answer; an upload is called what its client calls it.

    Raises
    ------
    HTTPException
        The query has failed.
    """
    if name is not None:
        found.uri = f"upload:{found.recording_id}"
        hide_upload(found, str(clip.uri), name)
    if found.error_code:
        raise document_failed(found)
    return _plain(found)


def hide_upload(found: Any, path: str, name: str) -> None:
    """Name an upload in the messages of an answer as its client does, not by its path here."""
    found.error = found.error and named_as_sent(found.error, path, name)
    found.warnings = [named_as_sent(text, path, name) for text in found.warnings]


def named_as_sent(text: str, path: str, name: str) -> str:
    """Return a message in which an upload has the name that its client gave it."""
    for old, new in ((repr(path), repr(name)), (path, name), (Path(path).name, name)):
        text = text.replace(old, new)
    return text


def _plain(doc: BaseDoc) -> dict[str, Any]:
    """Return the fields of a document and of those inside, which are checked later.

    DocArray's own way takes longer than the ranking: it looks at the type of every field once more.
    """
    return {
        name: [_plain(part) for part in value] if isinstance(value, DocList) else value
        for name, value in doc
    }
