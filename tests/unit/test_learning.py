"""Rules of right and wrong examples, cross-validation, expected precision, bands and order of review."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundalike.errors import ParameterError
from soundalike.learning.bands import (
    Band,
    bands_of,
    clopper_pearson,
    reviewed_bands,
    sample,
    stratified,
)
from soundalike.learning.precision import Estimate, calibrate, expected_right, likely_right
from soundalike.learning.review import proposals, review_order
from soundalike.learning.rules import (
    RULES,
    Examples,
    Scores,
    combined,
    marks_only,
    mean_of,
    nearest_mean,
    plain,
    spreading,
    unit,
)
from soundalike.learning.validation import (
    MAX_FOLDS,
    Mark,
    area_under_curve,
    choose,
    folds,
    held_out_scores,
)
from soundalike.types import FloatArray

X, Y, Z = np.eye(8, dtype=np.float32)[:3]


def rows_of(*vectors: object) -> FloatArray:
    return unit(np.array(vectors, dtype=np.float32))


def chain(count: int, step: float = 0.25) -> FloatArray:
    """Return windows on an arc: each resembles its neighbours, the ends do not resemble each other."""
    return rows_of(*(np.cos(step * at) * X + np.sin(step * at) * Y for at in range(count)))


def test_plain_looks_at_the_query_alone():
    found = plain(rows_of(X, 3 * X + 4 * Y), Examples((rows_of(X), rows_of(Y)), (rows_of(X),)))
    assert found.tolist() == pytest.approx([1, 0.6])


def test_nearest_mean_is_the_cosine_with_the_mean_less_that_of_wrong_ones():
    found = nearest_mean(rows_of(X, Z), Examples((rows_of(X), rows_of(Y)), (rows_of(Z),)))
    assert found.tolist() == pytest.approx([0.5**0.5, -1])
    # Opposite examples have no mean direction.
    assert nearest_mean(rows_of(X), Examples((rows_of(X), rows_of(-X)))).tolist() == [0]


def test_marks_alone_cannot_be_learnt_from_without_wrong_ones():
    assert marks_only(rows_of(X, Y), Examples((rows_of(X),))).tolist() == [0, 0]
    found = marks_only(rows_of(X, Y), Examples((rows_of(X),), (rows_of(Y),)))
    assert found[0] > 0 > found[1]


def test_labels_spread_along_neighbours_and_not_to_others():
    # The end of the arc is at a right angle to the query, as the lone windows are.
    arc = chain(7)
    lone = np.eye(8, dtype=np.float32)[3:7]
    found = spreading(np.concatenate([arc, lone]), Examples((arc[:1],)))
    assert found[:7].min() > found[7:].max()
    assert (np.diff(found[1:7]) < 0).all()


def test_wrong_labels_spread_too():
    rows = chain(8)
    found = spreading(rows, Examples((rows[:1],), (rows[7:],)))
    assert found[6] < 0.2 * found[1]
    assert found[6] < spreading(rows, Examples((rows[:1],)))[6]


def test_windows_beyond_the_graph_have_the_lowest_score(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("soundalike.learning.rules._NODES", 3)
    found = spreading(chain(6), Examples((chain(1),)))
    assert found[3:].tolist() == [found.min()] * 3
    assert found[:2].min() > found.min()


def test_examples_beyond_the_limit_are_chosen_evenly(monkeypatch: pytest.MonkeyPatch):
    rows = chain(12, 0.1)
    every = spreading(rows, Examples((rows[:1], rows[1:5])))
    monkeypatch.setattr("soundalike.learning.rules._SEEDS", 2)
    ends = spreading(rows, Examples((rows[:1], rows[4:5])))
    assert spreading(rows, Examples((rows[:1], rows[1:5]))).tolist() == pytest.approx(ends.tolist())
    assert every.tolist() != pytest.approx(ends.tolist())


def test_a_mean_has_the_scale_of_its_first_rule_and_ignores_constant_ones():
    rows, one = chain(5), Examples((chain(1),))
    tenfold = mean_of(plain, lambda found, given: 10 * plain(found, given) + 3)
    constant = mean_of(plain, lambda found, given: np.zeros(len(found)))
    for rule in (tenfold, constant):
        assert rule(rows, one).tolist() == pytest.approx(plain(rows, one).tolist())


@pytest.mark.parametrize("name", RULES)
def test_every_rule_gives_a_finite_score_to_one_window_and_to_equal_ones(name: str):
    for rows in (rows_of(X), rows_of(X, X, X), rows_of(X, -X)):
        for examples in (Examples((rows_of(X),)), Examples((rows_of(X),), (rows_of(X, Y),))):
            found = RULES[name](rows, examples)
            assert found.shape == (len(rows),)
            assert np.isfinite(found).all()


def mark(recording: str, vector: np.ndarray, *, right: bool) -> Mark:
    return Mark(recording, rows_of(vector), right)


def test_marks_of_a_recording_are_left_out_together():
    seen: list[tuple[int, int]] = []

    def spy(rows: FloatArray, examples: Examples) -> Scores:
        seen.append((len(examples.right), len(examples.wrong)))
        return rows @ X

    marks = [
        mark("a", X, right=True),
        mark("a", X + Y, right=True),
        mark("b", Y, right=False),
        mark("c", 3 * X + 4 * Y, right=True),
    ]
    found = held_out_scores(rows_of(Z), Examples((rows_of(X),)), marks, spy)
    assert found.tolist() == pytest.approx([1, 0.5**0.5, 0, 0.6])
    # The query stays; of four marks those of one recording are missing.
    assert sorted(seen) == [(2, 1), (3, 1), (4, 0)]


def test_a_mark_has_the_score_of_its_best_window():
    two = Mark("a", rows_of(Y, X), True)
    assert held_out_scores(rows_of(Z), Examples((rows_of(X),)), [two], plain).tolist() == [1]


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=60))
def test_folds_keep_recordings_together_and_distribute_kinds(drawn: list[tuple[int, bool]]):
    marks = [Mark(str(recording), rows_of(X), right) for recording, right in drawn]
    found = folds(marks)
    by_recording: dict[str, set[int]] = {}
    for one, fold in zip(marks, found.tolist(), strict=True):
        by_recording.setdefault(one.recording_id, set()).add(fold)
    assert all(len(some) == 1 for some in by_recording.values())
    sizes = np.bincount([some.pop() for some in by_recording.values()])
    assert len(sizes) == min(MAX_FOLDS, len(by_recording))
    assert sizes.max() - sizes.min() <= 1


def test_the_rule_that_separates_held_out_marks_is_chosen():
    # The query resembles wrong ones; right ones share Y, which only further examples show.
    marks = [
        *(mark(f"r{number}", Y + 0.2 * number * X, right=True) for number in range(3)),
        *(mark(f"w{number}", X + 0.1 * number * Z, right=False) for number in range(3)),
    ]
    examples = Examples((rows_of(3 * X + Y),))
    found = choose(rows_of(X, Y, Z), examples, marks, ("plain", "likeness"), "plain")
    assert found.rule == "likeness"
    assert found.auc == {"plain": 0.0, "likeness": 1.0}
    # Of equal rules the first is chosen.
    assert choose(rows_of(X), examples, marks, ("plain", "plain"), "likeness").rule == "plain"


@pytest.mark.parametrize(("right", "wrong"), [(5, 0), (5, 1), (1, 5), (0, 0)])
def test_too_few_marks_leave_the_default(right: int, wrong: int):
    marks = [mark(f"r{n}", X, right=True) for n in range(right)]
    marks += [mark(f"w{n}", Y, right=False) for n in range(wrong)]
    found = choose(rows_of(X), Examples((rows_of(X),)), marks, ("plain", "likeness"), "combined")
    assert (found.rule, found.auc) == ("combined", {})


def test_area_under_curve():
    assert area_under_curve(np.array([3.0, 1, 2, 1]), np.array([True, True, False, False])) == 0.625


def drawn_marks(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores whose precision is a known logistic function of them."""
    rng = np.random.default_rng(1)
    scores = rng.uniform(0, 1, count)
    return scores, rng.uniform(size=count) < 1 / (1 + np.exp(-(10 * scores - 5)))


def test_many_marks_show_the_precision_of_each_score():
    model = calibrate(*drawn_marks(4000))
    for score, value in ((0.3, 0.119), (0.5, 0.5), (0.7, 0.881)):
        (found,) = model.expected([score])
        assert found.value == pytest.approx(value, abs=0.03)
        assert found.high - found.low < 0.1


def test_more_marks_narrow_the_interval():
    widths = []
    for count in (20, 80, 320):
        (found,) = calibrate(*drawn_marks(count)).expected([0.5])
        widths.append(found.high - found.low)
    assert widths[0] > 1.5 * widths[1] > 2 * widths[2]


def test_separable_marks_have_a_finite_model():
    scores = np.linspace(0, 1, 10)
    low, high = calibrate(scores, scores > 0.5).expected([0.0, 1.0])
    assert 0.01 < low.value < 0.2 < 0.8 < high.value < 0.99


def test_a_higher_score_never_has_a_lower_precision():
    scores = np.linspace(0, 1, 20)
    low, high = calibrate(scores, scores < 0.5).expected([0.0, 1.0])
    assert low == high
    assert low.value == pytest.approx(0.5)


@pytest.mark.parametrize(("right", "wrong"), [(4, 3), (7, 1), (1, 7), (20, 0), (0, 0)])
def test_too_few_marks_have_no_model(right: int, wrong: int):
    truth = np.arange(right + wrong) < right
    assert calibrate(truth.astype(float), truth) is None


def test_equal_scores_are_no_error():
    (found,) = calibrate(np.ones(10), np.arange(10) < 5).expected([1.0])
    assert found.value == pytest.approx(0.5)


def test_numbers_of_right_hits():
    expected = [Estimate(0.9, 0.8, 1.0), Estimate(0.8, 0.6, 0.9), Estimate(0.3, 0.1, 0.5)]
    assert likely_right(expected, 0.8) == 2
    assert expected_right(expected) == pytest.approx((2.0, 1.5, 2.4))
    assert expected_right([]) == (0, 0, 0)


@given(st.lists(st.floats(-1, 1).map(lambda value: round(value, 2)), max_size=80), st.integers(1, 6))
def test_bands_keep_the_order_and_equal_scores(scores: list[float], count: int):
    found = bands_of(scores, count)
    pairs = sorted(zip(scores, found.tolist(), strict=True), reverse=True)
    assert [band for _, band in pairs] == sorted(band for _, band in pairs)
    assert all(0 <= band < count for _, band in pairs)
    assert len(dict(pairs)) == len(set(pairs))


def test_bands_have_about_equal_sizes():
    assert np.bincount(bands_of(np.linspace(0, 1, 12), 5)).tolist() == [3, 2, 3, 2, 2]


def test_a_sample_has_its_share_of_each_band_and_depends_on_the_seed():
    keys = [f"clip{number}" for number in range(100)]
    bands = bands_of(np.linspace(1, 0, 100))
    found = sample(keys, bands, 25, seed=3)
    assert np.bincount(bands[found]).tolist() == [5, 5, 5, 5, 5]
    assert found == sample(keys, bands, 25, seed=3) != sample(keys, bands, 25, seed=4)
    # A larger share keeps what was reviewed, and so does a sample with one more hit.
    assert set(found) < set(sample(keys, bands, 50, seed=3))
    assert sorted(sample(keys, bands, 100, seed=3)) == list(range(100))
    assert len(sample(keys, bands, 1, seed=3)) == 5


def test_reviewed_bands_count_marks():
    found = reviewed_bands([0.9, 0.8, 0.4, 0.1], np.array([0, 0, 1, 1]), [True, None, False, True])
    assert [(one.low, one.high, one.size, one.reviewed, one.right) for one in found] == [
        (0.8, 0.9, 2, 1, 1),
        (0.1, 0.4, 2, 2, 1),
    ]
    assert found[1].precision.value == 0.5
    assert reviewed_bands([0.5], np.array([0]), [None])[0].precision is None


def test_clopper_pearson_is_exact_at_the_ends():
    # 1 - 0.025 ** (1 / n)
    assert clopper_pearson(0, 10) == pytest.approx((0, 0, 0.30850), abs=1e-5)
    assert clopper_pearson(10, 10) == pytest.approx((1, 0.69150, 1), abs=1e-5)


def band(size: int, reviewed: int, right: int) -> Band:
    return Band(0.0, 1.0, size, reviewed, right, None)


def test_bands_count_by_their_size():
    found = stratified([band(100, 10, 10), band(300, 10, 5)])
    assert found.value == pytest.approx((100 * 1 + 300 * 0.5) / 400)
    assert 0.4 < found.low < found.value < found.high < 0.85
    assert found == stratified([band(100, 10, 10), band(300, 10, 5)])


def test_reviewing_everything_leaves_no_doubt():
    assert stratified([band(4, 4, 3), band(4, 4, 0)]) == (0.375, 0.375, 0.375)


def test_a_band_without_a_review_leaves_the_precision_unknown():
    assert stratified([band(4, 4, 3), band(4, 0, 0)]) is None
    assert stratified([]) is None


def test_the_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    shares, size, n = (0.95, 0.5, 0.05), 40, 10
    covered = 0
    for _ in range(100):
        right = [rng.uniform(size=size) < share for share in shares]
        seen = [some[:n].sum() for some in right]
        found = stratified([band(size, n, int(one)) for one in seen])
        covered += found.low <= np.mean(right) <= found.high
    assert 0.9 < covered / 100 <= 1


KEYS = tuple("abcde")
SCORES = (0.9, 0.2, 0.5, 0.8, 0.1)


def test_highest_first():
    assert review_order(KEYS, SCORES, None, order="score") == [0, 3, 2, 1, 4]
    # Equal scores are in the order of their names.
    assert review_order("ba", [0.5, 0.5], None, order="score") == [1, 0]


def test_uncertain_ones_first():
    scores = np.linspace(0, 1, 20)
    model = calibrate(scores, scores > 0.7)
    found = review_order(KEYS, SCORES, model, order="uncertain")
    assert found[:2] == [3, 2]
    assert found[-1] == 4
    # Without a model, the middle of the scores.
    assert review_order(KEYS, SCORES, None, order="uncertain")[0] == 2


def test_bands():
    keys = [str(number) for number in range(20)]
    found = review_order(keys, np.linspace(1, 0, 20), None, order="bands", share=50, seed=1)
    assert [row // 4 for row in found] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1), max_size=30), st.sampled_from(["score", "uncertain", "bands"]))
def test_every_order_shows_every_hit_once(scores: list[float], order: Any):
    keys = [str(number) for number in range(len(scores))]
    assert sorted(review_order(keys, scores, None, order=order)) == list(range(len(scores)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "random"}, "the order is 'random'; it is one of score, uncertain, bands"),
        ({"share": 0}, "the share is 0; give a percentage from 1 to 100"),
        ({"share": 101}, "the share is 101"),
    ],
)
def test_invalid_requests(change: dict[str, Any], message: str):
    with pytest.raises(ParameterError, match=message):
        review_order("a", [1.0], None, **change)


def test_hits_above_a_precision():
    scores = np.linspace(0, 1, 40)
    model = calibrate(scores, scores > 0.5)
    found = proposals([0.1, 0.9, 0.55, 1.0], model, 0.8)
    assert found == [3, 1]
    assert proposals([0.1, 0.9], model, 0.0) == [1, 0]
    assert proposals([0.1, 0.9], None, 0.0) == []
    assert proposals([], model) == []


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_invalid_precision(value: float):
    with pytest.raises(ParameterError, match="the expected precision is"):
        proposals([0.5], None, value)


def test_the_rule_of_searches_needs_no_choice():
    assert RULES["combined"] is combined
