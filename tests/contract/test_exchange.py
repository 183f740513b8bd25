"""A collection goes into a file and comes out of it in another store, as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.archive import Rebase, export_collection, import_collection, open_archive
from soundalike.archive import importing as importing_module
from soundalike.errors import IndexEmpty, ModelMismatch, ParameterError, StoreError
from soundalike.filters import Filters
from soundalike.store import MemoryStore
from soundalike.store.base import Entry, import_name
from soundalike.types import FileStat, Window

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, 0, 0, 250_001, tzinfo=UTC)


@pytest.fixture
def filled(collection: Collection) -> Collection:
    """Fill a collection with paths, labels, tags, starts and silence of all kinds."""
    collection.add("/pond/a.wav", silent=[1], label="frog", tags={"depth": 1.5, "who": ["ann", "ä"]})
    collection.add("/pond/deep/b.wav", content="b", recorded_at=NOON, recorded_at_source="filename")
    collection.link("/pond/copy of b.wav", "b", label="copy", stat=FileStat(12, 10**18 + 1))
    clipped = [Window(0, 0.0, 4.0, is_clipped=True), Window(1, 2.0, 6.0)]
    recording = collection.recording("/pond/loud.wav", label="frog")
    collection.store.add(recording, clipped, collection.vectors(2), collection.spec)
    earlier = collection.recording("upload:1", duration_s=21.3, recorded_at=NOON)
    entry = Entry(earlier, collection.windows(9), collection.vectors(9), decoder_version=1)
    collection.store.add_many([entry], collection.spec)
    return collection


@pytest.fixture
def file(filled: Collection, tmp_path: Path) -> Path:
    """Export the collection."""
    path = tmp_path / "default.soundalike.zip"
    found = export_collection(filled.store, path)
    assert (found.recordings, found.files, found.windows) == (4, 5, 19)
    return path


def _import(store: Store, path: Path, **options: Any) -> dict[str, int]:
    with open_archive(path) as archive:
        return dict(import_collection(store, archive, **options).outcomes)


def _all(store: Store, name: str = "default") -> list[Any]:
    """Return everything in a collection, in a form that can be compared."""
    return [
        (content.files, content.windows, content.embeddings.tobytes(), content.decoder_version)
        for content in store.contents(collection=name)
    ]


def _answers(collection: Collection, store: Store, name: str = "default") -> list[Any]:
    query = np.eye(4, 16, dtype=np.float32)
    found = store.search(query, collection.spec, top_k=20, filters=Filters(), collection=name)
    return sorted(
        (hit.query_window, hit.recording_id, hit.window_index, hit.score) for hit in found.hits
    )


def test_in_another_store_it_is_the_same(filled: Collection, file: Path):
    other = MemoryStore()
    assert _import(other, file) == {"added": 4, "linked": 1}

    assert _all(other) == _all(filled.store)
    assert other.collections() == filled.store.collections()


def test_under_another_name_it_gives_the_same_answers(filled: Collection, file: Path):
    store = filled.store
    assert _import(store, file, collection="twin") == {"added": 4, "linked": 1}

    assert _all(store, "twin") == _all(store)
    expected = _answers(filled, store)
    found = _answers(filled, store, "twin")
    assert len(found) == 4 * 17
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    # Of what is in memory in 32 bits, 16 have travelled.
    exact = not isinstance(store, MemoryStore)
    np.testing.assert_allclose([row[3] for row in found], [row[3] for row in expected], atol=2e-3)
    assert not exact or found == expected


def test_an_export_of_the_import_is_the_same_file(
    filled: Collection, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store, long_ago = filled.store, time.localtime(10**9)
    _import(store, file, collection="twin")
    store.drop_collection("default")
    store.rename_collection("twin", "default")
    monkeypatch.setattr("zipfile.time.localtime", lambda *_: long_ago)
    export_collection(store, tmp_path / "again.zip")

    assert (tmp_path / "again.zip").read_bytes() == file.read_bytes()


def test_nothing_unfinished_is_left(filled: Collection, file: Path, tmp_path: Path):
    _import(filled.store, file, collection="twin")

    assert list(filled.store.collections()) == ["default", "twin"]
    assert list(tmp_path.iterdir()) == [file]


def test_an_empty_collection(collection: Collection, store: Store, tmp_path: Path):
    store.create_collection("empty", collection.spec)
    export_collection(store, tmp_path / "empty.zip", collection="empty")
    store.drop_collection("empty")

    assert _import(store, tmp_path / "empty.zip") == {}
    assert store.collections() == {"empty": collection.spec}


def test_a_collection_that_is_not_there(store: Store, tmp_path: Path):
    with pytest.raises(IndexEmpty):
        export_collection(store, tmp_path / "x.zip")
    assert not list(tmp_path.iterdir())


def test_many_recordings_travel_in_several_parts(
    collection: Collection, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("soundalike.archive.exporting.PART_WINDOWS", 10)
    for number in range(12):
        collection.add(f"/a/{number}.wav", collection.vectors(3))
    found = export_collection(store, tmp_path / "x.zip")

    assert found.parts == ["windows-0000.npz", "windows-0001.npz", "windows-0002.npz"]
    assert _import(store, tmp_path / "x.zip", collection="twin") == {"added": 12}
    assert _all(store, "twin") == _all(store)


# Into a collection that is there.


def test_importing_twice_changes_nothing(filled: Collection, file: Path):
    before = _all(filled.store)
    assert _import(filled.store, file) == {"unchanged": 5}
    assert _all(filled.store) == before


def test_what_is_there_stays_and_the_rest_is_added(filled: Collection, file: Path):
    store = filled.store
    store.delete("/pond/deep/b.wav")
    store.delete("upload:1")
    filled.add("/pond/a.wav", content="other")
    filled.add("/mine.wav")

    assert _import(store, file) == {"replaced": 1, "unchanged": 2, "linked": 1, "added": 1}
    assert [file.uri for file in store.files()] == [
        *("/mine.wav", "/pond/a.wav", "/pond/copy of b.wav", "/pond/deep/b.wav", "/pond/loud.wav"),
        "upload:1",
    ]


def test_what_a_later_decoder_has_made_replaces_what_is_there(filled: Collection, file: Path):
    again = filled.recording("upload:1", duration_s=21.3, recorded_at=NOON)
    filled.store.add(again, filled.windows(3), filled.vectors(3), filled.spec)
    export_collection(filled.store, file.with_name("later.zip"))
    later = _all(filled.store)
    filled.store.delete(again.recording_id)
    assert _import(filled.store, file) == {"unchanged": 4, "added": 1}
    assert filled.store.status().earlier_decoder == 1

    assert _import(filled.store, file.with_name("later.zip")) == {"unchanged": 4, "updated": 1}
    assert _all(filled.store) == later
    # And never the other way round.
    assert _import(filled.store, file) == {"unchanged": 5}
    assert _all(filled.store) == later


def test_other_vectors_are_refused(filled: Collection, file: Path):
    store = filled.store
    store.create_collection("other", replace(filled.spec, fingerprint="beef"))
    with pytest.raises(ModelMismatch, match="beef"):
        _import(store, file, collection="other")
    assert store.status(collection="other").files == 0


@pytest.mark.parametrize("name", ["A", "a b", "", "default~import", "default~rebuild"])
def test_names_that_no_collection_has(store: Store, file: Path, name: str):
    with pytest.raises(ParameterError, match="collection is"):
        _import(store, file, collection=name)


# Where the recordings lie elsewhere.


def test_paths_are_rewritten(store: Store, file: Path):
    rebase = [Rebase("/pond/deep", "/new/deep/"), Rebase("/pond/", "/new")]
    _import(store, file, collection="twin", rebase=rebase)

    assert [file.uri for file in store.files(collection="twin")] == [
        *("/new/a.wav", "/new/copy of b.wav", "/new/deep/b.wav", "/new/loud.wav", "upload:1")
    ]


def test_a_folder_without_any_path_is_a_slip(store: Store, file: Path):
    with pytest.raises(ParameterError, match=r"'/sea'; the first one is '(/pond/|upload:)"):
        _import(store, file, collection="twin", rebase=[Rebase("/sea", "/new")])
    with pytest.raises(ParameterError, match="absolute"):
        Rebase("sea", "/new")
    assert list(store.collections()) == ["default"]


def test_paths_that_would_become_one_are_refused(store: Store, collection: Collection, tmp_path: Path):
    collection.add("/one/a.wav")
    collection.add("/two/a.wav")
    export_collection(store, tmp_path / "x.zip")
    with pytest.raises(StoreError, match="two paths were moved"):
        _import(store, tmp_path / "x.zip", collection="twin", rebase=[Rebase("/one", "/two")])
    assert list(store.collections()) == ["default"]


# Interrupted.


def test_an_import_that_breaks_off_leaves_nothing(
    filled: Collection, file: Path, monkeypatch: pytest.MonkeyPatch
):
    store = filled.store
    before = _all(store)

    def broken(done: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importing_module, "_BATCH_WINDOWS", 1)
    with pytest.raises(KeyboardInterrupt):
        _import(store, file, collection="twin", on_progress=broken)
    assert list(store.collections()) == ["default"]
    assert _all(store) == before


def test_what_a_killed_import_left_is_no_hindrance(
    filled: Collection, file: Path, monkeypatch: pytest.MonkeyPatch
):
    store = filled.store
    store.create_collection(import_name("twin"), replace(filled.spec, dimension=8))
    assert _import(store, file, collection="twin") == {"added": 4, "linked": 1}
    assert list(store.collections()) == ["default", "twin"]


def test_a_name_that_is_taken_meanwhile(filled: Collection, file: Path, monkeypatch: pytest.MonkeyPatch):
    store = filled.store
    check: Callable[..., None] = importing_module._check_complete

    def slow(*arguments: Any) -> None:
        store.create_collection("twin", filled.spec)
        check(*arguments)

    monkeypatch.setattr(importing_module, "_check_complete", slow)
    with pytest.raises(ParameterError, match="already"):
        _import(store, file, collection="twin")
    assert list(store.collections()) == ["default", "twin"]
    assert store.status(collection="twin").files == 0
