"""The documents that travel between the executors, and their translation to the core's types.

Jina rebuilds every schema from JSON schema in the gateway, so only these field types are used: text,
numbers, booleans, lists and dictionaries of them, arrays, and lists of documents. Uploaded bytes
come as base64 text, and times as ISO-8601 text. Those of lists of what is stored are in
`executors.listings`.
"""

import base64
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np
from docarray import BaseDoc, DocList
from docarray.typing import NdArray
from pydantic import Field

from soundalike.audio import resolve_path
from soundalike.audio.sources import AudioSource
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError, SoundalikeError, UnreadableAudio
from soundalike.types import Hit, IndexSpec, Recording, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = NdArray


class Clip(BaseDoc):
    """A sound to index or to look for: a path that the server can read, or uploaded bytes."""

    uri: Optional[str] = Field(default=None, description="path of a sound file on the server")
    audio_base64: Optional[str] = Field(default=None, description="bytes of a sound file, base64")
    label: Optional[str] = Field(default=None, description="default: name of the file's folder")
    tags: Dict[str, Any] = Field(default={}, description="free metadata")
    recorded_at: Optional[str] = Field(
        default=None,
        description="start, ISO-8601 with time zone; default: what header, name or last change tell",
    )


class WindowDoc(BaseDoc):
    """A window of a clip, in seconds."""

    index: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    is_silent: bool = False
    is_clipped: bool = False
    embedding: Optional[Array] = None


class _Traveller(BaseDoc):
    """What a clip keeps on its way through the Flow."""

    uri: Optional[str] = None
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    recorded_at: Optional[str] = None
    recorded_at_source: Optional[str] = None
    recording_id: Optional[str] = None
    duration_s: float = 0.0
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class SegmentedClip(_Traveller):
    """A clip that was cut. `samples` is mono float32 at 16 kHz; long ones lie in a spool file."""

    samples: Optional[Array] = None
    spool_name: Optional[str] = None
    window_s: float = 0.0
    stride_s: float = 0.0
    chunks: DocList[WindowDoc] = DocList[WindowDoc]()


class EmbeddedClip(_Traveller):
    """A clip whose windows have embeddings, and what they were made with."""

    encoder: str = ""
    fingerprint: str = ""
    dimension: int = 0
    window_s: float = 0.0
    stride_s: float = 0.0
    chunks: DocList[WindowDoc] = DocList[WindowDoc]()


class Indexed(BaseDoc):
    """What became of a clip that was to be indexed."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    outcome: str = Field(
        default="failed",
        description="added, unchanged, updated, linked, replaced or failed",
    )
    n_windows: int = 0
    duration_s: float = 0.0
    label: Optional[str] = None
    encoder: Optional[str] = None
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class RecordingDoc(BaseDoc):
    """A stored recording; its id is the recording's."""

    uri: str = ""
    duration_s: float = 0.0
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    recorded_at: Optional[str] = None
    recorded_at_source: Optional[str] = None


class SearchHits(_Traveller):
    """Window hits of a query, by columns: a document for each would cost more than the search.

    Row ``i`` pairs the query's window ``hit_query[i]`` (its position in `chunks`) with a window of
    ``recordings[hit_recording[i]]``.
    """

    encoder: str = ""
    chunks: DocList[WindowDoc] = DocList[WindowDoc]()
    recordings: DocList[RecordingDoc] = DocList[RecordingDoc]()
    hit_query: Optional[Array] = None
    hit_recording: Optional[Array] = None
    hit_window: Optional[Array] = None
    hit_start_s: Optional[Array] = None
    hit_end_s: Optional[Array] = None
    hit_score: Optional[Array] = None


class MatchDoc(BaseDoc):
    """A recording that answers a query. `score` is the cosine similarity of the best windows."""

    rank: int = 0
    uri: str = ""
    score: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    query_start_s: float = 0.0
    query_end_s: float = 0.0
    n_hits: int = 0
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    duration_s: float = 0.0
    recording_id: str = ""
    occurred_at: Optional[str] = Field(
        default=None, description="when the matching window was heard, ISO-8601; null: nobody knows"
    )
    recorded_at: Optional[str] = Field(default=None, description="when the recording began")
    recorded_at_source: Optional[str] = Field(
        default=None, description="who said so: given, metadata, filename or mtime"
    )


class Found(BaseDoc):
    """The answer to a query: matches, best first; no audio, no embeddings."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    duration_s: float = 0.0
    encoder: Optional[str] = None
    matches: DocList[MatchDoc] = DocList[MatchDoc]()
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class BucketDoc(BaseDoc):
    """A stretch of wall-clock time, ISO-8601, and how many occurrences began in it."""

    start: str = ""
    end: str = ""
    count: int = 0


class Counted(BaseDoc):
    """When something like a query was heard. `undated`: occurrences at a time that nobody knows."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    duration_s: float = 0.0
    encoder: Optional[str] = None
    buckets: DocList[BucketDoc] = DocList[BucketDoc]()
    undated: int = 0
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class Deletion(BaseDoc):
    """A path, a folder (everything below it), or a recording to delete; `deleted` counts paths."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    deleted: int = 0
    error_code: Optional[str] = None
    error: Optional[str] = None


class Status(BaseDoc):
    """What is indexed, with what, and where."""

    collection: str = DEFAULT_COLLECTION
    collections: List[str] = []
    encoder: Optional[str] = None
    configured_encoder: Optional[str] = None
    encoder_description: Optional[str] = None
    recordings: int = 0
    files: int = 0
    windows: int = 0
    window_s: Optional[float] = None
    stride_s: Optional[float] = None
    dimension: Optional[int] = None
    index: str = "exact"
    database: str = ""
    extensions: Dict[str, str] = {}
    starts: Dict[str, int] = Field(
        default={},
        description="how many recordings have their start from which source: given, metadata, "
        "filename, mtime, unknown",
    )
    earliest_start: Optional[str] = None
    latest_start: Optional[str] = None


def audio_source(clip: Clip) -> AudioSource:
    """Return what to decode.

    Raises
    ------
    ParameterError
        The clip has neither `uri` nor `audio_base64`.
    UnreadableAudio
        `audio_base64` is not base64.
    AudioNotFound, EmptyAudio
        As for `soundalike.audio.resolve_path`.
    """
    if clip.audio_base64:
        try:
            return base64.b64decode(clip.audio_base64, validate=True)
        except ValueError as exc:
            raise UnreadableAudio(f"audio_base64 is not base64 ({exc}); encode the file again") from exc
    if not clip.uri:
        raise ParameterError("the document has neither uri nor audio_base64; give one of them")
    return resolve_path(clip.uri)


def parse_time(text: Optional[str]) -> Optional[datetime]:
    """Return an ISO-8601 time with its zone; None for None.

    Raises
    ------
    ParameterError
        It is no ISO-8601 time, or has no zone.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ParameterError(
            f"recorded_at is {text!r}; give ISO-8601 with a zone, like 2025-05-01T06:30:00+02:00"
        ) from exc
    if time.tzinfo is None:
        raise ParameterError(f"recorded_at is {text!r}, without a zone; add Z or an offset")
    return time


def time_text(at: Optional[datetime], zone: tzinfo = UTC) -> Optional[str]:
    """Return a time as ISO-8601 in a zone; None for None."""
    return None if at is None else at.astimezone(zone).isoformat()


def mark_failed(doc: Any, exc: SoundalikeError) -> None:
    """Write an error into a document; those that follow in the Flow leave it alone."""
    doc.error_code = exc.code
    doc.error = exc.message


def travelling(doc: Any) -> Dict[str, Any]:
    """Return the fields that a clip keeps on its way, for the next executor's document."""
    return {
        "id": doc.id,
        **{name: getattr(doc, name) for name in _Traveller.model_fields if name != "id"},
    }


def to_windows(chunks: DocList[WindowDoc]) -> List[Window]:
    """Return the windows of a clip as the core's type."""
    return [
        Window(chunk.index, chunk.start_s, chunk.end_s, chunk.is_silent, chunk.is_clipped)
        for chunk in chunks
    ]


def to_spec(doc: EmbeddedClip) -> IndexSpec:
    """Return what a clip's embeddings were made with."""
    return IndexSpec(doc.encoder, doc.fingerprint, doc.dimension, doc.window_s, doc.stride_s)


def to_recording(doc: EmbeddedClip) -> Recording:
    """Return what is known of a clip's recording."""
    return Recording(
        recording_id=str(doc.recording_id),
        uri=doc.uri or "",
        duration_s=doc.duration_s,
        label=doc.label,
        tags=doc.tags,
        recorded_at=parse_time(doc.recorded_at),
        recorded_at_source=doc.recorded_at_source,
    )


def to_embeddings(doc: EmbeddedClip) -> "Array":
    """Return a clip's embeddings, ``(n_windows, dimension)`` float32.

    Raises
    ------
    ParameterError
        A window has no vector, or one of another length.
    """
    rows = [chunk.embedding for chunk in doc.chunks if chunk.embedding is not None]
    if not rows or len(rows) < len(doc.chunks) or len({np.shape(row) for row in rows}) > 1:
        raise ParameterError("a window has no vector; send the document through the encoder")
    return np.stack([np.asarray(row, dtype=np.float32) for row in rows])


def put_hits(doc: SearchHits, hits: List[Hit], recordings: Dict[str, Recording]) -> None:
    """Write hits and their recordings into a document, by columns."""
    order = {key: number for number, key in enumerate(recordings)}
    hits = [hit for hit in hits if hit.recording_id in order]
    doc.recordings = DocList[RecordingDoc](
        RecordingDoc(
            id=key,
            uri=found.uri,
            duration_s=found.duration_s,
            label=found.label,
            tags=dict(found.tags),
            recorded_at=time_text(found.recorded_at),
            recorded_at_source=found.recorded_at_source,
        )
        for key, found in recordings.items()
    )
    doc.hit_query = np.array([hit.query_window for hit in hits], dtype=np.int32)
    doc.hit_recording = np.array([order[hit.recording_id] for hit in hits], dtype=np.int32)
    doc.hit_window = np.array([hit.window_index for hit in hits], dtype=np.int32)
    doc.hit_start_s = np.array([hit.start_s for hit in hits], dtype=np.float64)
    doc.hit_end_s = np.array([hit.end_s for hit in hits], dtype=np.float64)
    doc.hit_score = np.array([hit.score for hit in hits], dtype=np.float64)


def get_hits(doc: SearchHits) -> List[Hit]:
    """Return the hits that `put_hits` has written."""
    if doc.hit_query is None:
        return []
    columns = (
        doc.hit_query,
        doc.hit_recording,
        doc.hit_window,
        doc.hit_start_s,
        doc.hit_end_s,
        doc.hit_score,
    )
    return [
        Hit(query, str(doc.recordings[recording].id), window, start_s, end_s, score)
        for query, recording, window, start_s, end_s, score in zip(
            *(np.asarray(column).tolist() for column in columns), strict=True
        )
    ]


def get_recordings(doc: SearchHits) -> Dict[str, Recording]:
    """Return the recordings that `put_hits` has written, by id."""
    return {
        str(found.id): Recording(
            recording_id=str(found.id),
            uri=found.uri,
            duration_s=found.duration_s,
            label=found.label,
            tags=found.tags,
            recorded_at=parse_time(found.recorded_at),
            recorded_at_source=found.recorded_at_source,
        )
        for found in doc.recordings
    }
