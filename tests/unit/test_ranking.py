"""From window hits to recordings."""

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundalike.errors import ParameterError
from soundalike.search.ranking import rank_collections
from soundalike.store.base import SearchResult
from soundalike.types import Hit, Match, Recording, Window

QUERY = [Window(0, 0.0, 4.0), Window(1, 2.0, 6.0), Window(2, 3.5, 7.5)]
RECORDINGS = {
    key: Recording(key, f"/sounds/{name}.wav", 10.0, label, {"n": 1})
    for key, name, label in [("x", "b", "bell"), ("y", "a", "rain"), ("z", "c", None)]
}


def rank(
    hits: Sequence[Hit],
    recordings: Mapping[str, Recording],
    query_windows: Sequence[Window],
    *,
    top_k: int,
    min_score: float = -1.0,
) -> list[Match]:
    found = {"default": SearchResult(list(hits), dict(recordings))}
    return rank_collections(found, query_windows, top_k=top_k, min_score=min_score)


def hit(key: str, score: float, query: int = 0, window: int = 0) -> Hit:
    return Hit(query, key, window, 2.0 * window, 2.0 * window + 4.0, score)


def order(matches: Sequence[Match]) -> list[str]:
    return [match.recording.recording_id for match in matches]


def test_the_best_window_wins():
    hits = [hit("x", 0.5, 0, 1), hit("x", 0.9, 1, 2), hit("x", 0.7, 2, 0), hit("y", 0.8, 0, 0)]
    first, second = rank(hits, RECORDINGS, QUERY, top_k=10)
    assert first == Match(
        rank=1,
        recording=RECORDINGS["x"],
        score=0.9,
        start_s=4.0,
        end_s=8.0,
        query_start_s=2.0,
        query_end_s=6.0,
        n_hits=3,
        collection="default",
    )
    assert (second.rank, second.score, second.n_hits) == (2, 0.8, 1)
    assert second.recording is RECORDINGS["y"]


def test_a_vector_has_no_seconds():
    (match,) = rank([hit("x", 0.5)], RECORDINGS, [Window(0, 0.0, 0.0)], top_k=1)
    assert (match.query_start_s, match.query_end_s) == (None, None)


def test_many_good_windows_do_not_beat_one_better():
    hits = [hit("x", 0.8, query, window) for query in range(3) for window in range(4)]
    assert order(rank([*hits, hit("y", 0.81)], RECORDINGS, QUERY, top_k=5)) == ["y", "x"]


def test_windows_of_the_recording_are_counted_once():
    hits = [hit("x", 0.5, 0, 3), hit("x", 0.6, 1, 3), hit("x", 0.7, 2, 3), hit("x", 0.4, 0, 1)]
    (match,) = rank(hits, RECORDINGS, QUERY, top_k=5)
    assert match.n_hits == 2


@pytest.mark.parametrize("permutation", list(itertools.permutations(range(4))))
def test_ties_do_not_depend_on_the_order_of_the_hits(permutation: tuple[int, ...]):
    hits = [hit("x", 0.5, 2, 1), hit("x", 0.5, 1, 3), hit("x", 0.5, 1, 2), hit("y", 0.5, 2, 2)]
    matches = rank([hits[n] for n in permutation], RECORDINGS, QUERY, top_k=5)
    assert order(matches) == ["y", "x"]  # by path: /sounds/a.wav before /sounds/b.wav
    # Of equally good pairs the earliest of the query, then of the recording.
    assert (matches[1].query_start_s, matches[1].start_s) == (2.0, 4.0)


def test_ties_of_the_same_path_go_by_id():
    recordings = {key: Recording(key, "/sounds/a.wav", 1.0) for key in ("q", "p")}
    for hits in ([hit("q", 0.5), hit("p", 0.5)], [hit("p", 0.5), hit("q", 0.5)]):
        assert order(rank(hits, recordings, QUERY, top_k=2)) == ["p", "q"]


def test_negative_scores_are_ranked_too():
    matches = rank([hit("x", -0.5), hit("y", -0.9)], RECORDINGS, QUERY, top_k=5)
    assert [match.score for match in matches] == [-0.5, -0.9]


@pytest.mark.parametrize(("min_score", "expected"), [(0.5, ["x", "y"]), (0.51, ["x"]), (0.95, [])])
def test_min_score_includes_itself(min_score: float, expected: list[str]):
    hits = [hit("x", 0.9), hit("y", 0.5), hit("z", 0.1)]
    assert order(rank(hits, RECORDINGS, QUERY, top_k=5, min_score=min_score)) == expected


def test_ranks_count_from_one_without_gaps():
    hits = [hit("z", 0.1), hit("x", 0.9), hit("y", 0.5)]
    matches = rank(hits, RECORDINGS, QUERY, top_k=2)
    assert [(match.rank, match.recording.recording_id) for match in matches] == [(1, "x"), (2, "y")]


def test_hits_of_unknown_recordings_are_left_out():
    assert order(rank([hit("gone", 0.99), hit("x", 0.1)], RECORDINGS, QUERY, top_k=5)) == ["x"]


def test_no_hits():
    assert rank([], {}, QUERY, top_k=5) == []


@pytest.mark.parametrize("top_k", [0, -1, 1001])
def test_top_k_out_of_range(top_k: int):
    with pytest.raises(ParameterError, match=f"top_k is {top_k}"):
        rank([], {}, QUERY, top_k=top_k)


@given(
    hits=st.lists(
        st.builds(
            hit,
            st.sampled_from("xyz"),
            st.sampled_from([0.1, 0.5, 0.9]),
            st.integers(0, 2),
            st.integers(0, 4),
        ),
        max_size=30,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_every_recording_appears_once_with_its_best_score(hits: list[Hit], seed: object):
    matches = rank(hits, RECORDINGS, QUERY, top_k=1000)
    best = {
        key: max(h.score for h in hits if h.recording_id == key)
        for key in {h.recording_id for h in hits}
    }
    assert {match.recording.recording_id: match.score for match in matches} == best
    assert [match.score for match in matches] == sorted(best.values(), reverse=True)
    shuffled = list(hits)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled, RECORDINGS, QUERY, top_k=1000) == matches
