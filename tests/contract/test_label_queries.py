"""All annotated spans with a label are the examples of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.errors import IndexEmpty, ParameterError, RecordingNotFound, SilentQuery
from soundalike.search import annotated
from soundalike.search.find import answer_to
from soundalike.search.queries import EmbeddedQuery, Query, annotated_query, query_without_sound
from soundalike.search.requests import SearchRequest

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

A, B, C = "/a.wav", "/b.wav", "/c.wav"


def annotate(collection: Collection, uri: str, start_s: float, end_s: float, label: str = "owl") -> None:
    recording_id = collection.recording(uri).recording_id
    span = Annotation(start_s, end_s, label)
    assert collection.store.annotate([StoredAnnotation(0, recording_id, "", span, "x")]) == 1


def query(collection: Collection, label: str = "owl") -> EmbeddedQuery:
    return query_without_sound(collection.store, Query(like_label=label), ["none", "default"])


@pytest.fixture
def filled(collection: Collection) -> Collection:
    """Store three recordings whose windows of 4 s begin every 2 s; window 1 of the second is silent."""
    rows = np.eye(16, dtype=np.float32)
    collection.add(A, rows[0:4])
    collection.add(B, rows[4:8], silent=[1])
    collection.add(C, rows[8:12])
    return collection


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        # Half of a window or more is inside.
        (2.0, 6.0, [0, 1, 2]),
        (2.0, 8.0, [0, 1, 2, 3]),
        # Less than that: the window with the largest overlap, or the nearest one.
        (6.5, 7.5, [2]),
        (8.5, 9.5, [3]),
        (4.1, 4.1, [1]),
        (9.9, 9.9, [3]),
    ],
)
def test_the_windows_of_a_span_are_the_examples(
    filled: Collection, start_s: float, end_s: float, expected: list[int]
):
    annotate(filled, A, start_s, end_s)
    found = query(filled)
    assert [int(row.argmax()) for row in found.embeddings] == expected
    # An answer has no seconds of a query, because the examples are in several recordings.
    assert [(one.index, one.end_s) for one in found.windows] == [
        (number, 0.0) for number in range(len(expected))
    ]
    assert (found.name, found.recording_id, found.spec) == ("label:owl", None, filled.spec)


def test_a_search_compares_with_the_best_example_of_all_recordings(filled: Collection):
    annotate(filled, A, 0.0, 1.0)
    annotate(filled, B, 4.0, 8.0)
    annotate(filled, C, 0.0, 1.0, "fox")
    found = query(filled)
    # One window is silent; windows of several spans count once.
    annotate(filled, A, 0.5, 1.5)
    assert sorted(int(row.argmax()) for row in query(filled).embeddings) == [0, 6, 7]
    request = SearchRequest(Query(like_label="owl"), top_k=3)
    matches = answer_to(request, found, filled.store).matches
    assert [(match.recording.uri, round(match.score, 3)) for match in matches[:2]] == [
        (A, 1.0),
        (B, 1.0),
    ]
    assert matches[0].start_s == 0.0
    assert matches[1].start_s in (4.0, 6.0)


def test_too_many_examples_are_thinned_out_with_a_warning(
    filled: Collection, monkeypatch: pytest.MonkeyPatch
):
    annotate(filled, A, 0.0, 10.0)
    annotate(filled, C, 0.0, 10.0)
    monkeypatch.setattr(annotated, "MAX_EXAMPLES", 3)
    found = query(filled)
    rows = sorted(int(row.argmax()) for row in found.embeddings)
    assert len(set(rows)) == 3
    assert min(rows) < 4 <= 8 <= max(rows)
    assert found.warnings == ("5 of 8 examples are not used",)
    for number in range(4):
        annotate(filled, A, 2.0 * number, 2.0 * number + 0.5, "fox")
    found = query(filled, "fox")
    assert found.warnings == ("1 of 4 annotated spans are not used",)
    assert len(found.windows) == 3
    # The first and the last are used.
    assert {int(row.argmax()) for row in found.embeddings} >= {0, 2}


def test_silent_examples_and_unknown_labels_are_errors(filled: Collection):
    annotate(filled, B, 3.9, 4.1, "silence")
    with pytest.raises(SilentQuery, match="silent or clipped"):
        query(filled, "silence")
    with pytest.raises(RecordingNotFound, match="has the label 'Owl'"):
        query(filled, "Owl")
    with pytest.raises(RecordingNotFound):
        query(filled, "\0")
    with pytest.raises(IndexEmpty):
        annotated_query(filled.store, "owl", ["none"])


def test_a_label_is_one_of_the_sources_and_has_no_parts():
    from soundalike.audio.excerpt import Excerpt

    with pytest.raises(ParameterError, match="recording_id and like_label"):
        Query(recording_id="1", like_label="owl")
    with pytest.raises(ParameterError, match="a label has no time axis"):
        Query(like_label="owl", excerpt=Excerpt(at_s=1.0))
