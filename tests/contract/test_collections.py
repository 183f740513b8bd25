"""Named collections side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.errors import IndexEmpty, ModelMismatch, ParameterError
from soundalike.filters import Filters
from soundalike.store.base import rebuild_name
from soundalike.types import Recording

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection


@pytest.fixture
def other(collection: Collection) -> Any:
    """Add a recording to the collection "other", whose vectors have another dimension."""
    spec = replace(collection.spec, dimension=8, window_s=1.0, stride_s=1.0)

    def add(uri: str, name: str = "other", **known: Any) -> str:
        rows = np.eye(2, 8, dtype=np.float32)
        recording = collection.recording(uri, **known)
        return collection.store.add(recording, collection.windows(2), rows, spec, collection=name)

    add.spec = spec
    return add


def test_they_have_their_own_recordings_and_vectors(collection: Collection, store: Store, other: Any):
    collection.add("/a/one.wav")
    assert other("/a/one.wav") == "added"
    assert other("/a/two.wav") == "added"

    assert store.collections() == {"default": collection.spec, "other": other.spec}
    assert collection.counts() == (1, 1, 4)
    status = store.status(collection="other")
    assert (status.spec, status.recordings, status.windows) == (other.spec, 2, 4)
    found = store.search(
        np.eye(1, 8, dtype=np.float32), other.spec, top_k=5, filters=Filters(), collection="other"
    )
    assert {recording.uri for recording in found.recordings.values()} == {"/a/one.wav", "/a/two.wav"}
    assert set(collection.found()) == {"/a/one.wav"}


def test_deleting_from_one_leaves_the_other_alone(collection: Collection, store: Store, other: Any):
    collection.add("/a/one.wav")
    other("/a/one.wav")
    key = collection.recording("/a/one.wav").recording_id

    assert store.delete("/a", collection="other") == 1
    assert store.known_lengths([key], collection="other") == {}
    assert store.known_lengths([key]).keys() == {key}
    assert collection.counts() == (1, 1, 4)


def test_each_takes_only_what_it_was_made_with(collection: Collection, store: Store, other: Any):
    other("/a/one.wav")
    with pytest.raises(ModelMismatch):
        store.create_collection("other", collection.spec)
    with pytest.raises(ModelMismatch):
        store.add(
            collection.recording("/a/two.wav"),
            collection.windows(4),
            collection.vectors(4),
            collection.spec,
            collection="other",
        )
    store.create_collection("other", other.spec)
    assert store.status(collection="other").recordings == 1


def test_one_that_is_not_there_is_named(collection: Collection, store: Store):
    collection.add("/a/one.wav")
    assert store.delete("/a", collection="nothing") == 0
    assert list(store.files(collection="nothing")) == []
    assert store.drop_collection("nothing") is False
    assert store.status(collection="nothing").spec is None
    with pytest.raises(IndexEmpty):
        store.search(
            collection.vectors(1), collection.spec, top_k=1, filters=Filters(), collection="nothing"
        )


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a" * 64, "a;drop", "ä", "a~b", '"', "~rebuild"])
def test_names_that_are_refused(collection: Collection, store: Store, name: str):
    with pytest.raises(ParameterError, match="collection is"):
        store.create_collection(name, collection.spec)
    with pytest.raises(ParameterError, match="collection is"):
        store.status(collection=name)


def test_dropping_takes_everything_along(collection: Collection, store: Store, other: Any):
    collection.add("/a/one.wav")
    other("/a/one.wav")
    assert store.drop_collection("other") is True

    assert list(store.collections()) == ["default"]
    assert collection.counts() == (1, 1, 4)
    assert other("/a/one.wav") == "added"


def test_an_empty_one_is_searched_in_vain(collection: Collection, store: Store):
    store.create_collection("default", collection.spec)
    assert collection.hits(collection.vectors(1)) == []


def test_files_come_in_order_with_all_that_is_known(collection: Collection, store: Store):
    for name in ("b", "ä", "a", "Z"):
        collection.add(f"/{name}.wav", label=name, tags={"n": name})
    collection.link("/copy of a.wav", "/a.wav", label="copy")

    found = list(store.files())
    assert [recording.uri for recording in found] == sorted(recording.uri for recording in found)
    assert {(recording.uri, recording.label, recording.duration_s) for recording in found} == {
        ("/Z.wav", "Z", 10.0),
        ("/a.wav", "a", 10.0),
        ("/b.wav", "b", 10.0),
        ("/ä.wav", "ä", 10.0),
        ("/copy of a.wav", "copy", 10.0),
    }


# A successor is built under another name, and then takes the place.


@pytest.fixture
def paths(collection: Collection) -> list[str]:
    """Paths of three recordings in the collection that is to be replaced."""
    paths = ["/a/one.wav", "/a/three.wav", "/a/two.wav"]
    for path in paths:
        collection.add(path)
    return paths


def test_it_takes_place_and_name(store: Store, other: Any, paths: list[str], collection: Collection):
    for path in paths:
        other(path, rebuild_name("default"))
    assert collection.counts() == (3, 3, 12)
    assert store.replace_collection("default", rebuild_name("default")) is True

    assert store.collections() == {"default": other.spec}
    assert [recording.uri for recording in store.files()] == paths
    assert store.status().windows == 6


def test_it_must_have_every_path(store: Store, other: Any, paths: list[str], collection: Collection):
    other(paths[0], rebuild_name("default"))
    other(paths[1], rebuild_name("default"))
    assert store.replace_collection("default", rebuild_name("default")) is False
    assert store.status().spec == collection.spec

    without = {paths[2]}
    assert store.replace_collection("default", rebuild_name("default"), without=without) is True
    assert [recording.uri for recording in store.files()] == paths[:2]


def test_what_was_deleted_meanwhile_stays_deleted(store: Store, other: Any, paths: list[str]):
    for path in paths:
        other(path, rebuild_name("default"))
    store.delete(paths[0])
    assert store.replace_collection("default", rebuild_name("default")) is True

    assert [recording.uri for recording in store.files()] == paths[1:]
    assert store.status().recordings == 2


def test_both_must_be_there(store: Store, other: Any, paths: list[str]):
    with pytest.raises(IndexEmpty):
        store.replace_collection("default", rebuild_name("default"))
    with pytest.raises(IndexEmpty):
        store.replace_collection("nothing", "default")
    assert store.status().recordings == 3


def test_a_recording_without_a_source_of_its_start_was_given_one(collection: Collection, store: Store):
    from datetime import UTC, datetime, timedelta

    noon = datetime(2025, 5, 1, 12, tzinfo=UTC)
    sources = []
    for hours, source in enumerate(
        ["mtime", "mtime", "filename", "mtime", "metadata", None, "metadata"]
    ):
        at = noon + timedelta(hours=hours)
        collection.add("/a/one.wav", recorded_at=at, recorded_at_source=source)
        (file,) = store.files()
        assert isinstance(file, Recording)
        sources.append(((file.recorded_at - noon) // timedelta(hours=1), file.recorded_at_source))

    # What is read off a file only takes the place of something less trusted.
    assert sources == [
        *((0, "mtime"), (0, "mtime"), (2, "filename"), (2, "filename"), (4, "metadata")),
        *((5, "given"), (5, "given")),
    ]
