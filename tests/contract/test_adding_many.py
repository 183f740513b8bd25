"""Several recordings at once: all or none, with the outcomes of one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundalike.errors import InvalidSamples, SoundalikeError
from soundalike.store import MemoryStore
from soundalike.store.base import Entry

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)


def _entry(collection: Collection, rng: np.random.Generator) -> Entry:
    """Return one of few contents under one of few paths, so that all that may happen does."""
    recording = collection.recording(
        f"/a/{rng.integers(5)}.wav",
        f"content {rng.integers(4)}",
        label=str(rng.choice(["dog", "cat"])),
        tags={"n": int(rng.integers(2))},
        recorded_at=[None, NOON, NOON + timedelta(hours=1)][rng.integers(3)],
        recorded_at_source=[None, "mtime", "filename"][rng.integers(3)],
    )
    return Entry(recording, collection.windows(2), collection.vectors(2))


@pytest.mark.parametrize("seed", range(8))
def test_it_is_like_one_after_the_other(
    collection: Collection, store: Store, collection_of: Callable[..., Collection], seed: int
):
    rng = np.random.default_rng(seed)
    truth = collection_of(MemoryStore(), np.random.default_rng(0))
    for _ in range(4):
        entries = [_entry(collection, rng) for _ in range(rng.integers(1, 9))]
        expected = [truth.store.add(*entry[:3], truth.spec) for entry in entries]

        assert store.add_many(entries, collection.spec) == expected
        assert list(store.files()) == list(truth.store.files())
        assert collection.counts() == truth.counts()


def test_nothing_is_nothing(collection: Collection, store: Store):
    assert store.add_many([], collection.spec) == []


def test_one_that_cannot_be_stored_keeps_all_out(collection: Collection, store: Store):
    collection.add("/a/before.wav")
    good = Entry(collection.recording("/a/good.wav"), collection.windows(2), collection.vectors(2))
    bad = Entry(
        collection.recording("/a/bad.wav"), collection.windows(2), collection.vectors(2) * np.nan
    )
    with pytest.raises(InvalidSamples):
        store.add_many([good, bad], collection.spec)
    assert [file.uri for file in store.files()] == ["/a/before.wav"]


def test_one_that_the_server_refuses_keeps_all_out(
    collection: Collection, connect_store: Callable[[], Store]
):
    store = connect_store()
    good = Entry(collection.recording("/a/good.wav"), collection.windows(2), collection.vectors(2))
    bad = Entry(collection.recording("/a/bad.wav"), collection.windows(2), collection.vectors(2) * 1e6)
    with pytest.raises(SoundalikeError, match="halfvec"):
        store.add_many([good, bad], collection.spec)
    assert list(store.files()) == []
