"""Named searches and the marks of what they have found, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.errors import IndexEmpty, ParameterError, SearchExists, SearchNotFound
from soundalike.store.named_searches import MAX_VECTOR_BYTES, SearchMark, accepted_annotation

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
A, B = "/a.wav", "/b.wav"


@pytest.fixture
def dogs(collection: Collection) -> Collection:
    """Store two recordings, and a search without anything in it."""
    for uri in (A, B):
        collection.add(uri)
    collection.store.save_named_search("dogs", {"top_k": 3}, b"\x00\x01")
    return collection


def mark(
    dogs: Collection, uri: str, start_s: float, is_right: bool | None, **known: object
) -> SearchMark:
    key = dogs.recording(uri).recording_id
    return SearchMark(key, uri, start_s, start_s + 4, is_right, **known)  # type: ignore[arg-type]


def verdicts(store: Store) -> list[tuple[str, float, bool | None]]:
    return [(one.uri, one.start_s, one.is_right) for one in store.search_marks("dogs")]


def test_an_empty_store_has_none(store: Store):
    assert store.named_searches() == []
    assert store.remove_named_search("dogs") is False
    with pytest.raises(SearchNotFound, match="'dogs'"):
        store.named_search("dogs")
    with pytest.raises(SearchNotFound):
        store.search_marks("dogs")
    with pytest.raises(IndexEmpty):
        store.save_named_search("dogs", {}, b"")
    with pytest.raises(IndexEmpty):
        store.undo_search("dogs")


def test_a_search_comes_back_as_it_was_saved(dogs: Collection):
    store = dogs.store
    store.save_named_search("cats", {"like": []}, b"")
    summary, vectors = store.named_search("dogs")
    assert (summary.name, summary.version, summary.definition) == ("dogs", 1, {"top_k": 3})
    assert vectors == b"\x00\x01"
    assert [one.name for one in store.named_searches()] == ["cats", "dogs"]
    store.create_collection("other", dogs.spec)
    assert store.named_searches(collection="other") == []
    with pytest.raises(SearchNotFound, match="'other'"):
        store.named_search("dogs", collection="other")


def test_a_name_is_taken_until_it_is_replaced(dogs: Collection):
    store = dogs.store
    store.put_search_marks("dogs", [mark(dogs, A, 0, True)])
    with pytest.raises(SearchExists, match="--replace"):
        store.save_named_search("dogs", {}, b"new")
    assert store.named_search("dogs")[1] == b"\x00\x01"
    store.save_named_search("dogs", {}, b"new", replace=True)
    summary, vectors = store.named_search("dogs")
    assert (summary.version, vectors) == (2, b"new")
    assert summary.created_at <= summary.updated_at
    assert verdicts(store) == [(A, 0, True)]


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "ä", "a" * 64, "../x"])
def test_names_that_are_refused(dogs: Collection, name: str):
    with pytest.raises(ParameterError, match="name of the search"):
        dogs.store.save_named_search(name, {}, b"")
    with pytest.raises(ParameterError, match="name of the search"):
        dogs.store.search_marks(name)


def test_what_cannot_be_stored_is_refused(dogs: Collection):
    store, good = dogs.store, mark(dogs, A, 0, True)
    with pytest.raises(ParameterError, match="MB"):
        store.save_named_search("cats", {}, bytes(MAX_VECTOR_BYTES + 1))
    with pytest.raises(ParameterError, match="character"):
        store.save_named_search("cats", {"text": "\0"}, b"")
    for bad in (
        SearchMark("nothing", A, 0, 1, True),
        SearchMark(good.recording_id, A, 2, 1, True),
        SearchMark(good.recording_id, A, -1, 1, True),
        SearchMark(good.recording_id, A, 0, float("inf"), True),
        SearchMark(good.recording_id, A, float("nan"), 1, True),
        SearchMark(good.recording_id, "\0", 0, 1, True),
        SearchMark(good.recording_id, A, 0, 1, True, "x" * 201),
    ):
        with pytest.raises(ParameterError):
            store.put_search_marks("dogs", [good, bad])
    with pytest.raises(SearchNotFound):
        store.put_search_marks("cats", [good])
    assert verdicts(store) == []


def test_of_equal_places_the_latest_mark_counts(dogs: Collection):
    store = dogs.store
    store.put_search_marks("dogs", [mark(dogs, A, 0, True), mark(dogs, B, 2, False)])
    store.put_search_marks("dogs", [mark(dogs, A, 0, False, marked_by="ann", marked_at=NOON)])
    assert verdicts(store) == [(B, 2, False), (A, 0, False)]
    *_, last = store.search_marks("dogs")
    assert (last.marked_by, last.marked_at) == ("ann", NOON)
    store.put_search_marks("dogs", [mark(dogs, B, 2, None), mark(dogs, B, 4, None)])
    assert verdicts(store) == [(A, 0, False)]


def test_marks_are_taken_back_one_by_one(dogs: Collection):
    store = dogs.store
    for is_right in (True, False, None):
        store.put_search_marks("dogs", [mark(dogs, A, 0, is_right)])
    assert verdicts(store) == []
    undone = store.undo_search("dogs")
    assert (undone and undone.action, verdicts(store)) == ("clear", [(A, 0, False)])
    undone = store.undo_search("dogs")
    assert undone is not None
    assert undone.mark is not None
    assert (undone.action, undone.mark.uri, undone.mark.is_right) == ("mark", A, False)
    assert verdicts(store) == [(A, 0, True)]
    store.undo_search("dogs")
    assert verdicts(store) == []
    assert store.undo_search("dogs") is None


def test_marks_stay_when_their_recording_is_removed(dogs: Collection):
    store = dogs.store
    store.put_search_marks("dogs", [mark(dogs, A, 0, True)])
    store.delete(A)
    assert verdicts(store) == [(A, 0, True)]
    assert (
        store.accept_search("dogs", [accepted_annotation(mark(dogs, A, 0, True), "bark", "dogs")]) == 0
    )
    store.remove_named_search("dogs")
    store.save_named_search("dogs", {}, b"")
    assert verdicts(store) == []


def test_what_was_accepted_is_taken_back_alone(dogs: Collection):
    store = dogs.store
    before = StoredAnnotation(0, mark(dogs, A, 0, True).recording_id, "", Annotation(0, 4, "bark"), "x")
    store.annotate([before])
    accepted = [accepted_annotation(mark(dogs, uri, 0, True), "bark", "dogs") for uri in (A, B)]
    assert store.accept_search("dogs", accepted) == 1
    # Nothing new: nothing to take back.
    assert store.accept_search("dogs", accepted) == 0
    assert {one.source for one in store.annotations(label="bark")} == {"x", "search:dogs"}
    assert store.accept_search("dogs", [accepted_annotation(mark(dogs, B, 0, True), "dog", "dogs")]) == 1
    undone = store.undo_search("dogs")
    assert undone is not None
    assert (undone.action, undone.label, undone.annotations) == ("accept", "dog", 1)
    store.undo_search("dogs")
    assert [one.source for one in store.annotations()] == ["x"]
    # Of several acceptances of one label only the latest is taken back.
    for uri in (B, A):
        added = accepted_annotation(mark(dogs, uri, 2, True), "bark", "dogs")
        assert store.accept_search("dogs", [added]) == 1
    store.undo_search("dogs")
    assert {one.uri for one in store.annotations() if one.source == "search:dogs"} == {B}
    with pytest.raises(ParameterError, match="several labels"):
        store.accept_search("dogs", [*accepted, before])


def test_searches_belong_to_their_collection(dogs: Collection):
    store = dogs.store
    store.put_search_marks("dogs", [mark(dogs, A, 0, True)])
    store.accept_search("dogs", [accepted_annotation(mark(dogs, A, 0, True), "bark", "dogs")])
    store.rename_collection("default", "farm")
    assert [one.name for one in store.named_searches(collection="farm")] == ["dogs"]
    store.create_collection("default", dogs.spec)
    for uri in (A, B):
        dogs.add(uri)
    assert store.replace_collection("farm", "default")
    # Also an acceptance can still be taken back after the collection was rebuilt.
    undone = store.undo_search("dogs", collection="farm")
    assert undone is not None
    assert undone.annotations == 1
    assert [one.uri for one in store.search_marks("dogs", collection="farm")] == [A]
    store.drop_collection("farm")
    store.create_collection("farm", dogs.spec)
    assert store.named_searches(collection="farm") == []


def test_changes_at_once_are_all_kept(dogs: Collection):
    store = dogs.store

    def save(number: int) -> bool:
        try:
            store.save_named_search("new", {"number": number}, b"")
        except SearchExists:
            return False
        return True

    def put(number: int) -> None:
        store.put_search_marks("dogs", [mark(dogs, A, number, True)])

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(save, range(8))) == 1
        list(pool.map(put, range(8)))
        assert sorted(start_s for _, start_s, _ in verdicts(store)) == list(range(8))
        # Each takes back another one.
        taken = list(pool.map(lambda _: store.undo_search("dogs"), range(8)))
    assert len({one.mark.start_s for one in taken if one and one.mark}) == 8
    assert verdicts(store) == []


def test_excluded_recordings_and_some_of_many(dogs: Collection):
    from soundalike.filters import Filters

    store, keys = dogs.store, [dogs.recording(uri).recording_id for uri in (A, B)]
    assert dogs.found(without_recordings=(keys[0],)).keys() == {B}
    assert dogs.found(without_recordings=(keys[0],), exclude_recording_id=keys[1]) == {}
    found = store.searchable_windows(Filters(), recording_id=[keys[1]])
    assert [one.recording.uri for one in found] == [B]
    assert list(store.searchable_windows(Filters(), recording_id=[])) == []
    found = store.searchable_windows(Filters(without_recordings=(keys[1],)))
    assert [one.recording.uri for one in found] == [A]
