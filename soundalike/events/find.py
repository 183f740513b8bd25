"""Find every occurrence of a query in a recording, a folder or a collection."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from soundalike.events.requests import MAX_EVENTS, EventsRequest
from soundalike.events.types import Event
from soundalike.search.queries import EmbeddedQuery, exclude_query
from soundalike.store.base import SearchableWindows
from soundalike.store.protocol import Store
from soundalike.types import FloatArray

#: Expected number of false alarms in an hour for a score; None where it is not known.
FalseAlarms = Callable[[float], float | None]


def find_events(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    *,
    false_alarms: FalseAlarms = lambda score: None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Event]:
    """Yield every occurrence of a query.

    Parameters
    ----------
    store : Store
    query : EmbeddedQuery
        The vectors of the request's query.
    request : EventsRequest
    false_alarms : callable, optional
        Returns the `false_alarm_rate` of a score.
    on_progress : callable, optional
        Called with the number of recordings that are done, and of all.

    Raises
    ------
    StoreError, ParameterError
        As their names say.
    """
    events = _in_order_of_time(store, query, request, false_alarms, on_progress)
    if request.order == "score":
        limit = request.limit or MAX_EVENTS
        yield from heapq.nlargest(limit, events, key=lambda event: event.score)
    else:
        yield from islice(events, request.limit)


def _in_order_of_time(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    false_alarms: FalseAlarms,
    on_progress: Callable[[int, int], None] | None,
) -> Iterator[Event]:
    filters = exclude_query(request.filters, query, exclude_self=request.exclude_self)
    recordings = store.searchable_windows(
        filters, recording_id=request.recording, collection=request.collection
    )
    for done, windows in enumerate(recordings, start=1):
        yield from _events_of(windows, query, request, false_alarms)
        if on_progress is not None:
            on_progress(done, 0)


def _events_of(
    windows: SearchableWindows, query: EmbeddedQuery, request: EventsRequest, false_alarms: FalseAlarms
) -> Iterator[Event]:
    """Yield the events of one recording, by their begin."""
    scores = _contrast(windows.embeddings.astype(np.float32), query.embeddings)
    best = scores.max(axis=1)
    taken = np.zeros(len(best), dtype=bool)
    events = []
    for row in np.argsort(-best, kind="stable"):
        if best[row] < request.min_score:
            break
        if taken[row]:
            continue
        start_s, end_s = float(windows.starts_s[row]), float(windows.ends_s[row])
        taken |= (windows.starts_s < end_s) & (windows.ends_s > start_s)
        own = query.windows[int(scores[row].argmax())]
        score = float(best[row])
        is_vector = own.end_s <= own.start_s
        events.append(
            Event(
                windows.recording,
                start_s,
                end_s,
                None if is_vector else own.start_s,
                None if is_vector else own.end_s,
                score,
                false_alarms(score),
                request.collection,
            )
        )
    kept = [event for event in events if event.duration_s >= request.min_duration_s]
    yield from sorted(kept[: request.max_per_recording], key=lambda event: event.start_s)


def _contrast(vectors: FloatArray, query: FloatArray) -> FloatArray:
    """Return cosines of windows and query windows after the recording's mean is subtracted."""
    background = vectors.sum(axis=0) / (len(vectors) + 1)
    one, other = vectors - background, query - background
    lengths = np.linalg.norm(one, axis=1)[:, np.newaxis] * np.linalg.norm(other, axis=1)
    scores: FloatArray = (one @ other.T) / np.maximum(lengths, 1e-9)
    return scores
