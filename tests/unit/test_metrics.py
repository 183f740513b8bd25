"""Retrieval metrics, computed by hand."""

import numpy as np
import pytest

from soundalike.errors import ParameterError
from soundalike.metrics import average_precision, precision_at_k, reciprocal_rank, validate

#: Ranking, precision at 1 and at 5, average precision, reciprocal rank.
BY_HAND = [
    ("1", 1.0, 1 / 5, 1.0, 1.0),
    ("0", 0.0, 0.0, 0.0, 0.0),
    ("10", 1.0, 1 / 5, 1.0, 1.0),
    ("01", 0.0, 1 / 5, 1 / 2, 1 / 2),
    ("11111", 1.0, 1.0, 1.0, 1.0),
    ("00000", 0.0, 0.0, 0.0, 0.0),
    ("10100", 1.0, 2 / 5, (1 / 1 + 2 / 3) / 2, 1.0),
    ("01010", 0.0, 2 / 5, (1 / 2 + 2 / 4) / 2, 1 / 2),
    ("001000001", 0.0, 1 / 5, (1 / 3 + 2 / 9) / 2, 1 / 3),
    ("0000011", 0.0, 0.0, (1 / 6 + 2 / 7) / 2, 1 / 6),
    ("1010010001", 1.0, 2 / 5, (1 / 1 + 2 / 3 + 3 / 6 + 4 / 10) / 4, 1.0),
]


@pytest.mark.parametrize(("ranking", "p_at_1", "p_at_5", "ap", "rr"), BY_HAND)
def test_by_hand(ranking: str, p_at_1: float, p_at_5: float, ap: float, rr: float):
    relevant = np.array([digit == "1" for digit in ranking])
    assert precision_at_k(relevant, 1) == pytest.approx(p_at_1)
    assert precision_at_k(relevant, 5) == pytest.approx(p_at_5)
    assert average_precision(relevant) == pytest.approx(ap)
    assert reciprocal_rank(relevant) == pytest.approx(rr)


@pytest.mark.parametrize("metric", [average_precision, reciprocal_rank, lambda r: precision_at_k(r, 3)])
def test_results_are_plain_numbers(metric: object):
    assert type(metric(np.array([False, True]))) is float  # type: ignore[operator]


def test_moving_a_relevant_entry_up_never_hurts(rng: np.random.Generator):
    for _ in range(200):
        relevant = rng.random(12) < 0.3
        position = int(rng.integers(1, 12))
        if not relevant[position] or relevant[position - 1]:
            continue
        better = relevant.copy()
        better[[position - 1, position]] = True, False
        assert average_precision(better) > average_precision(relevant)
        assert reciprocal_rank(better) >= reciprocal_rank(relevant)


@pytest.mark.parametrize(
    "wrong",
    [
        np.array([], dtype=bool),
        np.array([1, 0]),
        np.array([0.9, 0.1]),
        np.array(["rain", "bell"]),
        np.array([[True, False]]),
        np.array(True),
    ],
    ids=["empty", "integers", "scores", "labels", "two rows", "no row"],
)
def test_what_is_no_ranking(wrong: np.ndarray):
    metrics = (validate, average_precision, reciprocal_rank, lambda r: precision_at_k(r, 1))
    for metric in metrics:
        with pytest.raises(ParameterError, match="a ranking must be a non-empty row of booleans"):
            metric(wrong)


@pytest.mark.parametrize("k", [0, -1])
def test_k_out_of_range(k: int):
    with pytest.raises(ParameterError):
        precision_at_k(np.array([True, False]), k)
