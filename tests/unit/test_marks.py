"""The score of windows by right and wrong examples."""

from __future__ import annotations

import numpy as np
import pytest

from soundalike.search.marks import Marks, marked_scores

X, Y, Z = np.eye(8, dtype=np.float32)[:3]


def marks(right: list[object], wrong: list[object]) -> Marks:
    rows = [
        [np.atleast_2d(np.asarray(one, dtype=np.float32)) for one in some] for some in (right, wrong)
    ]
    return Marks(tuple(rows[0]), tuple(rows[1]), frozenset())


def test_one_candidate_has_the_score_of_the_first_rule():
    candidate = np.array([3 * X + 4 * Y])
    # Cosines 0.6 and 0.8 with the right ones, 0.6 with the nearer window of the wrong one.
    found = marked_scores(candidate, marks([X, 5 * Y], [[X, Z]]))
    assert found.tolist() == pytest.approx([(0.7 + 0.8) / 2 - 0.6 / 2], abs=1e-6)
    assert marked_scores(candidate, marks([X, Y], [])).tolist() == pytest.approx([0.75], abs=1e-6)


def test_scores_stay_in_the_range_of_a_cosine():
    assert marked_scores(np.array([-X]), marks([X], [-X])).tolist() == [-1.0]


def test_the_regression_finds_the_dimension_that_tells_right_from_other_windows():
    rng = np.random.default_rng(0)
    # The right ones share one dimension; three others vary as much and say nothing.
    rows = rng.standard_normal((60, 32)).astype(np.float32)
    rows[:, 1:4] *= 3
    rows[:, 0] = np.where(np.arange(60) < 30, 2.5, -2.5)
    found = marked_scores(rows, marks([rows[row] for row in range(6)], [rows[40], rows[50]]))
    # 0.9 without the regression.
    assert (np.argsort(-found)[:30] < 30).mean() > 0.95


def test_equal_candidates_and_examples_alone_are_no_error():
    rows = np.stack([X, X, X])
    assert marked_scores(rows, marks([X], [])).tolist() == pytest.approx([1, 1, 1])
    # All candidates are examples themselves: there is nothing to separate them from.
    found = marked_scores(np.stack([X, X + Y]), marks([X, X, X + Y], []))
    assert found[0] > found[1]
