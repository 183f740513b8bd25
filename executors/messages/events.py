"""Documents of events, and their translation to the core's types.

Fields have the types that `executors.messages.documents` names.
"""

from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Sequence

import numpy as np
from docarray import BaseDoc, DocList
from docarray.typing import NdArray
from pydantic import Field

from executors.messages.documents import MISSING, parse_time, time_text
from executors.messages.int32 import to_int64
from soundalike.events.parts import Found, Screened
from soundalike.types import FileStat, Recording

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = NdArray

#: Begins the text of a file that is known by its content alone.
BY_CONTENT = "id:"
_PART = "begin and end in the recording, begin and end in the query, in seconds, and score"


class RecordingWithParts(BaseDoc):
    """A recording, whose parts a subclass adds; its id is the recording's."""

    uri: str = ""
    duration_s: float = 0.0
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    recorded_at: Optional[str] = None
    recorded_at_source: Optional[str] = None
    file: str = Field(
        default="",
        description="size and modification time of the indexed file; id:ID where they are unknown",
    )


class EventfulDoc(RecordingWithParts):
    """A recording with parts that resemble a query; its id is the recording's."""

    parts: Optional[Array] = Field(default=None, description=f"(n, 5) array: {_PART}")
    false_alarms: Optional[Array] = Field(
        default=None,
        description="(n, 2) array: false-alarm rate and false alarms per hour of the parts, if they are "
        "events; NaN where they are unknown",
    )
    stretches: Optional[Array] = Field(
        default=None, description="(n, 2) array: seconds of the sound that should be read again"
    )


class ListenClip(BaseDoc):
    """A part of a stored recording whose sound is compared with a query's."""

    uri: Optional[str] = Field(default=None, description="path of a stored recording")
    file: str = Field(default="", description="as ``/events`` gives it; another file is not read")
    start_s: float = Field(default=0.0, description="begin in seconds")
    end_s: float = Field(default=0.0, description="end in seconds")
    unrelated: List[int] = Field(
        default=[],
        description="with `model_of`: positions of the documents of unrelated recordings in the request",
    )


class EventsFound(BaseDoc):
    """The answer of ``/events``: recordings with parts that resemble a query.

    With `reread_s` above 0 these are candidates for ``/listen``; else they are the events. `unrelated`
    names sound that ``/listen`` should compare once, with `model_of`, so that events in sound have
    false-alarm rates.
    """

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    duration_s: float = 0.0
    encoder: Optional[str] = None
    recordings: DocList[EventfulDoc] = DocList[EventfulDoc]()
    rates: Dict[str, Any] = Field(
        default={}, description="what gives scores their false-alarm rates; empty where they are unknown"
    )
    unrelated: DocList[ListenClip] = DocList[ListenClip]()
    collection_size: int = 0
    warnings: List[str] = []
    missing_shards: List[str] = Field(default=[], description=MISSING)
    error_code: Optional[str] = None
    error: Optional[str] = None


class _Heard(BaseDoc):
    uri: Optional[str] = None
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class HeardClip(_Heard):
    """The samples of a part of a recording, mono float32; long ones lie in a spool file.

    `query` has the samples of the query, in the first document of a request only.
    """

    sample_rate_hz: int = 16_000
    samples: Optional[Array] = None
    spool_name: Optional[str] = None
    query: Optional[Array] = None
    unrelated: List[int] = []


class ListenedDoc(_Heard):
    """What a query was found at in a part of a recording, in seconds from the begin of the part."""

    parts: Optional[Array] = Field(
        default=None, description=f"(n, 5) array: {_PART}; null: the part could not be read"
    )
    model: Dict[str, Any] = Field(
        default={}, description="with `model_of`, in the first document: the model of the collection"
    )
    active: Optional[Array] = Field(
        default=None,
        description="without a query: (n, 2) array, begin and end of what differs from the background",
    )
    vectors: Optional[Array] = Field(default=None, description="(n, dimension) array: their vectors")
    columns: Optional[Array] = Field(
        default=None, description="their spectrograms above the background, one after the other"
    )
    n_columns: List[int] = Field(default=[], description="number of columns of each spectrogram")


def parts_of(found: Iterable[Found]) -> "Array":
    """Return the array of parts."""
    rows = [(one.start_s, one.end_s, one.query_start_s, one.query_end_s, one.score) for one in found]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 5)


def to_found(parts: Optional["Array"]) -> List[Found]:
    """Return the parts of an array."""
    if parts is None:
        return []
    return [Found(*row) for row in np.asarray(parts).reshape(-1, 5).tolist()]


def facts_of(recording: Recording) -> Dict[str, Any]:
    """Return what a document says of a recording beside its parts."""
    return {
        "id": recording.recording_id,
        "uri": recording.uri,
        "duration_s": recording.duration_s,
        "label": recording.label,
        "tags": to_int64(dict(recording.tags)),
        "recorded_at": time_text(recording.recorded_at),
        "recorded_at_source": recording.recorded_at_source,
        "file": file_of(recording),
    }


def recording_of(doc: RecordingWithParts) -> Recording:
    """Return the recording of a document."""
    return Recording(
        recording_id=str(doc.id),
        uri=doc.uri,
        duration_s=doc.duration_s,
        label=doc.label,
        tags=doc.tags,
        recorded_at=parse_time(doc.recorded_at),
        recorded_at_source=doc.recorded_at_source,
    )


def eventful(recording: Recording, found: Sequence[Found], stretches: Sequence[Any]) -> EventfulDoc:
    """Return the document of a recording with its parts."""
    return EventfulDoc(
        **facts_of(recording),
        parts=parts_of(found),
        stretches=np.array(stretches, dtype=np.float64).reshape(len(stretches), 2),
    )


def to_screened(doc: EventfulDoc) -> Screened:
    """Return what a document says of a recording."""
    stretches = [] if doc.stretches is None else np.asarray(doc.stretches).reshape(-1, 2).tolist()
    return Screened(recording_of(doc), to_found(doc.parts), [(begin, end) for begin, end in stretches])


def file_of(recording: Recording) -> str:
    """Return the text by which a recording's file is known."""
    return file_text(recording.stat) or f"{BY_CONTENT}{recording.recording_id}"


def file_text(stat: Optional[FileStat]) -> str:
    """Return size and modification time as text: numbers of messages have 53 bits.

    Examples
    --------
    >>> file_text(FileStat(10, 1_700_000_000_123_456_789)), file_text(None)
    ('10:1700000000123456789', '')
    """
    return "" if stat is None else f"{stat.size_bytes}:{stat.mtime_ns}"
