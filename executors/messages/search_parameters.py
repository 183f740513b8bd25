"""The parameters of named searches; see `executors.messages.parameters`."""

from dataclasses import fields
from typing import List, Optional, cast

from pydantic import Field

from executors.messages.parameters import CollectionParameters, NarrowedParameters
from executors.messages.request_fields import pydantic_field
from soundalike.audio.excerpt import Excerpt
from soundalike.errors import ParameterError
from soundalike.learning.orders import Order
from soundalike.ranges import GroupBy
from soundalike.search.examples import Example, parse_examples
from soundalike.search.requests import Narrowing, SearchRequest
from soundalike.searches.requests import RunRequest, SaveRequest
from soundalike.searches.requests import Settings as SearchSettings
from soundalike.searches.review_requests import EstimateRequest, ReviewRequest


class SearchesParameters(CollectionParameters):
    """Parameters of ``/searches``."""

    name: Optional[str] = Field(default=None, description="only this search, with its marks")


class NamedSearchParameters(CollectionParameters):
    """Parameters of ``/search_undo``, ``/search_export`` and ``/search_remove``."""

    name: str = Field(description="name of the search")


class SaveSearchParameters(NarrowedParameters):
    """Parameters of ``/search_save``."""

    name: str = pydantic_field(SaveRequest, "name")
    replace: bool = pydantic_field(SaveRequest, "replace")
    query_name: Optional[str] = Field(
        default=None, description="name of the query, in place of the path of its sound"
    )
    top_k: int = pydantic_field(SearchRequest, "top_k")
    min_score: float = pydantic_field(SearchRequest, "min_score")
    group_by: str = pydantic_field(SearchRequest, "group_by")
    max_false_alarms: Optional[float] = pydantic_field(SearchRequest, "max_false_alarms")
    like: List[str] = pydantic_field(SearchRequest, "like", default=[])
    unlike: List[str] = pydantic_field(SearchRequest, "unlike", default=[])

    def request(self, kind: str, excerpt: Excerpt) -> SaveRequest:
        """Return the core's request.

        Raises
        ------
        ParameterError
            A value is out of its range.
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
            time_zone=self.zone_name,
        )
        return SaveRequest(
            name=self.name,
            kind=kind,
            excerpt=excerpt,
            settings=SearchSettings(
                narrowing=narrowing,
                exclude_self=self.exclude_self,
                top_k=self.top_k,
                min_score=self.min_score,
                max_false_alarms=self.max_false_alarms,
                group_by=cast(GroupBy, self.group_by),
            ),
            like=parse_examples(self.like, "like"),
            unlike=parse_examples(self.unlike, "unlike"),
            replace=self.replace,
            collection=self.collection,
        )


class RunSearchParameters(NamedSearchParameters):
    """Parameters of ``/search_run``."""

    since: Optional[str] = pydantic_field(RunRequest, "since")
    until: Optional[str] = pydantic_field(RunRequest, "until")
    time_zone: Optional[str] = pydantic_field(RunRequest, "time_zone")
    unmarked: bool = pydantic_field(RunRequest, "unmarked")
    use_marks: bool = pydantic_field(RunRequest, "use_marks")
    top_k: Optional[int] = pydantic_field(RunRequest, "top_k")
    min_score: Optional[float] = pydantic_field(RunRequest, "min_score")
    max_false_alarms: Optional[float] = pydantic_field(RunRequest, "max_false_alarms")

    @property
    def request(self) -> RunRequest:
        """The core's request."""
        return RunRequest(**{one.name: getattr(self, one.name) for one in fields(RunRequest)})


class MarkSearchParameters(NamedSearchParameters):
    """Parameters of ``/search_mark``."""

    verdict: str = Field(description="right, wrong, or clear: remove the marks of the place")
    uri: Optional[str] = Field(default=None, description="path of the recording")
    recording_id: Optional[str] = Field(default=None, description="id of the recording, in its place")
    start_s: Optional[float] = Field(default=None, description="begin in seconds; default: all of it")
    end_s: Optional[float] = Field(default=None, description="end in seconds")
    by: str = Field(default="", description="name of the person who decides")

    @property
    def place(self) -> Example:
        """The recording, or the part of it.

        Raises
        ------
        ParameterError
            There is none, or not exactly one name of the recording or both ends of the part.
        """
        key = self.recording_id or self.uri
        if not key or (self.recording_id and self.uri):
            raise ParameterError("the place has both or none of uri and recording_id; give one of them")
        if (self.start_s is None) != (self.end_s is None):
            raise ParameterError("the place has only one of start_s and end_s; give both, or neither")
        return Example(key, Excerpt(self.start_s, self.end_s))


class AcceptSearchParameters(NamedSearchParameters):
    """Parameters of ``/search_accept``."""

    label: str = Field(description="label of the annotations")
    by: str = Field(default="", description="name of the person who decides")


class ReviewSearchParameters(NamedSearchParameters):
    """Parameters of ``/search_review``."""

    order: str = pydantic_field(ReviewRequest, "order")
    share: int = pydantic_field(ReviewRequest, "share")
    seed: int = pydantic_field(ReviewRequest, "seed")
    min_precision: Optional[float] = pydantic_field(ReviewRequest, "min_precision")
    label: Optional[str] = pydantic_field(ReviewRequest, "label")
    use_marks: bool = pydantic_field(ReviewRequest, "use_marks")
    min_score: Optional[float] = pydantic_field(ReviewRequest, "min_score")
    top_k: Optional[int] = pydantic_field(ReviewRequest, "top_k")

    @property
    def request(self) -> ReviewRequest:
        """The core's request."""
        values = {one.name: getattr(self, one.name) for one in fields(ReviewRequest)}
        return ReviewRequest(**{**values, "order": cast(Order, self.order)})


class EstimateSearchParameters(NamedSearchParameters):
    """Parameters of ``/search_estimate``."""

    use_marks: bool = pydantic_field(EstimateRequest, "use_marks")
    min_score: Optional[float] = pydantic_field(EstimateRequest, "min_score")
    min_precision: float = pydantic_field(EstimateRequest, "min_precision")

    @property
    def request(self) -> EstimateRequest:
        """The core's request."""
        return EstimateRequest(**{one.name: getattr(self, one.name) for one in fields(EstimateRequest)})


class ImportSearchParameters(CollectionParameters):
    """Parameters of ``/search_import``."""

    name: Optional[str] = Field(default=None, description="name of the search; default: the file's")
    replace: bool = pydantic_field(SaveRequest, "replace")
