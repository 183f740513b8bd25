"""Find where recordings may have events, by stored vectors, and make events of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from soundalike.encoders.layout import examples_of
from soundalike.events.assembling import FalseAlarmsOf, events_of, in_order
from soundalike.events.calibrating import rates_of
from soundalike.events.parts import Screened
from soundalike.events.requests import MAX_EVENTS, EventsRequest
from soundalike.events.rereading import choose_stretches
from soundalike.events.screening import screen
from soundalike.events.types import Event
from soundalike.search.queries import EmbeddedQuery, exclude_query
from soundalike.store.base import check_embeddings, check_spec, not_indexed
from soundalike.store.protocol import Store

#: Called with the number of recordings whose vectors were compared, and None; then with the number of
#: recordings whose sound was read again, and of all.
OnProgress = Callable[[int, int | None], None]

#: Parts that score at least this by their stored vectors are heard again.
_WORTH_HEARING = 0.2
#: Paths that are looked up in one query.
_NAMED_TOGETHER = 1000


def check_fit(store: Store, query: EmbeddedQuery, request: EventsRequest) -> None:
    """Raise an error unless a query fits the collection of a request.

    Raises
    ------
    IndexEmpty, ModelMismatch, DimensionMismatch
        The collection does not exist, or does not fit the query.
    """
    spec = store.collections().get(request.collection)
    if spec is None:
        raise not_indexed(request.collection)
    check_spec(spec, query.spec)
    check_embeddings(query.embeddings, None, spec)


def screen_recordings(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    on_progress: OnProgress = lambda done, total: None,
) -> list[Screened]:
    """Return where recordings may have events, and what should be read again within the budget.

    Parameters and errors are those of `soundalike.events.find.find_events`. The recordings carry the
    sizes and times of their files when they were indexed.
    """
    check_fit(store, query, request)
    least = min(request.min_score, _WORTH_HEARING)
    screened = _most_promising(
        screen_each(store, query, replace(request, min_score=least), on_progress), MAX_EVENTS
    )
    chosen = choose_stretches(
        [(each.recording.duration_s, each.found) for each in screened], request.reread_s
    )
    for each, stretches in zip(screened, chosen, strict=True):
        each.stretches = stretches
    _name_files(store, [each for each in screened if each.stretches], request.collection)
    return screened


def screen_each(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    on_progress: OnProgress = lambda done, total: None,
) -> Iterator[Screened]:
    """Yield where recordings have events, by stored vectors alone."""
    n_examples = examples_of(query.spec)
    filters = exclude_query(request.filters, query, exclude_self=request.exclude_self)
    recordings = store.searchable_windows(
        filters, recording_id=request.recording, collection=request.collection
    )
    for done, windows in enumerate(recordings, start=1):
        on_progress(done, None)
        yield Screened(windows.recording, screen(windows, query, n_examples, request.min_score))


def _name_files(store: Store, screened: Sequence[Screened], collection: str) -> None:
    """Complete recordings with the size and time of their files; a path that is gone is not read."""
    for begin in range(0, len(screened), _NAMED_TOGETHER):
        some = screened[begin : begin + _NAMED_TOGETHER]
        named = store.files_named([each.recording.uri for each in some], collection=collection)
        for each in some:
            if each.recording.uri in named:
                each.recording = named[each.recording.uri].recording
            else:
                each.stretches = []


def _most_promising(candidates: Iterator[Screened], count: int) -> list[Screened]:
    """Return the candidates of all recordings; of very many, only the best."""
    kept: list[Screened] = []
    total = 0
    for each in candidates:
        kept.append(each)
        total += len(each.found)
        if total > 2 * count:
            total = _prune(kept, count)
    return kept


def _prune(kept: list[Screened], count: int) -> int:
    """Remove all but the best candidates; return how many are left."""
    scores = sorted((one.score for each in kept for one in each.found), reverse=True)
    for each in kept:
        each.found = [one for one in each.found if one.score > scores[count]]
    return sum(len(each.found) for each in kept)


def stored_events(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    false_alarms: FalseAlarmsOf | None = None,
) -> Iterator[Event]:
    """Yield every occurrence of a query by stored vectors alone.

    Parameters and errors are those of `soundalike.events.find.find_events`.
    """
    check_fit(store, query, request)
    false_alarms = false_alarms or rates_of(store, query, request.collection).of
    has_time = query.duration_s > 0
    events = (
        event
        for each in screen_each(store, query, request)
        for event in events_of(
            each.recording, each.found, request, has_time=has_time, false_alarms=false_alarms
        )
    )
    yield from in_order(events, request.order, request.limit)
