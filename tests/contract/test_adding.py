"""What a store says and keeps when recordings are added, again, elsewhere, or changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundalike.errors import DimensionMismatch

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def test_an_empty_store_has_no_specification_and_no_rows(collection: Collection):
    status = collection.store.status()

    assert status.spec is None
    assert collection.counts() == (0, 0, 0)
    assert status.index == "exact"


def test_a_new_recording_is_added_with_all_its_windows(collection: Collection):
    assert collection.add("/a/one.wav", label="dog", tags={"site": "pond"}) == "added"

    assert collection.counts() == (1, 1, 4)
    assert collection.store.status().spec == collection.spec
    found = collection.found()["/a/one.wav"]
    assert found == collection.recording("/a/one.wav", label="dog", tags={"site": "pond"})


def test_adding_the_same_again_changes_nothing(collection: Collection):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows, label="dog", tags={"site": "pond"})

    assert collection.add("/a/one.wav", rows, label="dog", tags={"site": "pond"}) == "unchanged"
    assert collection.counts() == (1, 1, 4)


def test_stored_vectors_of_known_audio_are_kept(collection: Collection):
    rows = collection.vectors(2)
    collection.add("/a/one.wav", rows)
    collection.add("/a/one.wav", collection.vectors(2))

    assert collection.hits(rows[0], top_k=1)[0].score > 0.999


def test_the_callers_array_is_not_kept_by_reference(collection: Collection):
    rows = collection.vectors(1)
    query = rows.copy()
    collection.add("/a/one.wav", rows)
    rows[:] = 0

    assert collection.hits(query)[0].score > 0.999


def test_another_label_updates_the_path(collection: Collection):
    collection.add("/a/one.wav", label="dog")

    assert collection.add("/a/one.wav", label="cat") == "updated"
    assert collection.found()["/a/one.wav"].label == "cat"
    assert collection.counts() == (1, 1, 4)


def test_a_label_may_go(collection: Collection):
    collection.add("/a/one.wav", label="dog")

    assert collection.add("/a/one.wav") == "updated"
    assert collection.found()["/a/one.wav"].label is None


def test_other_tags_update_the_path(collection: Collection):
    collection.add("/a/one.wav", tags={"n": 1, "deep": {"list": [1, None, "x"]}})

    assert collection.add("/a/one.wav", tags={"n": 1, "deep": {"list": [1, None, "y"]}}) == "updated"
    assert collection.found()["/a/one.wav"].tags == {"n": 1, "deep": {"list": [1, None, "y"]}}


def test_the_same_audio_under_a_second_path_is_linked(collection: Collection):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows, content="song", label="dog")

    assert collection.add("/b/copy.wav", rows, content="song", label="cat") == "linked"
    assert collection.counts() == (1, 2, 4)


def test_a_recording_of_two_paths_is_found_once_and_under_its_first_path(collection: Collection):
    collection.add("/b/copy.wav", content="song")
    collection.add("/a/one.wav", content="song")

    assert list(collection.found()) == ["/a/one.wav"]


def test_label_and_tags_belong_to_the_path(collection: Collection):
    collection.add("/a/one.wav", content="song", label="dog", tags={"site": "pond"})
    collection.add("/b/copy.wav", content="song", label="cat", tags={"site": "lake"})

    found = collection.found(labels=("cat",))
    assert list(found) == ["/b/copy.wav"]
    assert (found["/b/copy.wav"].label, found["/b/copy.wav"].tags) == ("cat", {"site": "lake"})


def test_other_audio_under_a_path_replaces_the_old_windows(collection: Collection):
    old = collection.vectors(4)
    collection.add("/a/one.wav", old, content="old")

    assert (
        collection.add("/a/one.wav", collection.vectors(3), content="new", duration_s=8.0) == "replaced"
    )
    assert collection.counts() == (1, 1, 3)
    new_id = collection.recording("/a/one.wav", "new").recording_id
    assert {hit.recording_id for hit in collection.hits(old)} == {new_id}
    assert collection.found()["/a/one.wav"].duration_s == 8.0


def test_replaced_audio_stays_where_another_path_holds_it(collection: Collection):
    collection.add("/a/one.wav", content="old")
    collection.add("/b/copy.wav", content="old")

    assert collection.add("/a/one.wav", content="new") == "replaced"
    assert collection.counts() == (2, 2, 8)
    assert set(collection.found()) == {"/a/one.wav", "/b/copy.wav"}


def test_a_path_may_take_over_audio_that_is_known(collection: Collection):
    collection.add("/a/one.wav", content="first")
    collection.add("/b/two.wav", content="second")

    assert collection.add("/a/one.wav", content="second") == "replaced"
    assert collection.counts() == (1, 2, 4)


def test_the_start_time_comes_back_with_its_instant(collection: Collection):
    local = NOON.astimezone(timezone(timedelta(hours=-7)))
    collection.add("/a/one.wav", recorded_at=local)

    assert collection.found()["/a/one.wav"].recorded_at == NOON
    assert collection.add("/a/one.wav", recorded_at=NOON) == "unchanged"


def test_another_start_time_updates(collection: Collection):
    collection.add("/a/one.wav")

    assert collection.add("/a/one.wav", recorded_at=NOON) == "updated"
    assert collection.counts() == (1, 1, 4)
    assert collection.found()["/a/one.wav"].recorded_at == NOON


def test_another_start_time_keeps_the_other_paths(collection: Collection):
    collection.add("/a/one.wav", content="song", label="dog", tags={"n": [1]})
    collection.add("/b/copy.wav", content="song", label="cat")
    collection.add("/b/copy.wav", content="song", label="cat", recorded_at=NOON)

    assert collection.counts() == (1, 2, 4)
    assert collection.found(labels=("dog",))["/a/one.wav"].tags == {"n": [1]}
    assert list(collection.found(labels=("cat",))) == ["/b/copy.wav"]


def test_who_does_not_know_the_start_time_leaves_the_stored_one(collection: Collection):
    collection.add("/a/one.wav", recorded_at=NOON)

    assert collection.add("/a/one.wav") == "unchanged"
    assert collection.found()["/a/one.wav"].recorded_at == NOON


def test_linking_stores_a_path_of_known_audio(collection: Collection):
    collection.add("/a/one.wav", content="song", duration_s=7.5)

    assert collection.link("/b/copy.wav", "song", label="cat", duration_s=0.0) == "linked"
    assert collection.link("/b/copy.wav", "song", label="cat", duration_s=0.0) == "unchanged"
    assert collection.link("/b/copy.wav", "song", label="cow", duration_s=0.0) == "updated"
    assert collection.counts() == (1, 2, 4)
    assert collection.found(labels=("cow",))["/b/copy.wav"].duration_s == 7.5


def test_linking_a_path_to_other_known_audio_replaces(collection: Collection):
    collection.add("/a/one.wav", content="first")
    collection.add("/b/two.wav", content="second")

    assert collection.link("/a/one.wav", "second") == "replaced"
    assert collection.counts() == (1, 2, 4)


def test_unknown_audio_cannot_be_linked(collection: Collection):
    assert collection.link("/a/one.wav") is None
    collection.add("/a/one.wav")

    assert collection.link("/b/two.wav") is None
    assert collection.counts() == (1, 1, 4)


def test_a_new_start_time_is_no_matter_of_linking(collection: Collection):
    """The windows' times would have to change, so the audio is to be added again."""
    collection.add("/a/one.wav", content="song")

    assert collection.link("/b/copy.wav", "song", recorded_at=NOON) is None
    assert collection.counts() == (1, 1, 4)


def test_known_lengths_are_those_that_are_stored(collection: Collection):
    stored = collection.recording("/a/one.wav").recording_id
    other = collection.recording("/b/two.wav").recording_id
    assert collection.store.known_lengths([stored]) == {}
    collection.add("/a/one.wav")

    length_s = collection.recording("/a/one.wav").duration_s
    assert length_s > 0
    assert collection.store.known_lengths([stored, other]) == {stored: length_s}
    assert collection.store.known_lengths([]) == {}


def test_a_refused_recording_leaves_an_empty_store_empty(collection: Collection):
    one = collection.recording("/a/one.wav")
    with pytest.raises(DimensionMismatch):
        collection.store.add(one, collection.windows(2), collection.vectors(3), collection.spec)
    assert collection.counts() == (0, 0, 0)
    assert collection.store.status().spec is None


def test_a_recording_of_many_windows_is_stored_whole(collection: Collection):
    collection.add("/a/long.wav", collection.vectors(1300), duration_s=2602.0)

    assert collection.counts() == (1, 1, 1300)
    assert len({hit.window_index for hit in collection.hits(collection.vectors(1), top_k=1000)}) == 1300


def test_an_index_may_begin_anew_after_reset(collection: Collection):
    collection.add("/a/one.wav")
    collection.store.reset()
    assert collection.counts() == (0, 0, 0)
    assert collection.store.status().spec is None
    collection.spec = replace(collection.spec, encoder="another", dimension=4)

    row = np.eye(1, 4, dtype=np.float32)
    assert collection.add("/a/one.wav", row) == "added"
    assert collection.hits(row)[0].score > 0.999


def test_resetting_an_empty_store_is_no_error(collection: Collection):
    collection.store.reset()
    collection.store.finish_batch()

    assert collection.counts() == (0, 0, 0)
