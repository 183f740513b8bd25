"""Find sounds that occur again and again in an archive, without a query."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from soundalike.encoders.layout import examples_of
from soundalike.events.activity import joined
from soundalike.events.listening import Listener, Stretch, pooled
from soundalike.events.parts import Found
from soundalike.events.rereading import choose_stretches
from soundalike.events.types import Event
from soundalike.filters import Filters
from soundalike.repeats.joining import GREATEST_HEARD, GREATEST_STORED, clusters, neighbours, threshold
from soundalike.repeats.requests import MAX_OUTLIERS, MotifsRequest
from soundalike.repeats.standing_out import Outlier, outliers
from soundalike.store.base import check_collection_name, not_indexed
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, Recording

#: Active parts with at most this distance are one.
_GAP_S = 1.0
#: Vectors of other sound that a background is computed with.
_PRIOR_VECTORS = 16
_DECIMALS_S = 3


@dataclass(frozen=True, slots=True)
class Motif:
    """A sound that occurs again and again.

    Attributes
    ----------
    events : list of Event
        By recording and time; the score of each is its similarity to the example.
    example : Event
        The one with the most and nearest others.
    labels : dict of str to int
        Labels of the recordings with their number of events, the most frequent first.
    """

    events: list[Event]
    example: Event
    labels: dict[str, int]


def motif_to_json(number: int, motif: Motif) -> dict[str, Any]:
    """Return the JSON object of a motif."""
    return {
        "motif": number,
        "count": len(motif.events),
        "example": _to_json(motif.example),
        "labels": motif.labels,
        "events": [_to_json(event) for event in motif.events],
    }


def _to_json(event: Event) -> dict[str, Any]:
    return {
        "uri": event.recording.uri,
        "recording_id": event.recording.recording_id,
        "start_s": round(event.start_s, _DECIMALS_S),
        "end_s": round(event.end_s, _DECIMALS_S),
        "score": round(event.score, 4),
        "occurred_at": event.occurred_at and event.occurred_at.isoformat(),
    }


def find_motifs(
    store: Store,
    request: MotifsRequest,
    *,
    listener: Listener | None = None,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> list[Motif]:
    """Return the sounds that occur again and again, the most frequent and most alike first.

    Parameters
    ----------
    store : Store
    request : MotifsRequest
    listener : Listener, optional
        Reads sound again, within `request.reread_s`; without it the stored vectors are compared.
    on_progress : callable, optional
        Called with the number of recordings whose vectors were read, and None; then with the number of
        recordings whose sound was read again, and of all.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    """
    check_collection_name(request.collection)
    spec = store.collections().get(request.collection)
    if spec is None:
        raise not_indexed(request.collection)
    found: list[Outlier] = []
    recordings = store.searchable_windows(
        Filters(uri_prefix=request.under), collection=request.collection
    )
    for done, windows in enumerate(recordings, start=1):
        found += outliers(windows, examples_of(spec))
        if len(found) > 2 * MAX_OUTLIERS:
            found = _strongest(found)
        on_progress(done, None)
    found = _strongest(found)
    greatest = GREATEST_STORED
    if listener is not None and request.reread_s > 0:
        heard = list(_heard(found, listener, request.reread_s, on_progress))
        # Vectors of different steps are not comparable: what was not read is left out.
        if heard:
            found, greatest = heard, GREATEST_HEARD
    return list(islice(_joined(found, request, greatest), request.limit))


def _strongest(found: list[Outlier]) -> list[Outlier]:
    return heapq.nlargest(MAX_OUTLIERS, found, key=lambda one: one.contrast)


def _heard(
    found: Sequence[Outlier],
    listener: Listener,
    budget_s: float,
    on_progress: Callable[[int, int | None], None],
) -> Iterator[Outlier]:
    """Yield the active parts of the surroundings, with vectors in small steps."""
    by_recording: dict[str, list[Outlier]] = defaultdict(list)
    for one in found:
        by_recording[one.recording.recording_id].append(one)
    parts = list(by_recording.values())
    chosen = choose_stretches(
        [
            (
                each[0].recording.duration_s,
                [Found(one.start_s, one.end_s, 0.0, 0.0, one.contrast) for one in each],
            )
            for each in parts
        ],
        budget_s,
    )
    for done, (each, stretches) in enumerate(zip(parts, chosen, strict=True), start=1):
        recording = each[0].recording
        is_same = recording.stat in (None, Listener.stat(recording.uri))
        for begin_s, end_s in stretches if is_same else ():
            stretch = listener.stretch(recording.uri, begin_s, end_s)
            if stretch is not None:
                yield from _active(recording, begin_s, stretch)
        on_progress(done, len(parts))


def _active(recording: Recording, begin_s: float, stretch: Stretch) -> Iterator[Outlier]:
    """Yield the active parts of a stretch."""
    spans = joined(stretch.active, _GAP_S)
    if not spans:
        return
    rows = []
    for track in stretch.tracks:
        share = len(track.vectors) / (len(track.vectors) + _PRIOR_VECTORS)
        rest = pooled(track, spans) - share * np.median(track.vectors, axis=0)
        rows.append(np.sqrt(track.weight) * _unit(rest))
    vectors = np.concatenate(rows, axis=1)
    for (start_s, end_s), vector in zip(spans, vectors, strict=True):
        yield Outlier(recording, begin_s + start_s, begin_s + end_s, 0.0, vector)


def _joined(found: Sequence[Outlier], request: MotifsRequest, greatest: float) -> Iterator[Motif]:
    """Yield motifs, the most frequent and most alike first."""
    if len(found) < request.min_count:
        return
    vectors = _unit(np.array([one.vector for one in found], np.float32))
    lengths_s = np.array([one.end_s - one.start_s for one in found], np.float32)
    least = threshold(vectors, greatest)
    graph = neighbours(vectors, lengths_s, least)
    for cluster in clusters(graph, request.min_count, least):
        events = [
            _event(found[row], float(score), request.collection)
            for row, score in zip(cluster.rows, cluster.scores, strict=True)
        ]
        labels = Counter(event.recording.label for event in events if event.recording.label)
        in_time = sorted(events, key=lambda event: (event.recording.uri, event.start_s))
        yield Motif(in_time, events[0], dict(labels.most_common()))


def _event(one: Outlier, score: float, collection: str) -> Event:
    return Event(one.recording, one.start_s, one.end_s, None, None, score, None, collection)


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit
