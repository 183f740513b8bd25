"""Retrieval metrics, computed by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundalike.errors import ParameterError
from soundalike.evaluation.metrics import (
    average_precision,
    interpolated_precision,
    precision_at_k,
    reciprocal_rank,
    validate,
)

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
    metrics = (
        *(validate, average_precision, reciprocal_rank, interpolated_precision),
        lambda r: precision_at_k(r, 1),
    )
    for metric in metrics:
        with pytest.raises(ParameterError, match="a ranking must be a non-empty row of booleans"):
            metric(wrong)


@pytest.mark.parametrize("k", [0, -1])
def test_k_out_of_range(k: int):
    with pytest.raises(ParameterError):
        precision_at_k(np.array([True, False]), k)


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        ("1", [1.0] * 11),
        ("0", [0.0] * 11),
        ("01", [1 / 2] * 11),
        ("1001", [1.0] * 6 + [1 / 2] * 5),
        # A later rank may be purer than an earlier one: 1/2, then 2/3 and 3/4.
        ("0111", [3 / 4] * 11),
        # Three of ten are found at rank 3 with precision 1, and recall 0.3 asks for no fourth.
        ("1110000000" + "1" * 7, [1.0] * 4 + [10 / 17] * 7),
    ],
)
def test_interpolated_precision_by_hand(ranking: str, expected: list[float]):
    relevant = np.array([digit == "1" for digit in ranking])
    assert interpolated_precision(relevant).tolist() == pytest.approx(expected)


def slow_metrics(right: list[bool], k: int) -> tuple[float, float, float, list[float]]:
    """Return P@k, AP, RR and interpolated precision from their definitions, in fractions."""
    found = [sum(right[:rank]) for rank in range(1, len(right) + 1)]
    precision = [Fraction(count, rank) for rank, count in enumerate(found, start=1)]
    total = sum(right)
    curve = [
        max(
            (p for p, c in zip(precision, found, strict=True) if total and 10 * c >= level * total),
            default=0,
        )
        for level in range(11)
    ]
    return (
        sum((right + [False] * k)[:k]) / k,
        float(sum(p for p, hit in zip(precision, right, strict=True) if hit) / max(total, 1)),
        1 / (right.index(True) + 1) if total else 0.0,
        [float(each) if total else 0.0 for each in curve],
    )


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 60))
def test_equal_a_slow_implementation(right: list[bool], k: int):
    relevant = np.array(right)
    p_at_k, ap, rr, curve = slow_metrics(right, k)
    assert precision_at_k(relevant, k) == pytest.approx(p_at_k)
    assert average_precision(relevant) == pytest.approx(ap)
    assert reciprocal_rank(relevant) == pytest.approx(rr)
    assert interpolated_precision(relevant).tolist() == pytest.approx(curve)
