"""Pages of what is stored, single recordings, labels, folders, and the windows of one recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.audio.excerpt import Excerpt
from soundalike.errors import ParameterError
from soundalike.filters import Filters, parse_conditions
from soundalike.types import FileStat

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection


@pytest.fixture
def filled(collection: Collection) -> Collection:
    collection.add("/a/dog/1.wav", label="dog", tags={"n": 1}, stat=FileStat(9, 1))
    collection.add("/a/dog/2.wav", label="dog", tags={"n": 2})
    collection.add("/a/owl/3.wav", label="owl", tags={"n": 3})
    collection.add("/b/4.wav", label=None)
    collection.link("/b/copy.wav", "/a/dog/1.wav", label="wolf")
    return collection


def _page(collection: Collection, after: str = "", limit: int = 100, **filters: Any) -> list[str]:
    page = collection.store.page_of_files(Filters(**filters), after=after, limit=limit)
    return [file.recording.uri for file in page]


def test_a_page_tells_all_that_is_known(filled: Collection):
    (file,) = filled.store.page_of_files(Filters(), limit=1)

    assert file.recording == filled.recording(
        "/a/dog/1.wav", label="dog", tags={"n": 1}, stat=FileStat(9, 1)
    )
    assert file.n_windows == 4


def test_pages_follow_each_other_to_the_end(filled: Collection):
    everything = ["/a/dog/1.wav", "/a/dog/2.wav", "/a/owl/3.wav", "/b/4.wav", "/b/copy.wav"]
    assert _page(filled, limit=2) == everything[:2]
    assert _page(filled, limit=2, after=everything[1]) == everything[2:4]
    assert _page(filled, limit=2, after=everything[3]) == everything[4:]
    assert _page(filled, after=everything[4]) == []


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"labels": ("dog", "wolf")}, "12c"),
        ({"without_labels": ("dog", "owl")}, "4c"),
        ({"uri_prefix": "/a/d"}, "12"),
        ({"tags": {"n": 2}}, "2"),
        ({"where": parse_conditions(["n>=2"])}, "23"),
        ({"labels": ("dog",), "where": parse_conditions(["n>=2"])}, "2"),
        ({"labels": ("%",)}, ""),
    ],
    ids=str,
)
def test_pages_are_narrowed(filled: Collection, filters: dict[str, Any], found: str):
    assert "".join(uri.rpartition("/")[2][0] for uri in _page(filled, **filters)) == found


@pytest.mark.parametrize("limit", [0, 1001, -1])
def test_a_page_has_its_limits(collection: Collection, limit: int):
    with pytest.raises(ParameterError, match=f"limit is {limit}"):
        collection.store.page_of_files(Filters(), limit=limit)
    with pytest.raises(ParameterError, match="limit"):
        collection.store.labels(limit=limit)


def test_there_is_nothing_in_a_collection_that_is_not_there(filled: Collection):
    store = filled.store
    assert store.page_of_files(Filters(), collection="other") == []
    assert store.files_named(["/a/dog/1.wav"], collection="other") == {}
    assert store.labels(collection="other") == store.folders(collection="other") == []
    key = filled.recording("/b/4.wav").recording_id
    assert store.content(key, collection="other") is None


def test_files_are_found_by_path_and_by_id(filled: Collection):
    dog = filled.recording("/a/dog/1.wav").recording_id
    owl = filled.recording("/a/owl/3.wav").recording_id
    gone = filled.recording("/none").recording_id
    found = filled.store.files_named([dog, "/b/4.wav", owl.upper(), gone, "/b", "x\0", "\ud800"])

    assert {key: file.recording.uri for key, file in found.items()} == {
        dog: "/a/dog/1.wav",
        "/b/4.wav": "/b/4.wav",
        owl.upper(): "/a/owl/3.wav",
    }


def test_labels_and_folders_are_counted(filled: Collection):
    assert filled.store.labels() == [("dog", 2), ("owl", 1), ("wolf", 1)]
    assert filled.store.labels(limit=1) == [("dog", 2)]
    filled.add("upload:1")
    filled.add("/root.wav")
    assert filled.store.folders() == [("/", 1), ("/a/dog", 2), ("/a/owl", 1), ("/b", 2)]


def test_summaries_of_all_collections(filled: Collection):
    filled.store.create_collection("other", filled.spec)
    default, other = filled.store.summaries()

    assert (default.name, default.spec) == ("default", filled.spec)
    assert (default.recordings, default.files, default.windows) == (4, 5, 16)
    assert (other.name, other.recordings) == ("other", 0)
    assert [found.windows for found in filled.store.summaries(count=False)] == [0, 0]


def test_windows_of_a_recording_come_with_their_vectors(collection: Collection):
    rows = collection.vectors(5)
    collection.add("/a.wav", rows, silent=(1,))
    collection.link("/b.wav", "/a.wav")
    key = collection.recording("/a.wav").recording_id
    whole = collection.store.content(key.upper())

    assert whole is not None
    assert [file.uri for file in whole.files] == ["/a.wav", "/b.wav"]
    assert [window.is_silent for window in whole.windows] == [False, True, False, False, False]
    rows[1] = 0
    np.testing.assert_allclose(whole.embeddings, rows, atol=1e-3)


@pytest.mark.parametrize(
    ("part", "chosen"),
    [
        (Excerpt(at_s=0), [0]),
        (Excerpt(at_s=5.1), [2]),
        (Excerpt(at_s=12), [4]),
        (Excerpt(start_s=4), [1, 2, 3, 4]),
        (Excerpt(end_s=4), [0, 1]),
        (Excerpt(start_s=5, end_s=9), [2, 3]),
        (Excerpt(start_s=7.9, end_s=8.1), [3]),
    ],
    ids=str,
)
def test_windows_of_a_part_of_a_recording(collection: Collection, part: Excerpt, chosen: list[int]):
    rows = collection.vectors(5)
    collection.add("/a.wav", rows)
    found = collection.store.content(collection.recording("/a.wav").recording_id, part)

    assert found is not None
    assert [window.index for window in found.windows] == chosen
    np.testing.assert_allclose(found.embeddings, rows[chosen], atol=1e-3)


def test_a_part_behind_the_end_is_refused(collection: Collection):
    collection.add("/a.wav")
    key = collection.recording("/a.wav").recording_id

    for part in (Excerpt(at_s=10.1), Excerpt(start_s=10), Excerpt(start_s=99, end_s=100)):
        with pytest.raises(ParameterError, match="the recording ends at 10 s"):
            collection.store.content(key, part)


def test_an_unknown_recording_has_no_content(collection: Collection):
    collection.add("/a.wav")

    assert collection.store.content(collection.recording("/none").recording_id) is None
    with pytest.raises(ParameterError, match="'no-id'; give a UUID"):
        collection.store.content("no-id")
