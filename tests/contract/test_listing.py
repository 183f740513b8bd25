"""Which paths are stored: all, those of a folder, those asked for; and taking exactly these out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from soundalike.errors import ModelMismatch
from soundalike.types import FileStat

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
KNOWN: dict[str, Any] = {
    "label": "dog",
    "tags": {"n": 1},
    "recorded_at": NOON,
    "recorded_at_source": "filename",
    "stat": FileStat(1_000_000_007, 1_746_100_800_123_456_789),
}


def _known(collection: Collection, *uris: str) -> dict[str, Any]:
    return collection.store.known_files(uris, collection.spec)


def test_known_files_are_those_that_are_stored_with_all_that_is_known(collection: Collection):
    assert _known(collection, "/a/one.wav") == {}
    collection.add("/a/one.wav", **KNOWN)
    collection.add("/a/two.wav")

    assert _known(collection, "/a/one.wav", "/a/none.wav") == {
        "/a/one.wav": collection.recording("/a/one.wav", **KNOWN)
    }
    assert _known(collection) == {}


@pytest.mark.parametrize("uri", ["/a/%.wav", "/a/it's.wav", "/a/\udce9.wav", "/a/{}%s.wav"])
def test_a_path_that_is_asked_for_is_only_text(collection: Collection, uri: str):
    collection.add("/a/one.wav")

    assert _known(collection, uri, "/a/one.wav").keys() == {"/a/one.wav"}
    assert collection.store.delete_files([uri]) == []


def test_known_files_must_be_of_the_same_specification(collection: Collection):
    collection.add("/a/one.wav")
    collection.spec = replace(collection.spec, fingerprint="beef")

    with pytest.raises(ModelMismatch):
        _known(collection, "/a/one.wav")


def test_a_new_size_or_time_is_kept_though_nothing_else_changes(collection: Collection):
    collection.add("/a/one.wav", stat=FileStat(9, 1))

    assert collection.link("/a/one.wav", stat=FileStat(9, 2)) == "unchanged"
    assert _known(collection, "/a/one.wav")["/a/one.wav"].stat == FileStat(9, 2)
    assert collection.link("/a/one.wav") == "unchanged"
    assert _known(collection, "/a/one.wav")["/a/one.wav"].stat is None


@pytest.mark.parametrize("folder", ["/a/b", "/a/b/"])
def test_files_under_a_folder(collection: Collection, folder: str):
    for uri in (
        "/a/b/one.wav",
        "/a/b/deep/two.wav",
        "/a/bc.wav",
        "/a/b",
        "/a/B/one.wav",
        "/x/a/b/c.wav",
    ):
        collection.add(uri)

    found = [file.uri for file in collection.store.files(under=folder)]
    assert sorted(found) == ["/a/b/deep/two.wav", "/a/b/one.wav"]
    assert [file.uri for file in collection.store.files(under="/a/\0")] == []
    assert len(list(collection.store.files(under="/"))) == 6


def test_files_under_a_folder_come_page_by_page(collection: Collection):
    collection.add("/a/0.wav", collection.vectors(1), content="song")
    for number in range(1, 2100):
        collection.link(f"/{'ab'[number % 2]}/{number}.wav", "song")

    found = [file.uri for file in collection.store.files(under="/b")]
    assert len(found) == len(set(found)) == 1050


def test_exactly_the_named_paths_are_deleted(collection: Collection):
    for uri in ("/a/b", "/a/b/one.wav", "/a/two.wav", "/a/three.wav"):
        collection.add(uri)

    gone = collection.store.delete_files(["/a/b", "/a/none.wav", "/a/two.wav", "/a/two.wav"])
    assert sorted(gone) == ["/a/b", "/a/two.wav"]
    assert sorted(collection.found()) == ["/a/b/one.wav", "/a/three.wav"]
    assert collection.counts() == (2, 2, 8)
    assert collection.store.delete_files([]) == []
    assert collection.store.delete_files([collection.recording("/a/three.wav").recording_id]) == []


def test_windows_go_with_the_last_path_that_is_deleted(collection: Collection):
    for uri in ("/a/one.wav", "/b/copy.wav", "/c/copy.wav"):
        collection.add(uri, content="song")

    assert len(collection.store.delete_files(["/a/one.wav", "/c/copy.wav"])) == 2
    assert collection.counts() == (1, 1, 4)
    collection.store.delete_files(["/b/copy.wav"])
    assert collection.counts() == (0, 0, 0)


def test_nothing_is_deleted_from_a_collection_that_is_not_there(collection: Collection):
    assert collection.store.delete_files(["/a/one.wav"], collection="other") == []
    assert list(collection.store.files(under="/a", collection="other")) == []
    assert collection.store.known_files(["/a"], collection.spec, collection="other") == {}
