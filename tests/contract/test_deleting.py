"""Deleting by path, folder and id takes what was named, and nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection


def test_a_path_goes_with_its_windows(collection: Collection):
    collection.add("/a/one.wav")
    collection.add("/a/two.wav")

    assert collection.store.delete("/a/one.wav") == 1
    assert collection.counts() == (1, 1, 4)
    assert list(collection.found()) == ["/a/two.wav"]


def test_what_is_not_there_is_not_deleted(collection: Collection):
    assert collection.store.delete("/a/one.wav") == 0
    collection.add("/a/one.wav")

    assert collection.store.delete("/a/one") == 0
    assert collection.store.delete("one.wav") == 0
    assert collection.store.delete("/a/one.wav/") == 0
    assert collection.store.delete("00000000-0000-0000-0000-000000000000") == 0
    assert collection.counts() == (1, 1, 4)


@pytest.mark.parametrize("folder", ["/a/b", "/a/b/"])
def test_a_folder_takes_what_lies_below_it_and_not_its_namesakes(collection: Collection, folder: str):
    for uri in (
        "/a/b/one.wav",
        "/a/b/deep/two.wav",
        "/a/bc.wav",
        "/a/b.wav",
        "/a/B/one.wav",
        "/x/a/b/c.wav",
    ):
        collection.add(uri)

    assert collection.store.delete(folder) == 2
    assert set(collection.found()) == {"/a/bc.wav", "/a/b.wav", "/a/B/one.wav", "/x/a/b/c.wav"}


@pytest.mark.parametrize(
    "uri",
    [
        "/a/100%.wav",
        "/a/under_score.wav",
        '/a/it\'s "quoted".wav',
        "/a/back\\slash.wav",
        "/a/Zoë/ñandú 🦤.wav",
        "/a/new\nline.wav",
        "/a/%(uri)s.wav",
        "/a/{filters}.wav",
        "'; DROP SCHEMA soundalike CASCADE; --",
    ],
)
def test_a_path_is_only_text(collection: Collection, uri: str):
    collection.add(uri)
    collection.add("/a/other.wav")
    assert uri in collection.found()

    assert collection.store.delete(uri) == 1
    assert list(collection.found()) == ["/a/other.wav"]


@pytest.mark.parametrize(
    ("folder", "namesake"), [("/a/_b", "/a/xb"), ("/a/%", "/a/anything"), ("/a/b\\", "/a/b")]
)
def test_a_folder_is_no_pattern(collection: Collection, folder: str, namesake: str):
    collection.add(f"{folder}/one.wav")
    collection.add(f"{namesake}/one.wav")

    assert collection.store.delete(folder) == 1
    assert list(collection.found()) == [f"{namesake}/one.wav"]


def test_a_recording_stays_while_one_path_is_left(collection: Collection):
    collection.add("/a/one.wav", content="song")
    collection.add("/b/copy.wav", content="song")

    assert collection.store.delete("/a/one.wav") == 1
    assert collection.counts() == (1, 1, 4)
    assert list(collection.found()) == ["/b/copy.wav"]
    assert collection.store.delete("/b") == 1
    assert collection.counts() == (0, 0, 0)


def test_an_id_takes_the_recording_under_all_its_paths(collection: Collection):
    collection.add("/a/one.wav", content="song")
    collection.add("/b/copy.wav", content="song")
    collection.add("/b/other.wav")

    assert collection.store.delete(collection.recording("/a/one.wav", "song").recording_id) == 2
    assert collection.counts() == (1, 1, 4)


def test_deleted_audio_can_be_added_again(collection: Collection):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows)
    collection.store.delete("/a/one.wav")
    assert collection.hits(rows[0]) == []

    assert collection.add("/a/one.wav", rows) == "added"
    assert collection.hits(rows[0])[0].score > 0.999
