"""What the plain HTTP routes take and give, as Swagger UI shows it."""

from __future__ import annotations

from typing import Annotated, Any, Dict, List, Literal, Optional, Type

from docarray import BaseDoc
from pydantic import BaseModel, ConfigDict, Field, create_model

from executors.documents import BucketDoc, MatchDoc, Status
from executors.listings import CollectionDoc, FolderDoc, LabelDoc, StoredDoc
from soundalike.config import DEFAULT_COLLECTION

#: What documents need on their way through the Flow, and no answer shows.
_TRAVELLING = {"id", "error_code", "error"}


def _fields_of(doc: Type[BaseDoc], name: str, **more: Any) -> Any:
    """Return a model with a document's fields."""
    fields: Dict[str, Any] = {
        key: (field.annotation, field)
        for key, field in doc.model_fields.items()
        if key not in _TRAVELLING
    }
    return create_model(name, __doc__=doc.__doc__, **{**fields, **more})


Match = _fields_of(MatchDoc, "Match")
Recording = _fields_of(StoredDoc, "Recording")
Collection = _fields_of(CollectionDoc, "Collection")
LabelCount = _fields_of(LabelDoc, "LabelCount")
FolderCount = _fields_of(FolderDoc, "FolderCount")
Bucket = _fields_of(BucketDoc, "Bucket")


class Problem(BaseModel):
    """Why a request failed (RFC 9457). `code` is stable; docs/errors.md lists them."""

    status: int
    code: str
    title: str
    detail: str


#: Fields that say what is looked for; the others say how.
_SOURCE = {"uri", "recording_id", "vector", "start_s", "end_s", "at_s"}


class Narrowing(BaseModel):
    """What is looked for, and which recordings may answer."""

    model_config = ConfigDict(extra="forbid")

    uri: Optional[str] = Field(default=None, description="path of a sound file on the server")
    recording_id: Optional[str] = Field(default=None, description="a stored recording")
    vector: Optional[List[float]] = Field(default=None, description="an embedding")
    start_s: Optional[float] = Field(default=None, description="only this part of the sound: from")
    end_s: Optional[float] = Field(default=None, description="only this part of the sound: to")
    at_s: Optional[float] = Field(default=None, description="only the window around this second")
    collection: str = DEFAULT_COLLECTION
    exclude_self: bool = Field(default=False, description="leave out the query's own recording")
    label: List[str] = Field(default=[], description="only recordings with one of these labels")
    tags: Dict[str, Any] = Field(
        default={}, description="only recordings with all these tags; in a form, one JSON object"
    )
    where: List[str] = Field(default=[], description="conditions on tags, like depth_m>=1.5")
    uri_prefix: Optional[str] = Field(default=None, description="only paths that begin like this")
    since: Optional[str] = Field(default=None, description="a date, or ISO-8601")
    until: Optional[str] = Field(default=None, description="a date, or ISO-8601")
    time_of_day: Optional[str] = Field(default=None, description="like 05:00-08:00")
    time_zone: Optional[str] = Field(default=None, description="like Europe/Berlin")

    @property
    def source(self) -> Dict[str, Any]:
        """The fields of the query's document that were given."""
        return {name: value for name, value in self._given().items() if name in _SOURCE}

    @property
    def parameters(self) -> Dict[str, Any]:
        """The parameters of the Flow's endpoint that were given."""
        return {
            "labels" if name == "label" else name: value
            for name, value in self._given().items()
            if name not in _SOURCE
        }

    def _given(self) -> Dict[str, Any]:
        return {name: value for name, value in self if value not in (None, [], {})}


class SearchRequest(Narrowing):
    """A search: a file, or one of `uri`, `recording_id` and `vector`."""

    collections: List[str] = Field(default=[], description="several collections instead of one")
    top_k: int = Field(default=10, ge=1, le=1000)
    min_score: float = Field(default=-1.0, description="leave out matches with a lower score")
    group_by: Literal["recording", "label"] = "recording"


class TimelineRequest(Narrowing):
    """When something like a sound was heard: a file, or one of `uri`, `recording_id` and `vector`."""

    min_score: float = Field(description="windows count whose score is at least this")
    by: Literal["hour", "day", "week", "month"] = "day"


class Answer(BaseModel):
    """Matches of a query, best first."""

    uri: Optional[str]
    recording_id: Optional[str]
    duration_s: float
    encoder: Optional[str]
    matches: List[Match]  # type: ignore[valid-type]
    warnings: List[str]


class TimelineAnswer(BaseModel):
    """How often something like the query was heard. `undated`: at a time that nobody knows."""

    uri: Optional[str]
    recording_id: Optional[str]
    duration_s: float
    encoder: Optional[str]
    buckets: List[Bucket]  # type: ignore[valid-type]
    undated: int
    warnings: List[str]


class WaveformAnswer(BaseModel):
    """The outline of a part of a recording: lowest and highest sample of equal stretches, -1 to 1."""

    start_s: float
    end_s: float
    duration_s: float = Field(description="of the whole recording")
    peaks: List[Annotated[List[float], Field(min_length=2, max_length=2)]]


class RecordingPage(BaseModel):
    """Some of the recordings, in the order of their paths; `next` asks for those that follow."""

    recordings: List[Recording]  # type: ignore[valid-type]
    next: Optional[str]


class Labels(BaseModel):
    """The labels of a collection, the most frequent first."""

    labels: List[LabelCount]  # type: ignore[valid-type]


class Folders(BaseModel):
    """The folders of a collection's files."""

    folders: List[FolderCount]  # type: ignore[valid-type]


class Collections(BaseModel):
    """The collections of this database."""

    collections: List[Collection]  # type: ignore[valid-type]


class Deleted(BaseModel):
    """How many paths were taken out of the index."""

    deleted: int


class Dropped(BaseModel):
    """The collection that is gone, with all that was in it."""

    dropped: str


class Health(BaseModel):
    """Whether every executor answers."""

    status: Literal["ok"]
    executors: Dict[str, str]


_MORE_STATUS = {
    "api_key": (bool, Field(description="whether requests need X-API-Key")),
    "roots": (List[str], Field(description="folders that may be indexed and searched by path")),
    "limits": (Dict[str, float], Field(description="the most that may be asked for")),
    "version": (str, Field(description="of Soundalike")),
}
ServiceStatus = _fields_of(Status, "ServiceStatus", **_MORE_STATUS)
