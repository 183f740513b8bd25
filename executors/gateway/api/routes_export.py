"""Export of matches and events to files of other programs, and as cut-outs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Dict

from fastapi import APIRouter, Query, Request, Response

from executors.gateway.api import models
from executors.gateway.api.context import GivenContext
from executors.gateway.api.described import (
    BODY,
    BYTES,
    JSON,
    SIREN_ID,
    body,
    named_after_function,
    problems,
)
from executors.gateway.api.exporting import answer_with, span_of_match, stored_spans
from executors.gateway.api.queries import read_query
from executors.gateway.api.routes_events import answer_events
from executors.gateway.api.routes_search import find
from soundalike.audio.cut_outs import CutOutFormat
from soundalike.errors import StoreUnavailable
from soundalike.parameters import description_of
from soundalike.results.cut_outs import MAX_PADDING_S, CutOutRequest

router = APIRouter(tags=["search"], generate_unique_id_function=named_after_function)
_FILE: Dict[int | str, Dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {"application/octet-stream": {"schema": BYTES}},
    }
}
_FAILURES = {**_FILE, **problems(*BODY, 404, 409, 415, 507)}
_Format = Annotated[models.ExportFormat, Query(description=models.FORMAT)]
_Padding = Annotated[
    float, Query(ge=0, le=MAX_PADDING_S, description=description_of(CutOutRequest, "padding_s"))
]
_Audio = Annotated[CutOutFormat, Query(description=description_of(CutOutRequest, "audio"))]
_Pictures = Annotated[bool, Query(description=description_of(CutOutRequest, "pictures"))]
_EXAMPLE = {
    "format": "csv",
    "spans": [{"recording_id": SIREN_ID, "start_s": 1.0, "end_s": 2.5, "label": "siren"}],
}


@router.post(
    "/api/export",
    response_class=Response,
    responses=_FAILURES,
    openapi_extra=body(JSON, "ExportRequest", _EXAMPLE),
    summary="Get spans of recordings as a file",
)
async def export_spans(context: GivenContext, request: Request, given: models.ExportRequest) -> Response:
    """Return a table, labels, a playlist, or a ZIP with the sound of each span."""
    spans = await stored_spans(context, given.spans)
    return await answer_with(context, request, spans, given)


@router.post(
    "/api/search/export",
    response_class=Response,
    responses=_FAILURES,
    openapi_extra=body(JSON, "SearchRequest", {"recording_id": SIREN_ID, "top_k": 3}),
    summary="Search, and get the matches as a file",
)
async def export_search(
    context: GivenContext,
    request: Request,
    format: _Format = "csv",  # noqa: A002
    padding_s: _Padding = 0.0,
    audio: _Audio = "wav",
    pictures: _Pictures = False,
) -> Response:
    """Search as `search` does, and return the matches as a table, labels, a playlist or a ZIP."""
    answer = await find(context, read_query(request, models.SearchRequest))
    _check_whole(answer["missing_shards"])
    spans = [span_of_match(match) for match in answer["matches"]]
    form = models.ExportForm(format=format, padding_s=padding_s, audio=audio, pictures=pictures)
    return await answer_with(context, request, spans, form)


@router.post(
    "/api/events/export",
    response_class=Response,
    responses=_FAILURES,
    openapi_extra=body(JSON, "EventsRequest", {"recording_id": SIREN_ID, "min_score": 0.5}),
    summary="Search for events, and get them as a file",
)
async def export_events(
    context: GivenContext,
    request: Request,
    format: _Format = "csv",  # noqa: A002
    padding_s: _Padding = 0.0,
    audio: _Audio = "wav",
    pictures: _Pictures = False,
) -> Response:
    """Search as `events` does, and return the events as a table, labels, a playlist or a ZIP."""
    answer = await answer_events(context, read_query(request, models.EventsRequest))
    _check_whole(answer.missing_shards)
    spans = [span_of_match(event.model_dump()) for event in answer.events]
    form = models.ExportForm(format=format, padding_s=padding_s, audio=audio, pictures=pictures)
    return await answer_with(context, request, spans, form)


def _check_whole(missing_shards: Sequence[str]) -> None:
    """Raise `StoreUnavailable` if recordings are missing: files cannot say so."""
    if missing_shards:
        raise StoreUnavailable(
            f"the database {missing_shards[0]} cannot be reached, and a file would not say that its "
            "recordings are missing; try again when it runs"
        )
