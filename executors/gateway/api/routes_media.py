"""Routes of audio, waveforms and spectrograms."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Dict, Optional

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from executors.gateway.api import models
from executors.gateway.api.context import Context, GivenContext
from executors.gateway.api.described import (
    BODY,
    BYTES,
    CollectionName,
    RecordingId,
    named_after_function,
    problems,
)
from executors.gateway.background.uploads import FIELD_LIMITS
from executors.gateway.flow.library import file_of
from executors.messages.listings import StoredDoc
from soundalike.audio import pictures
from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.audio.files import media_type_of
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import AudioNotAllowed, AudioNotFound

router = APIRouter(
    tags=["playback"], form_limits=FIELD_LIMITS, generate_unique_id_function=named_after_function
)

#: A recording's id follows from its content, so its pictures never change.
LASTING = {"Cache-Control": "private, max-age=3600"}
_SHOWN = 80
#: Faults of a range by the status that Starlette answers with.
_NO_RANGE = {
    400: "which names no bytes; give one like bytes=0-1023, or leave it out",
    416: "and the file ends before that; its length is in Content-Range",
}
PNG: Dict[int | str, Dict[str, Any]] = {
    200: {
        "description": "A picture without axes",
        "content": {"image/png": {"schema": {**BYTES, "contentMediaType": "image/png"}}},
    }
}
_SOUND: Dict[str, Any] = {"content": {"audio/*": {"schema": BYTES}}}
#: The header that asks for a part of a file.
RANGE = {
    "in": "header",
    "name": "Range",
    "description": "which bytes to send; without it, all",
    "schema": {"type": "string", "examples": ["bytes=0-1023"]},
}
#: Answers with a sound.
SOUNDS: Dict[int | str, Dict[str, Any]] = {
    200: {"description": "The file as it is, or the part as WAV", **_SOUND},
    206: {"description": "The bytes of the range", **_SOUND},
}


class Sound(FileResponse):
    """A file of which a range may be asked for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises
        ------
        HTTPException
            The range cannot be had; Starlette would say so in plain text.
        """
        asked = Headers(scope=scope).get("range", "")[:_SHOWN]

        async def send_or_refuse(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _NO_RANGE:
                kept = Headers(raw=message["headers"]).get("content-range")
                headers = {"Content-Range": kept} if kept else None
                reason = _NO_RANGE[message["status"]]
                raise HTTPException(
                    message["status"], f"the header Range is {asked!r}, {reason}", headers
                )
            await send(message)

        await super().__call__(scope, receive, send_or_refuse)


class _CutOut(Sound):
    """A file for one answer, which is removed however the answer ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a background task would be left out where the range cannot be had."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            Path(self.path).unlink(missing_ok=True)


_FROM, _TO = "second at which the part begins", "second at which the part ends"
_COUNT = "of equal stretches of time"
Start = Annotated[Optional[float], Query(ge=0, description=_FROM)]
End = Annotated[Optional[float], Query(gt=0, description=_TO)]
Points = Annotated[int, Query(ge=1, le=pictures.MAX_POINTS, description=_COUNT)]
Width = Annotated[int, Query(ge=1, le=pictures.MAX_WIDTH, description="pixels")]
Height = Annotated[int, Query(ge=1, le=pictures.MAX_HEIGHT, description="pixels")]
FormStart = Annotated[Optional[float], Form(ge=0, description=_FROM)]
FormEnd = Annotated[Optional[float], Form(gt=0, description=_TO)]
SoundFile = Annotated[UploadFile, File(description="a sound file")]


@router.head("/api/recordings/{recording_id}/audio", include_in_schema=False)
@router.get(
    "/api/recordings/{recording_id}/audio",
    response_class=FileResponse,
    responses={**SOUNDS, **problems(400, 404, 409, 413, 415, 416, 507)},
    openapi_extra={"parameters": [RANGE]},
    summary="Play a recording",
)
async def get_audio(
    context: GivenContext,
    recording_id: RecordingId,
    collection: CollectionName = DEFAULT_COLLECTION,
    start: Start = None,
    end: End = None,
) -> FileResponse:
    """Return the file as it is; with `start` or `end` a part of it as WAV, 16 bit, mono."""
    stored = await context.library.recording(str(recording_id), collection)
    path = await _file_of(context, stored, collection)
    name = path.name.encode(errors="replace").decode()
    if start is None and end is None:
        kind = await context.decoding.run(media_type_of, path)
        return Sound(path, media_type=kind, filename=name, content_disposition_type="inline")
    begin_s, end_s = start or 0.0, stored.duration_s if end is None else end
    cut_out = await context.decoding.run(_cut_out, context, path, Excerpt(begin_s, end_s))
    return _CutOut(
        cut_out,
        media_type="audio/wav",
        filename=f"{Path(name).stem}_{begin_s:g}-{end_s:g}s.wav",
        content_disposition_type="inline",
    )


@router.get(
    "/api/recordings/{recording_id}/waveform",
    responses=problems(404, 409, 413, 415),
    summary="Get a recording's waveform",
)
async def get_waveform(
    context: GivenContext,
    response: Response,
    recording_id: RecordingId,
    collection: CollectionName = DEFAULT_COLLECTION,
    start: Start = None,
    end: End = None,
    points: Points = 600,
) -> models.WaveformAnswer:
    """Return the lowest and highest sample of each of `points` stretches."""
    stored = await context.library.recording(str(recording_id), collection)
    path = await _file_of(context, stored, collection)
    found = await _peaks(context, path, Excerpt(start, end), points)
    response.headers.update(LASTING)
    return _waveform_answer(found, max(stored.duration_s, found.end_s))


@router.get(
    "/api/recordings/{recording_id}/spectrogram.png",
    response_class=Response,
    responses={**PNG, **problems(404, 409, 413, 415)},
    summary="Draw a recording's spectrogram",
)
async def get_spectrogram(
    context: GivenContext,
    recording_id: RecordingId,
    collection: CollectionName = DEFAULT_COLLECTION,
    start: Start = None,
    end: End = None,
    width: Width = 600,
    height: Height = 128,
) -> Response:
    """Return a log-mel spectrogram: time from left to right, 125 to 7500 Hz from bottom to top."""
    stored = await context.library.recording(str(recording_id), collection)
    path = await _file_of(context, stored, collection)
    picture = await picture_of(context, path, Excerpt(start, end), width, height)
    return Response(picture, media_type="image/png", headers=LASTING)


@router.post(
    "/api/waveform", responses=problems(*BODY, 415, 507), summary="Get an uploaded file's waveform"
)
async def waveform_upload(
    context: GivenContext,
    file: SoundFile,
    start: FormStart = None,
    end: FormEnd = None,
    points: Annotated[int, Form(ge=1, le=pictures.MAX_POINTS, description=_COUNT)] = 600,
) -> models.WaveformAnswer:
    """Return the same as for a stored recording; the file is not kept."""
    async with context.uploads.passing_file(file) as path:
        found = await _peaks(context, path, Excerpt(start, end), points)
        # Decoding stopped at the end of the part.
        whole = found if end is None else await _peaks(context, path, WHOLE, 1)
    return _waveform_answer(found, whole.end_s)


@router.post(
    "/api/spectrogram.png",
    response_class=Response,
    responses={**PNG, **problems(*BODY, 415, 507)},
    summary="Draw an uploaded file's spectrogram",
)
async def spectrogram_upload(
    context: GivenContext,
    file: SoundFile,
    start: FormStart = None,
    end: FormEnd = None,
    width: Annotated[int, Form(ge=1, le=pictures.MAX_WIDTH, description="pixels")] = 600,
    height: Annotated[int, Form(ge=1, le=pictures.MAX_HEIGHT, description="pixels")] = 128,
) -> Response:
    """Return the same as for a stored recording; the file is not kept."""
    async with context.uploads.passing_file(file) as path:
        picture = await picture_of(context, path, Excerpt(start, end), width, height)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


async def _file_of(context: Context, stored: StoredDoc, collection: str) -> Path:
    """Return where a recording can be read; where its first path is gone, under another one.

    Raises
    ------
    AudioNotAllowed, AudioNotFound
        As for `file_of`, of the first path.
    """
    try:
        return await context.decoding.run(file_of, stored, context.roots)
    except (AudioNotAllowed, AudioNotFound):
        for other in await context.library.paths_of(str(stored.recording_id), collection):
            with suppress(AudioNotAllowed, AudioNotFound):
                return await context.decoding.run(file_of, other, context.roots)
        raise


async def _peaks(context: Context, path: Path, excerpt: Excerpt, points: int) -> pictures.Peaks:
    return await context.decoding.run(context.isolated.run, pictures.peaks, path, excerpt, points=points)


async def picture_of(context: Context, path: Path, excerpt: Excerpt, width: int, height: int) -> bytes:
    """Return the spectrogram of a part of a file as PNG."""
    return await context.decoding.run(
        context.isolated.run, pictures.spectrogram_png, path, excerpt, width=width, height=height
    )


def _waveform_answer(found: pictures.Peaks, duration_s: float) -> models.WaveformAnswer:
    # A picture needs no more digits, and they would be most of the answer.
    values = found.values.astype(float).round(4).tolist()
    return models.WaveformAnswer(
        start_s=found.start_s, end_s=found.end_s, duration_s=duration_s, peaks=values
    )


def _cut_out(context: Context, path: Path, excerpt: Excerpt) -> Path:
    with tempfile.NamedTemporaryFile(dir=context.uploads.passing, suffix=".wav", delete=False) as file:
        target = Path(file.name)
    try:
        context.isolated.run(pictures.write_cut_out, path, target, excerpt)
    except BaseException:
        target.unlink()
        raise
    return target
