"""Measure found events against known ones: average precision, F1, errors of begins and ends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.sparse

#: Events agree if they share at least this part of the time that both together take.
MIN_IOU = 0.3


class Span(NamedTuple):
    """A stretch of one recording; `score` is not used for known events."""

    place: Hashable
    start_s: float
    end_s: float
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class EventScores:
    """How well found events agree with known ones.

    Attributes
    ----------
    n_known, n_found : int
    average_precision : float
        Mean of the precision at each known event that is found; 0 for each that is not.
    threshold : float
        Score from which the other numbers count; the one with the highest F1 unless it was given.
    precision, recall, f1 : float
        At the threshold.
    onset_error_s, offset_error_s : float
        Median distance between the begins, and the ends, of events that agree at the threshold; NaN
        without any.
    curve : tuple of (recall, precision)
        For each score, the highest first.
    """

    n_known: int
    n_found: int
    average_precision: float
    threshold: float
    precision: float
    recall: float
    f1: float
    onset_error_s: float
    offset_error_s: float
    curve: tuple[tuple[float, float], ...]


def score_events(
    known: Sequence[Span],
    found: Sequence[Span],
    *,
    min_iou: float = MIN_IOU,
    threshold: float | None = None,
) -> EventScores:
    """Compare found events with known ones.

    Each known event agrees with one found event at most: the pairs are a maximum matching of the
    bipartite graph of events that overlap enough.

    Parameters
    ----------
    known : sequence of Span
        At least one.
    found : sequence of Span
    min_iou : float
        Least intersection over union of a pair, above 0.
    threshold : float, optional
        Score from which events count for precision, recall and F1.
    """
    ordered = sorted(found, key=lambda span: -span.score)
    hits = _hits(known, ordered, min_iou)
    n_hits = np.cumsum(hits)
    counts = np.arange(1, len(ordered) + 1)
    precisions, recalls = n_hits / np.maximum(counts, 1), n_hits / len(known)
    average = float((precisions * hits).sum() / len(known))
    values = np.array([span.score for span in ordered])
    if threshold is None:
        f1s = 2 * n_hits / (counts + len(known))
        threshold = float(values[int(f1s.argmax())]) if len(ordered) else math.nan
    kept = [span for span in ordered if span.score >= threshold]
    right = int(n_hits[len(kept) - 1]) if kept else 0
    onset, offset = _errors(known, kept, min_iou)
    return EventScores(
        len(known),
        len(ordered),
        average,
        threshold,
        right / len(kept) if kept else 0.0,
        right / len(known),
        2 * right / (len(kept) + len(known)),
        onset,
        offset,
        tuple(zip(recalls.tolist(), precisions.tolist(), strict=True)),
    )


def overlaps(known: Sequence[Span], found: Sequence[Span]) -> npt.NDArray[np.float64]:
    """Return the intersection over union of each known event with each found one.

    Examples
    --------
    >>> overlaps([Span("a", 0, 2)], [Span("a", 1, 3), Span("a", 2, 3), Span("b", 0, 2)]).round(2)
    array([[0.33, 0.  , 0.  ]])
    """
    starts = np.maximum.outer([s.start_s for s in known], [s.start_s for s in found])
    ends = np.minimum.outer([s.end_s for s in known], [s.end_s for s in found])
    shared = np.maximum(ends - starts, 0.0)
    lengths = np.add.outer([s.end_s - s.start_s for s in known], [s.end_s - s.start_s for s in found])
    same = np.array([[one.place == other.place for other in found] for one in known], dtype=bool)
    return np.where(same.reshape(shared.shape), shared / np.maximum(lengths - shared, 1e-12), 0.0)


def _hits(known: Sequence[Span], ordered: Sequence[Span], min_iou: float) -> npt.NDArray[np.bool_]:
    """Return which found events make the maximum matching of those before them larger."""
    by_place: dict[Hashable, list[int]] = defaultdict(list)
    for number, span in enumerate(ordered):
        by_place[span.place].append(number)
    hits = np.zeros(len(ordered), dtype=bool)
    for place, numbers in by_place.items():
        here = [span for span in known if span.place == place]
        if not here:
            continue
        edges = overlaps(here, [ordered[number] for number in numbers]) >= min_iou
        size = 0
        for count, number in enumerate(numbers, start=1):
            if size == len(here) or not edges[:, count - 1].any():
                continue
            graph = scipy.sparse.csr_array(edges[:, :count])
            matched = scipy.sparse.csgraph.maximum_bipartite_matching(graph, perm_type="column")
            larger = int((matched >= 0).sum())
            hits[number] = larger > size
            size = larger
    return hits


def _errors(known: Sequence[Span], found: Sequence[Span], min_iou: float) -> tuple[float, float]:
    """Return the median errors of begins and ends of the pairs that overlap most."""
    if not known or not found:
        return math.nan, math.nan
    shared = overlaps(known, found)
    rows, columns = scipy.optimize.linear_sum_assignment(
        np.where(shared >= min_iou, shared, 0.0), maximize=True
    )
    pairs = [(known[r], found[c]) for r, c in zip(rows, columns, strict=True) if shared[r, c] >= min_iou]
    if not pairs:
        return math.nan, math.nan
    onsets = [abs(one.start_s - other.start_s) for one, other in pairs]
    offsets = [abs(one.end_s - other.end_s) for one, other in pairs]
    return float(np.median(onsets)), float(np.median(offsets))
