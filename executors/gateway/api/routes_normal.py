"""Models of what is normal: learn from a collection, score recordings, and show watched ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Dict, List, Optional

from docarray import BaseDoc, DocList
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from executors.gateway.api.context import Context, GivenContext
from executors.gateway.api.described import (
    BODY,
    FORM,
    JSON,
    MACHINE,
    SIREN,
    RecordingId,
    body,
    named_after_function,
    problems,
)
from executors.gateway.api.models import StrictModel, fields_of
from executors.gateway.api.queries import read_query, read_upload
from executors.gateway.api.routes_media import LASTING, PNG, End, Height, Start, Width, picture_of
from executors.gateway.api.routes_search import hide_upload
from executors.gateway.background.uploads import FIELD_LIMITS
from executors.gateway.flow.library import file_of
from executors.gateway.problems import document_failed
from executors.messages.documents import Clip
from executors.messages.listings import StoredDoc
from executors.messages.normal import (
    LearnedDoc,
    NormalModelDoc,
    NormalScoreDoc,
    RegionDoc,
    RemovedNormalDoc,
    WatchEventDoc,
)
from executors.messages.request_fields import pydantic_field
from soundalike.anomalies.requests import LearnRequest, WatchRequest
from soundalike.audio.excerpt import Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import RecordingNotFound
from soundalike.search.requests import Narrowing

router = APIRouter(
    tags=["normal"], form_limits=FIELD_LIMITS, generate_unique_id_function=named_after_function
)
_UPLOAD_FAILURES = problems(*BODY, 404, 409, 415, 507)

LearnedRecording = fields_of(LearnedDoc, "LearnedRecording")
NormalModel = fields_of(
    NormalModelDoc,
    "NormalModel",
    learned_recordings=(
        List[LearnedRecording],  # type: ignore[valid-type]
        Field(description="the normal recordings, where one model is asked for"),
    ),
)
UnusualRegion = fields_of(RegionDoc, "UnusualRegion")
NormalScore = fields_of(
    NormalScoreDoc,
    "NormalScore",
    regions=(List[UnusualRegion], Field(description="the unusual seconds")),  # type: ignore[valid-type]
)
NormalEvent = fields_of(WatchEventDoc, "NormalEvent")

ModelName = Annotated[
    str, Path(description="name of the model", openapi_examples={"machine": {"value": MACHINE}})
]


class NormalModels(BaseModel):
    """All models, by name."""

    models: List[NormalModel]  # type: ignore[valid-type]


class NormalEvents(BaseModel):
    """Watched recordings, the latest first."""

    events: List[NormalEvent]  # type: ignore[valid-type]


class LearnNormalRequest(StrictModel):
    """Which recordings of a collection are normal, and how to learn them."""

    collection: str = Field(default=DEFAULT_COLLECTION, description="name of the collection")
    labels: List[str] = pydantic_field(Narrowing, "labels", default=[])
    tags: Dict[str, Any] = pydantic_field(Narrowing, "tags")
    where: List[str] = pydantic_field(Narrowing, "where")
    uri_prefix: Optional[str] = pydantic_field(Narrowing, "uri_prefix", default=None)
    under: Optional[str] = pydantic_field(Narrowing, "under", default=None)
    method: Optional[str] = pydantic_field(LearnRequest, "method")
    false_alarm_rate: Optional[float] = pydantic_field(LearnRequest, "false_alarm_rate")
    group_pattern: Optional[str] = pydantic_field(LearnRequest, "group_pattern")
    replace: bool = pydantic_field(LearnRequest, "replace")
    accept: bool = pydantic_field(LearnRequest, "accept")


class ScoreNormalRequest(StrictModel):
    """A recording on the server, or a stored one."""

    uri: Optional[str] = Field(default=None, description="path of a sound file on the server")
    recording_id: Optional[str] = Field(default=None, description="id of a stored recording")
    collection: str = Field(default=DEFAULT_COLLECTION, description="collection of the stored recording")


@router.get("/api/normal", responses=problems(409), summary="List models of what is normal")
async def list_normal_models(context: GivenContext) -> NormalModels:
    """Return each model with its threshold and its rate of false alarms."""
    found = await context.flow.ask("/normal_models", [], NormalModelDoc)
    return NormalModels(models=[_plain(doc) for doc in found])


@router.get(
    "/api/normal/{name}",
    response_model=NormalModel,
    responses=problems(404),
    summary="Get a model of what is normal",
)
async def get_normal_model(context: GivenContext, name: ModelName) -> Dict[str, Any]:
    """Return a model with the paths of its recordings."""
    return _plain(await _model(context, name))


@router.post(
    "/api/normal/{name}",
    response_model=NormalModel,
    responses=problems(*BODY, 404, 409, 507),
    openapi_extra=body(JSON, "LearnNormalRequest", {"collection": DEFAULT_COLLECTION}),
    summary="Learn what is normal from a collection",
)
async def learn_normal(
    context: GivenContext, name: ModelName, request: LearnNormalRequest
) -> Dict[str, Any]:
    """Add recordings of a collection to a model, which is made if missing; nothing is decoded."""
    given = {key: value for key, value in request if value not in (None, [], {}, False)}
    (found,) = await context.flow.ask("/normal_learn", [], NormalModelDoc, {"name": name, **given})
    return _plain(found)


@router.delete("/api/normal/{name}", responses=problems(404), summary="Remove a model of what is normal")
async def remove_normal(context: GivenContext, name: ModelName) -> Dict[str, str]:
    """Remove a model with its events. The recordings stay."""
    (gone,) = await context.flow.ask("/normal_remove", [], RemovedNormalDoc, {"name": name})
    return {"removed": gone.name}


@router.post(
    "/api/normal/{name}/score",
    response_model=NormalScore,
    responses=problems(*BODY, 404, 409, 415),
    openapi_extra=body(JSON, "ScoreNormalRequest", {"uri": SIREN}),
    summary="Score a recording",
)
async def score_normal(context: GivenContext, request: Request, name: ModelName) -> Dict[str, Any]:
    """Return the score of a recording, the unusual seconds, and the nearest normal clip."""
    async with read_query(request, ScoreNormalRequest) as (query, upload):
        return await _score(context, name, query, upload)


@router.post(
    "/api/normal/{name}/score/upload",
    response_model=NormalScore,
    responses=_UPLOAD_FAILURES,
    openapi_extra=body(FORM, "Body_score_normal_upload"),
    summary="Score an uploaded file",
)
async def score_normal_upload(
    context: GivenContext, request: Request, name: ModelName
) -> Dict[str, Any]:
    """Return the same for a file, which is not kept."""
    async with read_upload(request, ScoreNormalRequest) as (query, upload):
        return await _score(context, name, query, upload)


@router.get("/api/normal/{name}/events", responses=problems(404), summary="List watched recordings")
async def list_normal_events(
    context: GivenContext,
    name: ModelName,
    hours: Annotated[float, Query(ge=0, le=1e6, description="of so many hours")] = WatchRequest.hours,
    only_anomalous: Annotated[bool, Query(description="anomalies alone")] = False,
    limit: Annotated[int, Query(ge=1, le=10_000, description="at most so many")] = WatchRequest.limit,
) -> NormalEvents:
    """Return what ``soundalike normal watch`` has found, the latest first."""
    given = {"name": name, "hours": hours, "only_anomalous": only_anomalous, "limit": limit}
    found = await context.flow.ask("/normal_events", [], WatchEventDoc, given)
    return NormalEvents(events=[_plain(doc) for doc in found])


@router.get(
    "/api/normal/{name}/recordings/{recording_id}/spectrogram.png",
    response_class=Response,
    responses={**PNG, **problems(404, 413, 415)},
    summary="Draw the spectrogram of a normal recording",
)
async def get_normal_spectrogram(
    context: GivenContext,
    name: ModelName,
    recording_id: RecordingId,
    start: Start = None,
    end: End = None,
    width: Width = 600,
    height: Height = 128,
) -> Response:
    """Return the spectrogram of a recording that the model has learned."""
    learned = (await _model(context, name)).learned
    if str(recording_id) not in learned:
        raise RecordingNotFound(f"{name!r} has not learned {recording_id}; see /api/normal/{name}")
    stored = StoredDoc(uri=learned[str(recording_id)])
    path = await context.decoding.run(file_of, stored, context.roots)
    picture = await picture_of(context, path, Excerpt(start, end), width, height)
    return Response(picture, media_type="image/png", headers=LASTING)


async def _model(context: Context, name: str) -> NormalModelDoc:
    (found,) = await context.flow.ask("/normal_models", [], NormalModelDoc, {"name": name})
    return found


async def _score(
    context: Context, name: str, query: ScoreNormalRequest, upload: Optional[UploadFile]
) -> Dict[str, Any]:
    model = await _model(context, name)
    parameters = {
        "name": name,
        "window_size": model.window_s,
        "stride": model.stride_s,
        "collection": query.collection,
    }
    async with _clip(context, query, upload) as clip:
        found = await context.flow.one("/normal_score", clip, NormalScoreDoc, parameters)
    if upload is not None:
        shown = upload.filename or "upload"
        hide_upload(found, str(clip.uri), shown)
        found.uri = shown
    if found.error_code:
        raise document_failed(found)
    return _plain(found)


@asynccontextmanager
async def _clip(
    context: Context, query: ScoreNormalRequest, upload: Optional[UploadFile]
) -> AsyncIterator[Clip]:
    """Yield the document to send."""
    if upload is None:
        given = {"uri": query.uri, "recording_id": query.recording_id}
        yield Clip(id="recording", **{key: value for key, value in given.items() if value is not None})
        return
    async with context.uploads.passing_file(upload) as path:
        yield Clip(id="recording", uri=str(path))


def _plain(doc: BaseDoc) -> Dict[str, Any]:
    found = doc.model_dump(exclude={"id", "error_code", "error"})
    return {
        name: [_plain(part) for part in value] if isinstance(value, DocList) else value
        for name, value in found.items()
    }
