"""The fit of unrelated scores on distributions whose rates are known, and the model's arithmetic."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from soundalike.errors import ParameterError
from soundalike.scores.fitting import SampledRecording, fit
from soundalike.scores.null_model import NullModel
from soundalike.scores.words import word_for
from soundalike.types import FloatArray

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RATES = (0.1, 0.03, 0.01, 0.003, 0.001)


def directions(rng: np.random.Generator, count: int, dimension: int) -> FloatArray:
    """Return random rows of length 1."""
    rows = rng.standard_normal((count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def sample_of(
    rng: np.random.Generator, n_recordings: int, n_windows: int = 1, dimension: int = 16
) -> list[SampledRecording]:
    """Return recordings of independent windows in random directions."""
    return [
        SampledRecording(frozenset(), directions(rng, n_windows, dimension)) for _ in range(n_recordings)
    ]


def fitted(sample: list[SampledRecording]) -> NullModel:
    model = fit(sample, len(sample), NOW)
    assert model is not None
    return model


def true_rate(score: float, dimension: int) -> float:
    """Return the chance that a random direction has at least this cosine."""
    return float(stats.beta((dimension - 1) / 2, (dimension - 1) / 2).sf((score + 1) / 2))


@pytest.mark.parametrize("dimension", [4, 16, 128])
def test_rates_of_random_directions_are_the_known_ones(dimension: int, rng: np.random.Generator):
    model = fitted(sample_of(rng, 300, dimension=dimension))

    for rate in RATES:
        assert rate / 1.5 < true_rate(model.threshold(rate), dimension) < rate * 1.5
    assert model.n_pairs == 300 * 299 // 2
    assert model.n_recordings == 300
    assert model.made_at == NOW


@pytest.mark.parametrize(("asked", "stored"), [(4, 4), (1, 4), (4, 12), (12, 12)])
def test_independent_windows_are_as_many_chances(asked: int, stored: int, rng: np.random.Generator):
    model = fitted(sample_of(rng, 200, n_windows=4))

    assert model.growth > 0.9
    for rate in RATES:
        single = true_rate(model.threshold(rate, asked, stored), 16)
        assert rate / 1.6 < 1 - (1 - single) ** (asked * stored) < rate * 1.6


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_recordings_of_different_lengths_have_their_own_rates(size: int, rng: np.random.Generator):
    sample = [
        SampledRecording(frozenset(), directions(rng, 1 + number % 8, 16)) for number in range(240)
    ]
    model = fitted(sample)

    assert model.usual_growth > 0.9
    for rate in RATES[:-1]:
        single = true_rate(model.threshold(rate, size, size), 16)
        assert rate / 1.6 < 1 - (1 - single) ** (size * size) < rate * 1.6


def test_windows_that_are_the_same_are_one_chance(rng: np.random.Generator):
    sample = [
        SampledRecording(frozenset(), np.repeat(directions(rng, 1, 16), 4, axis=0)) for _ in range(200)
    ]
    model = fitted(sample)

    assert model.growth < 0.05
    assert model.rate(0.6, 4, 40) == pytest.approx(model.rate(0.6, 4, 4), rel=0.15)


def test_kinds_with_fewer_windows_may_score_higher(rng: np.random.Generator):
    """Between recordings of the collection more windows do not raise the rate, but beyond them."""
    short = [SampledRecording(frozenset(), directions(rng, 1, 4)) for _ in range(100)]
    long = [SampledRecording(frozenset(), directions(rng, 6, 64)) for _ in range(100)]
    wide = [SampledRecording(frozenset(), np.pad(each.rows, ((0, 0), (0, 60)))) for each in short]
    model = fitted([*wide, *long])

    assert model.usual_growth == 0
    assert model.growth > 0.5
    assert model.rate(0.5, 1, 1) == model.rate(0.5, 6, 6)
    assert model.rate(0.5, 6, 600) > model.rate(0.5, 6, 6)


def test_copies_do_not_spoil_the_model(rng: np.random.Generator):
    clean = sample_of(rng, 200)
    noise = rng.normal(0, 0.001, (30, 16)).astype(np.float32)
    copies = [
        SampledRecording(frozenset(), clean[0].rows + noise[number % 30] * (number > 14))
        for number in range(30)
    ]
    plain, spoiled = fitted(clean), fitted([*clean, *copies])

    assert spoiled.n_pairs <= 230 * 229 // 2 - 30 * 29 // 2
    for rate in RATES:
        assert true_rate(spoiled.threshold(rate), 16) > rate / 1.7
        assert spoiled.threshold(rate) == pytest.approx(plain.threshold(rate), abs=0.05)


def test_copies_of_long_recordings_are_left_out(rng: np.random.Generator):
    clean = sample_of(rng, 100, n_windows=5)
    # A copy in another format, and an excerpt.
    other = clean[0].rows + rng.normal(0, 0.001, (5, 16)).astype(np.float32)
    copies = [SampledRecording(frozenset(), rows) for rows in (other, clean[1].rows[:2])]

    assert fitted([*clean, *copies]).n_pairs == 102 * 101 // 2 - 2


def test_one_common_window_makes_no_copy(rng: np.random.Generator):
    """Such as the hiss between two sounds: a search finds it too, so it is a false alarm."""
    clean = sample_of(rng, 100, n_windows=5)
    hiss = directions(rng, 1, 16)
    same = [each._replace(rows=np.concatenate([each.rows, hiss])) for each in clean[:15]]
    model = fitted([*same, *clean[15:]])

    assert model.n_pairs == 100 * 99 // 2
    assert 0.5 < model.rate(0.999, 6, 6) / (15 * 14 / (100 * 99)) < 2


def test_recordings_with_a_common_label_are_not_unrelated(rng: np.random.Generator):
    kinds = directions(rng, 6, 16)
    sample = [
        SampledRecording(
            frozenset({str(number % 6)}) | ({"other"} if number == 3 else set()),
            (kinds[number % 6] + directions(rng, 1, 16)).astype(np.float32),
        )
        for number in range(180)
    ]
    model = fitted(sample)
    without = fitted([each._replace(labels=frozenset()) for each in sample])

    assert model.n_pairs == 180 * 179 // 2 - 6 * 30 * 29 // 2
    assert model.threshold(0.01) < without.threshold(0.01) - 0.03


def test_one_label_for_all_tells_nothing(rng: np.random.Generator):
    sample = [each._replace(labels=frozenset({"all"})) for each in sample_of(rng, 50)]

    assert fitted(sample).n_pairs == 50 * 49 // 2


@pytest.mark.parametrize("count", [0, 1, 19])
def test_few_recordings_give_no_model(count: int, rng: np.random.Generator):
    assert fit(sample_of(rng, count), count) is None


def test_recordings_without_vectors_do_not_count(rng: np.random.Generator):
    empty = SampledRecording(frozenset(), np.zeros((0, 16), np.float32))

    assert fit([*sample_of(rng, 19), empty], 20) is None
    assert fitted([*sample_of(rng, 20), empty]).n_recordings == 20


def test_equal_recordings_give_no_model(rng: np.random.Generator):
    assert fit(sample_of(rng, 1) * 40, 40) is None


def test_a_rate_is_never_finer_than_one_over_the_pairs(rng: np.random.Generator):
    model = fitted(sample_of(rng, 20))

    assert model.rate(1.0) == model.rate(1.0001) == model.finest_rate == 1 / 190
    assert model.rate(-1.0) == 1.0


def test_rates_fall_with_the_score(rng: np.random.Generator):
    model = fitted(sample_of(rng, 100, n_windows=3))
    scores = np.linspace(-1, 1, 400).tolist()
    rates = model.rates(scores, 3, [3] * 400)

    assert (np.diff(rates) <= 0).all()
    assert rates.tolist() == [model.rate(score, 3, 3) for score in scores]


def test_a_threshold_is_the_score_of_its_rate(rng: np.random.Generator):
    model = fitted(sample_of(rng, 100, n_windows=3))

    for rate in (0.5, 0.1, 0.01, 0.001):
        assert model.rate(model.threshold(rate, 2, 9), 2, 9) == pytest.approx(rate, rel=1e-6)
    # Beyond what was measured, the threshold is extrapolated.
    assert model.threshold(1e-9) > model.threshold(1e-6) > model.threshold(1e-3)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2, float("nan")])
def test_a_threshold_needs_a_probability(rate: float, rng: np.random.Generator):
    with pytest.raises(ParameterError, match="choose a number between 0 and 1"):
        fitted(sample_of(rng, 20)).threshold(rate)


def test_a_model_survives_json(rng: np.random.Generator):
    import json

    model = fitted(sample_of(rng, 40, n_windows=2))

    assert NullModel.from_json(json.loads(json.dumps(model.to_json()))) == model
    with pytest.raises(TypeError):
        NullModel.from_json({**model.to_json(), "unknown": 1})
    with pytest.raises(KeyError):
        NullModel.from_json({"made_at": NOW.isoformat()})


def test_the_summary_has_what_people_want_to_know(rng: np.random.Generator):
    model = replace(fitted(sample_of(rng, 300)), made_at=NOW)

    found = model.summary()
    assert found["median"] == pytest.approx(0, abs=0.02)
    assert true_rate(found["p99"], 16) == pytest.approx(0.01, rel=0.3)
    assert (found["pairs"], found["recordings"]) == (300 * 299 // 2, 300)
    assert found["made_at"] == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("rate", "word"),
    [
        (0.0, "strong"),
        (0.001, "strong"),
        (0.0011, "likely"),
        (0.01, "likely"),
        (0.011, "weak"),
        (0.1, "weak"),
        (0.11, "chance"),
        (1.0, "chance"),
        (None, "unknown"),
    ],
)
def test_words_come_from_the_rate(rate: float | None, word: str):
    assert word_for(rate) == word
