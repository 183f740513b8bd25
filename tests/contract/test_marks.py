"""Searches with several right and wrong examples, in every store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.errors import ModelMismatch, ParameterError, RecordingNotFound, SilentQuery
from soundalike.filters import Filters
from soundalike.search.examples import MAX_MARKS, Example, parse_example, parse_examples
from soundalike.search.find import Answer, answer_to, find_hits
from soundalike.search.marked import with_examples
from soundalike.search.queries import Query, query_without_sound
from soundalike.search.requests import SearchRequest

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

A, B, C, D = "/a.wav", "/b.wav", "/c.wav", "/d.wav"
X, Y, Z = np.eye(16, dtype=np.float32)[:3]


@pytest.fixture
def filled(collection: Collection) -> Collection:
    """Store recordings of one window: X with some of Y, X with some of Z, and so on."""
    collection.add(A, np.array([X]))
    collection.add(B, np.array([X + Y]) / np.sqrt(2))
    collection.add(C, np.array([X + Z]) / np.sqrt(2))
    collection.add(D, np.array([X + 0.9 * Y, X + 0.9 * Z], dtype=np.float32) / np.sqrt(1.81))
    for number in range(4, 10):
        collection.add(f"/{number}.wav", np.eye(16, dtype=np.float32)[[number]])
    return collection


def answer(filled: Collection, *like: str, unlike: tuple[str, ...] = (), **given: Any) -> Answer:
    request = SearchRequest(
        Query(vector=X),
        like=parse_examples(like, "like"),
        unlike=parse_examples(unlike, "unlike"),
        **given,
    )
    query = query_without_sound(filled.store, request.query, ["default"])
    return answer_to(request, query, filled.store)


def order(found: Answer) -> list[str]:
    return [match.recording.uri for match in found.matches]


def test_the_order_follows_the_right_and_the_wrong_examples(filled: Collection):
    like_b, unlike_b = order(answer(filled, B)), order(answer(filled, unlike=(B,)))
    assert like_b.index(B) < like_b.index(C)
    assert unlike_b.index(C) < unlike_b.index(B)
    # A part of a recording, here its second window, and an id in place of a path.
    by_part = order(answer(filled, f"{D}:4-6"))
    assert by_part.index(C) < by_part.index(B)
    b_id = filled.recording(B).recording_id
    assert order(answer(filled, b_id)) == like_b


def test_a_match_names_the_best_window_of_its_recording(filled: Collection):
    by_uri = {one.recording.uri: one for one in answer(filled, B, unlike=(C,)).matches}
    assert (by_uri[D].start_s, by_uri[D].n_hits) == (0.0, 2)
    by_uri = {one.recording.uri: one for one in answer(filled, C, unlike=(B,)).matches}
    assert by_uri[D].start_s == 2.0
    # Examples are in several recordings, and rates are those of one query.
    assert (by_uri[D].query_start_s, by_uri[D].false_alarm_rate) == (None, None)
    assert all(-1 <= one.score <= 1 for one in by_uri.values())


def test_the_best_matches_do_not_depend_on_their_number(filled: Collection):
    every = answer(filled, B, unlike=(C,))
    few = answer(filled, B, unlike=(C,), top_k=2)
    assert few.matches == every.matches[:2]
    assert [one.rank for one in every.matches] == list(range(1, 11))


def test_examples_are_left_out_with_the_query(filled: Collection):
    request = SearchRequest(
        Query(recording_id=filled.recording(A).recording_id),
        exclude_self=True,
        like=(Example(B),),
        unlike=(Example(C),),
    )
    query = query_without_sound(filled.store, request.query, ["default"])
    assert not {A, B, C} & set(order(answer_to(request, query, filled.store)))


def test_groups_are_formed_from_all_candidates(collection: Collection):
    for number in range(6):
        label = "fox" if number == 5 else "owl"
        collection.add(f"/{number}.wav", np.array([X + number / 20 * Y]), label=label)
    found = answer(collection, "/0.wav", top_k=2, group_by="label")
    assert {one.recording.label for one in found.matches} == {"owl", "fox"}


def test_rates_are_those_of_single_queries_and_unknown_here(collection: Collection):
    for number in range(30):
        collection.add(f"/{number:02}.wav")
    plain, marked = answer(collection), answer(collection, "/01.wav")
    assert None not in {one.false_alarm_rate for one in plain.matches}
    assert {one.false_alarm_rate for one in marked.matches} == {None}
    assert answer(collection, "/01.wav", max_false_alarms=1.0).matches == []


def test_no_more_recordings_than_asked_for_leave_the_search(filled: Collection):
    query = query_without_sound(filled.store, Query(vector=X), ["default"])
    marked = with_examples(filled.store, query, [Example(B)], [], ["default"])
    found = find_hits(filled.store, marked, top_k=2, filters=Filters(), collections=["default"])
    assert len({hit.recording_id for hit in found["default"].hits}) == 2


def test_a_search_without_examples_is_the_plain_one(filled: Collection):
    (first, *_) = answer(filled).matches
    assert (first.recording.uri, round(first.score, 3)) == (A, 1.0)


def test_unusable_examples_are_errors(filled: Collection):
    with pytest.raises(RecordingNotFound):
        answer(filled, "/none.wav")
    filled.add("/silent.wav", np.array([Z]), silent=[0])
    with pytest.raises(SilentQuery):
        answer(filled, unlike=("/silent.wav",))
    with pytest.raises(ParameterError, match="at most 100"):
        answer(filled, *[A] * (MAX_MARKS + 1))
    with pytest.raises(ParameterError, match="empty"):
        parse_example(" ")
    with pytest.raises(ParameterError):
        parse_example("/a.wav:14-10")


def test_examples_of_another_encoder_are_refused(filled: Collection):
    query = query_without_sound(filled.store, Query(vector=X), ["default"])
    foreign = replace(query, spec=replace(query.spec, fingerprint="beef"))
    with pytest.raises(ModelMismatch, match=r"example .*b\.wav"):
        with_examples(filled.store, foreign, [Example(B)], [], ["default"])


def test_vectors_of_windows_that_are_unknown_are_left_out(filled: Collection):
    b_id = filled.recording(B).recording_id
    found = filled.store.window_vectors([(b_id, 0), (b_id, 7)])
    assert list(found) == [(b_id, 0)]
    np.testing.assert_allclose(found[b_id, 0], (X + Y) / np.sqrt(2), atol=1e-3)
    assert filled.store.window_vectors([(b_id, 0)], collection="none") == {}
