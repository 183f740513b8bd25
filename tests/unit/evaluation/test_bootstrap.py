"""Bootstrap intervals: what they cover, and against scipy's."""

import numpy as np
import pytest
import scipy.stats

from soundalike.evaluation import bootstrap
from soundalike.evaluation.bootstrap import intervals


@pytest.mark.parametrize("p", [0.5, 0.8])
def test_cover_the_true_mean_as_often_as_they_say(p: float, rng: np.random.Generator):
    """Of 800 simulated experiments with 150 queries each, 95 % of the intervals hold the truth."""
    values = (rng.random((800, 150)) < p).astype(np.float64)
    low, high = intervals(values).T
    covered = ((low <= p) & (p <= high)).mean()
    # The percentile interval of a proportion of so many covers a little less than it says; the
    # standard error of 800 experiments is 0.008.
    assert 0.92 < covered < 0.97


def test_width_is_that_of_the_normal_approximation(rng: np.random.Generator):
    values = rng.normal(0.3, 2.0, (5, 1000))
    low, high = intervals(values).T
    half = 1.96 * values.std(axis=1) / np.sqrt(1000)
    np.testing.assert_allclose(high - low, 2 * half, rtol=0.08)
    np.testing.assert_allclose((high + low) / 2, values.mean(axis=1), atol=0.01)


def test_agree_with_scipy(rng: np.random.Generator):
    values = rng.beta(0.5, 0.3, (3, 240))
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, axis=1, n_resamples=2000, method="percentile", random_state=1
    ).confidence_interval
    np.testing.assert_allclose(intervals(values).T, theirs, atol=0.008)


def test_all_rows_see_the_same_draws(rng: np.random.Generator):
    """That is what makes the interval of a difference a paired one."""
    first = rng.random(60)
    both = intervals(np.stack([first, first, 1 - first]))
    np.testing.assert_array_equal(both[0], both[1])
    np.testing.assert_allclose(both[2], 1 - both[0][::-1])
    np.testing.assert_array_equal(intervals(first[np.newaxis])[0], both[0])


def test_paired_interval_of_two_that_differ_by_a_constant_has_no_width(rng: np.random.Generator):
    first = rng.random((1, 50))
    np.testing.assert_allclose(intervals((first + 0.125) - first), [[0.125, 0.125]])


@pytest.mark.parametrize("n_queries", [1, 2, 3])
def test_few_queries(n_queries: int):
    low, high = intervals(np.ones((1, n_queries)))[0]
    assert (low, high) == (1.0, 1.0)


def test_blocks_change_nothing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch):
    values = rng.random((2, 37))
    whole = intervals(values)
    monkeypatch.setattr(bootstrap, "_BLOCK_VALUES", 37 * 11 + 5)
    np.testing.assert_array_equal(intervals(values), whole)
