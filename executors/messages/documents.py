"""The documents that travel between the executors, and their translation to the core's types.

Jina rebuilds every schema from JSON schema in the gateway, so only these field types are used: text,
numbers, booleans, lists and dictionaries of them, arrays, and lists of documents. Uploaded bytes
come as base64 text, and times as ISO-8601 text. Those of lists of what is stored are in
`executors.messages.listings`.
"""

import base64
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Protocol

import numpy as np
from docarray import BaseDoc, DocList
from docarray.typing import NdArray
from pydantic import Field

from executors.jina_fixes.message_sizes import keep_sizes_out_of_environment
from soundalike.audio.sources import AudioSource, resolve_path
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError, UnreadableAudio
from soundalike.scores.words import UNKNOWN
from soundalike.types import IndexSpec, Recording, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from soundalike.store.partial import Missing

    Array = NDArray[Any]
else:
    Array = NdArray

#: Of the field ``missing_shards``.
MISSING = (
    "databases of the index that could not be reached, without passwords; their recordings are missing"
)

# Every process of the Flow that sends documents imports this.
keep_sizes_out_of_environment()


class Clip(BaseDoc):
    """A sound to index or to look for: a path that the server can read, or uploaded bytes.

    A query can also be a stored recording, a vector, a text or a label of annotations, and a part of a
    sound or recording.
    """

    uri: Optional[str] = Field(default=None, description="path of a sound file on the server")
    audio_base64: Optional[str] = Field(default=None, description="bytes of a sound file, base64")
    recording_id: Optional[str] = Field(
        default=None, description="of a stored recording, in place of a sound; queries only"
    )
    vector: Optional[List[float]] = Field(
        default=None, description="of the collection's dimension, in place of a sound; queries only"
    )
    text: Optional[str] = Field(
        default=None,
        description="a description of a sound, in place of one, where the encoder takes texts; queries "
        "only",
    )
    like_label: Optional[str] = Field(
        default=None,
        description="of annotations, all of which are examples, in place of a sound; queries only",
    )
    start_s: Optional[float] = Field(
        default=None,
        description="second at which the query begins; of a stored recording those windows are taken of "
        "which at least half lies in the slice, else the one of which most does",
    )
    end_s: Optional[float] = Field(default=None, description="second at which the query ends")
    at_s: Optional[float] = Field(
        default=None, description="the query is the one window around this second"
    )
    label: Optional[str] = Field(default=None, description="default: name of the file's folder")
    tags: Dict[str, Any] = Field(default={}, description="free metadata")
    recorded_at: Optional[str] = Field(
        default=None,
        description="start, ISO-8601 with time zone; default: from header, name or modification time",
    )


class WindowDoc(BaseDoc):
    """A window of a clip, in seconds."""

    index: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    is_silent: bool = False
    is_clipped: bool = False
    embedding: Optional[Array] = None


class _Carried(BaseDoc):
    """Fields that a clip keeps on its way through the Flow."""

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


class _Query(_Carried):
    """A query before it has vectors.

    `kind` is ``audio``; ``stored``, where the indexer is to fetch what it holds of `recording_id`, or of
    the part that is given by the seconds; ``label``, where it is to fetch the annotated windows of
    `like_label`; ``vector``, which the one chunk has already; or ``text``.
    """

    kind: str = "audio"
    text: Optional[str] = None
    like_label: Optional[str] = None
    start_s: Optional[float] = None
    end_s: Optional[float] = None
    at_s: Optional[float] = None
    #: Of a segmenter that does not say, the first.
    decoder_version: int = 1


class SegmentedClip(_Query):
    """A clip that was cut. `samples` is mono float32; long ones lie in a spool file.

    `samples` begins at the second `offset_s` of the recording; the chunks' times are the recording's.
    """

    samples: Optional[Array] = None
    spool_name: Optional[str] = None
    offset_s: float = 0.0
    #: Of a segmenter that does not say, that of VGGish.
    sample_rate_hz: int = 16_000
    window_s: float = 0.0
    stride_s: float = 0.0
    chunks: DocList[WindowDoc] = DocList[WindowDoc]()


class EmbeddedClip(_Query):
    """A clip whose windows have embeddings, and the encoder's fingerprint."""

    encoder: str = ""
    fingerprint: str = ""
    dimension: int = 0
    window_s: float = 0.0
    stride_s: float = 0.0
    chunks: DocList[WindowDoc] = DocList[WindowDoc]()


class Indexed(BaseDoc):
    """The result of indexing a clip."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    outcome: str = Field(
        default="failed",
        description="added, unchanged, updated, linked, replaced or failed",
    )
    n_windows: int = 0
    n_searchable: int = Field(default=0, description="windows that a search can find")
    duration_s: float = 0.0
    label: Optional[str] = None
    encoder: Optional[str] = None
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class RecordingDoc(BaseDoc):
    """A stored recording in one of the collections; its id is the recording's."""

    uri: str = ""
    duration_s: float = 0.0
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    recorded_at: Optional[str] = None
    recorded_at_source: Optional[str] = None
    collection: str = DEFAULT_COLLECTION
    false_alarm_rate: Optional[float] = None
    n_other_events: Optional[int] = None


class SearchHits(_Carried):
    """Window hits of a query, by columns: a document for each would cost more than the search.

    Row ``i`` pairs the query's window ``hit_query[i]`` (its position in `chunks`) with a window of
    ``recordings[hit_recording[i]]``.
    """

    encoder: str = ""
    chunks: DocList[WindowDoc] = DocList[WindowDoc]()
    recordings: DocList[RecordingDoc] = DocList[RecordingDoc]()
    missing_shards: List[str] = Field(default=[], description=MISSING)
    hit_query: Optional[Array] = None
    hit_recording: Optional[Array] = None
    hit_window: Optional[Array] = None
    hit_start_s: Optional[Array] = None
    hit_end_s: Optional[Array] = None
    hit_score: Optional[Array] = None


class MatchDoc(BaseDoc):
    """A recording that answers a query. `score` is the cosine similarity of the best windows.

    `query_start_s` and `query_end_s` count from the start of the query's recording, also where only a
    part of it was looked for.
    """

    rank: int = 0
    uri: str = ""
    score: float = 0.0
    false_alarm_rate: Optional[float] = Field(
        default=None,
        description="probability that an unrelated recording of the collection scores as high; null: "
        "unknown, as in collections of fewer than 20 recordings and for texts",
    )
    strength: str = Field(
        default=UNKNOWN,
        description="of the match, by the false-alarm rate: strong (up to 0.001), likely (0.01), weak "
        "(0.1), chance or unknown",
    )
    start_s: float = 0.0
    end_s: float = 0.0
    query_start_s: Optional[float] = Field(default=None, description="seconds; null for a vector")
    query_end_s: Optional[float] = Field(default=None, description="seconds; null for a vector")
    n_hits: int = 0
    n_other_events: Optional[int] = Field(
        default=None,
        description="other places of the recording, among the compared windows, with a false-alarm rate "
        "of 0.1 or less; it may have more; null: unknown",
    )
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    duration_s: float = 0.0
    recording_id: str = ""
    collection: str = DEFAULT_COLLECTION
    occurred_at: Optional[str] = Field(
        default=None, description="time of the matching window, ISO-8601; null: unknown"
    )
    recorded_at: Optional[str] = Field(default=None, description="when the recording began")
    recorded_at_source: Optional[str] = Field(
        default=None, description="source of the time: given, metadata, filename or mtime"
    )


class Found(BaseDoc):
    """The answer to a query: matches, best first; no audio, no embeddings."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    duration_s: float = Field(default=0.0, description="length of the query, in seconds")
    encoder: Optional[str] = None
    matches: DocList[MatchDoc] = DocList[MatchDoc]()
    good_match: Optional[bool] = Field(
        default=None,
        description="whether a match is within max_false_alarms; null: the request sets no limit",
    )
    warnings: List[str] = []
    missing_shards: List[str] = Field(default=[], description=MISSING)
    error_code: Optional[str] = None
    error: Optional[str] = None


class BucketDoc(BaseDoc):
    """A stretch of wall-clock time, ISO-8601, and how many occurrences began in it."""

    start: str = ""
    end: str = ""
    count: int = 0


class Counted(BaseDoc):
    """Counts of similar sounds over time. `undated`: occurrences at an unknown time."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    duration_s: float = 0.0
    encoder: Optional[str] = None
    buckets: DocList[BucketDoc] = DocList[BucketDoc]()
    undated: int = 0
    warnings: List[str] = []
    missing_shards: List[str] = Field(default=[], description=MISSING)
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
    """The status of an index."""

    collection: str = DEFAULT_COLLECTION
    collections: List[str] = []
    encoder: Optional[str] = None
    configured_encoder: Optional[str] = None
    encoder_description: Optional[str] = None
    encoder_level: Optional[str] = Field(
        default=None, description="what the configured encoder does about the level of a recording"
    )
    encoder_licence: Optional[str] = Field(default=None, description="of the configured encoder")
    encoder_attribution: Optional[str] = Field(
        default=None, description="how the makers of the configured encoder want to be named"
    )
    takes_text: bool = Field(
        default=False, description="whether the configured encoder takes texts as queries"
    )
    recordings: int = 0
    files: int = 0
    windows: int = 0
    window_s: Optional[float] = None
    stride_s: Optional[float] = None
    dimension: Optional[int] = None
    index: str = "exact"
    layout: str = Field(
        default="halfvec", description="how the vector index keeps vectors: halfvec or bit"
    )
    database: str = ""
    extensions: Dict[str, str] = {}
    starts: Dict[str, int] = Field(
        default={},
        description="how many recordings have their start from which source: given, metadata, "
        "filename, mtime, unknown",
    )
    earliest_start: Optional[str] = None
    latest_start: Optional[str] = None
    earlier_decoder: int = Field(
        default=0,
        description="recordings that were decoded by an earlier version, which cut or stretched some "
        "files; soundalike reindex decodes them again",
    )
    unsearchable: int = Field(
        default=0, description="recordings that hold nothing that a search can find"
    )
    missing_shards: List[str] = Field(default=[], description=MISSING)
    unrelated_scores: Dict[str, Any] = Field(
        default={},
        description="scores of unrelated recordings: median, p99 (99 % score less), numbers of pairs "
        "and recordings compared, and when; empty: not compared yet, or fewer than 20 recordings",
    )
    unrelated_events: Dict[str, Any] = Field(
        default={},
        description="the same of events in unrelated recordings, for a usual query: `stored` by stored "
        "vectors, `reread` in sound that was read again; empty: not compared yet",
    )


class _HasAudio(Protocol):
    uri: Optional[str]
    audio_base64: Optional[str]


def audio_source(clip: _HasAudio) -> AudioSource:
    """Return the audio to decode.

    Raises
    ------
    ParameterError
        The clip has neither `uri` nor `audio_base64`.
    UnreadableAudio
        `audio_base64` is not base64.
    AudioNotFound, EmptyAudio
        As for `soundalike.audio.sources.resolve_path`.
    """
    if clip.audio_base64:
        try:
            return base64.b64decode(clip.audio_base64, validate=True)
        except ValueError as exc:
            raise UnreadableAudio(f"audio_base64 is not base64 ({exc}); encode the file again") from exc
    if not clip.uri:
        raise ParameterError(
            "the document has neither uri nor audio_base64, nor, as a query, recording_id, vector or "
            "text; give one of them"
        )
    return resolve_path(clip.uri)


def parse_time(text: Optional[str]) -> Optional[datetime]:
    """Return an ISO-8601 time with its zone; None for None.

    Raises
    ------
    ParameterError
        It is not an ISO-8601 time, or has no zone.
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


class _Partial(Protocol):
    warnings: List[str]
    missing_shards: List[str]


def note_missing(doc: _Partial, missing: "Missing") -> None:
    """Write into an answer which databases could not be reached."""
    doc.warnings = [*doc.warnings, *missing.warnings]
    doc.missing_shards = list(missing.shards)


def time_text(at: Optional[datetime], zone: tzinfo = UTC) -> Optional[str]:
    """Return a time as ISO-8601 in a zone; None for None."""
    return None if at is None else at.astimezone(zone).isoformat()


def carried_fields(doc: Any) -> Dict[str, Any]:
    """Return the fields that a clip keeps on its way, for the next executor's document."""
    return {
        "id": doc.id,
        **{name: getattr(doc, name) for name in _Carried.model_fields if name != "id"},
    }


def to_windows(chunks: DocList[WindowDoc]) -> List[Window]:
    """Return the windows of a clip as the core's type."""
    return [
        Window(chunk.index, chunk.start_s, chunk.end_s, chunk.is_silent, chunk.is_clipped)
        for chunk in chunks
    ]


def to_spec(doc: EmbeddedClip) -> IndexSpec:
    """Return the encoder and windows of a clip's embeddings."""
    return IndexSpec(doc.encoder, doc.fingerprint, doc.dimension, doc.window_s, doc.stride_s)


def write_spec(doc: EmbeddedClip, spec: IndexSpec) -> None:
    """Write the encoder of a clip's embeddings into its document."""
    doc.encoder, doc.fingerprint, doc.dimension = spec.encoder, spec.fingerprint, spec.dimension


def to_recording(doc: EmbeddedClip) -> Recording:
    """Return a clip's recording as the core's type."""
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
