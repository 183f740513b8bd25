"""Review what a named search finds: the order, the precision, and the hits to propose for a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from soundalike.learning.bands import Band, bands_of, reviewed_bands, stratified
from soundalike.learning.precision import (
    Calibration,
    Estimate,
    calibrate,
    expected_right,
    likely_right,
)
from soundalike.learning.review import proposals, review_order
from soundalike.learning.rules import RULES, Examples, unit
from soundalike.learning.validation import (
    MIN_OF_EACH,
    Mark,
    area_under_curve,
    held_out_scores,
)
from soundalike.search.find import find_hits
from soundalike.search.marked import joined, usable_rows
from soundalike.search.queries import EmbeddedQuery
from soundalike.search.ranking import rank_collections
from soundalike.searches.places import RIGHT, UNMARKED, by_recording, verdict
from soundalike.searches.requests import RunRequest
from soundalike.searches.review_requests import EstimateRequest, ReviewRequest
from soundalike.searches.running import Prepared, marked_examples, prepare
from soundalike.store.base import SearchResult
from soundalike.store.named_searches import SearchMark
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, Match

#: Recordings whose best places are reviewed.
HITS = 500
_COMPARED = ("plain", "combined")


@dataclass(frozen=True, slots=True)
class _Hits:
    """The best place of each recording, the verdicts on them, and what marks teach.

    Attributes
    ----------
    matches : list of Match
        Highest score first; also wrong ones.
    verdicts : list of bool or None
    calibration : Calibration or None
    auc : dict of str to float
        Of rules, on marks that they have not seen; empty if marks are not used or too few.
    """

    matches: list[Match]
    verdicts: list[bool | None]
    calibration: Calibration | None
    auc: dict[str, float]

    @property
    def scores(self) -> list[float]:
        return [match.score for match in self.matches]


def review_search(
    store: Store, name: str, request: ReviewRequest, *, collection: str
) -> list[dict[str, Any]]:
    """Return the hits without a mark in the order of review.

    Each recording has one hit, its best place.

    Raises
    ------
    SearchNotFound, ModelMismatch, ParameterError, StoreError
        As for `soundalike.searches.running.prepare`.
    """
    hits = _hits(store, name, request.use_marks, request.min_score, collection)
    keys = [f"{one.recording.recording_id}:{one.start_s:g}" for one in hits.matches]
    order = review_order(
        keys,
        hits.scores,
        hits.calibration,
        order=request.order,
        share=request.share,
        seed=request.seed,
    )
    known = _annotated(store, request.label, collection)
    allowed = set(range(len(keys)))
    if request.min_precision is not None:
        allowed = set(proposals(hits.scores, hits.calibration, request.min_precision))
    chosen = [
        row
        for row in order
        if row in allowed and hits.verdicts[row] is None and _verdict(hits.matches[row], known) is None
    ][: request.top_k]
    bands = bands_of(hits.scores).tolist()
    return [_row(hits.matches[row], bands[row], hits.calibration) for row in chosen]


def estimate_search(
    store: Store, name: str, request: EstimateRequest, *, collection: str
) -> dict[str, Any]:
    """Return the precision of what a named search finds, as its marks show it.

    Raises
    ------
    SearchNotFound, ModelMismatch, ParameterError, StoreError
        As for `soundalike.searches.running.prepare`.
    """
    hits = _hits(store, name, request.use_marks, request.min_score, collection)
    bands = reviewed_bands(hits.scores, bands_of(hits.scores), hits.verdicts)
    expected = None if hits.calibration is None else hits.calibration.expected(hits.scores)
    return {
        "name": name,
        "hits": len(hits.matches),
        "reviewed": sum(band.reviewed for band in bands),
        "right": sum(band.right for band in bands),
        **_named("precision", stratified(bands)),
        **_named("expected_right", None if expected is None else expected_right(expected)),
        "min_precision": request.min_precision,
        "likely_right": None if expected is None else likely_right(expected, request.min_precision),
        **{f"auc_{rule}": hits.auc.get(rule) for rule in _COMPARED},
        "bands": [_band_row(number, band) for number, band in enumerate(bands, start=1)],
    }


def _hits(store: Store, name: str, use_marks: bool, min_score: float | None, collection: str) -> _Hits:
    ready = prepare(store, name, RunRequest(min_score=min_score), collection=collection)
    right, wrong = marked_examples(store, ready.marks, collection) if use_marks else ([], [])
    query = _with_marks(ready, right, wrong)
    results = find_hits(store, query, top_k=HITS, filters=ready.filters, collections=[collection])
    matches = rank_collections(
        results,
        query.windows,
        top_k=HITS,
        min_score=ready.settings.min_score,
        max_false_alarms=ready.settings.max_false_alarms,
    )
    marks = by_recording(ready.marks)
    verdicts = [_verdict(match, marks) for match in matches]
    if right or wrong:
        calibration, auc = _from_held_out(store, ready, right, wrong, results[collection], collection)
    else:
        known = [row for row, one in enumerate(verdicts) if one is not None]
        scores = np.array([matches[row].score for row in known])
        calibration, auc = calibrate(scores, np.array([verdicts[row] for row in known], dtype=bool)), {}
    return _Hits(matches, verdicts, calibration, auc)


def _with_marks(
    ready: Prepared, right: Sequence[EmbeddedQuery], wrong: Sequence[EmbeddedQuery]
) -> EmbeddedQuery:
    """Return the query with all examples; those of marks stay among the hits, where they are counted."""
    query = joined(ready.query, [*ready.like, *right], [*ready.unlike, *wrong])
    if query.marks is None:
        return query
    saved = (ready.query, *ready.like, *ready.unlike)
    ids = frozenset(one.recording_id for one in saved if one.recording_id is not None)
    return replace(query, marks=replace(query.marks, recording_ids=ids))


def _from_held_out(
    store: Store,
    ready: Prepared,
    right: Sequence[EmbeddedQuery],
    wrong: Sequence[EmbeddedQuery],
    found: SearchResult,
    collection: str,
) -> tuple[Calibration | None, dict[str, float]]:
    """Return what scores of marks say that are not examples themselves."""
    marks = [
        Mark(str(one.recording_id), rows, is_right)
        for some, is_right in ((right, True), (wrong, False))
        for one in some
        if len(rows := _rows(one))
    ]
    vectors = store.window_vectors(
        list({(hit.recording_id, hit.window_index) for hit in found.hits}), collection=collection
    )
    usable = [vectors[window] for window in sorted(vectors) if vectors[window].any()]
    if not usable:
        return None, {}
    saved = Examples(
        (_rows(ready.query), *map(_rows, ready.like)), tuple(_rows(one) for one in ready.unlike)
    )
    is_right = np.array([mark.is_right for mark in marks], dtype=bool)
    candidates = unit(np.stack(usable))
    scores = {
        rule: held_out_scores(candidates, saved, marks, RULES[rule]).clip(-1, 1) for rule in _COMPARED
    }
    auc = {}
    if min(is_right.sum(), (~is_right).sum()) >= MIN_OF_EACH:
        auc = {rule: area_under_curve(values, is_right) for rule, values in scores.items()}
    return calibrate(scores["combined"], is_right), auc


def _rows(query: EmbeddedQuery) -> FloatArray:
    rows = usable_rows(query.embeddings)
    return unit(rows) if len(rows) else rows


def _annotated(store: Store, label: str | None, collection: str) -> dict[str, list[SearchMark]]:
    """Return the annotations with a label as right places, by recording."""
    if label is None:
        return {}
    return by_recording(
        SearchMark(one.recording_id, one.uri, one.annotation.start_s, one.annotation.end_s, True)
        for one in store.annotations(label=label, collection=collection)
    )


def _verdict(match: Match, marks: dict[str, list[SearchMark]]) -> bool | None:
    found = verdict(match.recording.recording_id, match.start_s, match.end_s, marks)
    return None if found == UNMARKED else found == RIGHT


def _row(match: Match, band: int, calibration: Calibration | None) -> dict[str, Any]:
    expected = None if calibration is None else calibration.expected([match.score])[0]
    return {
        "recording_id": match.recording.recording_id,
        "uri": match.recording.uri,
        "start_s": match.start_s,
        "end_s": match.end_s,
        "score": round(match.score, 6),
        "band": band + 1,
        **_named("expected_precision", expected),
    }


def _band_row(number: int, band: Band) -> dict[str, Any]:
    return {
        "band": number,
        "low": round(band.low, 6),
        "high": round(band.high, 6),
        "hits": band.size,
        "reviewed": band.reviewed,
        "right": band.right,
        **_named("precision", band.precision),
    }


def _named(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """Return a value and its interval under three names; null if it is unknown."""
    keys = (name, f"{name}_low", f"{name}_high")
    return {key: None if estimate is None else round(estimate[at], 4) for at, key in enumerate(keys)}
