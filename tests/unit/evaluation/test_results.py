"""Classes, confusions and differences against the means that they are parts of."""

from collections.abc import Callable

import numpy as np
import pytest

from soundalike.errors import ParameterError
from soundalike.evaluation.results import (
    METRICS,
    ClassResult,
    Confusion,
    Evaluation,
    confusion,
    differences,
    frequent_mistakes,
    letters,
    per_class,
    worst_queries,
)

Make = Callable[..., Evaluation]
PAIRS = [("a", "a"), ("b", "a"), ("a", "c"), ("b", "b"), ("c", None), ("b", "a"), ("a", "a")]


def test_per_class_by_hand(make_evaluation: Make):
    values = [[1, 0.4, 0.5, 1], [0, 0.2, 0.1, 0.5], [0, 0, 0.3, 0.25]]
    result = make_evaluation([("rain", "rain"), ("owl", "rain"), ("rain", "owl")], values)
    assert per_class(result) == [
        ClassResult("owl", 1, 0.0, 0.2, 0.1, 0.5),
        ClassResult("rain", 2, 0.5, 0.2, 0.4, 0.625),
    ]


def test_confusion_by_hand(make_evaluation: Make):
    assert confusion(make_evaluation(PAIRS)) == [
        Confusion("a", "a", 2),
        Confusion("a", "c", 1),
        Confusion("b", "a", 2),
        Confusion("b", "b", 1),
        Confusion("c", None, 1),
    ]


def test_classes_and_confusions_add_up_to_the_means(make_evaluation: Make, rng: np.random.Generator):
    names = ["x", "y", "z", "w"]
    pairs = [
        (str(label), None if draw < 0.1 else str(answer))
        for draw, label, answer in zip(
            rng.random(200), rng.choice(names, 200), rng.choice(names, 200), strict=True
        )
    ]
    hits = np.array([float(label == answer) for label, answer in pairs])
    values = np.column_stack([hits, rng.random((200, 3))])
    result = make_evaluation(pairs, values)
    classes, cells = per_class(result), confusion(result)

    assert sum(found.n_queries for found in classes) == result.n_queries == 200
    assert sum(cell.count for cell in cells) == 200
    for name in METRICS:
        total = sum(getattr(found, name) * found.n_queries for found in classes)
        assert total / 200 == pytest.approx(getattr(result, name))
    assert sum(cell.count for cell in cells if cell.query == cell.answer) / 200 == pytest.approx(
        result.p_at_1
    )
    for found in classes:
        row = [cell for cell in cells if cell.query == found.label]
        assert sum(cell.count for cell in row) == found.n_queries
        right = sum(cell.count for cell in row if cell.answer == found.label)
        assert right / found.n_queries == pytest.approx(found.p_at_1)


def test_label_that_looks_like_another(make_evaluation: Make):
    """Texts of numpy would drop a trailing NUL and merge the two."""
    found = per_class(make_evaluation([("a", "a"), ("a\0", "a")]))
    assert [(one.label, one.n_queries) for one in found] == [("a", 1), ("a\0", 1)]


def test_estimates_are_means_with_intervals_around_them(make_evaluation: Make):
    result = make_evaluation(PAIRS)
    for row, name in zip(result.values, METRICS, strict=True):
        value, low, high = result.estimates[name]
        assert value == getattr(result, name) == row.mean()
        assert low < value < high


def test_mistakes_of_two_settings(make_evaluation: Make):
    first = make_evaluation(PAIRS)
    second = make_evaluation([("a", "b") if pair == ("a", "a") else pair for pair in PAIRS])
    assert frequent_mistakes([first]) == [("b", "a", (2,)), ("a", "c", (1,)), ("c", None, (1,))]
    assert frequent_mistakes([first, second]) == [
        ("b", "a", (2, 2)),
        ("a", "b", (0, 2)),
        ("a", "c", (1, 1)),
        ("c", None, (1, 1)),
    ]


def test_worst_queries_are_wrong_ones_by_average_precision_then_score(make_evaluation: Make):
    average_precisions = [0.9, 0.2, 0.1, 0.8, 0.0, 0.2, 0.9]
    values = [
        [float(label == answer), 0, ap, 0]
        for (label, answer), ap in zip(PAIRS, average_precisions, strict=True)
    ]
    result = make_evaluation(PAIRS, values)
    # Queries 1 and 5 are equal but for the score of the wrong answer, which grows with the number.
    assert worst_queries(result, 10) == [4, 2, 5, 1]
    assert worst_queries(result, 2) == [4, 2]


def test_differences_are_second_minus_first(make_evaluation: Make):
    values = np.zeros((7, 4))
    better = values + np.array([0.5, 0.25, 0.0, 1.0])
    found = differences(make_evaluation(PAIRS, values), make_evaluation(PAIRS, better))
    assert {name: one.value for name, one in found.items()} == {
        "p_at_1": 0.5,
        "p_at_5": 0.25,
        "map": 0.0,
        "mrr": 1.0,
    }
    assert found["map"] == (0.0, 0.0, 0.0)


def test_paired_interval_is_narrower_than_the_two_apart(make_evaluation: Make, rng: np.random.Generator):
    hard = rng.random((300, 4))
    pairs = [("a", "a")] * 300
    first = make_evaluation(pairs, hard)
    second = make_evaluation(pairs, np.clip(hard + rng.normal(0.02, 0.01, hard.shape), 0, 1))
    _, low, high = differences(first, second)["map"]
    assert 0.01 < low < high < 0.03
    assert first.estimates["map"].high > second.estimates["map"].low


def test_other_queries_cannot_be_compared(make_evaluation: Make):
    with pytest.raises(ParameterError, match="7 queries, another has 6 or different ones"):
        differences(make_evaluation(PAIRS), make_evaluation(PAIRS[:6]))


def test_letters(make_evaluation: Make):
    assert letters([make_evaluation(PAIRS)] * 3) == ["A", "B", "C"]
