"""What a store refuses, with which error, and that a refusal changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.errors import (
    DimensionMismatch,
    IndexEmpty,
    InvalidSamples,
    ModelMismatch,
    ParameterError,
)
from soundalike.filters import Filters

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

OTHER_SPECS: dict[str, Any] = {
    "encoder": "another",
    "fingerprint": "beef",
    "dimension": 8,
    "window_s": 3.0,
    "stride_s": 1.0,
}


@pytest.mark.parametrize("name", OTHER_SPECS)
def test_an_index_takes_no_vectors_of_another_specification(collection: Collection, name: str):
    collection.add("/a/one.wav")
    made_with = collection.spec
    collection.spec = replace(collection.spec, **{name: OTHER_SPECS[name]})
    rows = np.eye(1, collection.spec.dimension, dtype=np.float32)

    with pytest.raises(ModelMismatch) as refusal:
        collection.add("/a/two.wav", rows)
    assert collection.spec.describe() in refusal.value.message
    assert made_with.describe() in refusal.value.message
    assert "soundalike reindex" in refusal.value.message
    with pytest.raises(ModelMismatch):
        collection.link("/b/copy.wav", "/a/one.wav")
    with pytest.raises(ModelMismatch):
        collection.hits(rows)
    assert collection.store.status().spec == made_with
    assert collection.counts() == (1, 1, 4)


@pytest.mark.parametrize(
    "shape", [(3, 16), (5, 16), (4, 15), (4, 17)], ids=["fewer", "more", "shorter", "longer"]
)
def test_vectors_must_fit_windows_and_specification(collection: Collection, shape: tuple[int, int]):
    recording, windows = collection.recording("/a/one.wav"), collection.windows(4)

    with pytest.raises(DimensionMismatch, match=r"\(4, 16\)"):
        collection.store.add(recording, windows, np.ones(shape, np.float32), collection.spec)


def test_a_query_must_have_the_dimension_of_the_index(collection: Collection):
    collection.add("/a/one.wav")

    with pytest.raises(DimensionMismatch):
        collection.hits(np.ones((1, 15), np.float32))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_must_be_finite(collection: Collection, number: float):
    collection.add("/a/one.wav")
    rows = collection.vectors(4)
    rows[2, 5] = number

    with pytest.raises(InvalidSamples):
        collection.add("/a/two.wav", rows)
    with pytest.raises(InvalidSamples):
        collection.hits(rows)
    assert collection.counts() == (1, 1, 4)


@pytest.mark.parametrize("top_k", [0, -1, 1001])
def test_top_k_is_from_1_to_1000(collection: Collection, top_k: int):
    collection.add("/a/one.wav")

    with pytest.raises(ParameterError, match=str(top_k)):
        collection.hits(collection.vectors(1), top_k=top_k)


@pytest.mark.parametrize("top_k", [1, 1000])
def test_the_limits_of_top_k_are_allowed(collection: Collection, top_k: int):
    collection.add("/a/one.wav")

    assert len(collection.hits(collection.vectors(1), top_k=top_k)) == 4


def test_searching_before_anything_was_indexed_says_so(collection: Collection):
    with pytest.raises(IndexEmpty, match="soundalike index"):
        collection.hits(collection.vectors(1))


def test_searching_an_index_that_was_emptied_finds_nothing(collection: Collection):
    collection.add("/a/one.wav")
    collection.store.delete("/a")

    found = collection.store.search(collection.vectors(2), collection.spec, top_k=5, filters=Filters())
    assert (found.hits, found.recordings) == ([], {})


@pytest.mark.parametrize("tags", [{"x": "a\x00b"}, {"x": float("nan")}, {"x": "\ud800"}])
def test_tags_that_no_database_can_hold_are_the_callers_fault(
    collection: Collection, tags: dict[str, Any]
):
    """One such document must not be taken for a broken database, which would stop a whole batch."""
    with pytest.raises(ParameterError):
        collection.add("/a/one.wav", tags=tags)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
@pytest.mark.parametrize("name", ["uri", "label"])
def test_text_that_no_database_can_hold_is_the_callers_fault(
    collection: Collection, name: str, text: str
):
    known = {"uri": "/a/one.wav", "label": "dog", "content": "song", name: text}

    with pytest.raises(ParameterError):
        collection.add(**known)


@pytest.mark.parametrize(
    "filters",
    [
        {"labels": ("a\x00b",)},
        {"uri_prefix": "a\x00b"},
        {"tags": {"x": "a\x00b"}},
        {"labels": ("\ud800",)},
    ],
)
def test_filters_that_no_database_can_hold_are_the_callers_fault(
    collection: Collection, filters: dict[str, Any]
):
    collection.add("/a/one.wav")

    with pytest.raises(ParameterError):
        collection.found(**filters)
