"""How high events score in unrelated recordings of a collection, in sound that is read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundalike.events.activity import joined
from soundalike.events.aligning import Span, background_of, compare
from soundalike.events.listening import HOP_S, Listener, Stretch, Track, pooled
from soundalike.events.requests import EventsRequest
from soundalike.scores.event_model import EventModel, Scale, events_per_chance
from soundalike.scores.fitting import MIN_RECORDINGS, SampledRecording, model_of, unrelated_pairs
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec, Recording

#: Recordings whose sound is read, and how much of each in seconds.
_STRETCHES, _LONGEST_S = 64, 24.0
#: Queries from each, and pairs that are compared.
_QUERIES, _PAIRS = 4, 4000
_LONGEST_QUERY_S = 10.0
#: Active parts of a query this far apart are one sound.
_GAP_S = 0.3
#: Beyond the usual length, chances grow with this power of it; of stored vectors it is measured.
_GROWTH = 0.7
#: Share of pairs at whose score events are counted.
_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class SampledStretch:
    """A part of a recording, whose sound is compared with that of the others.

    Attributes
    ----------
    recording : Recording
    start_s, end_s : float
    unrelated : frozenset of int
        Positions of the stretches that are unrelated to this one.
    """

    recording: Recording
    start_s: float
    end_s: float
    unrelated: frozenset[int]


def sample_stretches(
    store: Store, sample: Sequence[SampledRecording], spec: IndexSpec, collection: str
) -> list[SampledStretch]:
    """Return what should be read of the first recordings of a sample."""
    some = [each for each in sample if len(each.rows)][:_STRETCHES]
    if len(some) < MIN_RECORDINGS:
        return []
    unrelated: list[set[int]] = [set() for _ in some]
    for first, second in unrelated_pairs(some).tolist():
        unrelated[first].add(second)
        unrelated[second].add(first)
    files = store.files_named([each.recording_id for each in some], collection=collection)
    found = []
    for each, others in zip(some, unrelated, strict=True):
        if each.recording_id in files:
            recording = files[each.recording_id].recording
            last_s = max(0.0, recording.duration_s - _LONGEST_S)
            start_s = min(each.first_window * spec.stride_s, last_s)
            end_s = min(start_s + _LONGEST_S, recording.duration_s)
            found.append(SampledStretch(recording, start_s, end_s, frozenset(others)))
    # Positions hold only if no file is missing.
    return found if len(found) == len(some) else []


def heard(listener: Listener, sampled: Sequence[SampledStretch]) -> list[Stretch | None]:
    """Return the sound of stretches; None where a file is gone or has changed."""
    return [
        listener.stretch(each.recording.uri, each.start_s, each.end_s)
        if each.recording.stat in (None, Listener.stat(each.recording.uri))
        else None
        for each in sampled
    ]


def reread_model(
    sampled: Sequence[SampledStretch], stretches: Sequence[Stretch | None], collection_size: int
) -> EventModel | None:
    """Return the model of events in sound; None if too little of it can be read.

    The queries are active parts of the stretches, with their vectors as they are: mixing them with the
    background of each other stretch and embedding them again takes minutes, and gives the same scores on
    average.
    """
    readable = {number: each for number, each in enumerate(stretches) if each is not None}
    if len(readable) < MIN_RECORDINGS:
        return None
    queries = [(asked, *query) for asked in readable for query in _queries(readable[asked])]
    pairs = [
        (query, number)
        for query, (asked, _, _) in enumerate(queries)
        for number in readable
        if number in sampled[asked].unrelated
    ]
    if not pairs:
        return None
    scores, lengths_s, all_found = [], [], []
    for query, number in np.random.default_rng(0).permutation(pairs)[:_PAIRS].tolist():
        _, tracks, length_s = queries[query]
        _, found = compare([tracks], length_s, readable[number], EventsRequest.gap_s)
        all_found.append(found)
        scores.append(float(found.max(initial=0.0)))
        lengths_s.append(readable[number].duration_s)
    usual = Scale(0.0, 1.0)
    sizes = np.maximum(1.0, np.round(lengths_s))
    null = model_of(usual.standard(scores), sizes, _GROWTH, len(readable), collection_size)
    if null is None:
        return None
    least = float(np.quantile(scores, 1 - _SHARE))
    counts = [int((found >= least).sum()) for found in all_found]
    usual_s = float(np.exp(np.log(sizes).mean()))
    return EventModel(null, 1.0, 1.0, usual_s, events_per_chance(counts), usual)


def _queries(stretch: Stretch) -> list[tuple[list[Track], float]]:
    """Return the parts of a stretch that differ most from its background, with their lengths."""
    spans = [
        (begin_s, min(end_s, begin_s + _LONGEST_QUERY_S))
        for begin_s, end_s in joined(stretch.active, _GAP_S)
    ]
    spans.sort(key=lambda span: -_salience(stretch, span))
    return [(_cut(stretch, span), span[1] - span[0]) for span in spans[:_QUERIES]]


def _salience(stretch: Stretch, span: Span) -> float:
    distances = [
        track.weight * float(np.linalg.norm(pooled(track, [span])[0] - background_of(track)))
        for track in stretch.tracks
    ]
    return sum(distances) * float(np.sqrt(span[1] - span[0]))


def _cut(stretch: Stretch, span: Span) -> list[Track]:
    """Return the vectors of a part of a stretch."""
    first, length_s = round(span[0] / HOP_S), span[1] - span[0]
    cut = []
    for track in stretch.tracks:
        count = max(1, int((length_s - track.length_s) / HOP_S) + 1)
        begin = min(first, len(track.vectors) - 1)
        cut.append(Track(track.vectors[begin : begin + count], track.length_s, track.weight))
    return cut
