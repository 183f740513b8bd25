"""How what a later decoder has made is written, and what others see meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.filters import Filters
from soundalike.store import PostgresStore, writing
from soundalike.store.base import Entry
from soundalike.types import DECODER_VERSION

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

Sql = Callable[..., Any]
NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)


def _entry(collection: Collection, n_windows: int, version: int, **known: Any) -> Entry:
    rows = np.tile(collection.vectors(1), (n_windows, 1))
    known = {"duration_s": 2.0 * n_windows + 2.0, **known}
    recording = collection.recording("/a/one.wav", **known)
    return Entry(recording, collection.windows(n_windows), rows, version)


def test_times_of_windows_and_counts_follow(collection: Collection, sql: Sql):
    start = {"recorded_at": NOON, "recorded_at_source": "mtime"}
    collection.store.add_many([_entry(collection, 3, 1, **start)], collection.spec)
    collection.store.add_many([_entry(collection, 2, 2, **start)], collection.spec)

    times = sql("SELECT window_time FROM soundalike.windows_1 ORDER BY 1")
    assert times == [(NOON + timedelta(seconds=2),), (NOON + timedelta(seconds=4),)]
    row = sql("SELECT duration_s, n_windows, n_searchable, decoder_version FROM soundalike.recordings")
    assert row == [(6.0, 2, 2, DECODER_VERSION)]


def test_windows_that_stay_the_same_are_not_written_again(collection: Collection, sql: Sql):
    entry = _entry(collection, 3, 1)
    collection.store.add_many([entry], collection.spec)
    before = sql("SELECT ctid, xmin FROM soundalike.windows_1 ORDER BY 1")
    # As another order of the same sums makes it.
    again = entry._replace(decoder_version=2, embeddings=entry.embeddings * np.float32(1.0002))

    assert collection.store.add_many([again], collection.spec) == ["unchanged"]
    assert sql("SELECT ctid, xmin FROM soundalike.windows_1 ORDER BY 1") == before
    assert sql("SELECT decoder_version FROM soundalike.recordings") == [(2,)]


def test_a_search_sees_the_old_windows_or_the_new_ones(
    collection: Collection, connect_store: Callable[..., PostgresStore]
):
    """Of one length or the other, and never none or a part of them."""
    searcher, lengths = connect_store(), (40, 60)
    collection.store.add_many([_entry(collection, lengths[0], 1)], collection.spec)
    seen: set[int] = set()
    is_done = threading.Event()

    def search() -> None:
        query = collection.vectors(1)
        while not is_done.is_set():
            # More than both have.
            found = searcher.search(query, collection.spec, top_k=100, filters=Filters())
            seen.add(len(found.hits))

    thread = threading.Thread(target=search)
    thread.start()
    for version in range(2, 62):
        entry = _entry(collection, lengths[version % 2], version)
        assert collection.store.add_many([entry], collection.spec) == ["updated"]
    is_done.set()
    thread.join()
    assert seen == set(lengths)


def test_a_recording_that_is_deleted_meanwhile_is_added(
    collection: Collection,
    connect_store: Callable[..., PostgresStore],
    monkeypatch: pytest.MonkeyPatch,
):
    """Who is deleting it has locked it, and is waited for."""
    collection.store.add_many([_entry(collection, 3, 1)], collection.spec)
    is_deleted, may_commit = threading.Event(), threading.Event()
    delete = writing.delete

    def slow_delete(*arguments: Any) -> int:
        count = delete(*arguments)
        is_deleted.set()
        assert may_commit.wait(30)
        return count

    monkeypatch.setattr(writing, "delete", slow_delete)
    other = connect_store()
    deleting = threading.Thread(target=other.delete, args=("/a/one.wav",))
    deleting.start()
    assert is_deleted.wait(30)
    outcomes: list[str] = []

    def renew() -> None:
        outcomes.extend(collection.store.add_many([_entry(collection, 2, 2)], collection.spec))

    renewing = threading.Thread(target=renew)
    renewing.start()
    renewing.join(0.5)
    assert renewing.is_alive()
    may_commit.set()
    for thread in (deleting, renewing):
        thread.join()

    assert outcomes == ["added"]
    assert collection.counts() == (1, 1, 2)
