"""Upload vectors that another program computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional, Tuple

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import BaseModel, Field

from executors.gateway.api.context import Context, GivenContext
from executors.gateway.api.described import BODY, named_after_function, problems
from executors.gateway.background.job import FileResult
from executors.gateway.background.uploads import FIELD_LIMITS
from executors.messages.documents import Indexed
from executors.messages.vector_documents import to_document
from soundalike.clock.start_time import zone_named
from soundalike.config import Settings
from soundalike.errors import SoundalikeError
from soundalike.indexing.vectors import VectorRecording
from soundalike.indexing.vectors.reading import VectorTable, read_vectors
from soundalike.indexing.vectors.recordings import Refused
from soundalike.limits import Limits
from soundalike.types import EXTERNAL

router = APIRouter(
    tags=["indexing"], form_limits=FIELD_LIMITS, generate_unique_id_function=named_after_function
)
#: Numbers that go through the Flow in one request.
_BATCH_NUMBERS = 1 << 21


class VectorsIndexed(FileResult):
    """The result for one recording; `uri` is its name."""


class VectorsAnswer(BaseModel):
    """The results of uploaded vectors, recording by recording."""

    collection: str
    dimension: int
    recordings: List[VectorsIndexed]
    warnings: List[str] = Field(description="assumptions that were made")


@router.post(
    "/api/vectors",
    responses=problems(*BODY, 409, 507),
    summary="Index vectors of another program",
)
async def upload_vectors(
    context: GivenContext,
    vectors: Annotated[UploadFile, File(description=".npy, .parquet or .jsonl")],
    collection: Annotated[
        str,
        Form(
            description="a collection of its own; made where it is missing",
            examples=["vectors_of_another_program"],
        ),
    ],
    rows: Annotated[
        Optional[UploadFile], File(description="CSV or JSON lines with a row for each vector")
    ] = None,
    encoder_name: Annotated[
        str, Form(description="name of the encoder that computed the vectors")
    ] = EXTERNAL,
) -> VectorsAnswer:
    """Store vectors under the names of their recordings; search finds them by vector or recording.

    The table's columns: recording, start, end, label, tags, recorded_at; others become tags.
    """
    await context.library.check_names(collection, None)
    table = await _read(context, vectors, rows)
    parameters = {"collection": collection, "encoder_name": encoder_name}
    results = [_failed(found) for found in table.recordings if isinstance(found, Refused)]
    usable = [found for found in table.recordings if isinstance(found, VectorRecording)]
    for batch in _batches(usable, Limits.from_env().max_documents):
        docs = [to_document(found, number) for number, found in enumerate(batch)]
        stored = await context.flow.ask("/index_vectors", docs, Indexed, parameters)
        results += [VectorsIndexed(**doc.model_dump(include=_FIELDS)) for doc in stored]
    return VectorsAnswer(
        collection=collection,
        dimension=table.dimension,
        recordings=_in_order(results, table),
        warnings=list(table.warnings),
    )


_FIELDS = set(VectorsIndexed.model_fields)


async def _read(context: Context, vectors: UploadFile, rows: Optional[UploadFile]) -> VectorTable:
    """Read both files in a process that may crash: a Parquet file may be made to do harm."""
    zone = zone_named(Settings.from_env().time_zone)
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(context.uploads.passing_table(vectors))
        table: Path | None = None
        if rows is not None:
            table = await stack.enter_async_context(context.uploads.passing_table(rows))
        try:
            found: VectorTable = await context.decoding.run(
                context.isolated.run, read_vectors, path, table, zone
            )
        except SoundalikeError as exc:
            raise _called(exc, ((path, vectors), (table, rows))) from exc
        return found


def _called(
    error: SoundalikeError, files: Sequence[Tuple[Optional[Path], Optional[UploadFile]]]
) -> SoundalikeError:
    """Return an error with the client's names of the files."""
    message = error.message
    for path, upload in files:
        if path is not None and upload is not None:
            message = message.replace(str(path), upload.filename or "upload")
            message = message.replace(path.name, upload.filename or "upload")
    return type(error)(message)


def _batches(
    recordings: Sequence[VectorRecording], most_documents: int
) -> Iterator[List[VectorRecording]]:
    """Yield as many recordings as one request should hold."""
    batch: List[VectorRecording] = []
    n_numbers = 0
    for found in recordings:
        if batch and (n_numbers + found.vectors.size > _BATCH_NUMBERS or len(batch) == most_documents):
            yield batch
            batch, n_numbers = [], 0
        batch.append(found)
        n_numbers += found.vectors.size
    if batch:
        yield batch


def _failed(refused: Refused) -> VectorsIndexed:
    error: Dict[str, Any] = {"error_code": refused.error.code, "error": refused.error.message}
    return VectorsIndexed(
        uri=refused.name,
        outcome="failed",
        recording_id=None,
        n_windows=0,
        n_searchable=0,
        duration_s=0.0,
        warnings=[],
        **error,
    )


def _in_order(results: Sequence[VectorsIndexed], table: VectorTable) -> List[VectorsIndexed]:
    by_name = {result.uri: result for result in results}
    return [by_name[found.name] for found in table.recordings]
