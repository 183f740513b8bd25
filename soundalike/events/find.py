"""Find every occurrence of a query in a recording, a folder or a collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from soundalike.events.aligning import align
from soundalike.events.assembling import FalseAlarmsOf, events_of, in_order, merged
from soundalike.events.calibrating import rates_of
from soundalike.events.candidates import OnProgress, check_fit, screen_each, screen_recordings
from soundalike.events.listening import Listener, QuerySound
from soundalike.events.parts import Found, Screened
from soundalike.events.requests import EventsRequest
from soundalike.events.types import Event
from soundalike.search.queries import EmbeddedQuery
from soundalike.store.protocol import Store
from soundalike.types import Recording


def find_events(
    store: Store,
    query: EmbeddedQuery,
    request: EventsRequest,
    *,
    listener: Listener | None = None,
    false_alarms: FalseAlarmsOf | None = None,
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
        Returns the false alarms of a part of a recording; by default those of the collection's models,
        which are made if they are missing.
    on_progress : callable, optional

    Raises
    ------
    IndexEmpty, ModelMismatch, DimensionMismatch
        The collection does not exist, or does not fit the query.
    StoreError, ParameterError
        As their names say.
    """
    check_fit(store, query, request)
    sound = None
    if listener is not None and request.query is not None and request.reread_s > 0:
        sound = listener.query_sound(request.query, query.name)
    all_found: Iterable[tuple[Recording, list[Found]]]
    if listener is None or sound is None:
        screened = screen_each(store, query, request, on_progress)
        all_found = ((each.recording, each.found) for each in screened)
    else:
        all_found = _all_heard(
            listener, sound, screen_recordings(store, query, request, on_progress), request, on_progress
        )
    if false_alarms is None:
        false_alarms = rates_of(store, query, request.collection, listener if sound else None).of
    has_time = query.duration_s > 0
    events = (
        event
        for recording, found in all_found
        for event in events_of(recording, found, request, has_time=has_time, false_alarms=false_alarms)
    )
    yield from in_order(events, request.order, request.limit)


def _all_heard(
    listener: Listener,
    sound: QuerySound,
    screened: Sequence[Screened],
    request: EventsRequest,
    on_progress: OnProgress,
) -> Iterator[tuple[Recording, list[Found]]]:
    """Yield what is found in each recording, and tell how far it is."""
    for done, each in enumerate(screened, start=1):
        yield each.recording, _heard(listener, sound, each, request)
        on_progress(done, len(screened))


def _heard(
    listener: Listener, sound: QuerySound, screened: Screened, request: EventsRequest
) -> list[Found]:
    """Return what is found in the stretches of a recording, and by vectors alone elsewhere."""
    recording = screened.recording
    if not screened.stretches or recording.stat not in (None, Listener.stat(recording.uri)):
        return screened.found
    answers: list[list[Found] | None] = []
    for begin_s, end_s in screened.stretches:
        stretch = listener.stretch(recording.uri, begin_s, end_s)
        answers.append(
            None
            if stretch is None
            else align(listener, sound, stretch, request.gap_s, request.min_score)
        )
    return merged(screened, answers)
