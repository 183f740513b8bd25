"""The windows that can be found, read recording by recording, in order of time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundalike.errors import IndexEmpty, ParameterError
from soundalike.filters import Filters, parse_conditions

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)


def uris(store: Store, **filters: object) -> list[str]:
    return [found.recording.uri for found in store.searchable_windows(Filters(**filters))]  # type: ignore[arg-type]


def test_windows_come_with_their_times_and_vectors(collection: Collection, store: Store):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows, silent=[1], label="owl", tags={"site": "pond"}, recorded_at=NOON)

    (found,) = store.searchable_windows(Filters())
    assert (found.recording.uri, found.recording.label) == ("/a/one.wav", "owl")
    assert found.recording.tags == {"site": "pond"}
    assert found.recording.recorded_at == NOON
    assert found.recording.duration_s == 10.0
    assert found.starts_s.tolist() == [0.0, 4.0, 6.0]
    assert found.ends_s.tolist() == [4.0, 8.0, 10.0]
    assert found.embeddings.dtype == np.float16
    np.testing.assert_array_equal(found.embeddings, rows[[0, 2, 3]].astype(np.float16))


def test_recordings_come_in_order_of_time_then_path(collection: Collection, store: Store):
    collection.add("/b/undated.wav")
    collection.add("/a/undated.wav")
    collection.add("/a/late.wav", recorded_at=NOON + timedelta(hours=1))
    collection.add("/z/early.wav", recorded_at=NOON)

    assert uris(store) == ["/z/early.wav", "/a/late.wav", "/a/undated.wav", "/b/undated.wav"]


def test_filters_choose_recordings_and_windows(collection: Collection, store: Store):
    collection.add("/a/one.wav", label="owl", tags={"depth": 2}, recorded_at=NOON)
    collection.add("/b/two.wav", label="dog", recorded_at=NOON + timedelta(days=1))
    collection.add("/b/three.wav")
    one = collection.recording("/a/one.wav").recording_id

    assert uris(store, labels=("owl",)) == ["/a/one.wav"]
    assert uris(store, without_labels=("owl", "dog")) == ["/b/three.wav"]
    assert uris(store, uri_prefix="/b/") == ["/b/two.wav", "/b/three.wav"]
    assert uris(store, tags={"depth": 2}) == ["/a/one.wav"]
    assert uris(store, where=parse_conditions(["depth>1"])) == ["/a/one.wav"]
    assert uris(store, exclude_recording_id=one) == ["/b/two.wav", "/b/three.wav"]
    assert uris(store, since=NOON + timedelta(hours=1)) == ["/b/two.wav"]
    (found,) = store.searchable_windows(
        Filters(since=NOON + timedelta(seconds=3), until=NOON + timedelta(seconds=6))
    )
    assert found.starts_s.tolist() == [4.0]
    assert uris(store, time_of_day=(time(3), time(4)), time_zone=UTC) == []


def test_one_recording_can_be_asked_for(collection: Collection, store: Store):
    collection.add("/a/one.wav")
    collection.add("/a/two.wav")
    two = collection.recording("/a/two.wav").recording_id

    (found,) = store.searchable_windows(Filters(), recording_id=two.upper())
    assert found.recording.uri == "/a/two.wav"
    other = collection.recording("/a/none.wav").recording_id
    assert not list(store.searchable_windows(Filters(), recording_id=other))
    with pytest.raises(ParameterError, match="UUID"):
        list(store.searchable_windows(Filters(), recording_id="two"))


def test_a_recording_under_several_paths_comes_once(collection: Collection, store: Store):
    collection.add("/b/one.wav", content="one", label="owl")
    collection.link("/a/copy.wav", "one", label="dog")

    assert uris(store) == ["/a/copy.wav"]
    assert uris(store, labels=("owl",)) == ["/b/one.wav"]


def test_silent_recordings_are_left_out(collection: Collection, store: Store):
    collection.add("/a/silent.wav", silent=[0, 1, 2, 3])
    collection.add("/a/one.wav")

    assert uris(store) == ["/a/one.wav"]


def test_long_recordings_and_many_are_read_in_batches(collection: Collection, store: Store):
    long = collection.vectors(5000)
    collection.add("/a/long.wav", long, duration_s=10_002.0, recorded_at=NOON)
    for number in range(30):
        collection.add(f"/b/{number:02}.wav", collection.vectors(300), duration_s=602.0)

    found = list(store.searchable_windows(Filters()))
    assert [len(each.starts_s) for each in found] == [5000] + 30 * [300]
    np.testing.assert_array_equal(found[0].embeddings, long.astype(np.float16))
    assert [each.recording.uri for each in found[1:]] == [f"/b/{n:02}.wav" for n in range(30)]


def test_a_recording_that_is_deleted_meanwhile_is_left_out(collection: Collection, store: Store):
    for number in range(60):
        collection.add(f"/a/{number:02}.wav", collection.vectors(400), duration_s=802.0)
    reading = store.searchable_windows(Filters())
    first = next(reading)
    store.delete("/a")
    rest = [each.recording.uri for each in reading]
    assert first.recording.uri == "/a/00.wav"
    assert len(rest) < 59


def test_a_collection_that_does_not_exist_is_refused(store: Store):
    with pytest.raises(IndexEmpty):
        list(store.searchable_windows(Filters()))
