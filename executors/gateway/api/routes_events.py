"""Events: every occurrence of a query, with begin and end."""

from __future__ import annotations

from fastapi import APIRouter, Request

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
from executors.gateway.api.routes_search import Reading, finished, sent_clip
from executors.gateway.flow.events import find_events
from soundalike.config import Settings
from soundalike.events.types import event_to_json

router = APIRouter(tags=["search"], generate_unique_id_function=named_after_function)


@router.post(
    "/api/events",
    responses=problems(*BODY, 404, 409, 415),
    openapi_extra=body(JSON, "EventsRequest", {"recording_id": SIREN_ID, "min_score": 0.5}),
    summary="Search for every occurrence of a path, a stored recording, a vector or a text",
)
async def events(context: GivenContext, request: Request) -> models.EventsAnswer:
    """Take one of `uri`, `recording_id`, `vector`, `text` and `like_label`; return events."""
    return await answer_events(context, read_query(request, models.EventsRequest))


@router.post(
    "/api/events/upload",
    responses=problems(*BODY, 409, 415, 507),
    openapi_extra=body(FORM, "Body_events_upload"),
    summary="Search for every occurrence of an uploaded file",
)
async def events_upload(context: GivenContext, request: Request) -> models.EventsAnswer:
    """Return every occurrence of the file, which is not kept."""
    return await answer_events(context, read_upload(request, models.EventsRequest))


async def answer_events(context: Context, reading: Reading) -> models.EventsAnswer:
    """Return the answer to a search for events.

    Raises
    ------
    HTTPException
        The query has failed.
    """
    async with reading as (query, upload), sent_clip(context, query, upload) as (clip, name):
        assert isinstance(query, models.EventsRequest)
        asked = query.request(Settings.from_env().time_zone)
        answer = await find_events(context.flow, clip, asked, query.parameters)
    found = finished(answer.query, clip, name)
    zone, encoder, called = asked.filters.time_zone, found["encoder"] or "", found["uri"] or ""
    rows = [event_to_json(event, called, encoder, zone) for event in answer.events]
    return models.EventsAnswer(
        uri=found["uri"],
        recording_id=found["recording_id"],
        duration_s=found["duration_s"],
        encoder=found["encoder"],
        events=[models.Event(**{k: v for k, v in row.items() if k != "query"}) for row in rows],
        good_match=None if asked.max_false_alarms is None else bool(rows),
        is_complete=answer.is_complete,
        heard_again_s=round(answer.heard_again_s, 3),
        warnings=found["warnings"],
        missing_shards=found["missing_shards"],
    )
