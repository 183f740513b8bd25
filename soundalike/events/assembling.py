"""Make events of the parts that were found."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from soundalike.clock.times import is_within
from soundalike.events.parts import Found, Screened
from soundalike.events.requests import MAX_EVENTS, EventOrder, EventsRequest
from soundalike.events.types import Event
from soundalike.scores.event_model import FalseAlarms
from soundalike.types import Recording

#: False alarms of a part of a recording of this length in seconds; None where they are not known.
FalseAlarmsOf = Callable[[Found, float], FalseAlarms | None]

#: A recording shorter than this, in seconds, may hold nothing but the sound, and no background.
SHORT_S = 30.0
#: Events within the gap are joined if the lower score is at least this share of the higher.
_ALIKE = 0.6


def merged(screened: Screened, answers: Sequence[Sequence[Found] | None]) -> list[Found]:
    """Return what was found in sound, and by vectors alone elsewhere.

    Where nothing was found in the sound of a short recording, what its vectors tell stays: a bark that
    fills its recording does not differ from the recording's background.

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
            replace(one, start_s=one.start_s + begin_s, end_s=one.end_s + begin_s, is_reread=True)
            for one in answer
        ]
        left = [one for one in left if one.end_s <= begin_s or one.start_s >= end_s]
    if not found and screened.recording.duration_s < SHORT_S:
        return screened.found
    return found + left


def events_of(
    recording: Recording,
    found: Sequence[Found],
    request: EventsRequest,
    *,
    has_time: bool = True,
    false_alarms: FalseAlarmsOf = lambda part, duration_s: None,
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
    joined = _joined([one for one in found if one.score >= request.min_score], request.gap_s)
    kept = [
        (one, false_alarms(one, recording.duration_s))
        for one in joined
        if one.end_s - one.start_s >= request.min_duration_s
        and is_within(request.filters, recording.recorded_at, one.start_s)
    ]
    if (limit := request.max_false_alarms) is not None:
        kept = [(one, known) for one, known in kept if known is not None and known.rate <= limit]
    if request.max_per_recording is not None:
        kept = heapq.nlargest(request.max_per_recording, kept, key=lambda pair: pair[0].score)
    for one, known in sorted(kept, key=lambda pair: (pair[0].start_s, pair[0].end_s)):
        yield Event(
            recording,
            one.start_s,
            min(one.end_s, recording.duration_s),
            one.query_start_s if has_time else None,
            one.query_end_s if has_time else None,
            one.score,
            known and known.rate,
            request.collection,
            known and known.per_hour,
            one.is_reread,
        )


def in_order(events: Iterable[Event], order: EventOrder, limit: int | None) -> Iterator[Event]:
    """Yield events of all recordings, which come in order of time, in the order of a request."""
    if order == "score":
        yield from heapq.nlargest(limit or MAX_EVENTS, events, key=lambda event: event.score)
    else:
        yield from islice(events, limit)


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
