"""Trials, their errors, and thresholds set by them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from soundalike.errors import ParameterError
from soundalike.speakers.calibration import RATES, calibrate
from soundalike.speakers.evaluation import evaluate
from soundalike.speakers.trials import Trials, equal_error_rate, error_rates, make_trials
from soundalike.types import FloatArray


def voices(n_speakers: int, n_each: int, spread: float, seed: int = 1) -> dict[str, FloatArray]:
    """Return vectors around a random centre of each speaker."""
    rng = np.random.default_rng(seed)
    found = {}
    for number in range(n_speakers):
        rows = rng.normal(size=16) + spread * rng.normal(size=(n_each, 16))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        found[f"speaker {number}"] = rows.astype(np.float32)
    return found


def test_rates_at_all_thresholds():
    thresholds, accepts, rejects = error_rates(np.array([0.4, 0.8, 0.9]), np.array([0.2, 0.4, 0.5]))
    assert thresholds.tolist() == [0.2, 0.4, 0.5, 0.8, 0.9]
    assert accepts == pytest.approx([1, 2 / 3, 1 / 3, 0, 0])
    assert rejects == pytest.approx([0, 0, 1 / 3, 1 / 3, 2 / 3])


def test_the_equal_error_rate_of_normal_scores():
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(2, 1, 20_000), rng.normal(0, 1, 20_000)
    rate, threshold = equal_error_rate(genuine, impostor)
    assert rate == pytest.approx(NormalDist().cdf(-1), abs=0.005)
    assert threshold == pytest.approx(1.0, abs=0.05)
    assert equal_error_rate(np.array([0.9]), np.array([0.1]))[0] == 0.0


def test_enrolled_recordings_are_not_tested_and_all_others_are():
    found = voices(3, 5, 0.0)
    trials = make_trials(found, 2, n_rounds=4)
    assert trials.scores.shape == (4 * 3 * 3, 3)
    assert np.bincount(trials.speakers).tolist() == [12, 12, 12]
    # Without any spread an utterance has the score 1 with its own speaker.
    assert trials.genuine == pytest.approx(np.ones(36), abs=1e-5)
    assert trials.is_identified().all()
    assert len(trials.impostor) == 72
    assert trials.best_other().max() < 0.999


def test_some_speakers_are_taken_as_if_there_were_no_others():
    scores = np.arange(12, dtype=float).reshape(4, 3)
    trials = Trials(scores, np.array([0, 1, 2, 2]))
    among = trials.among([2, 0])
    assert among.scores.tolist() == [[2, 0], [8, 6], [11, 9]]
    assert among.speakers.tolist() == [1, 0, 0]
    assert among.genuine.tolist() == [0, 8, 11]
    assert among.impostor.tolist() == [2, 6, 9]


def test_thresholds_are_quantiles_of_the_scores_of_different_people():
    """Of many people the share of scores above a threshold is the rate."""
    trials = make_trials(voices(40, 4, 0.3), 2, n_rounds=10)
    points = calibrate(trials)
    assert [point.false_accept_rate for point in points] == list(RATES)
    thresholds = [point.threshold for point in points]
    assert thresholds == sorted(thresholds)
    for point in points[:4]:
        share = (trials.impostor >= point.threshold).mean()
        assert share == pytest.approx(point.false_accept_rate, rel=0.5)
        low, high = point.interval
        assert low < point.false_accept_rate < high


def test_fewer_people_give_a_wider_interval():
    few, many = (make_trials(voices(n, 6, 0.3), 3, n_rounds=5) for n in (6, 30))
    widths = [high - low for low, high in (calibrate(one, [0.01])[0].interval for one in (few, many))]
    assert widths[0] > 2 * widths[1]


def test_an_evaluation_of_voices_that_differ_and_of_voices_that_do_not():
    clear = evaluate(voices(6, 6, 0.1), "toy", 3)
    assert clear.equal_error_rate.value == 0.0
    assert clear.identification.value == 1.0
    assert [test.split for test in clear.held_out] == ["one", "half"]
    assert [test.splits for test in clear.held_out] == [6, 20]
    assert (clear.speakers, clear.recordings, clear.enrolled_from, clear.trials) == (6, 36, 3, 900)

    one = {
        f"speaker {number}": rows
        for number, rows in enumerate(np.array_split(voices(1, 36, 0.5)["speaker 0"], 6))
    }
    same = evaluate(one, "toy", 3)
    assert same.equal_error_rate.value == pytest.approx(0.5, abs=0.1)
    assert same.identification.value == pytest.approx(1 / 6, abs=0.15)
    assert same.equal_error_rate.low <= same.equal_error_rate.value <= same.equal_error_rate.high


def test_strangers_are_counted_with_a_threshold_of_other_people():
    """With many people the rate that was asked for is kept for those who were not used."""
    found = evaluate(voices(24, 4, 0.3), "toy", 2, rate=0.1)
    one, half = found.held_out
    assert half.splits == 50
    for test in (one, half):
        assert test.strangers_accepted.value <= 0.15
        assert test.known_identified.value > 0.9


def test_too_few_speakers_or_recordings_are_refused():
    with pytest.raises(ParameterError, match="there are 3 speakers; give"):
        evaluate(voices(3, 5, 0.1), "toy", 3)
    with pytest.raises(ParameterError, match=r"has 3 recordings that can be used; .* at least 4"):
        evaluate(voices(4, 3, 0.1), "toy", 3)
    assert [test.split for test in evaluate(voices(4, 4, 0.1), "toy", 3).held_out] == ["one"]
