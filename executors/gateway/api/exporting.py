"""Answer with spans as a file: a table, labels, a playlist, or a ZIP of cut-outs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Dict, List, cast
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from executors.gateway.api import models
from executors.gateway.api.context import Context
from executors.gateway.flow.library import file_of
from executors.gateway.problems import document_failed
from executors.messages.listings import StoredDoc
from soundalike.errors import AudioError, AudioNotFound, ParameterError
from soundalike.results import cut_outs
from soundalike.results.formats import CUT_OUTS, KINDS, ResultFormat, chunks
from soundalike.results.labels import audacity_zip
from soundalike.results.playlist import m3u_chunks
from soundalike.results.spans import Span

#: Cut-outs of one answer.
MAX_CUT_OUTS = 200
MAX_ZIP_BYTES = 512 << 20
_NAME = "soundalike"
_ZIP = "application/zip"


class _Temporary(FileResponse):
    """A file for one answer, which is removed however the answer ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            Path(self.path).unlink(missing_ok=True)


async def stored_spans(context: Context, given: Sequence[models.ExportedSpan]) -> List[Span]:
    """Return spans with the facts of their recordings.

    Raises
    ------
    HTTPException
        A recording is not stored.
    ParameterError
        A span ends before it begins.
    """
    ids: Dict[str, Dict[str, None]] = {}
    for one in given:
        ids.setdefault(one.collection, {})[str(one.recording_id)] = None
    found = {
        collection: await context.library.recordings(list(keys), collection)
        for collection, keys in ids.items()
    }
    return [_span(one, found[one.collection][str(one.recording_id)]) for one in given]


def _span(given: models.ExportedSpan, stored: StoredDoc) -> Span:
    if stored.error_code:
        raise document_failed(stored)
    if given.end_s < given.start_s:
        raise ParameterError(f"a span is from {given.start_s:g} to {given.end_s:g} s; give its end last")
    began = stored.recorded_at and datetime.fromisoformat(stored.recorded_at)
    return Span(
        uri=str(stored.uri),
        recording_id=str(stored.recording_id),
        start_s=given.start_s,
        end_s=given.end_s,
        score=given.score,
        label=given.label or stored.label,
        occurred_at=_occurred_at(began or None, given.start_s),
        false_alarm_rate=given.false_alarm_rate,
        query_start_s=given.query_start_s,
        query_end_s=given.query_end_s,
        rank=given.rank,
        collection=given.collection,
        duration_s=stored.duration_s,
    )


def _occurred_at(began: datetime | None, start_s: float) -> datetime | None:
    return began and began.astimezone(UTC) + timedelta(seconds=start_s)


def span_of_match(match: Any) -> Span:
    """Return the span of a match or an event of an answer."""
    at = match["occurred_at"]
    names = ("uri", "recording_id", "start_s", "end_s", "score", "label", "collection")
    others = ("query_start_s", "query_end_s", "duration_s", "false_alarm_rate")
    return Span(
        **{name: match[name] for name in (*names, *others)},
        # Events have no rank.
        rank=match.get("rank"),
        occurred_at=datetime.fromisoformat(at) if at else None,
    )


async def answer_with(
    context: Context, request: Request, spans: Sequence[Span], form: models.ExportForm
) -> Response:
    """Return an answer with spans as a file.

    Raises
    ------
    ParameterError
        There are too many spans for cut-outs, or the format cannot have them.
    """
    if form.format == CUT_OUTS:
        return await _cut_outs(context, spans, form)
    name, kind, content = await context.decoding.run(_content, request, spans, form.format)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=kind, headers=headers)


def _content(
    request: Request, spans: Sequence[Span], wanted: models.ExportFormat
) -> tuple[str, str, bytes]:
    """Return name, media type and content of a file."""
    kind = cast(ResultFormat, wanted)
    if kind == "audacity" and len({span.recording_id for span in spans}) > 1:
        return f"{_NAME}.zip", _ZIP, audacity_zip(spans)
    found = KINDS[kind]
    parts = m3u_chunks(spans, _address(request)) if kind == "m3u" else chunks(spans, kind)
    return f"{_NAME}{found.suffix}", found.media_type, b"".join(parts)


def _address(request: Request) -> Any:
    """Return the function that gives the address at which the service plays a span."""
    base = str(request.base_url)

    def address(span: Span) -> str:
        part = {"start": f"{span.start_s:.3f}", "end": f"{max(span.end_s, span.start_s + 0.001):.3f}"}
        query = urlencode({"collection": span.collection, **part})
        return f"{base}api/recordings/{span.recording_id}/audio?{query}"

    return address


async def _cut_outs(context: Context, spans: Sequence[Span], form: models.ExportForm) -> Response:
    if len(spans) > MAX_CUT_OUTS:
        raise ParameterError(
            f"{len(spans)} cut-outs are wanted, at most {MAX_CUT_OUTS} fit in an answer; ask for fewer, "
            "or use the command line on the server"
        )
    wanted = cut_outs.CutOutRequest(form.padding_s, form.audio, form.pictures, MAX_ZIP_BYTES)
    places: Dict[tuple[str, str], Path | AudioError] = {}
    for span in spans:
        if (key := (span.collection, span.recording_id)) not in places:
            places[key] = await _place(context, span)
    path = await context.decoding.run(_zip, context, spans, wanted, places)
    return _Temporary(
        path, media_type=_ZIP, filename=f"{_NAME}.zip", headers={"Cache-Control": "no-store"}
    )


async def _place(context: Context, span: Span) -> Path | AudioError:
    """Return the file of a recording under any of its paths, or why it cannot be read."""
    reason: AudioError = AudioNotFound(f"{span.uri!r} is not stored any more")
    for stored in await context.library.paths_of(span.recording_id, span.collection):
        try:
            path = await context.decoding.run(file_of, stored, context.roots)
        except AudioError as exc:
            reason = exc
            continue
        with suppress(OSError):
            if stored.size_bytes is None or path.stat().st_size == stored.size_bytes:
                return path
        reason = AudioNotFound(f"{stored.uri!r} has changed since it was indexed; index it again")
    return reason


def _zip(
    context: Context,
    spans: Sequence[Span],
    wanted: cut_outs.CutOutRequest,
    places: Dict[tuple[str, str], Path | AudioError],
) -> Path:
    def locate(span: Span) -> Path:
        found = places[span.collection, span.recording_id]
        if isinstance(found, AudioError):
            raise found
        return found

    folder = context.uploads.passing
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as file:
        try:
            with cut_outs.opened_zip(file, folder) as archive:
                for _ in cut_outs.write_cut_outs(spans, archive, wanted, context.isolated, locate):
                    pass
        except BaseException:
            Path(file.name).unlink()
            raise
    return Path(file.name)
