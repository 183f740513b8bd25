"""How high events score in unrelated recordings of a collection, in sound that is read again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from soundalike.events.activity import joined
from soundalike.events.aligning import Span, background_of, compare
from soundalike.events.listening import HOP_S, Listener, Stretch, Track, pooled
from soundalike.events.requests import EventsRequest
from soundalike.events.sampled_stretches import SampledStretch
from soundalike.scores.event_model import EventModel, Scale, events_per_chance
from soundalike.scores.fitting import MIN_RECORDINGS, model_of

#: Queries from each, and pairs that are compared.
_QUERIES, _PAIRS = 4, 4000
_LONGEST_QUERY_S = 10.0
#: Active parts of a query this far apart are one sound.
_GAP_S = 0.3
#: Beyond the usual length, chances grow with this power of it; of stored vectors it is measured.
_GROWTH = 0.7
#: Share of pairs at whose score events are counted.
_SHARE = 0.05


def heard(listener: Listener, sampled: Sequence[SampledStretch]) -> list[Stretch | None]:
    """Return the sound of stretches; None where a file is gone or is another than was indexed."""
    return [
        listener.stretch(each.recording.uri, each.start_s, each.end_s)
        if each.recording.stat in (None, Listener.stat(each.recording.uri))
        else None
        for each in sampled
    ]


def reread_model(
    unrelated: Sequence[Collection[int]],
    stretches: Sequence[Stretch | None],
    collection_size: int,
) -> EventModel | None:
    """Return the model of events in sound; None if too little of it can be read.

    The queries are active parts of the stretches, with their vectors as they are: mixing them with the
    background of each other stretch and embedding them again takes minutes, and gives the same scores on
    average.

    Parameters
    ----------
    unrelated : sequence of collection of int
        For each stretch, the positions of the unrelated ones.
    stretches : sequence of Stretch or None
        As many; None where the sound could not be read.
    collection_size : int
        Number of recordings in the collection.
    """
    readable = {number: each for number, each in enumerate(stretches) if each is not None}
    if len(readable) < MIN_RECORDINGS:
        return None
    queries = [(asked, *query) for asked in readable for query in _queries(readable[asked])]
    pairs = [
        (query, number)
        for query, (asked, _, _) in enumerate(queries)
        for number in readable
        if number in unrelated[asked]
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
