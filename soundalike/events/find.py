"""Find every occurrence of a query in a recording, a folder or a collection."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from soundalike.events.requests import MAX_EVENTS, EventsRequest
from soundalike.events.types import Event
from soundalike.filters import Filters
from soundalike.search.queries import EmbeddedQuery, exclude_query
from soundalike.store.base import MAX_PAGE, Content
from soundalike.store.protocol import Store
from soundalike.store.times import is_within
from soundalike.types import FloatArray, Recording

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
    recordings = _recordings(store, request, filters)
    for done, recording in enumerate(recordings, start=1):
        content = store.content(recording.recording_id, collection=request.collection)
        if content is not None:
            yield from _events_of(content, recording, query, request, filters, false_alarms)
        if on_progress is not None:
            on_progress(done, len(recordings))


def _recordings(store: Store, request: EventsRequest, filters: Filters) -> list[Recording]:
    found: dict[str, Recording] = {}
    after = ""
    while page := store.page_of_files(
        filters, after=after, limit=MAX_PAGE, collection=request.collection
    ):
        after = page[-1].recording.uri
        for file in page:
            found.setdefault(file.recording.recording_id, file.recording)
    found.pop(filters.exclude_recording_id or "", None)
    if request.recording is not None:
        found = {key: value for key, value in found.items() if key == request.recording}
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(found.values(), key=lambda one: (one.recorded_at or last, one.uri))


def _events_of(
    content: Content,
    recording: Recording,
    query: EmbeddedQuery,
    request: EventsRequest,
    filters: Filters,
    false_alarms: FalseAlarms,
) -> Iterator[Event]:
    """Yield the events of one recording, by their begin."""
    rows = [
        row
        for row, window in enumerate(content.windows)
        if window.quality == "ok" and is_within(filters, recording.recorded_at, window.start_s)
    ]
    if not rows:
        return
    vectors = content.embeddings[rows].astype(np.float32)
    scores = _contrast(vectors, query.embeddings)
    best = scores.max(axis=1)
    taken = np.zeros(len(rows), dtype=bool)
    events = []
    for row in np.argsort(-best, kind="stable"):
        if best[row] < request.min_score:
            break
        if taken[row]:
            continue
        window = content.windows[rows[row]]
        taken |= np.array(
            [
                other.start_s < window.end_s and window.start_s < other.end_s
                for other in (content.windows[position] for position in rows)
            ]
        )
        own = query.windows[int(scores[row].argmax())]
        score = float(best[row])
        is_vector = own.end_s <= own.start_s
        events.append(
            Event(
                recording,
                window.start_s,
                window.end_s,
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
