"""Scores of pairs of clips, by hand and against loops."""

import numpy as np
import pytest

from soundalike.evaluation import scores
from soundalike.evaluation.scores import NO_SCORE, Candidates, best_pair, best_window_scores
from soundalike.types import FloatArray


def rows(rng: np.random.Generator, n_windows: int, dimension: int = 6) -> FloatArray:
    found = rng.standard_normal((n_windows, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def slowly(query: FloatArray, found: FloatArray) -> float:
    return max((float(x @ y) for x in query for y in found), default=NO_SCORE)


def test_by_hand():
    embedded = [
        np.array([[1, 0], [0, 1]], np.float32),
        np.array([[0.6, 0.8]], np.float32),
        np.array([[-1, 0], [0, -1], [-0.6, -0.8]], np.float32),
        np.zeros((0, 2), np.float32),
    ]
    expected = [
        [1.0, 0.8, 0.0, -2.0],
        [0.8, 1.0, -0.6, -2.0],
        [0.0, -0.6, 1.0, -2.0],
        [-2.0, -2.0, -2.0, -2.0],
    ]
    np.testing.assert_allclose(best_window_scores(embedded), expected, atol=1e-6)


# Blocks of one row, of some, of all; a block that splits the longest query.
@pytest.mark.parametrize("block_rows", [1, 4, 7, 1000])
@pytest.mark.parametrize("block_values", [1, 60, 1 << 20])
def test_equal_a_loop_whatever_the_blocks(
    block_rows: int, block_values: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scores, "_BLOCK_ROWS", block_rows)
    monkeypatch.setattr(scores, "_BLOCK_VALUES", block_values)
    candidates = [rows(rng, n) for n in (3, 0, 1, 5, 2, 0)]
    queries = [rows(rng, n) for n in (0, 2, 9, 1, 0, 3, 1)]
    found = list(Candidates(candidates).scores(iter(queries)))
    expected = [[slowly(query, candidate) for candidate in candidates] for query in queries]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_silence_alone():
    silence = [np.zeros((0, 4), np.float32)] * 2
    assert (best_window_scores(silence) == NO_SCORE).all()
    assert [row.tolist() for row in Candidates(silence).scores([np.eye(4, dtype=np.float32)])] == [
        [NO_SCORE, NO_SCORE]
    ]


def test_nobody_asks():
    assert list(Candidates([np.eye(2, dtype=np.float32)]).scores([])) == []


def test_best_pair_is_the_first_of_the_best():
    query = np.array([[0, 1], [1, 0], [1, 0]], np.float32)
    found = np.array([[0.6, -0.8], [1, 0], [1, 0]], np.float32)
    assert best_pair(query, found) == (1, 1)
