"""Documents of lists: recordings, collections, labels, folders, annotations.

Fields have the types that `executors.messages.documents` names. The question and the answer are the same
kind of document.
"""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, TypeVar

from docarray import BaseDoc, DocList
from pydantic import Field

from soundalike.errors import StoreUnavailable

if TYPE_CHECKING:
    from soundalike.store.partial import Missing

#: Of the field ``missing_shards``.
MISSING_IN_LIST = "of the first document: databases that could not be reached"
_Doc = TypeVar("_Doc", bound=BaseDoc)


class StoredDoc(BaseDoc):
    """A stored path with its recording. To look some up, send them with `recording_id` or `uri`."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    duration_s: float = 0.0
    recorded_at: Optional[str] = Field(default=None, description="when it began, ISO-8601")
    recorded_at_source: Optional[str] = Field(
        default=None, description="source of the time: given, metadata, filename or mtime"
    )
    # A document's int has 32 bits, and a recording may have more than 2 GB.
    size_bytes: Optional[float] = Field(default=None, description="of the file; null for an upload")
    n_windows: int = 0
    missing_shards: List[str] = Field(default=[], description=MISSING_IN_LIST)
    error_code: Optional[str] = None
    error: Optional[str] = None


class CollectionDoc(BaseDoc):
    """A collection with its encoder, its windows and its counts."""

    name: str = ""
    encoder: str = ""
    fingerprint: str = Field(default="", description="hash of the encoder's weights or constants")
    dimension: int = 0
    window_s: float = 0.0
    stride_s: float = 0.0
    recordings: int = 0
    files: int = 0
    windows: int = 0
    layout: str = Field(
        default="halfvec", description="how the vector index keeps vectors: halfvec or bit"
    )
    missing_shards: List[str] = Field(default=[], description=MISSING_IN_LIST)


class LabelDoc(BaseDoc):
    """A label, and how many stored paths have it."""

    label: str = ""
    files: int = 0
    missing_shards: List[str] = Field(default=[], description=MISSING_IN_LIST)


class FolderDoc(BaseDoc):
    """A folder, and how many stored paths lie in it; those in folders below it do not count."""

    folder: str = ""
    files: int = 0
    missing_shards: List[str] = Field(default=[], description=MISSING_IN_LIST)


class AnnotationDoc(BaseDoc):
    """A label of a span inside a recording, in seconds from its start.

    To add some, name the recording with `recording_id`, or with `file`: its path or name as the label
    file has it.
    """

    recording_id: Optional[str] = None
    uri: Optional[str] = Field(default=None, description="first path of the recording")
    file: Optional[str] = Field(default=None, description="path or name of the recording, to add")
    start_s: float = 0.0
    end_s: float = 0.0
    label: str = ""
    low_hz: Optional[float] = Field(default=None, description="null: unknown")
    high_hz: Optional[float] = Field(default=None, description="null: unknown")
    source: Optional[str] = Field(default=None, description="label file, or another origin")
    created_at: Optional[str] = Field(default=None, description="time of storing, ISO-8601")
    duration_s: float = Field(default=0.0, description="length of the recording, in seconds")
    line: int = Field(default=0, description="line of the label file, to add")
    missing_shards: List[str] = Field(default=[], description=MISSING_IN_LIST)


class AnnotatedDoc(BaseDoc):
    """Numbers of added, already stored and unusable annotations, and the reasons."""

    added: int = 0
    unchanged: int = 0
    bad_lines: List[int] = []
    bad_reasons: List[str] = []


class AnnotationLabelDoc(BaseDoc):
    """A label of annotations, and their number."""

    label: str = ""
    annotations: int = 0
    missing_shards: List[str] = Field(default=[], description=MISSING_IN_LIST)


class RemovedAnnotationsDoc(BaseDoc):
    """The number of removed annotations."""

    removed: int = 0


def listed(docs: DocList[_Doc], missing: "Missing") -> DocList[_Doc]:
    """Return a list, whose first document names the databases that could not be reached.

    Raises
    ------
    StoreUnavailable
        There are none, and databases are missing.
    """
    if missing.shards and not docs:
        raise StoreUnavailable(f"{missing.warnings[0]}; the others hold nothing of this")
    if missing.shards:
        docs[0].missing_shards = list(missing.shards)
    return docs


def missing_in(docs: Sequence[BaseDoc]) -> List[str]:
    """Return the databases that the first document of a list names."""
    return list(getattr(docs[0], "missing_shards", [])) if docs else []
