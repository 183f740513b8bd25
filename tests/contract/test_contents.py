"""Reading a collection from end to end, and giving it another name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundalike.errors import IndexEmpty, ParameterError
from soundalike.types import FileStat, Window

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, 0, 0, 250_001, tzinfo=UTC)


def test_everything_comes_out_as_it_went_in(collection: Collection, store: Store):
    rows = collection.vectors(4)
    known = {"label": "dog", "tags": {"n": [1, "ä"]}, "stat": FileStat(9, 10**18 + 1)}
    collection.add("/b/one.wav", rows, content="one", silent=[2], recorded_at=NOON, **known)
    collection.link("/a/copy.wav", "one", label="copy")

    (content,) = store.contents()
    assert [file.uri for file in content.files] == ["/a/copy.wav", "/b/one.wav"]
    one = collection.recording("/b/one.wav", "one", recorded_at=NOON, **known)
    assert content.files[1] == replace(one, recorded_at_source="given")
    assert (content.files[0].label, content.files[0].recorded_at) == ("copy", NOON)
    assert content.windows == collection.windows(4, silent=[2])
    expected = rows.astype(np.float16)
    expected[2] = 0
    assert content.embeddings.dtype == np.float16
    np.testing.assert_array_equal(content.embeddings, expected)


def test_clipped_windows_stay_clipped_also_without_a_vector(collection: Collection, store: Store):
    windows = [
        Window(0, 0.0, 4.0, is_clipped=True),
        Window(1, 2.0, 6.0, is_clipped=True),
        Window(2, 4.0, 8.0, is_silent=True, is_clipped=True),
    ]
    rows = np.eye(3, 16, k=-1, dtype=np.float32)
    store.add(collection.recording("/a/one.wav"), windows, rows, collection.spec)

    (content,) = store.contents()
    assert content.windows == [*windows[:2], Window(2, 4.0, 8.0, is_silent=True)]
    assert not content.embeddings.any()


def test_a_window_whose_vector_is_all_zero_is_silent(collection: Collection, store: Store):
    collection.add("/a/one.wav", np.eye(3, 16, k=-1, dtype=np.float32))

    (content,) = store.contents()
    assert [window.is_silent for window in content.windows] == [True, False, False]


def test_recordings_come_in_the_order_of_their_ids_each_once(collection: Collection, store: Store):
    """So many that they come in several pages."""
    for number in range(520):
        collection.add(f"/a/{number}.wav", np.full((9, 16), 0.25, dtype=np.float32))
    collection.add("/a/long.wav", collection.vectors(2500), duration_s=5002.0)

    found = list(store.contents())
    ids = [content.files[0].recording_id for content in found]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids) == 521
    assert sum(len(content.windows) for content in found) == 520 * 9 + 2500


def test_of_nothing_comes_nothing(collection: Collection, store: Store):
    assert list(store.contents()) == []
    store.create_collection("empty", collection.spec)
    assert list(store.contents(collection="empty")) == []


def test_another_name(collection: Collection, store: Store):
    collection.add("/a/one.wav")
    store.rename_collection("default", "birds")

    assert list(store.collections()) == ["birds"]
    assert store.status(collection="birds").windows == 4
    assert collection.add("/a/one.wav") == "added"
    with pytest.raises(ParameterError, match="'birds' already"):
        store.rename_collection("default", "birds")
    with pytest.raises(ParameterError, match="collection is"):
        store.rename_collection("default", "Birds")
    with pytest.raises(IndexEmpty):
        store.rename_collection("nothing", "something")
    assert list(store.collections()) == ["birds", "default"]


def test_optimizing_loses_nothing(collection: Collection, store: Store):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows)
    store.optimize()

    assert collection.hits(rows[1])[0].score > 0.999
    with pytest.raises(IndexEmpty):
        store.optimize(collection="nothing")
