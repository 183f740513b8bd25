"""What the plain HTTP routes take and give, as Swagger UI shows it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Dict, List, Literal, Optional, Tuple, Type
from uuid import UUID

from docarray import BaseDoc
from pydantic import BaseModel, ConfigDict, Field, computed_field, create_model, model_validator

from executors.messages.documents import MISSING, BucketDoc, MatchDoc, Status
from executors.messages.listings import CollectionDoc, FolderDoc, LabelDoc, StoredDoc
from executors.messages.names import FIELD_ALIASES, PARAMETER_ALIASES, aliases_of
from executors.messages.request_fields import pydantic_field
from soundalike.audio.cut_outs import CutOutFormat
from soundalike.audio.excerpt import Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.events.requests import EventOrder
from soundalike.events.requests import EventsRequest as CoreEventsRequest
from soundalike.parameters import refuse_unknown, resolve_aliases
from soundalike.ranges import MAX_TOP_K, GroupBy
from soundalike.results.cut_outs import CutOutRequest
from soundalike.search import requests as core
from soundalike.search.examples import Example, is_id, parse_example
from soundalike.types import BucketWidth

#: Other names of parameters, which are taken and not described.
ALIASES = {**PARAMETER_ALIASES, **FIELD_ALIASES}
#: What documents need on their way through the Flow, and no answer shows.
_INTERNAL = {"id", "error_code", "error"}
#: What documents of a list say of the list.
OF_LIST = ("missing_shards",)


def fields_of(doc: Type[BaseDoc], name: str, *, without: Tuple[str, ...] = (), **more: Any) -> Any:
    """Return a model with a document's fields but those `without`."""
    fields: Dict[str, Any] = {
        key: (field.annotation, field)
        for key, field in doc.model_fields.items()
        if key not in {*_INTERNAL, *without}
    }
    return create_model(name, __doc__=doc.__doc__, **{**fields, **more})


class Partial(BaseModel):
    """An answer, and whether recordings are missing in it."""

    missing_shards: List[str] = Field(default=[], description=MISSING)

    @computed_field(description="whether recordings are missing: a database could not be reached")  # type: ignore[prop-decorator]
    @property
    def partial(self) -> bool:
        """Whether recordings are missing."""
        return bool(self.missing_shards)


Match = fields_of(MatchDoc, "Match")
Recording = fields_of(StoredDoc, "Recording", without=OF_LIST)
Collection = fields_of(CollectionDoc, "Collection", without=OF_LIST)
LabelCount = fields_of(LabelDoc, "LabelCount", without=OF_LIST)
FolderCount = fields_of(FolderDoc, "FolderCount", without=OF_LIST)
Bucket = fields_of(BucketDoc, "Bucket")


class Problem(BaseModel):
    """Why a request failed (RFC 9457)."""

    status: int = Field(description="the HTTP status", examples=[404])
    code: str = Field(description="stable; docs/errors.md lists them", examples=["store.not_found"])
    title: str = Field(description="of the HTTP status", examples=["Not Found"])
    detail: str = Field(
        description="what is wrong, with the value received, and what to do about it",
        examples=["there is no collection 'tpyo'; see /api/collections"],
    )


class StrictModel(BaseModel):
    """A body that takes no other fields than its own."""

    model_config = ConfigDict(extra="forbid")
    aliases: ClassVar[Dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, given: Any) -> Any:
        """Refuse unknown names here: pydantic's own error does not say which are known."""
        if not isinstance(given, dict):
            return given
        named = resolve_aliases(given, aliases_of(cls.model_fields, cls.aliases))
        refuse_unknown(map(str, named), cls.model_fields)
        return named


#: Fields that say what is looked for; the others say how.
_SOURCE = {"uri", "recording_id", "vector", "text", "like_label", "start_s", "end_s", "at_s"}


class Narrowing(StrictModel):
    """What is looked for, and which recordings may answer."""

    aliases = ALIASES

    uri: Optional[str] = Field(default=None, description="path of a sound file on the server")
    recording_id: Optional[str] = Field(default=None, description="id of a stored recording")
    vector: Optional[List[float]] = Field(
        default=None, description="an embedding, of the collection's dimension"
    )
    text: Optional[str] = Field(
        default=None,
        description="a description of a sound, where the encoder takes texts; see /api/models",
    )
    like_label: Optional[str] = Field(
        default=None, description="a label of annotations, all of which are examples"
    )
    start_s: Optional[float] = pydantic_field(Excerpt, "start_s")
    end_s: Optional[float] = pydantic_field(Excerpt, "end_s")
    at_s: Optional[float] = pydantic_field(Excerpt, "at_s")
    collection: str = pydantic_field(core.TimelineRequest, "collection")
    exclude_self: bool = pydantic_field(core.SearchRequest, "exclude_self")
    labels: List[str] = pydantic_field(core.Narrowing, "labels")
    tags: Dict[str, Any] = pydantic_field(core.Narrowing, "tags")
    where: List[str] = pydantic_field(core.Narrowing, "where")
    uri_prefix: Optional[str] = pydantic_field(core.Narrowing, "uri_prefix", default=None)
    under: Optional[str] = pydantic_field(core.Narrowing, "under", default=None)
    since: Optional[str] = pydantic_field(core.Narrowing, "since")
    until: Optional[str] = pydantic_field(core.Narrowing, "until")
    time_of_day: Optional[str] = pydantic_field(core.Narrowing, "time_of_day")
    time_zone: Optional[str] = pydantic_field(core.Narrowing, "time_zone")

    @property
    def source(self) -> Dict[str, Any]:
        """The fields of the query's document that were given."""
        return {name: value for name, value in self._given().items() if name in _SOURCE}

    @property
    def parameters(self) -> Dict[str, Any]:
        """The parameters of the Flow's endpoint that were given."""
        return {name: value for name, value in self._given().items() if name not in _SOURCE}

    def _given(self) -> Dict[str, Any]:
        return {name: value for name, value in self if value not in (None, [], {})}


class ExampleForm(StrictModel):
    """A stored recording, or a part of it, as an example of a search."""

    uri: Optional[str] = Field(default=None, description="path of the recording")
    recording_id: Optional[str] = Field(default=None, description="id of the recording")
    start_s: Optional[float] = Field(default=None, ge=0, description="begin of a part in seconds")
    end_s: Optional[float] = Field(default=None, ge=0, description="end of a part in seconds")

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, given: Any) -> Any:
        """Take what the command line takes, too; forms have only texts."""
        if not isinstance(given, str):
            return given
        example = parse_example(given)
        part = {"start_s": example.excerpt.start_s, "end_s": example.excerpt.end_s}
        return {"recording_id" if is_id(example.key) else "uri": example.key, **part}

    @property
    def example(self) -> Example:
        """The core's example."""
        key = self.uri or self.recording_id
        if not key or (self.uri and self.recording_id):
            raise ParameterError("an example has both or none of uri and recording_id; give one of them")
        if (self.start_s is None) != (self.end_s is None):
            raise ParameterError("an example has only one of start_s and end_s; give both, or neither")
        return Example(key, Excerpt(self.start_s, self.end_s))


class SearchRequest(Narrowing):
    """A search by one of `uri`, `recording_id`, `vector`, `text` and `like_label`, with examples.

    Without any of these, the first of `like` is the query.
    """

    collections: List[str] = pydantic_field(core.SearchRequest, "collections", default=[])
    top_k: int = pydantic_field(core.SearchRequest, "top_k", is_limited=True)
    min_score: float = pydantic_field(core.SearchRequest, "min_score")
    group_by: GroupBy = pydantic_field(core.SearchRequest, "group_by")
    max_false_alarms: Optional[float] = pydantic_field(core.SearchRequest, "max_false_alarms")
    like: List[ExampleForm] = pydantic_field(core.SearchRequest, "like", default=[])
    unlike: List[ExampleForm] = pydantic_field(core.SearchRequest, "unlike", default=[])

    @property
    def parameters(self) -> Dict[str, Any]:
        """The parameters of the Flow's endpoint that were given; examples as texts."""
        examples = {"like": self.like, "unlike": self.unlike}
        texts = {name: [str(one.example) for one in some] for name, some in examples.items() if some}
        return {**super().parameters, **texts}

    def promote_example(self) -> None:
        """Make the first example the query."""
        first, *self.like = self.like
        self.uri, self.recording_id = first.uri, first.recording_id
        self.start_s, self.end_s = first.start_s, first.end_s


#: Events of an answer unless the request says otherwise.
EVENTS_OF_AN_ANSWER = 10_000

ExportFormat = Literal["csv", "jsonl", "parquet", "audacity", "raven", "m3u", "zip"]
FORMAT = "csv, jsonl, parquet, audacity, raven, m3u, or zip: a cut-out of each span"


class ExportForm(StrictModel):
    """The form of an exported file."""

    format: ExportFormat = Field(default="csv", description=FORMAT)
    padding_s: float = pydantic_field(CutOutRequest, "padding_s", is_limited=True)
    audio: CutOutFormat = pydantic_field(CutOutRequest, "audio")
    pictures: bool = pydantic_field(CutOutRequest, "pictures")


class ExportedSpan(StrictModel):
    """A span of a stored recording."""

    recording_id: UUID = Field(description="id of the recording")
    start_s: float = Field(ge=0, description="begin in seconds", allow_inf_nan=False)
    end_s: float = Field(ge=0, description="end in seconds", allow_inf_nan=False)
    collection: str = Field(default=DEFAULT_COLLECTION, description="name of the collection")
    label: Optional[str] = Field(default=None, description="default: the recording's")
    score: Optional[float] = Field(default=None, description="similarity", allow_inf_nan=False)
    false_alarm_rate: Optional[float] = Field(
        default=None, description="false-alarm rate", allow_inf_nan=False
    )
    rank: Optional[int] = Field(default=None, description="from 1")
    query_start_s: Optional[float] = Field(
        default=None, description="begin of the matching part of the query", allow_inf_nan=False
    )
    query_end_s: Optional[float] = Field(
        default=None, description="end of the matching part of the query", allow_inf_nan=False
    )


class ExportRequest(ExportForm):
    """Spans of stored recordings, and the form of the file."""

    spans: List[ExportedSpan] = Field(max_length=MAX_TOP_K, description="at most 1000 spans")


class TimelineRequest(Narrowing):
    """A count over time of what resembles one of the sources of `SearchRequest`."""

    min_score: float = pydantic_field(core.TimelineRequest, "min_score", examples=[0.5])
    by: BucketWidth = pydantic_field(core.TimelineRequest, "by")


class EventsRequest(Narrowing):
    """A search for every occurrence of one of the sources of `SearchRequest`."""

    recording: Optional[str] = pydantic_field(CoreEventsRequest, "recording")
    min_score: float = pydantic_field(CoreEventsRequest, "min_score")
    order: EventOrder = pydantic_field(CoreEventsRequest, "order")
    max_per_recording: Optional[int] = pydantic_field(
        CoreEventsRequest, "max_per_recording", is_limited=True
    )
    limit: int = pydantic_field(CoreEventsRequest, "limit", is_limited=True, default=EVENTS_OF_AN_ANSWER)
    gap_s: float = pydantic_field(CoreEventsRequest, "gap_s", is_limited=True)
    min_duration_s: float = pydantic_field(CoreEventsRequest, "min_duration_s", is_limited=True)
    reread_s: float = pydantic_field(CoreEventsRequest, "reread_s", is_limited=True)
    max_false_alarms: Optional[float] = pydantic_field(CoreEventsRequest, "max_false_alarms")

    def request(self, default_zone: str) -> CoreEventsRequest:
        """Return the core's request; its query is left out, because the Flow reads it.

        Parameters
        ----------
        default_zone : str
            The time zone where none was given.

        Raises
        ------
        ParameterError
            A time or the zone cannot be read, or a value is out of its range.
        """
        times = core.Narrowing(
            since=self.since,
            until=self.until,
            time_of_day=self.time_of_day,
            time_zone=self.time_zone,
        )
        return CoreEventsRequest(
            filters=times.filters(default_zone),
            recording=self.recording,
            exclude_self=self.exclude_self,
            min_score=self.min_score,
            order=self.order,
            max_per_recording=self.max_per_recording,
            limit=self.limit,
            gap_s=self.gap_s,
            min_duration_s=self.min_duration_s,
            reread_s=self.reread_s,
            collection=self.collection,
            max_false_alarms=self.max_false_alarms,
        )


class Event(BaseModel):
    """One occurrence of a query in a recording."""

    uri: str
    recording_id: str
    start_s: float
    end_s: float
    query_start_s: Optional[float] = Field(description="seconds; null for a vector, a text or a label")
    query_end_s: Optional[float] = Field(description="seconds; null for a vector, a text or a label")
    score: float
    false_alarm_rate: Optional[float] = Field(
        description="probability that an unrelated recording, as long as this one, has an event that "
        "scores as high; null: unknown"
    )
    strength: str = Field(description="strong, likely, weak, chance or unknown: the rate as a word")
    false_alarms_per_hour: Optional[float] = Field(
        description="expected number of such events in an hour of unrelated sound; null: unknown"
    )
    is_reread: bool = Field(
        description="whether the sound was read again; scores of stored vectors have another scale"
    )
    occurred_at: Optional[str] = Field(description="ISO-8601; null: unknown")
    label: Optional[str]
    tags: Dict[str, Any]
    recorded_at: Optional[str]
    recorded_at_source: Optional[str]
    duration_s: float = Field(description="of the whole recording")
    collection: str
    encoder: str


class EventsAnswer(Partial):
    """Every occurrence of a query."""

    uri: Optional[str]
    recording_id: Optional[str]
    duration_s: float = Field(description="of the query")
    encoder: Optional[str]
    events: List[Event]
    good_match: Optional[bool] = Field(
        description="with `max_false_alarms`: whether there are events; null without"
    )
    is_complete: bool = Field(description="false: there are more events than `limit`")
    heard_again_s: float = Field(description="seconds of sound that were read again")
    warnings: List[str]


class Answer(Partial):
    """Matches of a query, best first."""

    uri: Optional[str]
    recording_id: Optional[str]
    duration_s: float
    encoder: Optional[str]
    matches: List[Match]  # type: ignore[valid-type]
    good_match: Optional[bool]
    warnings: List[str]


class AnswerAgain(Answer):
    """Matches of a named search, best first."""

    max_false_alarms: Optional[float] = Field(description="the limit of this run")
    time_zone: str = Field(description="zone of the times in the answer")


class TimelineAnswer(Partial):
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


class RecordingPage(Partial):
    """Some of the recordings, in the order of their paths; `next` asks for those that follow."""

    recordings: List[Recording]  # type: ignore[valid-type]
    next: Optional[str]


class Labels(Partial):
    """The labels of a collection, the most frequent first."""

    labels: List[LabelCount]  # type: ignore[valid-type]


class Folders(Partial):
    """The folders of a collection's files."""

    folders: List[FolderCount]  # type: ignore[valid-type]


class Collections(Partial):
    """The collections of this database."""

    collections: List[Collection]  # type: ignore[valid-type]


class Deleted(BaseModel):
    """How many paths were taken out of the index."""

    deleted: int


class Dropped(BaseModel):
    """The name of the collection that was deleted."""

    dropped: str


class Health(BaseModel):
    """Whether every executor answers."""

    status: Literal["ok"]
    executors: Dict[str, str]


class Ready(BaseModel):
    """That searches can be answered; ``ok`` for each part that was checked."""

    status: Literal["ready"]
    checks: Dict[str, str]
    partial: bool = Field(
        description="whether answers lack recordings, because a database of the index cannot be reached"
    )


class EncoderInUse(BaseModel):
    """The encoder of this service."""

    name: Optional[str]
    description: Optional[str]
    licence: Optional[str]
    attribution: Optional[str] = Field(description="how its makers want to be named")
    takes_text: bool = Field(description="whether a search by `text` works")


class ModelSummary(BaseModel):
    """A model that this program knows."""

    name: str = Field(description="for SOUNDALIKE_MODEL and soundalike models")
    state: str = Field(
        description="built in; installed; not here: soundalike models download NAME fetches it; file "
        "needed: its facts are known, and its file is added with soundalike models add"
    )
    good_for: str
    licence: str
    attribution: str
    page: str
    status: str = Field(
        description="verified or unverified: whether its facts were checked with its weights"
    )
    takes_text: bool
    level: str = Field(description="what it does about the level of a recording")


class Models(BaseModel):
    """The encoder in use, and the models that are known on the gateway's machine."""

    encoder: EncoderInUse
    models: List[ModelSummary]


_MORE_STATUS: Dict[str, Any] = {
    "api_key": (bool, Field(description="whether requests need the API key")),
    "roots": (List[str], Field(description="folders that may be indexed and searched by path")),
    "limits": (Dict[str, float], Field(description="the most that may be asked for")),
    "version": (str, Field(description="of Soundalike")),
}
ServiceStatus = fields_of(Status, "ServiceStatus", **_MORE_STATUS)
