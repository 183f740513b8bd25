"""The parameters of requests.

Jina sends the same parameters to every executor of a Flow, so each endpoint has one model. Every
executor of the endpoint declares it, also where it reads none of them: an executor that stands alone
refuses unknown names as well.
"""

from typing import Any, Dict, List, Optional, Type

from pydantic import BaseModel, Field, ValidationError

from executors.messages.names import JINAS_OWN, PARAMETER_ALIASES, aliases_of
from executors.messages.validation import invalid_values
from soundalike.clock.wall_clock import with_times
from soundalike.config import DEFAULT_COLLECTION, Settings
from soundalike.errors import ParameterError
from soundalike.filters import Filters, parse_conditions
from soundalike.parameters import refuse_unknown, resolve_aliases
from soundalike.types import EXTERNAL


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
    encoder_name: str = Field(default=EXTERNAL, description="what computed the vectors")


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
    """Parameters of ``/labels`` and ``/folders``."""

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


class NarrowedParameters(IndexParameters):
    """Which windows may answer."""

    exclude_self: bool = Field(default=False, description="leave out the query's own recording")
    labels: List[str] = Field(default=[], description="only recordings with one of these labels")
    tags: Dict[str, Any] = Field(default={}, description="only recordings with all these tags")
    where: List[str] = Field(
        default=[],
        description="only recordings whose tags meet all these conditions, like depth_m>=1.5, "
        "site in pond,lake, gps.lat<0, checked=true",
    )
    uri_prefix: str = Field(default="", description="only paths that begin like this")
    under: str = Field(default="", description="only files below this folder, in place of uri_prefix")
    since: Optional[str] = Field(
        default=None, description="only what was heard at this time or later; a date, or ISO-8601"
    )
    until: Optional[str] = Field(default=None, description="only what was heard before this time")
    time_of_day: Optional[str] = Field(
        default=None, description="only what was heard between two times of a clock, 05:00-08:00"
    )
    time_zone: Optional[str] = Field(
        default=None,
        description="of times that name none, and of the answer's; default: the service's "
        "SOUNDALIKE_TIME_ZONE, else UTC",
    )

    def filters(self, recording_id: Optional[str]) -> Filters:
        """Return the store's filters; `recording_id` is the query's own.

        Raises
        ------
        ParameterError
            A condition, a time or the zone cannot be read.
        """
        filters = Filters(
            labels=tuple(self.labels),
            tags=self.tags,
            uri_prefix=prefix_of(self.uri_prefix, self.under),
            where=parse_conditions(self.where),
            exclude_recording_id=recording_id if self.exclude_self else None,
        )
        return with_times(
            filters,
            self.zone_name,
            since=self.since,
            until=self.until,
            time_of_day=self.time_of_day,
        )

    @property
    def zone_name(self) -> str:
        """The zone of times that name none, and of the answer's."""
        return self.time_zone or Settings.from_env().time_zone


class SearchParameters(NarrowedParameters):
    """Parameters of ``/search``."""

    collections: List[str] = Field(
        default=[],
        description="where to look, in place of collection: several of the same encoder and windows",
    )
    top_k: int = Field(default=10, description="at most this many matches, 1 to 1000")
    min_score: float = Field(default=-1.0, description="leave out matches with a lower score")
    group_by: str = Field(
        default="recording",
        description="recording, or label: the best match of each label; an unlabelled recording stands "
        "for itself",
    )


class TimelineParameters(NarrowedParameters):
    """Parameters of ``/timeline``."""

    min_score: float = Field(description="windows count whose score is at least this")
    by: str = Field(default="day", description="hour, day, week or month, by the clocks of time_zone")


#: The model of each endpoint.
PARAMETERS: Dict[str, Type[RequestParameters]] = {
    "index": IndexParameters,
    "index_vectors": VectorsParameters,
    "search": SearchParameters,
    "timeline": TimelineParameters,
    "delete": CollectionParameters,
    "status": CollectionParameters,
    "recordings": RecordingsParameters,
    "collections": CollectionsParameters,
    "drop": DropParameters,
    "labels": CountParameters,
    "folders": CountParameters,
}


def prefix_of(uri_prefix: str, under: str) -> str:
    """Return what paths begin with that have a prefix, or lie below a folder.

    Raises
    ------
    ParameterError
        Both were given.
    """
    if under and uri_prefix:
        raise ParameterError(f"under is {under!r} and uri_prefix is {uri_prefix!r}; give one of them")
    return under.rstrip("/") + "/" if under else uri_prefix
