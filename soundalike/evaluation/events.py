"""Evaluate the search for events on recordings whose events are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import Encoder
from soundalike.errors import ParameterError, SoundalikeError
from soundalike.evaluation.event_scores import EventScores, Span, score_events
from soundalike.evaluation.event_truth import TruthEvent
from soundalike.evaluation.results import Failure
from soundalike.events.find import find_events
from soundalike.events.listening import Listener
from soundalike.events.requests import EventsRequest
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.search.queries import Query
from soundalike.store.memory import MemoryStore


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A sound to look for, and the label of the known events that are like it; None: all of them."""

    path: Path
    label: str | None = None


@dataclass(frozen=True, slots=True)
class EventEvaluation:
    """Result of an evaluation of events.

    Attributes
    ----------
    encoder : str
    n_queries, n_recordings, n_events : int
        Queries with known events, recordings that could be read, and known events in them.
    average_precision : float
        Mean over the queries.
    pooled : EventScores
        Of the events of all queries together.
    per_label : dict of str to EventScores
        Of the queries of each label together.
    failed : list of Failure
        Recordings and queries that could not be used.
    """

    encoder: str
    n_queries: int
    n_recordings: int
    n_events: int
    average_precision: float
    pooled: EventScores
    per_label: Mapping[str, EventScores]
    failed: list[Failure]


def evaluate_events(
    truth: Sequence[TruthEvent],
    queries: Sequence[LabelledQuery],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    options: Mapping[str, float] | None = None,
    threshold: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EventEvaluation:
    """Look for each query in all recordings, and compare what is found with what is known.

    The recordings are embedded for this and not stored.

    Parameters
    ----------
    truth : sequence of TruthEvent
    queries : sequence of LabelledQuery
    encoder : Encoder
    plan : WindowPlan
    options : mapping, optional
        Fields of `EventsRequest`, like ``gap_s``.
    threshold : float, optional
        Score from which events count for precision, recall and F1; the one with the highest F1 by
        default.
    on_progress : callable, optional
        Called with the number of recordings and queries that are done, and of all.

    Raises
    ------
    ParameterError
        No recording can be read, or no query has a known event.
    """
    paths = sorted({event.path for event in truth})
    total = len(paths) + len(queries)
    pipeline = Pipeline(MemoryStore(), encoder, plan)
    listener = Listener(encoder, pipeline.decoding)
    failed: list[Failure] = []
    places: dict[Path, str] = {}
    items = (IndexItem(str(path)) for path in paths)
    for number, (path, result) in enumerate(zip(paths, pipeline.index(items), strict=True), start=1):
        if result.recording_id is None:
            failed.append(Failure(str(path), result.error_code or "", result.error or ""))
        else:
            places[path] = result.recording_id
        if on_progress is not None:
            on_progress(number, total)
    if not places:
        raise ParameterError(f"none of the {len(paths)} recordings of the known events can be read")
    known: dict[str, list[Span]] = {}
    found: dict[str, list[Span]] = {}
    averages: list[float] = []
    for number, query in enumerate(queries, start=len(paths) + 1):
        wanted = [e for e in truth if e.path in places and query.label in (None, e.label)]
        spans = [Span((number, places[e.path]), e.start_s, e.end_s) for e in wanted]
        if spans:
            try:
                events = _found(pipeline, listener, query, number, options or {})
            except SoundalikeError as exc:
                failed.append(Failure(str(query.path), exc.code, exc.message))
                continue
            averages.append(score_events(spans, events).average_precision)
            known.setdefault(query.label or "", []).extend(spans)
            found.setdefault(query.label or "", []).extend(events)
        if on_progress is not None:
            on_progress(number, total)
    if not averages:
        raise ParameterError("no query has a known event; give queries whose labels the table has")
    pooled = score_events(_flat(known), _flat(found), threshold=threshold)
    return EventEvaluation(
        encoder.name,
        len(averages),
        len(places),
        sum(event.path in places for event in truth),
        sum(averages) / len(averages),
        pooled,
        {
            label: score_events(known[label], found[label], threshold=pooled.threshold)
            for label in sorted(known)
        },
        failed,
    )


def _found(
    pipeline: Pipeline,
    listener: Listener,
    query: LabelledQuery,
    number: int,
    options: Mapping[str, float],
) -> list[Span]:
    """Return all events of a query, down to the lowest scores."""
    request = EventsRequest(Query(query.path), min_score=-1.0, **options)  # type: ignore[arg-type]
    embedded = pipeline.embedded(query.path)
    return [
        Span((number, event.recording.recording_id), event.start_s, event.end_s, event.score)
        for event in find_events(pipeline.store, embedded, request, listener=listener)
    ]


def _flat(spans: Mapping[str, Sequence[Span]]) -> list[Span]:
    return [span for each in spans.values() for span in each]
