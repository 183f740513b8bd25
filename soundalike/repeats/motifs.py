"""Find sounds that occur again and again in an archive, without a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from soundalike.encoders.layout import examples_of
from soundalike.events.listening import Listener
from soundalike.events.types import Event
from soundalike.filters import Filters
from soundalike.repeats.candidates import nothing_under, spec_of
from soundalike.repeats.density import groups
from soundalike.repeats.hearing import active_parts, strongest, to_read, unit
from soundalike.repeats.joining import (
    Cluster,
    around_centre,
    clusters,
    neighbours,
    rescored,
    threshold,
)
from soundalike.repeats.requests import MAX_OUTLIERS, MotifsRequest
from soundalike.repeats.shapes import LEAST, LEAST_OF_SKETCHES, Shapes, sketches
from soundalike.repeats.standing_out import RARE, Outlier, outliers
from soundalike.types import FloatArray, Recording

if TYPE_CHECKING:
    from soundalike.store.protocol import Store

_DECIMALS_S = 3
#: Sounds that each one is compared with: by sketches the nearest, and others that are near.
_NEAREST, _AT_RANDOM = 25, 15


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


def motif_from_json(row: Mapping[str, Any]) -> Motif:
    """Return the motif of a JSON object.

    Raises
    ------
    KeyError, TypeError, ValueError
        The object has another form.
    """
    events = [_from_json(event) for event in row["events"]]
    return Motif(events, _from_json(row["example"]), dict(row["labels"]))


def _from_json(row: Mapping[str, Any]) -> Event:
    began = row["recorded_at"] and datetime.fromisoformat(row["recorded_at"])
    recording = Recording(
        row["recording_id"], row["uri"], row["duration_s"], row["label"], recorded_at=began
    )
    span = (row["start_s"], row["end_s"])
    return Event(recording, *span, None, None, row["score"], None, row["collection"])


def _to_json(event: Event) -> dict[str, Any]:
    recorded_at = event.recording.recorded_at
    return {
        "uri": event.recording.uri,
        "recording_id": event.recording.recording_id,
        "start_s": round(event.start_s, _DECIMALS_S),
        "end_s": round(event.end_s, _DECIMALS_S),
        "score": round(event.score, 4),
        "occurred_at": event.occurred_at and event.occurred_at.isoformat(),
        "label": event.recording.label,
        "recorded_at": recorded_at and recorded_at.isoformat(),
        "duration_s": event.recording.duration_s,
        "collection": event.collection,
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
    RecordingNotFound
        Nothing is stored under the path.
    """
    spec = spec_of(store, request.collection)
    found: list[Outlier] = []
    filters = Filters(uri_prefix=request.under)
    if request.under and not store.page_of_files(filters, limit=1, collection=request.collection):
        raise nothing_under(request.collection, request.under)
    recordings = store.searchable_windows(filters, collection=request.collection)
    for done, windows in enumerate(recordings, start=1):
        found += outliers(windows, examples_of(spec))
        if len(found) > 2 * MAX_OUTLIERS:
            found = strongest(found)
        on_progress(done, None)
    found = strongest(found)
    if listener is not None and request.reread_s > 0:
        heard = list(_heard(found, listener, request.reread_s, on_progress))
        # Vectors of different steps are not comparable: what was not read is left out.
        found = heard or found
    return motifs_of(found, request)


def _heard(
    found: Sequence[Outlier],
    listener: Listener,
    budget_s: float,
    on_progress: Callable[[int, int | None], None],
) -> Iterator[Outlier]:
    """Yield the active parts of the surroundings, with vectors in small steps."""
    recordings = to_read(found, budget_s)
    for done, (recording, stretches) in enumerate(recordings, start=1):
        is_same = recording.stat in (None, Listener.stat(recording.uri))
        for begin_s, end_s in stretches if is_same else ():
            stretch = listener.stretch(recording.uri, begin_s, end_s)
            if stretch is not None:
                yield from active_parts(recording, begin_s, stretch)
        on_progress(done, len(recordings))


def motifs_of(found: Sequence[Outlier], request: MotifsRequest) -> list[Motif]:
    """Return the motifs among parts of recordings, the most frequent and most alike first.

    Parts whose sound was read are compared by their shapes, others by their vectors, if they stand out.
    """
    found = [one for one in found if one.shape is not None or one.contrast > RARE]
    if len(found) < request.min_count:
        return []
    return [
        _motif([found[row] for row in cluster.rows], cluster.scores, request.collection)
        for cluster in _clusters(found, request.min_count)[: request.limit]
    ]


def _clusters(found: Sequence[Outlier], min_count: int) -> list[Cluster]:
    shapes = [one.shape for one in found if one.shape is not None]
    if len(shapes) < len(found):
        vectors = unit(np.array([one.vector for one in found], np.float32))
        lengths_s = np.array([one.end_s - one.start_s for one in found], np.float32)
        return clusters(neighbours(vectors, lengths_s, threshold(vectors)), min_count)
    compared = Shapes(shapes)
    near = neighbours(sketches(shapes), None, LEAST_OF_SKETCHES, _NEAREST, _AT_RANDOM)
    graph = rescored(near, compared.confirm, LEAST)
    return [around_centre(graph, rows, compared.compare) for rows in groups(graph, min_count, LEAST)]


def _motif(parts: Sequence[Outlier], scores: FloatArray, collection: str) -> Motif:
    events = [_event(part, float(score), collection) for part, score in zip(parts, scores, strict=True)]
    labels = Counter(event.recording.label for event in events if event.recording.label)
    in_time = sorted(events, key=lambda event: (event.recording.uri, event.start_s))
    return Motif(in_time, events[0], dict(labels.most_common()))


def _event(one: Outlier, score: float, collection: str) -> Event:
    return Event(one.recording, one.start_s, one.end_s, None, None, score, None, collection)
