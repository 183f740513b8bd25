"""Enrol, identify and verify speakers."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Dict, List, Optional, TypeVar

from docarray import BaseDoc
from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from executors.gateway.api.context import Context, GivenContext
from executors.gateway.api.described import (
    BODY,
    FORM,
    JSON,
    SIREN,
    SPEAKER,
    RecordingId,
    body,
    named_after_function,
    problems,
)
from executors.gateway.api.models import StrictModel, fields_of
from executors.gateway.api.queries import read_query, read_upload
from executors.gateway.api.routes_media import RANGE, SOUNDS, Sound
from executors.gateway.api.routes_search import hide_upload
from executors.gateway.background.uploads import FIELD_LIMITS
from executors.gateway.flow.library import file_of
from executors.gateway.problems import document_failed
from executors.messages.listings import StoredDoc
from executors.messages.request_fields import pydantic_field
from executors.messages.speakers import (
    CandidateDoc,
    EnrolledDoc,
    IdentifiedDoc,
    RemovedDoc,
    SpeakerDoc,
    SpokenClip,
    UtteranceDoc,
    VerifiedDoc,
)
from soundalike.audio.files import media_type_of
from soundalike.errors import RecordingNotFound
from soundalike.speakers.requests import Acceptance

router = APIRouter(
    tags=["speakers"], form_limits=FIELD_LIMITS, generate_unique_id_function=named_after_function
)
_FAILURES = problems(*BODY, 404, 409, 415)
_UPLOAD_FAILURES = problems(*BODY, 404, 409, 415, 507)
_BY_PATH = {"uri": SIREN}
_Answer = TypeVar("_Answer", bound=BaseDoc)

Speaker = fields_of(SpeakerDoc, "Speaker")
Utterance = fields_of(UtteranceDoc, "Utterance")
Enrolment = fields_of(EnrolledDoc, "Enrolment")
Candidate = fields_of(CandidateDoc, "Candidate")
Identification = fields_of(
    IdentifiedDoc,
    "Identification",
    candidates=(List[Candidate], Field(description="the best three, best first")),  # type: ignore[valid-type]
)
Verification = fields_of(VerifiedDoc, "Verification")

SpeakerName = Annotated[
    str, Path(description="name of the speaker", openapi_examples={"speaker": {"value": SPEAKER}})
]


class EnrolRequest(StrictModel):
    """A recording of a speaker, on the server."""

    uri: Optional[str] = pydantic_field(Acceptance, "threshold", description="path of a sound file")


class VoiceRequest(EnrolRequest):
    """A recording of a voice, and how sure the answer must be."""

    max_false_accepts: Optional[float] = pydantic_field(Acceptance, "max_false_accepts")
    threshold: Optional[float] = pydantic_field(Acceptance, "threshold")

    @property
    def parameters(self) -> Dict[str, Any]:
        """The parameters of the Flow's endpoint that were given."""
        given = {"max_false_accepts": self.max_false_accepts, "threshold": self.threshold}
        return {name: value for name, value in given.items() if value is not None}


class Speakers(BaseModel):
    """All speakers, by name."""

    speakers: List[Speaker]  # type: ignore[valid-type]


class Utterances(BaseModel):
    """The recordings that a speaker was enrolled from."""

    speaker: str
    utterances: List[Utterance]  # type: ignore[valid-type]


class Removed(BaseModel):
    """How many recordings of a speaker were removed."""

    speaker: str
    removed: int


@router.get("/api/speakers", responses=problems(409), summary="List speakers")
async def list_speakers(context: GivenContext) -> Speakers:
    """Return each enrolled speaker with the number of recordings."""
    found = await context.flow.ask("/speakers", [], SpeakerDoc)
    return Speakers(speakers=[_plain(doc) for doc in found])


@router.post(
    "/api/speakers/identify",
    response_model=Identification,
    responses=_FAILURES,
    openapi_extra=body(JSON, "VoiceRequest", _BY_PATH),
    summary="Identify the speaker of a recording",
)
async def identify_speaker(context: GivenContext, request: Request) -> Dict[str, Any]:
    """Return the speaker, or null where no enrolled speaker has a score of at least the threshold."""
    async with read_query(request, VoiceRequest) as (query, upload):
        return await _identify(context, query, upload)


@router.post(
    "/api/speakers/identify/upload",
    response_model=Identification,
    responses=_UPLOAD_FAILURES,
    openapi_extra=body(FORM, "Body_identify_speaker_upload"),
    summary="Identify the speaker of an uploaded file",
)
async def identify_speaker_upload(context: GivenContext, request: Request) -> Dict[str, Any]:
    """Return the same for a file, which is not kept."""
    async with read_upload(request, VoiceRequest) as (query, upload):
        return await _identify(context, query, upload)


@router.get("/api/speakers/{name}", responses=problems(404), summary="List a speaker's recordings")
async def list_utterances(context: GivenContext, name: SpeakerName) -> Utterances:
    """Return the recordings that a speaker was enrolled from."""
    found = await _utterances(context, name)
    return Utterances(speaker=name, utterances=[_plain(doc) for doc in found])


@router.post(
    "/api/speakers/{name}",
    response_model=Enrolment,
    responses=_FAILURES,
    openapi_extra=body(JSON, "EnrolRequest", _BY_PATH),
    summary="Enrol a speaker",
)
async def enrol_speaker(context: GivenContext, request: Request, name: SpeakerName) -> Dict[str, Any]:
    """Add a recording to a speaker, who is created if missing; the same recording counts once."""
    async with read_query(request, EnrolRequest) as (query, upload):
        return await _enrol(context, name, query, upload)


@router.post(
    "/api/speakers/{name}/upload",
    response_model=Enrolment,
    responses=_UPLOAD_FAILURES,
    openapi_extra=body(FORM, "Body_enrol_speaker_upload"),
    summary="Enrol a speaker with an uploaded file",
)
async def enrol_speaker_upload(
    context: GivenContext, request: Request, name: SpeakerName
) -> Dict[str, Any]:
    """Keep the file, so that it can be heard again, and add it to the speaker."""
    async with read_upload(request, EnrolRequest) as (query, upload):
        return await _enrol(context, name, query, upload)


@router.post(
    "/api/speakers/{name}/verify",
    response_model=Verification,
    responses=_FAILURES,
    openapi_extra=body(JSON, "VoiceRequest", _BY_PATH),
    summary="Verify the speaker of a recording",
)
async def verify_speaker(context: GivenContext, request: Request, name: SpeakerName) -> Dict[str, Any]:
    """Return whether this speaker is the one in the recording."""
    async with read_query(request, VoiceRequest) as (query, upload):
        return await _verify(context, name, query, upload)


@router.post(
    "/api/speakers/{name}/verify/upload",
    response_model=Verification,
    responses=_UPLOAD_FAILURES,
    openapi_extra=body(FORM, "Body_verify_speaker_upload"),
    summary="Verify the speaker of an uploaded file",
)
async def verify_speaker_upload(
    context: GivenContext, request: Request, name: SpeakerName
) -> Dict[str, Any]:
    """Return the same for a file, which is not kept."""
    async with read_upload(request, VoiceRequest) as (query, upload):
        return await _verify(context, name, query, upload)


@router.delete("/api/speakers/{name}", responses=problems(404, 507), summary="Remove a speaker")
async def remove_speaker(context: GivenContext, name: SpeakerName) -> Removed:
    """Remove a speaker with all recordings. The files stay, unless they were uploaded."""
    return await _remove(context, {"speaker": name})


@router.delete(
    "/api/speakers/{name}/utterances/{recording_id}",
    responses=problems(404, 507),
    summary="Remove a speaker's recording",
)
async def remove_utterance(
    context: GivenContext, name: SpeakerName, recording_id: RecordingId
) -> Removed:
    """Remove one recording; the last one takes the speaker along."""
    return await _remove(context, {"speaker": name, "recording_id": str(recording_id)})


@router.head("/api/speakers/{name}/utterances/{recording_id}/audio", include_in_schema=False)
@router.get(
    "/api/speakers/{name}/utterances/{recording_id}/audio",
    response_class=FileResponse,
    responses={**SOUNDS, **problems(400, 404, 416)},
    openapi_extra={"parameters": [RANGE]},
    summary="Play a speaker's recording",
)
async def get_utterance_audio(
    context: GivenContext, name: SpeakerName, recording_id: RecordingId
) -> FileResponse:
    """Return the file as it is."""
    found = await _utterances(context, name)
    stored = next((doc for doc in found if doc.recording_id == str(recording_id)), None)
    if stored is None:
        raise RecordingNotFound(f"{name!r} has no recording {recording_id}; see /api/speakers/{name}")
    path = await context.decoding.run(file_of, StoredDoc(uri=stored.uri), context.roots)
    kind = await context.decoding.run(media_type_of, path)
    shown = path.name.encode(errors="replace").decode()
    return Sound(path, media_type=kind, filename=shown, content_disposition_type="inline")


async def _identify(
    context: Context, query: VoiceRequest, upload: Optional[UploadFile]
) -> Dict[str, Any]:
    async with _clip(context, query, upload) as clip:
        found = await context.flow.one("/identify", clip, IdentifiedDoc, query.parameters)
    return _finished(found, clip, upload)


async def _verify(
    context: Context, name: str, query: VoiceRequest, upload: Optional[UploadFile]
) -> Dict[str, Any]:
    parameters = {"speaker": name, **query.parameters}
    async with _clip(context, query, upload) as clip:
        found = await context.flow.one("/verify", clip, VerifiedDoc, parameters)
    return _finished(found, clip, upload)


async def _enrol(
    context: Context, name: str, query: EnrolRequest, upload: Optional[UploadFile]
) -> Dict[str, Any]:
    if upload is None:
        clip = SpokenClip(id="voice", uri=query.uri)
        found = await context.flow.one("/enrol", clip, EnrolledDoc, {"speaker": name})
        return _finished(found, clip, None)
    kept = await context.uploads.keep(upload)
    clip = SpokenClip(id="voice", uri=str(kept.path))
    is_enrolled = False
    try:
        found = await context.flow.one("/enrol", clip, EnrolledDoc, {"speaker": name})
        is_enrolled = not found.error_code
    finally:
        context.uploads.let_go(kept.path)
        if not is_enrolled:
            await context.forget_upload(kept.path)
    return _finished(found, clip, None if is_enrolled else upload)


async def _remove(context: Context, parameters: Dict[str, Any]) -> Removed:
    (gone,) = await context.flow.ask("/remove_speaker", [], RemovedDoc, parameters)
    await _forget(context, gone.uris)
    return Removed(speaker=gone.speaker, removed=gone.removed)


async def _forget(context: Context, uris: Iterable[str]) -> None:
    """Remove the files of uploads that nothing needs any more."""
    for uri in uris:
        await context.forget_upload(pathlib.Path(uri))


async def _utterances(context: Context, name: str) -> List[UtteranceDoc]:
    return await context.flow.ask("/utterances", [], UtteranceDoc, {"speaker": name})


@asynccontextmanager
async def _clip(
    context: Context, query: EnrolRequest, upload: Optional[UploadFile]
) -> AsyncIterator[SpokenClip]:
    """Yield the document to send."""
    if upload is None:
        yield SpokenClip(id="voice", uri=query.uri)
        return
    async with context.uploads.passing_file(upload) as path:
        yield SpokenClip(id="voice", uri=str(path))


def _finished(found: _Answer, clip: SpokenClip, upload: Optional[UploadFile]) -> Dict[str, Any]:
    """Return the fields of an answer; an upload is called what its client calls it.

    Raises
    ------
    HTTPException
        The recording cannot be used.
    """
    answer: Any = found
    if upload is not None:
        name = upload.filename or "upload"
        hide_upload(answer, str(clip.uri), name)
        answer.uri = name
    if answer.error_code:
        raise document_failed(answer)
    return _plain(answer)


def _plain(doc: BaseDoc) -> Dict[str, Any]:
    return doc.model_dump(exclude={"id", "error_code", "error"})
