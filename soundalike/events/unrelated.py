"""How high events score in unrelated recordings of a collection, by stored vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.encoders.layout import examples_of
from soundalike.events.screening import background_of, best_scores
from soundalike.scores.event_model import COHORT, EventModel, Scale, events_per_chance
from soundalike.scores.fitting import (
    MIN_RECORDINGS,
    SampledRecording,
    growth_of,
    model_of,
    unrelated_pairs,
)
from soundalike.search.queries import EmbeddedQuery
from soundalike.types import FloatArray, IndexSpec, Window

#: Queries, and recordings that each is compared with besides its cohort.
_QUERIES, _OTHERS = 120, 16
#: Numbers of windows of a query.
_LENGTHS = (1, 2, 4)
#: Share of pairs at whose score events are counted.
_SHARE = 0.05

Floats = npt.NDArray[np.float64]


class _Compared(NamedTuple):
    """An unrelated query and recording.

    Attributes
    ----------
    standard : (n_windows,) float64
        The standard score of each window of the recording; see `soundalike.scores.event_model.Scale`.
    scale : Scale
        Of the query.
    """

    standard: Floats
    scale: Scale


def stored_model(
    sample: Sequence[SampledRecording], spec: IndexSpec, collection_size: int
) -> EventModel | None:
    """Return the model of events by stored vectors; None if the sample is too small.

    The queries are the parts of recordings that differ most from the rest of these, of several lengths:
    the sounds that stand out.

    Parameters
    ----------
    sample : sequence of SampledRecording
    spec : IndexSpec
    collection_size : int
        Number of recordings in the collection.
    """
    usable = [each for each in sample if len(each.rows)]
    if len(usable) < MIN_RECORDINGS:
        return None
    compared = _compare(usable, spec)
    if not compared:
        return None
    best = np.array([each.standard.max() for each in compared])
    sizes = np.array([len(each.standard) for each in compared], dtype=np.float64)
    reached = [each.standard >= np.quantile(best, 1 - _SHARE) for each in compared]
    growth = growth_of(np.array([each.sum() for each in reached], dtype=np.float64), sizes)
    null = model_of(best, sizes, growth, len(usable), collection_size)
    if null is None:
        return None
    scales = np.array([(each.scale.mean, each.scale.spread) for each in compared]).mean(axis=0)
    return EventModel(
        null,
        spec.window_s,
        spec.stride_s,
        float(np.exp(np.log(spec.window_s + spec.stride_s * (sizes - 1)).mean())),
        events_per_chance([_n_events(each) for each in reached]),
        Scale(*scales.tolist()),
    )


def scale_of(
    query: EmbeddedQuery, sample: Sequence[SampledRecording], without: str | None = None
) -> Scale | None:
    """Return the scale of a query, whose cohort is the first of a sample.

    Parameters
    ----------
    query : EmbeddedQuery
    sample : sequence of SampledRecording
    without : str, optional
        Id of the query's own recording, which is left out.
    """
    n_examples = examples_of(query.spec)
    cohort = [each for each in sample if len(each.rows) and each.recording_id != without][:COHORT]
    return Scale.of([float(best_scores(_unit(each.rows), query, n_examples).max()) for each in cohort])


def _compare(sample: Sequence[SampledRecording], spec: IndexSpec) -> list[_Compared]:
    """Compare queries with their cohorts and some further recordings; return the unrelated pairs."""
    rng = np.random.default_rng(0)
    rows = [_unit(each.rows) for each in sample]
    related = np.ones((len(rows), len(rows)), dtype=bool)
    first, second = unrelated_pairs(sample).T
    related[first, second] = related[second, first] = False
    n_examples = examples_of(spec)
    found: list[_Compared] = []
    # Each recording is asked for once at each length, until there are enough queries.
    asks = [(asked, length) for length in _LENGTHS for asked in rng.permutation(len(rows)).tolist()]
    for asked, length in rng.permutation(asks)[:_QUERIES].tolist():
        query = _query(rows[asked], length, spec)
        rest = [number for number in range(len(rows)) if number != asked]
        cohort = rest[:COHORT]
        others = rng.permutation(rest[COHORT:])[:_OTHERS].tolist()
        scores = {number: best_scores(rows[number], query, n_examples) for number in cohort + others}
        scale = Scale.of([float(scores[number].max()) for number in cohort])
        if scale is None:
            continue
        found += [
            _Compared(scale.standard(each), scale)
            for number, each in scores.items()
            if not related[asked, number]
        ]
    return found


def _query(rows: FloatArray, length: int, spec: IndexSpec) -> EmbeddedQuery:
    """Return the windows of a recording that differ most from the rest of it, `length` at most."""
    length = min(length, len(rows))
    powers = ((rows - background_of([rows])) ** 2).sum(axis=1)
    first = int(np.convolve(powers, np.ones(length), "valid").argmax())
    windows = [Window(n, n * spec.stride_s, n * spec.stride_s + spec.window_s) for n in range(length)]
    return EmbeddedQuery("", None, windows, rows[first : first + length], spec, windows[-1].end_s)


def _n_events(reached: npt.NDArray[np.bool_]) -> int:
    """Return how many runs of windows reach a score: adjacent windows are one event."""
    return int(reached[0]) + int((reached[1:] & ~reached[:-1]).sum())


def _unit(rows: npt.NDArray[np.floating]) -> FloatArray:
    found = np.asarray(rows, dtype=np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)
