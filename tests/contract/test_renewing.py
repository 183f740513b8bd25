"""What a later decoder makes of a recording takes the place of what an earlier one has made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.store.base import Entry
from soundalike.types import DECODER_VERSION, FloatArray, Window

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
EARLIER = DECODER_VERSION - 1


def _add(
    collection: Collection,
    uri: str,
    rows: FloatArray,
    decoder_version: int = EARLIER,
    content: str | None = None,
    **known: Any,
) -> str:
    recording = collection.recording(uri, content, **known)
    entry = Entry(recording, collection.windows(len(rows)), rows, decoder_version)
    (outcome,) = collection.store.add_many([entry], collection.spec)
    return outcome


def _outdated(collection: Collection) -> list[str]:
    return [file.uri for file in collection.store.outdated_files()]


@pytest.fixture
def earlier(collection: Collection) -> FloatArray:
    """Add a recording of 10 s that an earlier decoder has decoded; return its vectors."""
    rows = collection.vectors(4)
    assert _add(collection, "/a/one.wav", rows, label="dog", tags={"n": 1}) == "added"
    return rows


def test_windows_length_and_version_are_the_later_decoders(collection: Collection, earlier: FloatArray):
    later = collection.vectors(3)
    assert collection.add("/a/one.wav", later, duration_s=8.0, label="dog", tags={"n": 1}) == "updated"

    assert collection.counts() == (1, 1, 3)
    assert collection.hits(later[2])[0].score > 0.999
    assert collection.hits(earlier[0])[0].score < 0.999
    found = collection.found()["/a/one.wav"]
    assert (found.duration_s, found.label, found.tags) == (8.0, "dog", {"n": 1})
    content = collection.store.content(found.recording_id)
    assert content is not None
    assert (content.decoder_version, len(content.windows)) == (DECODER_VERSION, 3)
    assert collection.store.status().earlier_decoder == 0


def test_where_it_comes_out_the_same_only_the_version_changes(
    collection: Collection, earlier: FloatArray
):
    assert collection.store.status().earlier_decoder == 1

    assert collection.add("/a/one.wav", earlier, label="dog", tags={"n": 1}) == "unchanged"
    assert collection.store.status().earlier_decoder == 0
    assert collection.hits(earlier[3])[0].score > 0.999


@pytest.mark.parametrize("change", ["length", "quality", "bounds", "vectors"])
def test_any_difference_counts(collection: Collection, earlier: FloatArray, change: str):
    rows, windows, duration_s = earlier.copy(), collection.windows(4), 10.0
    if change == "length":
        duration_s = 10.5
    elif change == "quality":
        windows[1] = Window(1, 2.0, 6.0, is_clipped=True)
    elif change == "bounds":
        windows[3] = Window(3, 6.0, 9.9)
    else:
        rows[2] = np.roll(rows[2], 1)
    recording = collection.recording("/a/one.wav", duration_s=duration_s, label="dog", tags={"n": 1})

    assert collection.store.add(recording, windows, rows, collection.spec) == "updated"
    content = collection.store.content(recording.recording_id)
    assert content is not None
    assert [(window.end_s, window.quality) for window in content.windows] == [
        (window.end_s, window.quality) for window in windows
    ]
    assert content.files[0].duration_s == duration_s


def test_an_earlier_decoder_changes_nothing(collection: Collection):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows)

    assert _add(collection, "/a/one.wav", collection.vectors(3)) == "unchanged"
    assert collection.counts() == (1, 1, 4)
    assert collection.hits(rows[0])[0].score > 0.999
    assert collection.store.status().earlier_decoder == 0


def test_all_paths_stay(collection: Collection, earlier: FloatArray):
    assert collection.link("/b/copy.wav", "/a/one.wav", label="cat") == "linked"
    rows = collection.vectors(2)

    assert collection.add("/c/third.wav", rows, content="/a/one.wav", label="cow") == "linked"
    assert collection.counts() == (1, 3, 2)
    labels = {file.uri: file.label for file in collection.store.files()}
    assert labels == {"/a/one.wav": "dog", "/b/copy.wav": "cat", "/c/third.wav": "cow"}


def test_several_of_one_recording_in_one_batch(collection: Collection, earlier: FloatArray):
    rows = collection.vectors(3)
    entries = [
        Entry(collection.recording(uri, "/a/one.wav"), collection.windows(3), rows)
        for uri in ("/a/two.wav", "/a/three.wav")
    ]

    assert collection.store.add_many(entries, collection.spec) == ["linked", "linked"]
    assert collection.counts() == (1, 3, 3)
    assert collection.hits(rows[0])[0].score > 0.999


def test_one_batch_may_hold_both_decoders(collection: Collection):
    rows = collection.vectors(3)
    entries = [
        Entry(collection.recording(uri, "song"), collection.windows(len(vectors)), vectors, version)
        for uri, vectors, version in (
            ("/a/one.wav", collection.vectors(4), EARLIER),
            ("/a/two.wav", rows, DECODER_VERSION),
            ("/a/three.wav", collection.vectors(5), EARLIER),
        )
    ]

    assert collection.store.add_many(entries, collection.spec) == ["added", "linked", "linked"]
    assert collection.counts() == (1, 3, 3)
    assert collection.hits(rows[2])[0].score > 0.999


@pytest.mark.parametrize("source", ["filename", "metadata", "given", None])
def test_a_start_that_was_told_stays(collection: Collection, source: str | None):
    at = NOON if source else None
    known = {"recorded_at": at, "recorded_at_source": source}
    _add(collection, "/a/one.wav", collection.vectors(4), **known)

    collection.add("/a/one.wav", collection.vectors(3), duration_s=8.0)
    found = collection.found()["/a/one.wav"]
    assert (found.recorded_at, found.recorded_at_source) == (at, source)


def test_a_start_that_was_counted_back_follows_the_length(collection: Collection):
    start = {"recorded_at": NOON, "recorded_at_source": "mtime"}
    rows = collection.vectors(3)
    _add(collection, "/a/one.wav", collection.vectors(4), duration_s=10.0, **start)
    # Of a copy, whose time of last change is no better.
    other = {"recorded_at": NOON + timedelta(days=1), "recorded_at_source": "mtime"}
    outcome = collection.add("/b/copy.wav", rows, content="/a/one.wav", duration_s=8.5, **other)

    assert outcome == "linked"
    found = collection.found()["/a/one.wav"]
    assert found.recorded_at == NOON + timedelta(seconds=1.5)
    assert found.recorded_at_source == "mtime"
    assert len(collection.hits(rows[0], since=NOON + timedelta(seconds=5.5))) == 1


def test_a_better_known_start_is_taken(collection: Collection):
    _add(collection, "/a/one.wav", collection.vectors(4), recorded_at=NOON, recorded_at_source="mtime")
    later = NOON - timedelta(days=3)
    collection.add("/a/one.wav", collection.vectors(3), recorded_at=later, recorded_at_source="filename")

    found = collection.found()["/a/one.wav"]
    assert (found.recorded_at, found.recorded_at_source) == (later, "filename")
    assert collection.store.status().earlier_decoder == 0


def test_what_an_earlier_decoder_has_decoded_is_listed_by_path(collection: Collection):
    for name, version in (("b", EARLIER), ("a", EARLIER), ("c", DECODER_VERSION)):
        _add(collection, f"/{name}.wav", collection.vectors(2), version)
    collection.link("/d.wav", "/a.wav")

    assert _outdated(collection) == ["/a.wav", "/b.wav", "/d.wav"]
    assert collection.store.status().earlier_decoder == 2
    collection.add("/a.wav", collection.vectors(1))
    assert _outdated(collection) == ["/b.wav"]


def test_an_empty_store_lists_none(collection: Collection):
    assert _outdated(collection) == []
    assert collection.store.status().earlier_decoder == 0


def test_a_link_is_no_answer_where_it_is_to_be_renewed(collection: Collection, earlier: FloatArray):
    recording = collection.recording("/b/copy.wav", "/a/one.wav")

    assert collection.store.link(recording, collection.spec, renew=True) is None
    assert collection.counts() == (1, 1, 4)
    collection.add("/a/one.wav", collection.vectors(4), label="dog", tags={"n": 1})
    assert collection.store.link(recording, collection.spec, renew=True) == "linked"


def test_recordings_that_no_search_can_find_are_counted(collection: Collection):
    collection.add("/a/heard.wav", silent=[0, 1])
    assert collection.store.status().unsearchable == 0
    collection.add("/a/silent.wav", silent=[0, 1, 2, 3])
    clipped = [Window(0, 0.0, 4.0, is_clipped=True)]
    loud = collection.recording("/a/loud.wav")
    collection.store.add(loud, clipped, collection.vectors(1), collection.spec)
    # The encoder has made nothing of it.
    collection.add("/a/nothing.wav", 0 * collection.vectors(1))
    assert collection.store.status().unsearchable == 3

    collection.store.delete("/a/loud.wav")
    assert collection.store.status().unsearchable == 2


def test_a_later_decoder_may_find_something(collection: Collection):
    rows = 0 * collection.vectors(2)
    _add(collection, "/a/one.wav", rows)
    assert collection.store.status().unsearchable == 1

    collection.add("/a/one.wav", collection.vectors(2))
    assert collection.store.status().unsearchable == 0


def test_other_collections_do_not_count(collection: Collection):
    recording = collection.recording("/a/one.wav")
    entry = Entry(recording, collection.windows(1, silent=[0]), collection.vectors(1), EARLIER)
    collection.store.add_many([entry], collection.spec, collection="other")
    collection.add("/a/two.wav")

    status = collection.store.status()
    assert (status.earlier_decoder, status.unsearchable) == (0, 0)
    other = collection.store.status(collection="other")
    assert (other.earlier_decoder, other.unsearchable) == (1, 1)
