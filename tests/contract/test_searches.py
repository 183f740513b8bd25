"""Named searches are run again, and places that were marked wrong are not found, in every store."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.audio.excerpt import Excerpt
from soundalike.errors import (
    ArchiveInvalid,
    ArchiveTooNew,
    ModelMismatch,
    ParameterError,
    RecordingNotFound,
    SearchExists,
    SearchNotFound,
    SpanOutside,
)
from soundalike.filters import Filters
from soundalike.search.examples import parse_example, parse_examples
from soundalike.search.queries import Query, query_without_sound
from soundalike.search.requests import Narrowing
from soundalike.searches.exchange import read_search
from soundalike.searches.requests import RunRequest, SaveRequest, Settings
from soundalike.searches.reviewed import without_places
from soundalike.searches.running import Found, marked_examples
from soundalike.searches.searches import Searches
from soundalike.store.base import rebuild_name
from soundalike.store.memory import MemoryStore

if TYPE_CHECKING:
    from soundalike.types import FloatArray
    from tests.fixtures.collections import Collection

A, B, C, D = "/a.wav", "/b.wav", "/c.wav", "/d.wav"
X, Y, Z = np.eye(16, dtype=np.float32)[:3]


def near(*rest: float) -> FloatArray:
    """Return windows that resemble X less and less."""
    rows = np.array([X + much * Y for much in rest], dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def filled(collection: Collection) -> Collection:
    """Store recordings of 4 s windows every 2 s."""
    collection.add(A, near(0.1, 9, 9, 0.5), label="dog")
    collection.add(B, near(0.2, 9), label="dog")
    collection.add(C, near(0.3, 9), label="cat")
    collection.add(D, np.array([Z]))
    return collection


@pytest.fixture
def searches(filled: Collection) -> Searches:
    save(filled, "x", Query(vector=X), kind="vector")
    return Searches(filled.store)


def save(filled: Collection, name: str, query: Query, **given: Any) -> dict[str, Any]:
    embedded = query_without_sound(filled.store, query, ["default"])
    return Searches(filled.store).save(SaveRequest(name=name, **given), embedded)


def order(found: Found) -> list[tuple[str, float]]:
    return [(match.recording.uri, match.start_s) for match in found.answer.matches]


def mark(searches: Searches, place: str, *, is_right: bool) -> None:
    searches.mark("x", parse_example(place), is_right=is_right)


def test_a_place_that_was_marked_wrong_makes_room_for_the_next_best(searches: Searches):
    assert order(searches.run("x")) == [(A, 0), (B, 0), (C, 0), (D, 0)]
    mark(searches, f"{A}:0-4", is_right=False)
    assert order(searches.run("x")) == [(B, 0), (C, 0), (A, 6), (D, 0)]
    found = {match.recording.uri: match for match in searches.run("x").answer.matches}
    assert found[A].score == pytest.approx(1 / np.sqrt(1.25), abs=1e-3)
    assert [match.rank for match in found.values()] == [1, 2, 3, 4]
    mark(searches, A, is_right=False)
    assert order(searches.run("x")) == [(B, 0), (C, 0), (D, 0)]
    # As many as were asked for, although the best ones are marked.
    mark(searches, B, is_right=False)
    assert order(searches.run("x", RunRequest(top_k=1))) == [(C, 0)]
    searches.undo("x")
    assert order(searches.run("x", RunRequest(top_k=1))) == [(B, 0)]


def test_a_store_without_places_answers_as_a_store(searches: Searches, filled: Collection):
    mark(searches, f"{A}:0-4", is_right=False)
    store = without_places(filled.store, searches.marks("x"))
    rows, given = np.array([X]), {"filters": Filters(), "collection": "default"}
    found = store.search(rows, filled.spec, top_k=9, **given)
    a_id = filled.recording(A).recording_id
    assert (len(found.recordings), found.n_windows[a_id]) == (4, 4)
    starts = {hit.start_s: hit.window_index for hit in found.hits if hit.recording_id == a_id}
    assert starts.keys() == {4, 6}
    windows = [(a_id, number) for number in starts.values()]
    assert store.window_vectors(windows, collection="default").keys() == set(windows)
    assert len(store.search(rows, filled.spec, top_k=1, **given).recordings) == 1
    assert without_places(filled.store, []) is filled.store


def test_right_places_are_shown_unless_new_ones_are_asked_for(searches: Searches):
    mark(searches, f"{A}:0-4", is_right=True)
    assert order(searches.run("x"))[0] == (A, 0)
    assert order(searches.run("x", RunRequest(unmarked=True))) == [(B, 0), (C, 0), (A, 6), (D, 0)]
    mark(searches, A, is_right=False)
    assert A not in dict(order(searches.run("x")))
    # Of several marks the latest counts.
    mark(searches, f"{A}:6-10", is_right=True)
    assert dict(order(searches.run("x")))[A] == 6


def test_examples_and_filters_are_kept_and_hold_for_marked_recordings(filled: Collection):
    settings = Settings(narrowing=Narrowing(labels=("dog",)), top_k=5, min_score=-0.5)
    like, unlike = parse_examples([f"{B}:0-4"], "like"), parse_examples([D], "unlike")
    key = filled.recording(A).recording_id
    query = Query(recording_id=key, excerpt=Excerpt(0, 4))
    row = save(
        filled,
        "x",
        query,
        kind="recording",
        excerpt=query.excerpt,
        settings=settings,
        like=like,
        unlike=unlike,
    )
    assert (row["query"], row["like"], row["unlike"]) == (f"{A}:0-4", [f"{B}:0-4"], [D])
    assert (row["filters"], row["top_k"], row["min_score"]) == ({"labels": ["dog"]}, 5, -0.5)
    searches = Searches(filled.store)
    before = searches.run("x")
    assert dict(order(before)).keys() == {A, B}
    place = dict(order(before))[A]
    mark(searches, f"{A}:{place:g}-{place + 4:g}", is_right=False)
    mark(searches, C, is_right=False)
    after = dict(order(searches.run("x")))
    assert after.keys() == {A, B}
    assert abs(after[A] - place) > 2


def test_groups_and_rates_are_those_of_a_search(filled: Collection):
    for number in range(30):
        filled.add(f"/{number:02}.wav")
    save(filled, "x", Query(vector=X), kind="vector", settings=Settings(group_by="label", top_k=3))
    searches = Searches(filled.store)
    labels = [match.recording.label for match in searches.run("x").answer.matches]
    assert labels[:2] == ["dog", "cat"]
    (rate,) = [
        one.false_alarm_rate for one in searches.run("x").answer.matches if one.recording.uri == A
    ]
    mark(searches, f"{A}:5-8", is_right=False)
    best, *_ = searches.run("x").answer.matches
    assert (best.recording.uri, best.start_s, best.false_alarm_rate) == (A, 0, rate)
    mark(searches, f"{A}:0-4", is_right=False)
    searches.clear("x", parse_example(f"{A}:5-8"))
    best, *_ = searches.run("x").answer.matches
    assert (best.recording.uri, best.recording.label) == (B, "dog")
    mark(searches, B, is_right=False)
    mark(searches, C, is_right=False)
    best, *_ = searches.run("x", RunRequest(max_false_alarms=1.0)).answer.matches
    assert (best.recording.uri, best.start_s) == (A, 6)
    assert best.false_alarm_rate is not None


def test_a_search_runs_without_its_recordings(filled: Collection):
    key = filled.recording(A).recording_id
    like = parse_examples([B], "like")
    save(filled, "x", Query(recording_id=key), kind="recording", like=like)
    searches = Searches(filled.store)
    mark(searches, C, is_right=True)
    before = searches.run("x").answer.matches
    for uri in (A, B, C):
        filled.store.delete(uri)
    assert order(searches.run("x")) == [(D, 0)]
    assert searches.run("x", RunRequest(use_marks=True)).answer.matches
    assert [one.uri for one in searches.marks("x")] == [C]
    for uri, rows in ((A, near(0.1, 9, 9, 0.5)), (B, near(0.2, 9)), (C, near(0.3, 9))):
        filled.add(uri, rows)
    again = searches.run("x").answer.matches
    assert [(one.recording.uri, one.score) for one in again] == [
        (one.recording.uri, one.score) for one in before
    ]
    # The mark of a recording that came back holds again.
    assert C not in dict(order(searches.run("x", RunRequest(unmarked=True))))


def test_marks_become_examples(searches: Searches):
    mark(searches, B, is_right=True)
    mark(searches, D, is_right=False)
    plain, taught = searches.run("x"), searches.run("x", RunRequest(use_marks=True))
    assert plain.answer.matches[0].query_start_s is None
    scores = [{one.recording.uri: one.score for one in run.answer.matches} for run in (plain, taught)]
    assert scores[0].keys() == scores[1].keys() == {A, B, C}
    assert scores[0] != scores[1]


def test_right_and_wrong_marks_are_told_apart(searches: Searches, filled: Collection):
    for place, is_right in ((B, True), (f"{A}:0-4", True), (D, False), (C, False)):
        mark(searches, place, is_right=is_right)
    filled.store.delete(C)
    right, wrong = marked_examples(filled.store, searches.marks("x"), "default")
    # The latest first; without what is not stored any more.
    assert ([one.name for one in right], [one.name for one in wrong]) == ([A, B], [D])
    assert [len(one.embeddings) for one in right] == [2, 2]


def test_a_run_may_be_of_another_time(filled: Collection):
    from datetime import UTC, datetime

    filled.add("/may.wav", near(0.1), recorded_at=datetime(2025, 5, 1, tzinfo=UTC))
    filled.add("/june.wav", near(0.1), recorded_at=datetime(2025, 6, 1, tzinfo=UTC))
    narrowing = Narrowing(since="2025-05-01", time_zone="Europe/Berlin")
    save(filled, "x", Query(vector=X), kind="vector", settings=Settings(narrowing=narrowing))
    searches = Searches(filled.store)
    assert dict(order(searches.run("x"))).keys() == {"/may.wav", "/june.wav"}
    late = searches.run("x", RunRequest(since="2025-05-20"))
    assert (dict(order(late)).keys(), late.time_zone) == ({"/june.wav"}, "Europe/Berlin")
    mark(searches, "/may.wav:0-2", is_right=True)
    assert dict(order(searches.run("x", RunRequest(until="2025-05-20")))).keys() == {"/may.wav"}
    with pytest.raises(ParameterError, match="since"):
        searches.run("x", RunRequest(since="soon"))
    with pytest.raises(ParameterError, match="top_k"):
        searches.run("x", RunRequest(top_k=0))


def test_events_at_wrong_places_are_left_out(searches: Searches):
    request = RunRequest(min_score=-1.0)
    about, events, _ = searches.events("x", request)
    starts = {(one.recording.uri, one.start_s) for one in events}
    assert about.warnings == ()
    (wrong, *_) = sorted(one for one in starts if one[0] == A)
    mark(searches, f"{A}:{wrong[1]:g}-{wrong[1] + 1:g}", is_right=False)
    _, events, _ = searches.events("x", request)
    assert {(one.recording.uri, one.start_s) for one in events} == starts - {wrong}
    _, events, _ = searches.events("x", replace(request, top_k=1))
    assert len(list(events)) == 1


def test_a_rebuilt_collection_takes_its_own_vectors(filled: Collection):
    key = filled.recording(A).recording_id
    like = parse_examples([B], "like")
    save(filled, "stored", Query(recording_id=key), kind="recording", like=like)
    save(filled, "vector", Query(vector=X), kind="vector")
    searches, other = Searches(filled.store), replace(filled.spec, fingerprint="beef")
    new = rebuild_name("default")
    for uri, rows in ((A, near(0.1)), (C, near(0.3))):
        recording = filled.recording(uri)
        filled.store.add(recording, filled.windows(1), rows, other, collection=new)
    assert filled.store.replace_collection("default", new, without={B, D})
    found = searches.run("stored")
    assert order(found) == [(A, 0), (C, 0)]
    assert [text for text in found.answer.warnings if "example '/b.wav'" in text]
    with pytest.raises(ModelMismatch, match="--replace"):
        searches.run("vector")


def test_places_are_checked_when_they_are_marked(searches: Searches, filled: Collection):
    by_id = filled.recording(A).recording_id.upper()
    found = searches.mark("x", parse_example(f"{by_id}:2-10.3"), is_right=True, by="ann")
    assert (found.uri, found.start_s, found.end_s, found.marked_by) == (A, 2, 10, "ann")
    for part in ("10-12", "8-11", "400-401"):
        with pytest.raises(SpanOutside, match="has 10 s"):
            mark(searches, f"{A}:{part}", is_right=True)
    with pytest.raises(RecordingNotFound):
        mark(searches, "/none.wav", is_right=True)
    with pytest.raises(SearchNotFound):
        searches.mark("y", parse_example("/none.wav"), is_right=True)
    assert [(one.start_s, one.end_s) for one in searches.marks("x")] == [(2, 10)]


def test_marks_are_cleared_also_without_the_recording(searches: Searches, filled: Collection):
    for place in (f"{A}:0-4", f"{A}:6-10", B):
        mark(searches, place, is_right=False)
    assert [one.start_s for one in searches.clear("x", parse_example(f"{A}:1-4"))] == [0]
    filled.store.delete(A)
    cleared = searches.clear("x", parse_example(filled.recording(A).recording_id))
    assert [one.start_s for one in cleared] == [6]
    with pytest.raises(ParameterError, match="no mark"):
        searches.clear("x", parse_example(A))
    assert [one.uri for one in searches.marks("x")] == [B]


def test_right_places_become_annotations(searches: Searches, filled: Collection):
    mark(searches, f"{A}:0-4", is_right=True)
    mark(searches, f"{A}:6-10", is_right=False)
    mark(searches, B, is_right=True)
    filled.store.delete(B)
    found = searches.accept("x", "bark")
    assert (found.added, found.unchanged, found.missing) == (1, 0, 1)
    (one,) = filled.store.annotations(label="bark")
    assert (one.uri, one.annotation.start_s, one.annotation.end_s, one.source) == (A, 0, 4, "search:x")
    found = searches.accept("x", "bark")
    assert (found.added, found.unchanged) == (0, 1)
    searches.undo("x")
    assert list(filled.store.annotations()) == []
    with pytest.raises(ParameterError, match="label is empty"):
        searches.accept("x", " ")


def test_a_file_carries_a_search_to_another_database(filled: Collection):
    key = filled.recording(A).recording_id
    settings = Settings(narrowing=Narrowing(where=("fold=1",), tags={"n": 1}), max_false_alarms=0.5)
    save(
        filled,
        "x",
        Query(recording_id=key, excerpt=Excerpt(at_s=1.0)),
        kind="recording",
        excerpt=Excerpt(at_s=1.0),
        settings=settings,
        like=parse_examples([f"{B}:0-4"], "like"),
        unlike=parse_examples([D], "unlike"),
    )
    searches = Searches(filled.store)
    mark(searches, f"{A}:0-4", is_right=True)
    mark(searches, B, is_right=False)
    mark(searches, D, is_right=False)
    content = json.dumps(searches.export("x")).encode()
    there = type(filled)(MemoryStore(), filled.rng)
    there.add(A, near(0.1))
    # The same path with another content, and so another id.
    there.add(B, near(0.2), content="other")
    found = Searches(there.store).load(read_search(content, "x.json"))
    assert (found.name, found.marks, found.moved, found.missing, found.warnings) == ("x", 3, 1, 1, ())
    again = Searches(there.store).export("x")
    assert again["marks"][1]["recording_id"] == there.recording(B, "other").recording_id
    same = json.loads(content)
    for one in (again, same):
        del one["marks"][1]["recording_id"]
    assert again == same
    with pytest.raises(SearchExists):
        Searches(there.store).load(same | {"marks": []})
    assert Searches(there.store).load(json.loads(content), name="y").name == "y"
    Searches(there.store).load(json.loads(content) | {"marks": []}, replace=True)
    assert len(Searches(there.store).marks("x")) == 3


def test_files_that_are_no_search_are_refused(searches: Searches):
    good = searches.export("x")
    with pytest.raises(ArchiveTooNew, match="version 2"):
        searches.load(good | {"version": 2})
    mark_row = {
        **{"recording_id": "00000000-0000-4000-8000-000000000000", "uri": A, "start_s": 0.0, "end_s": 1},
        **{"verdict": "right", "marked_by": "", "marked_at": "2025-05-01T12:00:00+00:00"},
    }
    definition = good["definition"]
    query = definition["query"]
    bad: list[dict[str, Any]] = [
        {},
        {"format": "other"},
        good | {"version": 0},
        good | {"version": "1"},
        good | {"name": 7},
        good | {"vectors": "?"},
        good | {"vectors": base64.b64encode(2 * base64.b64decode(good["vectors"])).decode()},
        good | {"vectors": "AAAA"},
        good | {"marks": None},
        good | {"marks": [mark_row | {"verdict": "maybe"}]},
        good | {"marks": [mark_row | {"start_s": 2.0}]},
        good | {"marks": [mark_row | {"marked_at": "2025-05-01T12:00:00"}]},
        good | {"marks": [mark_row | {"recording_id": "x"}]},
        good | {"marks": [mark_row | {"end_s": float("inf")}]},
        good | {"definition": []},
        good | {"definition": definition | {"top_k": 0}},
        good | {"definition": definition | {"top_k": 2.5}},
        good | {"definition": definition | {"exclude_self": "no"}},
        good | {"definition": definition | {"min_score": float("nan")}},
        good | {"definition": definition | {"max_false_alarms": True}},
        good | {"definition": definition | {"filters": {"labels": "dog"}}},
        good | {"definition": definition | {"filters": {"since": "soon"}}},
        good | {"definition": definition | {"filters": {"nothing": "x"}}},
        good | {"definition": definition | {"encoder": {}}},
        good | {"definition": definition | {"query": query | {"kind": "smell"}}},
        good | {"definition": definition | {"query": query | {"windows": [[0]]}}},
        good | {"definition": definition | {"query": query | {"recording_id": "x"}}},
        good | {"definition": definition | {"like": [{"name": "x"}]}},
    ]
    for row in bad:
        with pytest.raises((ArchiveInvalid, ParameterError)) as caught:
            searches.load(row, name=None)
        assert type(caught.value) is ArchiveInvalid, row
    for content in (b"", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(ArchiveInvalid, match="not an exported search"):
            read_search(content, "x.json")
    assert [row["name"] for row in searches.rows()] == ["x"]


def test_what_does_not_fit_is_not_saved(filled: Collection):
    query = query_without_sound(filled.store, Query(vector=X), ["default"])
    searches = Searches(filled.store)
    foreign = replace(query, spec=replace(query.spec, fingerprint="beef"))
    with pytest.raises(ModelMismatch):
        searches.save(SaveRequest(name="x", kind="vector"), foreign)
    with pytest.raises(RecordingNotFound):
        searches.save(
            SaveRequest(name="x", kind="vector", like=parse_examples(["/none"], "like")), query
        )
    with pytest.raises(ParameterError, match="name of the search"):
        searches.save(SaveRequest(name="a b", kind="vector"), query)
    with pytest.raises(ParameterError, match="kind"):
        searches.save(SaveRequest(name="x", kind="smell"), query)
    assert searches.rows() == []
    with pytest.raises(SearchNotFound):
        searches.remove("x")
