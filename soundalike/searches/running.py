"""Run a named search: search again without the places that were marked wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import tzinfo

from soundalike.audio.excerpt import Excerpt
from soundalike.clock.start_time import zone_named
from soundalike.errors import ParameterError, RecordingNotFound, SilentQuery
from soundalike.events.candidates import stored_events
from soundalike.events.requests import EventsRequest
from soundalike.events.types import Event, FoundEvents
from soundalike.filters import Filters
from soundalike.search.examples import MAX_MARKS
from soundalike.search.find import Answer, find_hits
from soundalike.search.marked import joined
from soundalike.search.queries import EmbeddedQuery, exclude_query, stored_query
from soundalike.search.ranking import rank_collections
from soundalike.searches.places import RIGHT, WRONG, by_recording, verdict
from soundalike.searches.requests import RunRequest, Settings
from soundalike.searches.reviewed import without_places
from soundalike.searches.saving import fitted, load_search
from soundalike.store.named_searches import SearchMark
from soundalike.store.partial import partial_answers
from soundalike.store.protocol import Store


@dataclass(frozen=True, slots=True)
class Found:
    """Result of running a named search.

    Attributes
    ----------
    answer : Answer
        As of a search.
    encoder : str
    duration_s : float
        Length of the query.
    max_false_alarms : float or None
        The limit that was searched with.
    time_zone : str
        Zone of the times in the answer.
    """

    answer: Answer
    encoder: str
    duration_s: float
    max_false_alarms: float | None
    time_zone: str

    @property
    def zone(self) -> tzinfo:
        """The zone of the times in the answer."""
        return zone_named(self.time_zone)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A named search that is ready to run.

    Attributes
    ----------
    query : EmbeddedQuery
        The main query alone.
    like, unlike : list of EmbeddedQuery
        Further examples.
    settings : Settings
    filters : Filters
    marks : list of SearchMark
        In the order of marking.
    """

    query: EmbeddedQuery
    like: list[EmbeddedQuery]
    unlike: list[EmbeddedQuery]
    settings: Settings
    filters: Filters
    marks: list[SearchMark]


def prepare(store: Store, name: str, request: RunRequest, *, collection: str) -> Prepared:
    """Return a named search with the changes of a run.

    Raises
    ------
    SearchNotFound
        The collection has none of this name.
    ModelMismatch
        The collection was rebuilt, and the query is not stored.
    ParameterError
        A value is out of its range.
    """
    definition = load_search(store, name, collection=collection)
    settings = request.applied_to(definition.settings)
    filters = settings.filters()
    query, like, unlike = fitted(store, definition, collection=collection)
    marks = store.search_marks(name, collection=collection)
    if request.use_marks:
        right, wrong = marked_examples(store, marks, collection)
        like, unlike = [*like, *right], [*unlike, *wrong]
    filters = exclude_query(filters, query, exclude_self=settings.exclude_self)
    return Prepared(query, like, unlike, settings, filters, marks)


def run_search(store: Store, name: str, request: RunRequest, *, collection: str) -> Found:
    """Search again; places that were marked wrong are not found, in favour of others.

    Parameters
    ----------
    store : Store
    name : str
    request : RunRequest
    collection : str

    Raises
    ------
    SearchNotFound, ModelMismatch, ParameterError, StoreError
        As for `prepare`.
    """
    ready = prepare(store, name, request, collection=collection)
    query, settings = joined(ready.query, ready.like, ready.unlike), ready.settings
    with partial_answers() as missing:
        results = find_hits(
            without_places(store, ready.marks, unmarked=request.unmarked),
            query,
            top_k=settings.top_k,
            filters=ready.filters,
            collections=[collection],
            group_by=settings.group_by,
        )
    matches = rank_collections(
        results,
        query.windows,
        top_k=settings.top_k,
        min_score=settings.min_score,
        group_by=settings.group_by,
        max_false_alarms=settings.max_false_alarms,
    )
    warnings = (*query.warnings, *missing.warnings)
    answer = Answer(query.name, query.recording_id, query.windows, matches, warnings, missing.shards)
    return Found(
        answer,
        query.spec.encoder,
        query.duration_s,
        settings.max_false_alarms,
        settings.time_zone,
    )


def run_events(
    store: Store, name: str, request: RunRequest, *, collection: str
) -> tuple[FoundEvents, Iterator[Event], tzinfo]:
    """Find every occurrence of the query by stored vectors, without the places that were marked wrong.

    Further examples are not used. Returns facts of the query, the events, and the zone of their times.

    Raises
    ------
    SearchNotFound, ModelMismatch, ParameterError, StoreError
        As for `prepare`.
    """
    ready = prepare(store, name, replace(request, use_marks=False), collection=collection)
    asked = EventsRequest(
        filters=ready.filters,
        min_score=EventsRequest.min_score if request.min_score is None else request.min_score,
        limit=request.top_k,
        reread_s=0.0,
        collection=collection,
    )
    warnings = list(ready.query.warnings)
    if ready.like or ready.unlike:
        warnings.append("events are those of the query; further examples are not used")
    hidden = {WRONG, RIGHT} if request.unmarked else {WRONG}
    marks = by_recording(ready.marks)
    found = stored_events(store, ready.query, replace(asked, limit=None))
    events = (
        event
        for event in found
        if verdict(event.recording.recording_id, event.start_s, event.end_s, marks) not in hidden
    )
    about = FoundEvents(ready.query.name, ready.query.spec.encoder, [], tuple(warnings))
    return about, _first(events, asked.limit), ready.filters.time_zone


def marked_examples(
    store: Store, marks: Sequence[SearchMark], collection: str
) -> tuple[list[EmbeddedQuery], list[EmbeddedQuery]]:
    """Return the stored windows of the latest right and wrong places; others are left out."""
    found: tuple[list[EmbeddedQuery], list[EmbeddedQuery]] = ([], [])
    for mark in reversed(marks):
        some = found[not mark.is_right]
        if len(some) >= MAX_MARKS:
            continue
        with suppress(RecordingNotFound, SilentQuery, ParameterError):
            some.append(stored_query(store, mark.recording_id, excerpt_of(mark), [collection]))
    return found


def excerpt_of(mark: SearchMark) -> Excerpt:
    """Return the part of the recording that a mark covers."""
    if mark.end_s > mark.start_s:
        return Excerpt(mark.start_s, mark.end_s)
    return Excerpt(at_s=mark.start_s)


def _first(events: Iterator[Event], limit: int | None) -> Iterator[Event]:
    for number, event in enumerate(events, start=1):
        yield event
        if number == limit:
            return
