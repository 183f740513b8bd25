"""Find events through the Flow: by stored vectors, and then in the sound of what was found."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional

import numpy as np
from fastapi import HTTPException

from executors.gateway.flow.client import FlowClient
from executors.messages.documents import Clip
from executors.messages.events import (
    EventsFound,
    ListenClip,
    ListenedDoc,
    to_found,
    to_screened,
)
from executors.messages.queries import excerpt_of
from soundalike.errors import ServiceError
from soundalike.events.assembling import events_of, in_order, merged
from soundalike.events.parts import Found, Screened
from soundalike.events.rates import EventRates
from soundalike.events.requests import MAX_EVENTS, EventsRequest
from soundalike.events.types import Event
from soundalike.scores.event_model import models_from_json

_log = logging.getLogger(__name__)

#: Seconds of sound in one request to the segmenter.
_TOGETHER_S = 300.0
#: Kinds of queries with a time axis.
_WITH_TIME = ("uri", "recording_id")


@dataclass(frozen=True)
class Events:
    """The events of a query.

    Attributes
    ----------
    query : EventsFound
        Facts of the query, or its error.
    events : list of Event
    is_complete : bool
        Whether there are no events beyond the limit.
    heard_again_s : float
        Seconds of sound that were read again.
    """

    query: EventsFound
    events: List[Event]
    is_complete: bool = True
    heard_again_s: float = 0.0


async def find_events(
    flow: FlowClient, clip: Clip, request: EventsRequest, parameters: Dict[str, Any]
) -> Events:
    """Return every occurrence of a query.

    Parameters
    ----------
    flow : FlowClient
    clip : Clip
        The query.
    request : EventsRequest
    parameters : dict
        Of ``/events``: the same request.
    """
    # One event more tells whether there are more.
    limit = None if request.limit is None else min(request.limit + 1, MAX_EVENTS)
    reread_s = request.reread_s if any(getattr(clip, name) for name in _WITH_TIME) else 0.0
    asked = {**parameters, "reread_s": reread_s, "limit": limit}
    found = await flow.one("/events", clip, EventsFound, asked)
    if found.error_code:
        return Events(found, [])
    screened = [to_screened(doc) for doc in found.recordings]
    heard_s = 0.0
    rates = EventRates.from_json(found.rates)
    if reread_s > 0:
        rates = await _with_sound(flow, found, rates, request.collection)
        heard_s = await _listen(flow, clip, found, screened, request)
    has_time = found.duration_s > 0 and clip.like_label is None
    events = list(in_order(_events(screened, request, rates, has_time), request.order, limit))
    is_complete = limit is None or len(events) < limit
    return Events(found, events[: request.limit], is_complete, heard_s)


def _events(
    screened: Sequence[Screened], request: EventsRequest, rates: EventRates, has_time: bool
) -> Iterator[Event]:
    for each in screened:
        yield from events_of(
            each.recording, each.found, request, has_time=has_time, false_alarms=rates.of
        )


async def _with_sound(
    flow: FlowClient, query: EventsFound, rates: EventRates, collection: str
) -> EventRates:
    """Return rates that also know events in sound; unrelated recordings are compared if need be."""
    if not query.unrelated:
        return rates
    parameters = {"model_of": collection, "collection_size": query.collection_size}
    try:
        answers = await flow.ask("/listen", list(query.unrelated), ListenedDoc, parameters)
    except (HTTPException, ServiceError) as exc:
        # The events are known all the same.
        _log.warning("unrelated recordings were not compared: %s", exc)
        return rates
    return replace(rates, models={**rates.models, **models_from_json({"reread": answers[0].model})})


async def _listen(
    flow: FlowClient,
    clip: Clip,
    query: EventsFound,
    screened: Sequence[Screened],
    request: EventsRequest,
) -> float:
    """Replace what stored vectors tell by what is heard; return the seconds that were heard."""
    begin_s, end_s = excerpt_of(clip).bounds_s
    parameters: Dict[str, Any] = {
        "query_uri": clip.uri or query.uri,
        "query_start_s": begin_s,
        "query_end_s": None if np.isinf(end_s) else end_s,
        "min_score": request.min_score,
        "gap_s": request.gap_s,
    }
    files = [doc.file for doc in query.recordings]
    parts = [
        ListenClip(id=f"{row}", uri=each.recording.uri, file=file, start_s=start_s, end_s=stop_s)
        for row, (each, file) in enumerate(zip(screened, files, strict=True))
        for start_s, stop_s in each.stretches
    ]
    answers: Dict[int, List[Optional[List[Found]]]] = {}
    heard_s = 0.0
    for some in in_batches(parts):
        for part, answer in zip(
            some, await flow.ask("/listen", some, ListenedDoc, parameters), strict=True
        ):
            is_heard = answer.parts is not None
            heard_s += (part.end_s - part.start_s) * is_heard
            answers.setdefault(int(part.id or 0), []).append(
                to_found(answer.parts) if is_heard else None
            )
    for row, found in answers.items():
        screened[row].found = merged(screened[row], found)
    return heard_s


def in_batches(parts: Sequence[ListenClip]) -> Iterator[List[ListenClip]]:
    """Yield parts that are read together, so that memory is bounded."""
    some: List[ListenClip] = []
    total_s = 0.0
    for part in parts:
        length_s = part.end_s - part.start_s
        if some and total_s + length_s > _TOGETHER_S:
            yield some
            some, total_s = [], 0.0
        some.append(part)
        total_s += length_s
    if some:
        yield some
