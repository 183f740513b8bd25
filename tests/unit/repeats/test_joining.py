"""Clusters of rows that are alike: around a centre, whatever lies between."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from soundalike.repeats import joining
from soundalike.repeats.joining import around_centre, clusters, neighbours, rescored, threshold
from soundalike.types import FloatArray


def unit(rows: FloatArray) -> FloatArray:
    found: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def scattered(rng: np.random.Generator, *counts: int) -> tuple[FloatArray, FloatArray]:
    """Return rows around centres, and rows that are alone; with the number of each row's centre."""
    centres = rng.standard_normal((len(counts), 64))
    rows = [
        centre + 0.15 * rng.standard_normal((n, 64)) for n, centre in zip(counts, centres, strict=True)
    ]
    alone = rng.standard_normal((40, 64))
    which = np.concatenate([*(np.full(n, at) for at, n in enumerate(counts)), np.full(40, -1)])
    return unit(np.concatenate([*rows, alone])), which


def test_clusters_are_the_rows_around_each_centre():
    vectors, which = scattered(np.random.default_rng(1), 30, 5, 12)
    graph = neighbours(vectors, np.ones(len(vectors), np.float32), threshold(vectors))
    found = clusters(graph, 3)
    assert [len(each.rows) for each in found] == [30, 12, 5]
    assert [set(which[each.rows]) for each in found] == [{0}, {2}, {1}]
    assert all(each.rows[0] == each.centre and each.scores[0] == 1.0 for each in found)


def test_clusters_that_are_too_small_are_left_out():
    vectors, _ = scattered(np.random.default_rng(2), 6, 3)
    graph = neighbours(vectors, np.ones(len(vectors), np.float32), 0.9)
    assert [len(each.rows) for each in clusters(graph, 4)] == [6]


def test_sounds_of_other_lengths_are_not_joined():
    vectors, _ = scattered(np.random.default_rng(3), 10)
    lengths_s = np.where(np.arange(len(vectors)) < 5, 0.5, 4.0).astype(np.float32)
    graph = neighbours(vectors, lengths_s, 0.8)
    assert sorted(sorted(each.rows) for each in clusters(graph, 3)) == [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8, 9],
    ]


def test_a_chain_is_not_one_cluster():
    angles = np.linspace(0, np.pi / 2, 16)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    least = float(np.cos(0.25))
    found = clusters(neighbours(vectors, np.ones(16, np.float32), least), 2)
    assert len(found) > 1
    assert all(np.ptp(angles[each.rows]) <= 0.5 for each in found)


def test_cells_find_what_all_pairs_find(monkeypatch: pytest.MonkeyPatch):
    vectors, _ = scattered(np.random.default_rng(4), *[20] * 12)
    lengths_s = np.ones(len(vectors), np.float32)
    exact = neighbours(vectors, lengths_s, 0.85)
    monkeypatch.setattr(joining, "_CELL", 30)
    by_cells = neighbours(vectors, lengths_s, 0.85)
    assert by_cells.nnz >= 0.99 * exact.nnz > 12 * 20 * 18


def test_without_lengths_they_do_not_count():
    vectors, _ = scattered(np.random.default_rng(3), 10)
    same = neighbours(vectors, np.ones(len(vectors), np.float32), 0.8)
    assert (neighbours(vectors, None, 0.8) != same).nnz == 0


def test_some_neighbours_are_drawn_from_all_that_are_near_enough():
    vectors, which = scattered(np.random.default_rng(5), 60)
    nearest = neighbours(vectors, None, 0.8, 4)
    drawn = neighbours(vectors, None, 0.8, 4, 6)
    assert (drawn.minimum(nearest) != nearest).nnz == 0
    assert (np.diff(drawn.indptr)[which == 0] >= 10).all()
    assert (np.diff(drawn.indptr)[which == -1] == 0).all()
    assert drawn.data.min() >= 0.8
    # More are asked for than there are.
    assert (neighbours(vectors, None, 0.8, 40, 40) != neighbours(vectors, None, 0.8)).nnz == 0


def test_the_centre_of_a_group_is_the_row_with_the_nearest_others():
    angles = np.array([0.0, 0.1, 0.2, 0.3, 0.6, 2.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def compare(row: int, others: npt.NDArray[np.int64]) -> FloatArray:
        scores: FloatArray = vectors[others] @ vectors[row]
        return scores

    graph = neighbours(vectors, None, 0.8)
    found = around_centre(graph, np.arange(5), compare)
    assert found.rows.tolist() == [2, 0, 1, 3, 4]
    assert found.scores == pytest.approx(np.cos([0.0, 0.2, 0.1, 0.1, 0.4]))


def test_pairs_keep_the_score_of_the_better_comparison():
    vectors, _ = scattered(np.random.default_rng(6), 10)
    graph = neighbours(vectors, np.ones(len(vectors), np.float32), 0.8)
    found = rescored(graph, lambda row, others: np.where(others < 5, 0.9, 0.1).astype(np.float32), 0.5)
    rows, columns = found.nonzero()
    assert found.data == pytest.approx(0.9)
    assert (np.minimum(rows, columns) < 5).all()
    assert (found != found.T).nnz == 0
