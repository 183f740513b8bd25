"""Find where recordings may have events, by stored vectors, and make events of what was found."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from soundalike.encoders.base import examples_of
from soundalike.events.requests import MAX_EVENTS, EventOrder, EventsRequest
from soundalike.events.rereading import Stretches, choose_stretches
from soundalike.events.screening import Found, screen
from soundalike.events.types import Event
from soundalike.search.queries import EmbeddedQuery, exclude_query
from soundalike.store.base import check_embeddings, check_spec, not_indexed
from soundalike.store.protocol import Store
from soundalike.store.times import is_within
from soundalike.types import Recording

#: Expected number of false alarms in an hour for a score; None where it is not known.
FalseAlarms = Callable[[float], float | None]

#: Called with the number of recordings whose vectors were compared, and None; then with the number of
#: recordings whose sound was read again, and of all.
OnProgress = Callable[[int, int | None], None]

#: Parts that score at least this by their stored vectors are heard again.
_WORTH_HEARING = 0.2
#: Events within the gap are joined if the lower score is at least this share of the higher.
_ALIKE = 0.6
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


@dataclass(slots=True)
class Screened:
    """Where a recording may have events, by its stored vectors.

    Attributes
    ----------
    recording : Recording
    found : list of Found
    stretches : list of (float, float)
        Begins and ends in seconds of the parts whose sound should be read again.
    """

    recording: Recording
    found: list[Found] = field(default_factory=list)
    stretches: Stretches = field(default_factory=list)


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


def merged(screened: Screened, answers: Sequence[Sequence[Found] | None]) -> list[Found]:
    """Return what was found in sound, and by vectors alone elsewhere.

    Parameters
    ----------
    screened : Screened
    answers : sequence
        For each stretch what was found in it, in seconds from its begin; None if it could not be read.
    """
    found: list[Found] = []
    left = screened.found
    for (begin_s, end_s), answer in zip(screened.stretches, answers, strict=True):
        if answer is None:
            continue
        found += [
            replace(one, start_s=one.start_s + begin_s, end_s=one.end_s + begin_s) for one in answer
        ]
        left = [one for one in left if one.end_s <= begin_s or one.start_s >= end_s]
    return found + left


def events_of(
    recording: Recording,
    found: Sequence[Found],
    request: EventsRequest,
    *,
    has_time: bool = True,
    false_alarms: FalseAlarms = lambda score: None,
) -> Iterator[Event]:
    """Yield the events of a recording that the request asks for, by their begin.

    Parameters
    ----------
    recording : Recording
    found : sequence of Found
        What `screen_recordings` or `merged` returned.
    request : EventsRequest
    has_time : bool
        Whether the query has a time axis.
    false_alarms : callable, optional
        As for `find_events`.
    """
    kept = [
        one
        for one in _joined([one for one in found if one.score >= request.min_score], request.gap_s)
        if one.end_s - one.start_s >= request.min_duration_s
        and is_within(request.filters, recording.recorded_at, one.start_s)
    ]
    if request.max_per_recording is not None:
        kept = heapq.nlargest(request.max_per_recording, kept, key=lambda one: one.score)
    for one in sorted(kept, key=lambda one: (one.start_s, one.end_s)):
        yield Event(
            recording,
            one.start_s,
            min(one.end_s, recording.duration_s),
            one.query_start_s if has_time else None,
            one.query_end_s if has_time else None,
            one.score,
            false_alarms(one.score),
            request.collection,
        )


def in_order(events: Iterable[Event], order: EventOrder, limit: int | None) -> Iterator[Event]:
    """Yield events of all recordings, which come in order of time, in the order of a request."""
    if order == "score":
        yield from heapq.nlargest(limit or MAX_EVENTS, events, key=lambda event: event.score)
    else:
        yield from islice(events, limit)


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


def _joined(found: list[Found], gap_s: float) -> list[Found]:
    """Return the parts with those joined that are alike and have at most a gap between them."""
    joined: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start_s, one.end_s)):
        last = joined[-1] if joined else None
        if (
            last is not None
            and one.start_s - last.end_s <= gap_s
            and min(one.score, last.score) >= _ALIKE * max(one.score, last.score) > 0
        ):
            best = max(one, last, key=lambda part: part.score)
            joined[-1] = replace(best, start_s=last.start_s, end_s=max(one.end_s, last.end_s))
        else:
            joined.append(one)
    return joined


def stored_events(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    false_alarms: FalseAlarms = lambda score: None,
) -> Iterator[Event]:
    """Yield every occurrence of a query by stored vectors alone.

    Parameters and errors are those of `soundalike.events.find.find_events`.
    """
    check_fit(store, query, request)
    has_time = query.duration_s > 0
    events = (
        event
        for each in screen_each(store, query, request)
        for event in events_of(
            each.recording, each.found, request, has_time=has_time, false_alarms=false_alarms
        )
    )
    yield from in_order(events, request.order, request.limit)
