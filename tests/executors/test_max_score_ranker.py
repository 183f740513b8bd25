"""MaxScoreRanker: hits to recordings, each scored by its best window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from docarray import DocList

from executors.messages.documents import Deletion, Found, Indexed, SearchHits, Status, WindowDoc
from executors.messages.hits import write_hits
from executors.messages.parameters import SearchParameters
from soundalike.errors import ParameterError
from soundalike.store import SearchResult
from soundalike.types import Hit, Recording

Load = Callable[..., Any]
A, B, C = (f"00000000-0000-0000-0000-00000000000{number}" for number in range(3))
RECORDINGS = {
    A: Recording(A, "/a.wav", 10.0, "dog", {"site": "pond"}),
    B: Recording(B, "/b.wav", 62.5, None, {}),
    C: Recording(C, "/c.wav", 4.0, "cat"),
}
HITS = [
    Hit(0, A, 0, 0.0, 4.0, 0.30),
    Hit(1, A, 3, 6.0, 10.0, 0.80),
    Hit(0, A, 3, 6.0, 10.0, 0.10),
    Hit(0, B, 7, 14.0, 18.0, 0.95),
    Hit(1, C, 0, 0.0, 4.0, -0.25),
]


def _query(hits: list[Hit] = HITS) -> SearchHits:
    doc = SearchHits(
        id="query", uri="/q.wav", recording_id=A, duration_s=8.0, encoder="toy", warnings=["truncated"]
    )
    write_hits(doc, {"default": SearchResult(hits, RECORDINGS)})
    # The first window was silent and was not searched for.
    doc.chunks = DocList[WindowDoc](
        WindowDoc(index=n, start_s=2.0 * n, end_s=2.0 * n + 4) for n in (1, 2)
    )
    return doc


def _ranked(load_executor: Load, *docs: SearchHits, **parameters: Any) -> DocList[Found]:
    ranker = load_executor("max_score_ranker")
    return ranker.rank(DocList[SearchHits](docs), SearchParameters(**parameters))


def test_recordings_come_by_their_best_window(load_executor: Load):
    (found,) = _ranked(load_executor, _query())

    assert [match.uri for match in found.matches] == ["/b.wav", "/a.wav", "/c.wav"]
    assert [match.rank for match in found.matches] == [1, 2, 3]
    assert [match.score for match in found.matches] == pytest.approx([0.95, 0.80, -0.25])


def test_a_match_names_the_best_pair_of_windows_and_what_is_known(load_executor: Load):
    (found,) = _ranked(load_executor, _query())

    match = found.matches[1]
    assert (match.start_s, match.end_s) == (6.0, 10.0)
    assert (match.query_start_s, match.query_end_s) == (4.0, 8.0)
    assert match.n_hits == 2
    assert (match.label, match.tags, match.duration_s) == ("dog", {"site": "pond"}, 10.0)
    assert match.id == match.recording_id == A
    assert found.matches[0].label is None


def test_what_is_known_of_the_query_comes_along(load_executor: Load):
    (found,) = _ranked(load_executor, _query())

    assert (found.id, found.uri, found.recording_id) == ("query", "/q.wav", A)
    assert (found.duration_s, found.encoder, found.warnings) == (8.0, "toy", ["truncated"])
    assert not {"chunks", "recordings", "hit_score", "samples"} & found.model_dump().keys()


@pytest.mark.parametrize(
    ("parameters", "uris"),
    [
        ({"top_k": 1}, ["/b.wav"]),
        ({"top_k": 2}, ["/b.wav", "/a.wav"]),
        ({"min_score": 0.0}, ["/b.wav", "/a.wav"]),
        ({"min_score": 0.9}, ["/b.wav"]),
        ({"min_score": 0.99}, []),
        ({"top_k": 1, "min_score": 0.99}, []),
    ],
)
def test_each_parameter_has_its_effect(load_executor: Load, parameters: dict[str, Any], uris: list[str]):
    (found,) = _ranked(load_executor, _query(), **parameters)

    assert [match.uri for match in found.matches] == uris


def test_false_alarm_rates_come_from_the_indexer(load_executor: Load):
    query = _query()
    rates = {A: 0.02, B: 0.0001}
    write_hits(query, {"default": SearchResult(HITS, RECORDINGS, {}, rates)})

    (found,) = _ranked(load_executor, query)
    assert [(match.false_alarm_rate, match.strength) for match in found.matches] == [
        (0.0001, "strong"),
        (0.02, "weak"),
        (None, "unknown"),
    ]
    assert found.good_match is None


@pytest.mark.parametrize(
    ("limit", "uris"), [(1.0, ["/b.wav", "/a.wav"]), (0.02, ["/b.wav", "/a.wav"]), (0.019, ["/b.wav"])]
)
def test_a_limit_of_false_alarms_leaves_out_higher_and_unknown_rates(
    load_executor: Load, limit: float, uris: list[str]
):
    query = _query()
    write_hits(query, {"default": SearchResult(HITS, RECORDINGS, {}, {A: 0.02, B: 0.0001})})

    (found,) = _ranked(load_executor, query, max_false_alarms=limit)
    assert [match.uri for match in found.matches] == uris
    assert found.good_match is True


def test_no_good_match_is_an_answer(load_executor: Load):
    (found,) = _ranked(load_executor, _query(), max_false_alarms=0.01)

    assert (found.good_match, len(found.matches), found.error) == (False, 0, None)


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.1, float("nan")])
def test_a_limit_of_false_alarms_is_a_probability(load_executor: Load, limit: float):
    with pytest.raises(ParameterError, match="max_false_alarms"):
        _ranked(load_executor, _query(), max_false_alarms=limit)


def test_the_order_of_the_hits_does_not_matter(load_executor: Load):
    forwards, backwards = _ranked(load_executor, _query(), _query(HITS[::-1]))

    assert forwards.matches == backwards.matches


def test_equal_scores_come_by_path(load_executor: Load):
    hits = [Hit(0, key, 0, 0.0, 4.0, 0.5) for key in (C, A, B)]
    (found,) = _ranked(load_executor, _query(hits))

    assert [match.uri for match in found.matches] == ["/a.wav", "/b.wav", "/c.wav"]


def test_no_hits_are_no_matches(load_executor: Load):
    bare, empty = _ranked(load_executor, SearchHits(), _query([]))

    for found in (bare, empty):
        assert len(found.matches) == 0
        assert found.error_code is None


def test_marked_documents_pass_and_the_rest_is_done(load_executor: Load):
    marked = SearchHits(uri="/bad.wav", error_code="audio.unreadable", error="no sound")
    bad, good = _ranked(load_executor, marked, _query())

    assert (bad.id, bad.uri) == (marked.id, "/bad.wav")
    assert (bad.error_code, bad.error) == ("audio.unreadable", "no sound")
    assert len(bad.matches) == 0
    assert len(good.matches) == 3


def test_no_documents_are_no_error(load_executor: Load):
    assert len(_ranked(load_executor)) == 0


def test_top_k_out_of_range_is_refused(load_executor: Load):
    with pytest.raises(ParameterError):
        _ranked(load_executor, _query(), top_k=0)


def test_the_other_endpoints_hand_on(load_executor: Load):
    """Jina wants an endpoint to be bound to the end of the chain."""
    ranker = load_executor("max_score_ranker")
    for method, doc in (
        (ranker.pass_index, Indexed(uri="/a.wav", outcome="added")),
        (ranker.pass_delete, Deletion(uri="/a.wav", deleted=3)),
        (ranker.pass_status, Status(recordings=7)),
    ):
        docs = DocList[type(doc)]([doc])
        assert method(docs) == docs


def test_a_match_says_when_it_was_heard(load_executor: Load):
    at = datetime(2025, 5, 1, 6, 30, tzinfo=UTC)
    doc = _query()
    dated = replace(RECORDINGS[A], recorded_at=at, recorded_at_source="mtime")
    write_hits(doc, {"default": SearchResult(HITS, {**RECORDINGS, A: dated})})
    (found,) = _ranked(load_executor, doc, time_zone="Europe/Berlin")

    unknown, known, _ = found.matches
    assert (known.occurred_at, known.recorded_at, known.recorded_at_source) == (
        "2025-05-01T08:30:06+02:00",
        "2025-05-01T08:30:00+02:00",
        "mtime",
    )
    assert (unknown.occurred_at, unknown.recorded_at, unknown.recorded_at_source) == (None, None, None)
