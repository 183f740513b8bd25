"""The best match of each label, and several collections together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.errors import IndexEmpty, ModelMismatch, ParameterError
from soundalike.search.find import Answer, answer_to
from soundalike.search.queries import EmbeddedQuery, Query, check_same_kind, stored_query
from soundalike.search.requests import SearchRequest
from soundalike.types import FloatArray, IndexSpec, Window

if TYPE_CHECKING:
    from tests.fixtures.collections import DIMENSION, Collection
else:
    from tests.fixtures.collections import DIMENSION

AXIS = np.eye(DIMENSION, dtype=np.float32)


def _towards(share: float, other: int = 1) -> FloatArray:
    """Return one vector, whose cosine with the first axis is `share`."""
    return (share * AXIS[:1] + np.sqrt(1 - share**2) * AXIS[other]).astype(np.float32)


def _query(collection: Collection) -> EmbeddedQuery:
    return EmbeddedQuery("q", None, [Window(0, 0.0, 4.0)], AXIS[:1], collection.spec, 4.0)


def _answer(collection: Collection, **options: Any) -> Answer:
    request = SearchRequest(Query("q"), **options)
    return answer_to(request, _query(collection), collection.store)


def _labels(collection: Collection, top_k: int, **options: Any) -> list[tuple[str, str | None]]:
    answer = _answer(collection, top_k=top_k, group_by="label", **options)
    assert [match.rank for match in answer.matches] == list(range(1, len(answer.matches) + 1))
    return [(match.recording.uri, match.recording.label) for match in answer.matches]


@pytest.fixture
def voices(collection: Collection) -> Collection:
    """Store many recordings of one voice, which are all nearer than one each of others."""
    for number in range(30):
        collection.add(f"/a/{number:02}.wav", _towards(0.99 - number / 1000), label="anna")
    collection.add("/b.wav", _towards(0.5), label="bert")
    collection.add("/c.wav", _towards(0.4), label="cleo")
    collection.add("/x.wav", _towards(0.45))
    collection.add("/y.wav", _towards(0.3))
    return collection


def test_a_label_with_many_recordings_hides_no_other(voices: Collection):
    expected = [
        *[("/a/00.wav", "anna"), ("/b.wav", "bert"), ("/x.wav", None)],
        *[("/c.wav", "cleo"), ("/y.wav", None)],
    ]
    for top_k in (1, 2, 3, 4, 5):
        assert _labels(voices, top_k) == expected[:top_k]
    assert _labels(voices, 1000) == expected


def test_filters_narrow_groups_too(voices: Collection):
    from soundalike.filters import Filters

    assert _labels(voices, 2, filters=Filters(labels=("bert", "cleo"))) == [
        ("/b.wav", "bert"),
        ("/c.wav", "cleo"),
    ]
    assert _labels(voices, 9, min_score=0.42) == [
        *[("/a/00.wav", "anna"), ("/b.wav", "bert"), ("/x.wav", None)]
    ]


def test_a_recording_with_two_labels_counts_once(voices: Collection):
    voices.link("/z/copy.wav", "/b.wav", label="dora")
    found = _labels(voices, 10)
    assert [label for _, label in found] == ["anna", "bert", None, "cleo", None]


def test_recordings_that_all_have_two_labels_hide_no_other(collection: Collection):
    for name in ("a", "b"):
        collection.add(f"/{name}.wav", _towards(0.9), label="anna")
        collection.link(f"/twin/{name}.wav", f"/{name}.wav", label="twin")
    collection.add("/t.wav", _towards(0.5), label="twin")
    collection.add("/z.wav", _towards(0.4), label="zoe")
    assert _labels(collection, 2) == [("/a.wav", "anna"), ("/t.wav", "twin")]
    assert _labels(collection, 3) == [("/a.wav", "anna"), ("/t.wav", "twin"), ("/z.wav", "zoe")]


def test_there_is_no_other_grouping(voices: Collection):
    with pytest.raises(ParameterError, match="group_by is 'folder'; choose recording or label"):
        _answer(voices, group_by="folder")


def _second(collection: Collection, spec: IndexSpec | None = None) -> None:
    recording = collection.recording("/b/other.wav", label="anna")
    windows = collection.windows(1)
    collection.store.add(recording, windows, _towards(0.8), spec or collection.spec, collection="second")


def test_matches_of_several_collections_are_ranked_together(collection: Collection):
    collection.add("/a.wav", _towards(0.9))
    collection.add("/c.wav", _towards(0.7), label="anna")
    _second(collection)
    names = ("default", "second", "default")
    answer = _answer(collection, collections=names)

    assert [(match.recording.uri, match.collection) for match in answer.matches] == [
        ("/a.wav", "default"),
        ("/b/other.wav", "second"),
        ("/c.wav", "default"),
    ]
    grouped = _answer(collection, collections=names, group_by="label")
    assert [match.recording.uri for match in grouped.matches] == ["/a.wav", "/b/other.wav"]
    first = _answer(collection, collections=names, top_k=1)
    assert len(first.matches) == 1


def test_collections_must_be_there_and_of_one_kind(collection: Collection):
    collection.add("/a.wav")
    with pytest.raises(IndexEmpty, match="second"):
        check_same_kind(collection.store, ["default", "second"])
    _second(collection, IndexSpec("other", "beef", DIMENSION, 1.0, 1.0))
    with pytest.raises(ModelMismatch, match=r"'default' .* encoder toy .* 'second' .* encoder other"):
        check_same_kind(collection.store, ["default", "second"])


def test_a_stored_query_is_looked_for_in_one_collection_after_the_other(collection: Collection):
    collection.add("/a.wav", _towards(0.9))
    _second(collection)
    key = collection.recording("/b/other.wav").recording_id
    found = stored_query(collection.store, key, WHOLE, ["default", "second"])

    assert (found.name, found.recording_id, found.duration_s) == ("/b/other.wav", key, 10.0)
    np.testing.assert_allclose(found.embeddings, _towards(0.8), atol=1e-3)
    part = stored_query(collection.store, key, Excerpt(at_s=1), ["second"])
    assert part.duration_s == 4.0
    with pytest.raises(IndexEmpty):
        stored_query(collection.store, key, WHOLE, ["third"])
