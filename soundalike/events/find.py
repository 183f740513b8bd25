"""Find every occurrence of a query in a recording, a folder or a collection."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from soundalike.encoders.base import examples_of
from soundalike.events.aligning import align
from soundalike.events.listening import Listener, QuerySound
from soundalike.events.requests import MAX_EVENTS, EventsRequest
from soundalike.events.rereading import Stretches, choose_stretches
from soundalike.events.screening import Found, screen
from soundalike.events.types import Event
from soundalike.filters import Filters
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


@dataclass(slots=True)
class _Candidates:
    """Where a recording may have events, by its stored vectors."""

    recording: Recording
    found: list[Found] = field(default_factory=list)


def find_events(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    *,
    listener: Listener | None = None,
    false_alarms: FalseAlarms = lambda score: None,
    on_progress: OnProgress = lambda done, total: None,
) -> Iterator[Event]:
    """Yield every occurrence of a query.

    Parameters
    ----------
    store : Store
    query : EmbeddedQuery
        The vectors of the request's query.
    request : EventsRequest
    listener : Listener, optional
        Reads the sound of recordings and of the query again, within `request.reread_s`; without it only
        the stored vectors are compared.
    false_alarms : callable, optional
        Returns the `false_alarm_rate` of a score.
    on_progress : callable, optional

    Raises
    ------
    IndexEmpty, ModelMismatch, DimensionMismatch
        The collection does not exist, or does not fit the query.
    StoreError, ParameterError
        As their names say.
    """
    spec = store.collections().get(request.collection)
    if spec is None:
        raise not_indexed(request.collection)
    check_spec(spec, query.spec)
    check_embeddings(query.embeddings, None, spec)
    sound = None
    if listener is not None and request.reread_s > 0:
        sound = listener.query_sound(request.query, query.name)
    filters = exclude_query(request.filters, query, exclude_self=request.exclude_self)
    search = _Search(store, query, request, filters, listener, sound, false_alarms, on_progress)
    events = search.events()
    if request.order == "score":
        limit = request.limit or MAX_EVENTS
        yield from heapq.nlargest(limit, events, key=lambda event: event.score)
    else:
        yield from islice(events, request.limit)


@dataclass(frozen=True, slots=True)
class _Search:
    """One search for events."""

    store: Store
    query: EmbeddedQuery
    request: EventsRequest
    filters: Filters
    listener: Listener | None
    sound: QuerySound | None
    false_alarms: FalseAlarms
    on_progress: OnProgress

    def events(self) -> Iterator[Event]:
        """Yield the events in order of time."""
        if self.listener is None or self.sound is None:
            for candidates in self._screened(self.request.min_score):
                yield from self._events_of(candidates.recording, candidates.found)
            return
        all_candidates = _most_promising(
            self._screened(min(self.request.min_score, _WORTH_HEARING)), MAX_EVENTS
        )
        chosen = choose_stretches(
            [(candidates.recording.duration_s, candidates.found) for candidates in all_candidates],
            self.request.reread_s,
        )
        for done, (candidates, stretches) in enumerate(
            zip(all_candidates, chosen, strict=True), start=1
        ):
            found = self._heard(self.listener, self.sound, candidates, stretches)
            yield from self._events_of(candidates.recording, found)
            self.on_progress(done, len(all_candidates))

    def _screened(self, min_score: float) -> Iterator[_Candidates]:
        n_examples = examples_of(self.query.spec)
        recordings = self.store.searchable_windows(
            self.filters, recording_id=self.request.recording, collection=self.request.collection
        )
        for done, windows in enumerate(recordings, start=1):
            self.on_progress(done, None)
            yield _Candidates(windows.recording, screen(windows, self.query, n_examples, min_score))

    def _heard(
        self, listener: Listener, sound: QuerySound, candidates: _Candidates, stretches: Stretches
    ) -> list[Found]:
        """Return what is found in the stretches of a recording, and by vectors alone elsewhere."""
        recording = candidates.recording
        found: list[Found] = []
        left = candidates.found
        if stretches and not self._is_unchanged(recording):
            stretches = []
        for begin_s, end_s in stretches:
            stretch = listener.stretch(recording.uri, begin_s, end_s)
            if stretch is None:
                continue
            inside = align(listener, sound, stretch, self.request.gap_s, self.request.min_score)
            found += [
                replace(one, start_s=one.start_s + begin_s, end_s=one.end_s + begin_s) for one in inside
            ]
            left = [one for one in left if one.end_s <= begin_s or one.start_s >= end_s]
        return found + left

    def _is_unchanged(self, recording: Recording) -> bool:
        """Tell whether the file is still the one that was indexed, where that is known."""
        named = self.store.files_named([recording.uri], collection=self.request.collection)
        if recording.uri not in named:
            return False
        stat = named[recording.uri].recording.stat
        return stat is None or stat == Listener.stat(recording.uri)

    def _events_of(self, recording: Recording, found: list[Found]) -> Iterator[Event]:
        """Yield the events of a recording that the request asks for, by their begin."""
        request = self.request
        kept = [
            one
            for one in _joined([one for one in found if one.score >= request.min_score], request.gap_s)
            if one.end_s - one.start_s >= request.min_duration_s
            and is_within(self.filters, recording.recorded_at, one.start_s)
        ]
        if request.max_per_recording is not None:
            kept = heapq.nlargest(request.max_per_recording, kept, key=lambda one: one.score)
        has_time = self.query.duration_s > 0
        for one in sorted(kept, key=lambda one: (one.start_s, one.end_s)):
            yield Event(
                recording,
                one.start_s,
                min(one.end_s, recording.duration_s),
                one.query_start_s if has_time else None,
                one.query_end_s if has_time else None,
                one.score,
                self.false_alarms(one.score),
                request.collection,
            )


def _most_promising(candidates: Iterator[_Candidates], count: int) -> list[_Candidates]:
    """Return the candidates of all recordings; of very many, only the best."""
    kept: list[_Candidates] = []
    total = 0
    for each in candidates:
        kept.append(each)
        total += len(each.found)
        if total > 2 * count:
            total = _prune(kept, count)
    return kept


def _prune(kept: list[_Candidates], count: int) -> int:
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
