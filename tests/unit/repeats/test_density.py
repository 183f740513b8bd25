"""Groups of rows that are close to each other, some closer than others."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from soundalike.repeats.density import groups
from soundalike.types import FloatArray

LEAST = 0.8


def graph_of(angles: FloatArray) -> scipy.sparse.csr_array:
    """Return the graph of rows at these angles."""
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, 0.0)
    return scipy.sparse.csr_array(np.where(scores >= LEAST, scores, 0.0))


def found(angles: list[float], min_count: int = 3) -> list[list[int]]:
    return [rows.tolist() for rows in groups(graph_of(np.array(angles)), min_count, LEAST)]


def test_a_group_may_be_wide_or_tight():
    wide, tight = [0.0, 0.2, 0.4, 0.6], [2.0, 2.001, 2.002]
    assert found([*wide, *tight, 3.5]) == [[4, 5, 6], [0, 1, 2, 3]]


def test_two_tight_groups_are_not_one_because_they_are_near():
    assert found([0.0, 0.01, 0.02, 0.03, 0.5, 0.51, 0.52]) == [[0, 1, 2, 3], [4, 5, 6]]


def test_two_groups_that_are_nearly_as_near_as_their_rows_are_one():
    assert found([0.0, 0.02, 0.04, 0.06, 0.3, 0.32, 0.34, 0.36]) == [[0, 1, 2, 3, 4, 5, 6, 7]]


def test_two_groups_that_are_as_near_as_their_rows_are_one():
    assert found([0.0, 0.2, 0.4, 0.62, 0.82, 1.02]) == [[0, 1, 2, 3, 4, 5]]


def test_a_row_between_two_groups_does_not_make_them_one():
    between = 3
    first, second = found([0.0, 0.01, 0.02, 0.56, 1.1, 1.11, 1.12])
    assert sorted([first, second]) in ([[0, 1, 2], [between, 4, 5, 6]], [[0, 1, 2, between], [4, 5, 6]])


def test_a_row_with_a_single_neighbour_is_left_out():
    assert found([0.0, 0.1, 0.2, 0.8]) == [[0, 1, 2]]


def test_more_rows_come_first():
    assert [len(rows) for rows in found([0.0, 0.1, 0.2, 2.0, 2.1, 2.2, 2.3, 2.4])] == [5, 3]


def test_groups_that_are_too_small_are_left_out():
    angles = [0.0, 0.1, 1.5, 1.6, 1.7, 3.0]
    assert found(angles) == [[2, 3, 4]]
    assert found(angles, 2) == [[2, 3, 4], [0, 1]]
    assert found(angles, 4) == []
    assert groups(scipy.sparse.csr_array((3, 3)), 2, LEAST) == []


def test_rows_with_the_same_sound_are_a_group():
    assert found([1.0] * 5) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter(seed: int):
    rng = np.random.default_rng(seed)
    angles = np.concatenate([rng.normal(at, 0.02, 8) for at in (0.0, 0.6, 1.3)])
    order = rng.permutation(len(angles))
    expected = {frozenset(rows) for rows in found(angles.tolist())}
    shuffled = {frozenset(order[rows].tolist()) for rows in found(angles[order].tolist())}
    assert expected == shuffled
    assert len(expected) == 3
