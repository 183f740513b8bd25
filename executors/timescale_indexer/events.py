"""Find events by stored vectors, for the indexer."""

from collections import defaultdict
from math import nan

import numpy as np
from docarray import DocList

from executors.messages.events import EventfulDoc, eventful
from executors.messages.parameters import EventsParameters
from soundalike.events.candidates import screen_recordings, stored_events
from soundalike.events.parts import Found
from soundalike.events.rates import EventRates
from soundalike.search.queries import EmbeddedQuery
from soundalike.store import Store
from soundalike.types import Recording


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
