"""Requests of named searches: their defaults, limits and descriptions, the same for every door."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.filters import Filters
from soundalike.parameters import about
from soundalike.ranges import (
    MAX_TOP_K,
    GroupBy,
    check_group_by,
    check_max_false_alarms,
    check_min_score,
    check_top_k,
)
from soundalike.search.examples import Example
from soundalike.search.requests import Narrowing, SearchRequest, prefix_of

#: What the main query of a named search was.
KINDS = ("file", "recording", "vector", "text", "label")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a named search looks, beside its query and its examples.

    Attributes
    ----------
    narrowing : Narrowing
        Filters as people write them.
    exclude_self, top_k, min_score, max_false_alarms, group_by
        As for `soundalike.search.requests.SearchRequest`.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    narrowing: Narrowing = field(default_factory=Narrowing)
    exclude_self: bool = SearchRequest.exclude_self
    top_k: int = SearchRequest.top_k
    min_score: float = SearchRequest.min_score
    max_false_alarms: float | None = SearchRequest.max_false_alarms
    group_by: GroupBy = SearchRequest.group_by

    def __post_init__(self) -> None:
        check_top_k(self.top_k)
        check_min_score(self.min_score)
        check_max_false_alarms(self.max_false_alarms)
        check_group_by(self.group_by)

    @property
    def time_zone(self) -> str:
        """Zone of times that name none, and of answers."""
        return self.narrowing.time_zone or "UTC"

    def filters(self) -> Filters:
        """Return the store's filters.

        Raises
        ------
        ParameterError
            A condition, a time or the zone cannot be read.
        """
        return self.narrowing.filters(self.time_zone)


@dataclass(frozen=True, kw_only=True)
class SaveRequest:
    """What to save under which name; the vectors of the query come beside it."""

    name: str = field(metadata=about("name of the search"))
    kind: str = "file"
    excerpt: Excerpt = WHOLE
    settings: Settings = field(default_factory=Settings)
    like: tuple[Example, ...] = ()
    unlike: tuple[Example, ...] = ()
    replace: bool = field(
        default=False, metadata=about("replace a search of this name, which keeps its marks")
    )
    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """How to run a named search; what is not given is as it was saved."""

    since: str | None = field(
        default=None, metadata=about("only what was heard at this time or later; a date, or ISO 8601")
    )
    until: str | None = field(
        default=None, metadata=about("only what was heard before this time; a date, or ISO 8601")
    )
    time_zone: str | None = field(
        default=None, metadata=about("zone of times that name none, and of the answer's")
    )
    unmarked: bool = field(
        default=False,
        metadata=about("leave out the places that were marked right, too; wrong ones are never shown"),
    )
    use_marks: bool = field(
        default=False,
        metadata=about("use the latest marks as further examples, at most 100 of each kind"),
    )
    top_k: int | None = field(
        default=None, metadata=about("at most this many matches, 1 to 1000", ge=1, le=MAX_TOP_K)
    )
    min_score: float | None = field(default=None, metadata=about("leave out matches with a lower score"))
    max_false_alarms: float | None = field(
        default=None,
        metadata=about("leave out matches whose false-alarm rate is higher or unknown, like 0.01"),
    )

    def applied_to(self, saved: Settings) -> Settings:
        """Return the saved settings with the changes of this run.

        Raises
        ------
        ParameterError
            A value is out of its range.
        """
        times = ("since", "until", "time_zone")
        limits = ("top_k", "min_score", "max_false_alarms")
        return replace(
            saved,
            narrowing=replace(saved.narrowing, **self._given(times)),
            **self._given(limits),
        )

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def narrowing_to_json(narrowing: Narrowing) -> dict[str, Any]:
    """Return the JSON object of filters; one that is not set is left out.

    Raises
    ------
    ParameterError
        A path is given in two ways.
    """
    prefix = prefix_of(narrowing.uri_prefix, narrowing.under)
    values = {one.name: getattr(narrowing, one.name) for one in fields(narrowing)}
    del values["under"]
    found = {
        **values,
        "labels": list(narrowing.labels),
        "tags": dict(narrowing.tags),
        "where": list(narrowing.where),
        "uri_prefix": prefix,
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def narrowing_from_json(row: dict[str, Any]) -> Narrowing:
    """Return the filters of a JSON object.

    Raises
    ------
    TypeError, ValueError
        The object has another form.
    """
    given = dict(row)
    labels, where = (tuple(_texts(given.pop(name, []))) for name in ("labels", "where"))
    tags = given.pop("tags", {})
    if not isinstance(tags, dict):
        raise TypeError("tags are not an object")
    for name, value in given.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} is not a text")
    return Narrowing(labels=labels, where=where, tags=tags, **given)


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list of texts is expected")
    return values


def check_kind(kind: str) -> None:
    """Raise `ParameterError` for an unknown kind of query."""
    if kind not in KINDS:
        raise ParameterError(f"the kind of the query is {kind!r}; it is one of {', '.join(KINDS)}")
