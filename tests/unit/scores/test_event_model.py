"""False alarms of events: standard scores, rates by length, and events per hour."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from soundalike.scores.event_model import (
    MIN_COHORT,
    EventModel,
    Scale,
    events_per_chance,
    models_from_json,
)
from soundalike.scores.fitting import model_of


@pytest.fixture
def model(rng: np.random.Generator) -> EventModel:
    """Return the model of standard scores that are normal, in recordings of about a minute."""
    deviations = rng.standard_normal(4000)
    null = model_of(
        Scale(0.0, 1.0).standard(np.tanh(deviations)),
        rng.integers(20, 40, 4000).astype(np.float64),
        0.5,
        100,
        1000,
        datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert null is not None
    return EventModel(null, 4.0, 2.0, 60.0, 1.5, Scale(0.2, 0.1))


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (0.3, 0.1), (0.8, 0.05)])
def test_a_rate_follows_the_scale_of_the_query(model: EventModel, mean: float, spread: float):
    for deviations, rate in ((1.2816, 0.1), (2.3263, 0.01)):
        score = float(np.tanh(mean + deviations * spread))
        found = model.false_alarms(score, Scale(mean, spread), 60.0)
        assert rate / 1.4 < found.rate < rate * 1.4


def test_longer_recordings_have_more_false_alarms_and_hours_have_as_many(model: EventModel):
    scale = Scale(0.3, 0.1)
    score = float(np.tanh(0.3 + 2.5 * 0.1))
    short, long = (model.false_alarms(score, scale, length_s) for length_s in (60.0, 3600.0))
    assert short.rate < long.rate / 3
    assert short.per_hour == long.per_hour
    # 60 recordings of a minute, and 1.5 events in each that has any.
    assert short.per_hour == pytest.approx(60 * 1.5 * short.rate, rel=0.1)
    assert model.false_alarms(-0.9, scale, 60.0).rate == 1.0


def test_the_scale_of_a_query_does_not_depend_on_its_copy(rng: np.random.Generator):
    scores = np.tanh(0.3 + 0.1 * rng.standard_normal(40))
    alone = Scale.of(scores)
    beside_copy = Scale.of([*scores, 1.0])
    assert alone is not None
    assert beside_copy is not None
    assert alone.mean == pytest.approx(0.3, abs=0.05)
    assert alone.spread == pytest.approx(0.1, rel=0.3)
    assert beside_copy.mean == pytest.approx(alone.mean, abs=0.05)
    assert Scale.of(scores[: MIN_COHORT - 1]) is None
    assert Scale.of(np.full(20, 0.5)) is not None


def test_a_model_reads_back_and_another_version_is_left_out(model: EventModel):
    stored = json.loads(json.dumps({"stored": model.to_json(), "reread": {"null": 1}, "other": 2}))
    assert models_from_json(stored) == {"stored": model}
    assert models_from_json(None) == {}


def test_the_summary_has_the_scores_of_a_usual_query(model: EventModel):
    summary = model.summary()
    assert summary["median"] == pytest.approx(np.tanh(0.2), abs=0.02)
    assert summary["p99"] == pytest.approx(np.tanh(0.2 + 2.33 * 0.1), abs=0.03)
    assert summary["pairs"] == 4000


def test_events_for_each_recording_that_has_any():
    assert events_per_chance([0] * 90 + [2] * 10) == pytest.approx(0.2 / 0.105, rel=0.01)
    assert events_per_chance([0] * 10) == 1.0
    assert events_per_chance([3] * 10) >= 1.0
