"""The parameters of requests.

Jina sends the same parameters to every executor of a Flow, so each endpoint has one model. Every
executor of the endpoint declares it, also where it reads none of them: an executor that stands alone
refuses unknown names as well.
"""

from dataclasses import replace
from typing import Any, Dict, List, Optional, Tuple, cast

from pydantic import BaseModel, Field, ValidationError

from executors.messages.names import JINAS_OWN, PARAMETER_ALIASES, aliases_of
from executors.messages.request_fields import pydantic_field
from executors.messages.validation import invalid_values
from soundalike.anomalies.requests import LearnRequest, WatchRequest
from soundalike.config import DEFAULT_COLLECTION, Settings
from soundalike.events.requests import EventOrder, EventsRequest
from soundalike.filters import Filters
from soundalike.indexing.requests import VectorsRequest
from soundalike.maps.requests import MapRequest
from soundalike.parameters import refuse_unknown, resolve_aliases
from soundalike.ranges import MAX_PAGE
from soundalike.repeats.requests import DuplicatesRequest, prefix_of_path
from soundalike.search.examples import Example, parse_examples
from soundalike.search.requests import Narrowing, SearchRequest, TimelineRequest
from soundalike.speakers.requests import Acceptance


class RequestParameters(BaseModel):
    """Parameters of an endpoint; Jina builds them from the dictionary of a request.

    Raises
    ------
    UnknownParameter
        A name is not known.
    ParameterError
        A value has another type, is missing, or was given under two names.
    """

    def __init__(self, **given: Any) -> None:
        names = type(self).model_fields
        proper = resolve_aliases(given, aliases_of(names, PARAMETER_ALIASES))
        for name in JINAS_OWN:
            proper.pop(name, None)
        refuse_unknown(proper, names)
        try:
            super().__init__(**proper)
        except ValidationError as exc:
            raise invalid_values(exc) from None


class CollectionParameters(RequestParameters):
    """Which of several indexes side by side is meant."""

    collection: str = Field(default=DEFAULT_COLLECTION, description="name of the index")


class IndexParameters(CollectionParameters):
    """Parameters of ``/index``."""

    window_size: Optional[float] = Field(default=None, description="seconds; default: the segmenter's")
    stride: Optional[float] = Field(default=None, description="seconds; default: the segmenter's")


class VectorsParameters(CollectionParameters):
    """Parameters of ``/index_vectors``."""

    # Not `encoder`: Jina takes a parameter with the name of an executor for that executor's own.
    encoder_name: str = pydantic_field(VectorsRequest, "encoder")


class DropParameters(RequestParameters):
    """Parameters of ``/drop``."""

    collection: Optional[str] = Field(
        default=None, description="the collection to drop, in place of a document with its name"
    )


class CollectionsParameters(RequestParameters):
    """Parameters of ``/collections``."""

    count: bool = Field(
        default=True, description="count what each holds; it takes a while where much is"
    )


class CountParameters(CollectionParameters):
    """Parameters of ``/labels``, ``/folders`` and ``/annotation_labels``."""

    limit: int = Field(default=1000, description="at most this many, 1 to 1000")


class RecordingsParameters(CollectionParameters):
    """Parameters of ``/recordings``."""

    labels: List[str] = Field(default=[], description="only files with one of these labels")
    tags: Dict[str, Any] = Field(default={}, description="only files with all these tags")
    where: List[str] = Field(default=[], description="only files whose tags meet all these conditions")
    uri_prefix: str = Field(default="", description="only paths that begin like this")
    under: str = Field(default="", description="only files below this folder")
    limit: int = Field(default=100, description="at most this many, 1 to 1000")
    after: str = Field(default="", description="the last path of the page before; empty: first page")
    all_paths: bool = Field(
        default=False,
        description="return every path of the recordings that are named by id, not the first alone",
    )


class AnnotationChoice(CollectionParameters):
    """Which annotations are meant; by default all."""

    label: Optional[str] = Field(default=None, description="only annotations with this label")
    recording_id: Optional[str] = Field(default=None, description="only annotations of this recording")
    source: Optional[str] = Field(default=None, description="only annotations of this origin")


class AnnotationsParameters(AnnotationChoice):
    """Parameters of ``/annotations``."""

    limit: int = Field(default=100, description="at most this many, 1 to 1000", ge=1, le=MAX_PAGE)
    offset: int = Field(default=0, description="number of annotations to skip", ge=0)


class AnnotateParameters(CollectionParameters):
    """Parameters of ``/annotate``."""

    source: str = Field(default="request", description="name of the label file, or another origin")
    recording_id: Optional[str] = Field(
        default=None, description="id or path of the recording to which all annotations belong"
    )


class NarrowedParameters(IndexParameters):
    """Which windows may answer."""

    exclude_self: bool = pydantic_field(SearchRequest, "exclude_self")
    labels: List[str] = pydantic_field(Narrowing, "labels")
    tags: Dict[str, Any] = pydantic_field(Narrowing, "tags")
    where: List[str] = pydantic_field(Narrowing, "where")
    uri_prefix: str = pydantic_field(Narrowing, "uri_prefix")
    under: str = pydantic_field(Narrowing, "under")
    since: Optional[str] = pydantic_field(Narrowing, "since")
    until: Optional[str] = pydantic_field(Narrowing, "until")
    time_of_day: Optional[str] = pydantic_field(Narrowing, "time_of_day")
    time_zone: Optional[str] = pydantic_field(Narrowing, "time_zone")

    def filters(self, recording_id: Optional[str]) -> Filters:
        """Return the store's filters; `recording_id` is the query's own.

        Raises
        ------
        ParameterError
            A condition, a time or the zone cannot be read.
        """
        narrowing = Narrowing(
            labels=tuple(self.labels),
            tags=self.tags,
            where=tuple(self.where),
            uri_prefix=self.uri_prefix,
            under=self.under,
            since=self.since,
            until=self.until,
            time_of_day=self.time_of_day,
        )
        own = recording_id if self.exclude_self else None
        return replace(narrowing.filters(self.zone_name), exclude_recording_id=own)

    @property
    def zone_name(self) -> str:
        """The zone of times that name none, and of the answer's."""
        return self.time_zone or Settings.from_env().time_zone


class SearchParameters(NarrowedParameters):
    """Parameters of ``/search``."""

    collections: List[str] = pydantic_field(SearchRequest, "collections", default=[])
    top_k: int = pydantic_field(SearchRequest, "top_k")
    min_score: float = pydantic_field(SearchRequest, "min_score")
    group_by: str = pydantic_field(SearchRequest, "group_by")
    max_false_alarms: Optional[float] = pydantic_field(SearchRequest, "max_false_alarms")
    like: List[str] = pydantic_field(SearchRequest, "like", default=[])
    unlike: List[str] = pydantic_field(SearchRequest, "unlike", default=[])

    @property
    def examples(self) -> Tuple[Tuple[Example, ...], Tuple[Example, ...]]:
        """The right and the wrong examples.

        Raises
        ------
        ParameterError
            An example cannot be read.
        """
        return parse_examples(self.like, "like"), parse_examples(self.unlike, "unlike")


class TimelineParameters(NarrowedParameters):
    """Parameters of ``/timeline``."""

    min_score: float = pydantic_field(TimelineRequest, "min_score")
    by: str = pydantic_field(TimelineRequest, "by")


class EventsParameters(NarrowedParameters):
    """Parameters of ``/events``."""

    recording: Optional[str] = pydantic_field(EventsRequest, "recording")
    min_score: float = pydantic_field(EventsRequest, "min_score")
    order: str = pydantic_field(EventsRequest, "order")
    max_per_recording: Optional[int] = pydantic_field(EventsRequest, "max_per_recording")
    limit: Optional[int] = pydantic_field(EventsRequest, "limit")
    gap_s: float = pydantic_field(EventsRequest, "gap_s")
    min_duration_s: float = pydantic_field(EventsRequest, "min_duration_s")
    max_false_alarms: Optional[float] = pydantic_field(EventsRequest, "max_false_alarms")
    reread_s: float = Field(
        default=0.0,
        description="above 0: return candidates, and which of their sound to send to /listen, so many "
        "seconds at most",
    )

    def request(self, filters: Filters) -> EventsRequest:
        """Return the core's request.

        Raises
        ------
        ParameterError
            A value is out of its range.
        """
        return EventsRequest(
            filters=filters,
            recording=self.recording,
            min_score=self.min_score,
            order=cast(EventOrder, self.order),
            max_per_recording=self.max_per_recording,
            limit=self.limit,
            gap_s=self.gap_s,
            min_duration_s=self.min_duration_s,
            reread_s=self.reread_s,
            collection=self.collection,
            max_false_alarms=self.max_false_alarms,
        )


class DuplicatesParameters(CollectionParameters):
    """Parameters of ``/duplicates``."""

    under: str = pydantic_field(DuplicatesRequest, "under")
    candidates: int = pydantic_field(DuplicatesRequest, "candidates")

    @property
    def request(self) -> DuplicatesRequest:
        """The core's request.

        Raises
        ------
        ParameterError
            A value is out of its range.
        """
        return DuplicatesRequest(
            prefix_of_path(self.under), candidates=self.candidates, collection=self.collection
        )


class MotifsParameters(CollectionParameters):
    """Parameters of ``/motifs``."""


class ListenParameters(RequestParameters):
    """Parameters of ``/listen``."""

    query_uri: Optional[str] = Field(
        default=None,
        description="path of the query's sound; null: return what differs from the background",
    )
    query_start_s: float = Field(default=0.0, description="second at which the query begins")
    query_end_s: Optional[float] = Field(default=None, description="second at which the query ends")
    min_score: float = pydantic_field(EventsRequest, "min_score")
    gap_s: float = pydantic_field(EventsRequest, "gap_s")
    model_of: Optional[str] = Field(
        default=None,
        description="compare the documents with each other in place of a query, and keep what that says "
        "of the false alarms of events in this collection",
    )
    collection_size: int = Field(default=0, description="with `model_of`: recordings in the collection")


class IdentifyParameters(RequestParameters):
    """Parameters of ``/identify``."""

    max_false_accepts: Optional[float] = pydantic_field(Acceptance, "max_false_accepts")
    threshold: Optional[float] = pydantic_field(Acceptance, "threshold")

    @property
    def acceptance(self) -> Acceptance:
        """The core's request.

        Raises
        ------
        ParameterError
            A value is out of its range.
        """
        return Acceptance(max_false_accepts=self.max_false_accepts, threshold=self.threshold)


class VerifyParameters(IdentifyParameters):
    """Parameters of ``/verify``."""

    speaker: str = Field(description="name of the speaker")


class EnrolParameters(RequestParameters):
    """Parameters of ``/enrol``."""

    speaker: str = Field(description="name of the speaker")


class SpeakersParameters(RequestParameters):
    """Parameters of ``/speakers``."""


class UtterancesParameters(RequestParameters):
    """Parameters of ``/utterances``."""

    speaker: Optional[str] = Field(default=None, description="name of the speaker")
    uri: Optional[str] = Field(
        default=None, description="in place of a speaker: tell whether this path is a recording of one"
    )


class RemoveSpeakerParameters(RequestParameters):
    """Parameters of ``/remove_speaker``."""

    speaker: str = Field(description="name of the speaker")
    recording_id: Optional[str] = Field(
        default=None, description="remove only this recording of the speaker"
    )


class NormalParameters(RequestParameters):
    """Parameters of ``/normal_remove``."""

    name: str = Field(description="name of the model")


class NormalModelsParameters(RequestParameters):
    """Parameters of ``/normal_models``."""

    name: Optional[str] = Field(default=None, description="only this model, with its recordings")


class NormalLearnParameters(NormalParameters, CollectionParameters):
    """Parameters of ``/normal_learn``."""

    labels: List[str] = pydantic_field(Narrowing, "labels", default=[])
    tags: Dict[str, Any] = pydantic_field(Narrowing, "tags")
    where: List[str] = pydantic_field(Narrowing, "where")
    uri_prefix: Optional[str] = pydantic_field(Narrowing, "uri_prefix", default=None)
    under: Optional[str] = pydantic_field(Narrowing, "under", default=None)
    method: Optional[str] = pydantic_field(LearnRequest, "method")
    false_alarm_rate: Optional[float] = pydantic_field(LearnRequest, "false_alarm_rate")
    group_pattern: Optional[str] = pydantic_field(LearnRequest, "group_pattern")
    replace: bool = pydantic_field(LearnRequest, "replace")
    accept: bool = pydantic_field(LearnRequest, "accept")

    @property
    def request(self) -> LearnRequest:
        """The core's request."""
        return LearnRequest(
            method=self.method,
            false_alarm_rate=self.false_alarm_rate,
            group_pattern=self.group_pattern,
            replace=self.replace,
            accept=self.accept,
        )

    @property
    def filters(self) -> Filters:
        """The store's filters."""
        narrowing = Narrowing(
            labels=tuple(self.labels),
            tags=self.tags,
            where=tuple(self.where),
            uri_prefix=self.uri_prefix or "",
            under=self.under or "",
        )
        return narrowing.filters("UTC")


class NormalScoreParameters(NormalParameters, IndexParameters):
    """Parameters of ``/normal_score``; the windows must be those of the model."""


class MapParameters(CollectionParameters):
    """Parameters of ``/map``."""

    points: str = pydantic_field(MapRequest, "points")
    method: str = pydantic_field(MapRequest, "method")
    neighbours: int = pydantic_field(MapRequest, "neighbours")
    seed: int = pydantic_field(MapRequest, "seed")
    max_points: int = pydantic_field(MapRequest, "max_points")
    min_cluster: Optional[int] = pydantic_field(MapRequest, "min_cluster")
    refit: bool = pydantic_field(MapRequest, "refit")
    normal: Optional[str] = pydantic_field(MapRequest, "normal")

    @property
    def request(self) -> MapRequest:
        """The core's request."""
        return MapRequest(**self.model_dump())


class NormalEventsParameters(NormalParameters):
    """Parameters of ``/normal_events``."""

    hours: float = pydantic_field(WatchRequest, "hours")
    only_anomalous: bool = pydantic_field(WatchRequest, "only_anomalous")
    limit: int = pydantic_field(WatchRequest, "limit")

    @property
    def request(self) -> WatchRequest:
        """The core's request."""
        return WatchRequest(hours=self.hours, only_anomalous=self.only_anomalous, limit=self.limit)
