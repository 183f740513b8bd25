"""Routes of annotations: labels of spans inside recordings."""

from __future__ import annotations

from typing import Annotated, Any, Dict, List, Optional

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, Field

from executors.gateway.api.context import Context, GivenContext
from executors.gateway.api.described import (
    BODY,
    SIREN_ID,
    CollectionName,
    named_after_function,
    problems,
)
from executors.gateway.api.models import OF_LIST, Partial, fields_of
from executors.gateway.background.uploads import FIELD_LIMITS
from executors.messages.listings import (
    AnnotatedDoc,
    AnnotationDoc,
    AnnotationLabelDoc,
    RemovedAnnotationsDoc,
    missing_in,
)
from soundalike.annotations.reading import AnnotationFormat, read_annotations
from soundalike.annotations.types import Annotation as Row
from soundalike.annotations.types import BadRow
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import AudioTooLarge, MetadataError
from soundalike.limits import Limits
from soundalike.ranges import MAX_PAGE

router = APIRouter(
    tags=["library"], form_limits=FIELD_LIMITS, generate_unique_id_function=named_after_function
)
#: A label file has some dozen bytes for each label.
_MAX_FILE_BYTES = 32 << 20
_MAX_BAD_ROWS = 1_000

Annotation = fields_of(AnnotationDoc, "Annotation", without=("file", "line", *OF_LIST))
AnnotationLabel = fields_of(AnnotationLabelDoc, "AnnotationLabel", without=OF_LIST)


class Annotations(Partial):
    """Some of the annotations, by recording and time."""

    annotations: List[Annotation]  # type: ignore[valid-type]


class AnnotationLabels(Partial):
    """The labels of annotations, the most frequent first."""

    labels: List[AnnotationLabel]  # type: ignore[valid-type]


class UnusableRow(BaseModel):
    """A row of a label file that cannot be used."""

    line: int
    error: str


class AnnotationsAdded(BaseModel):
    """The result of a label file."""

    added: int
    unchanged: int = Field(description="annotations that were stored already")
    bad_rows: List[UnusableRow] = Field(description="the first 1000")


class RemovedAnnotations(BaseModel):
    """How many annotations were removed."""

    removed: int


_LABEL = Annotated[Optional[str], Query(description="only annotations with this label")]
_RECORDING = Annotated[Optional[str], Query(description="only annotations of this recording's id")]
_SOURCE = Annotated[Optional[str], Query(description="only annotations of this label file")]


@router.get("/api/annotations", responses=problems(409), summary="List annotations")
async def list_annotations(
    context: GivenContext,
    collection: CollectionName = DEFAULT_COLLECTION,
    label: _LABEL = None,
    recording_id: _RECORDING = None,
    source: _SOURCE = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="at most this many")] = 100,
    offset: Annotated[int, Query(ge=0, le=10**9, description="number of annotations to skip")] = 0,
) -> Annotations:
    """Return labels of spans inside recordings."""
    chosen = _chosen(collection, label, recording_id, source)
    parameters = {**chosen, "limit": limit, "offset": offset}
    found = await context.flow.ask("/annotations", [], AnnotationDoc, parameters)
    without = {"id", "file", "line", "missing_shards"}
    return Annotations(
        annotations=[doc.model_dump(exclude=without) for doc in found], missing_shards=missing_in(found)
    )


@router.get("/api/annotations/labels", responses=problems(409), summary="List labels of annotations")
async def list_annotation_labels(
    context: GivenContext, collection: CollectionName = DEFAULT_COLLECTION
) -> AnnotationLabels:
    """Return each label with the number of annotations."""
    parameters = {"collection": collection}
    found = await context.flow.ask("/annotation_labels", [], AnnotationLabelDoc, parameters)
    return AnnotationLabels(
        labels=[doc.model_dump(exclude={"id", "missing_shards"}) for doc in found],
        missing_shards=missing_in(found),
    )


@router.post(
    "/api/annotations",
    responses=problems(*BODY, 404, 409, 507),
    summary="Upload a label file",
)
async def upload_annotations(
    context: GivenContext,
    labels: Annotated[UploadFile, File(description="labels of Audacity or Raven, CSV or JSON lines")],
    collection: Annotated[str, Form(description="name of the collection")] = DEFAULT_COLLECTION,
    format: Annotated[  # noqa: A002
        Optional[AnnotationFormat], Form(description="default: from name and content")
    ] = None,
    recording_id: Annotated[
        Optional[str],
        Form(description="id or path of the recording to which all rows belong", examples=[SIREN_ID]),
    ] = None,
    label: Annotated[Optional[str], Form(description="label of rows without one")] = None,
    label_column: Annotated[Optional[str], Form(description="column of the labels in a table")] = None,
) -> AnnotationsAdded:
    """Store its labels with the recordings that it names, or with the recording of its own name."""
    bad: List[BadRow] = []
    rows = await _read(
        context,
        labels,
        {"format": format, "label": label or None, "label_column": label_column or None},
        bad,
    )
    parameters = {"collection": collection, "source": _name_of(labels)}
    if recording_id:
        parameters["recording_id"] = recording_id
    added = unchanged = 0
    most = Limits.from_env().max_documents
    for begin in range(0, max(1, len(rows)), most):
        docs = [_document(row) for row in rows[begin : begin + most]]
        (found,) = await context.flow.ask("/annotate", docs, AnnotatedDoc, parameters)
        added, unchanged = added + found.added, unchanged + found.unchanged
        bad += map(BadRow, found.bad_lines, found.bad_reasons)
    shown = sorted(bad, key=lambda row: row.line)[:_MAX_BAD_ROWS]
    return AnnotationsAdded(
        added=added,
        unchanged=unchanged,
        bad_rows=[UnusableRow(line=row.line, error=row.reason) for row in shown],
    )


@router.delete("/api/annotations", responses=problems(409, 507), summary="Delete annotations")
async def delete_annotations(
    context: GivenContext,
    collection: CollectionName = DEFAULT_COLLECTION,
    label: Annotated[
        Optional[str],
        Query(
            description="only annotations with this label",
            openapi_examples={"scratch": {"value": "scratch"}},
        ),
    ] = None,
    recording_id: _RECORDING = None,
    source: _SOURCE = None,
) -> RemovedAnnotations:
    """Delete by label, recording or label file; at least one of them is needed."""
    chosen = _chosen(collection, label, recording_id, source)
    (found,) = await context.flow.ask("/remove_annotations", [], RemovedAnnotationsDoc, chosen)
    return RemovedAnnotations(removed=found.removed)


def _chosen(
    collection: str, label: Optional[str], recording_id: Optional[str], source: Optional[str]
) -> Dict[str, Any]:
    given = {"label": label, "recording_id": recording_id, "source": source}
    return {"collection": collection, **{name: value for name, value in given.items() if value}}


async def _read(
    context: Context, upload: UploadFile, given: Dict[str, Any], bad: List[BadRow]
) -> List[Row]:
    if (upload.size or 0) > _MAX_FILE_BYTES:
        raise AudioTooLarge(
            f"the label file has {upload.size} bytes, at most {_MAX_FILE_BYTES} are read; divide it"
        )
    async with context.uploads.passing_table(upload) as path:
        try:
            return await context.decoding.run(read_annotations, path, **given, on_bad=bad.append)
        except MetadataError as exc:
            raise MetadataError(exc.message.replace(str(path), _name_of(upload))) from exc


def _name_of(upload: UploadFile) -> str:
    return (upload.filename or "").replace("\\", "/").rpartition("/")[2][:255] or "upload"


def _document(row: Row) -> AnnotationDoc:
    return AnnotationDoc(
        id=str(row.line),
        file=row.file or None,
        start_s=row.start_s,
        end_s=row.end_s,
        label=row.label,
        low_hz=row.low_hz,
        high_hz=row.high_hz,
        line=row.line,
    )
