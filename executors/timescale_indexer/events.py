"""Find events by stored vectors, for the indexer."""

from collections import defaultdict
from contextlib import suppress
from math import nan
from typing import Any, Dict

import numpy as np
from docarray import DocList

from executors.messages.events import EventfulDoc, EventsFound, ListenClip, eventful, file_of
from executors.messages.parameters import EventsParameters
from soundalike.errors import StoreError
from soundalike.events.calibrating import lacking_stretches
from soundalike.events.candidates import screen_recordings, stored_events
from soundalike.events.parts import Found
from soundalike.events.rates import EventRates
from soundalike.scores.event_model import models_from_json
from soundalike.search.queries import EmbeddedQuery
from soundalike.store import Store
from soundalike.types import IndexSpec, Recording


def recordings_with_events(
    store: Store, query: EmbeddedQuery, parameters: EventsParameters, rates: EventRates
) -> DocList[EventfulDoc]:
    """Return the recordings with parts that resemble a query.

    Parameters
    ----------
    store : Store
    query : EmbeddedQuery
    parameters : EventsParameters
        With `reread_s` the parts are candidates, and stretches of sound are named; without, the parts
        are events.
    rates : EventRates
        Of the query.

    Raises
    ------
    StoreError, ParameterError
        As for `soundalike.events.find.find_events`.
    """
    request = parameters.request(parameters.filters(query.recording_id))
    if request.reread_s > 0:
        screened = screen_recordings(store, query, request)
        return DocList[EventfulDoc](
            eventful(each.recording, each.found, each.stretches) for each in screened
        )
    found: dict[str, tuple[Recording, list[Found]]] = {}
    known: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for event in stored_events(store, query, request, rates.of):
        key = event.recording.recording_id
        _, parts = found.setdefault(key, (event.recording, []))
        # A query without a time axis has no seconds; the gateway leaves them out.
        begin_s, end_s = event.query_start_s or 0.0, event.query_end_s or 0.0
        parts.append(Found(event.start_s, event.end_s, begin_s, end_s, event.score))
        rate, per_hour = event.false_alarm_rate, event.false_alarms_per_hour
        known[key].append((nan if rate is None else rate, nan if per_hour is None else per_hour))
    docs = DocList[EventfulDoc](eventful(recording, parts, []) for recording, parts in found.values())
    for doc in docs:
        doc.false_alarms = np.array(known[str(doc.id)], dtype=np.float64)
    return docs


def add_unrelated(
    result: EventsFound, store: Store, rates: EventRates, spec: IndexSpec, collection: str
) -> None:
    """Add the sound that events need for their false-alarm rates, if these are unknown yet."""
    sampled = lacking_stretches(store, rates, spec, collection)
    result.collection_size = int(
        store.sample(1, collection=collection).collection_size if sampled else 0
    )
    result.unrelated = DocList[ListenClip](
        ListenClip(
            uri=each.recording.uri,
            file=file_of(each.recording),
            start_s=each.start_s,
            end_s=each.end_s,
            unrelated=sorted(each.unrelated),
        )
        for each in sampled
    )


def keep_model(store: Store, model: Dict[str, Any], collection: str) -> None:
    """Store the model of events in sound, unless it has another form, or the store may only read."""
    with suppress(StoreError):
        store.save_event_models(models_from_json({"reread": model}), collection=collection)
