"""Thresholds come with the rate at which they were measured."""

from __future__ import annotations

import pytest
import yaml

from soundalike.encoders.manifest import shipped_manifests
from soundalike.encoders.modulation import Modulation
from soundalike.errors import ParameterError
from soundalike.speakers import thresholds
from soundalike.speakers.requests import Acceptance
from soundalike.speakers.thresholds import shipped, threshold_for


def test_stricter_rates_have_higher_thresholds_and_honest_intervals():
    assert set(shipped()) == {"resemblyzer", "logmel-modulation"}
    for found in shipped().values():
        rates = [point.false_accept_rate for point in found.points]
        assert rates == sorted(rates, reverse=True)
        assert [point.threshold for point in found.points] == sorted(
            point.threshold for point in found.points
        )
        assert all(-1 < point.threshold < 1 for point in found.points)
        for point in found.points:
            assert point.interval[0] < point.false_accept_rate < point.interval[1]
        assert "readers" in found.measured_on


def test_they_were_measured_with_the_encoders_as_they_are():
    """After a change of an encoder its thresholds must be measured again."""
    text = thresholds.resources.files("soundalike.speakers").joinpath("thresholds.yml").read_text()
    found = {row["encoder"]: row["identity"] for row in yaml.safe_load(text)}
    assert found == {
        "resemblyzer": shipped_manifests()["resemblyzer"].digest(),
        "logmel-modulation": Modulation().fingerprint,
    }


def test_the_default_rate_is_one_percent_however_many_speakers_there_are():
    one, ten = (threshold_for("resemblyzer", Acceptance(), n) for n in (1, 10))
    assert (one.false_accept_rate, ten.false_accept_rate) == (0.01, 0.01)
    assert ten.score > one.score
    seven = threshold_for("resemblyzer", Acceptance(), 7)
    assert seven.false_accept_rate == 0.01
    assert one.score < seven.score < ten.score
    assert threshold_for("resemblyzer", Acceptance(max_false_accepts=0.5)).false_accept_rate == 0.1


def test_a_rate_that_was_not_measured_is_refused_and_a_default_says_what_holds():
    finest = shipped()["resemblyzer"].points[-1]
    strict = Acceptance(max_false_accepts=finest.false_accept_rate)
    assert threshold_for("resemblyzer", strict).score == finest.threshold
    with pytest.raises(ParameterError, match=r"is 0\.001; the lowest rate .* 0\.002 with 2 compared"):
        threshold_for("resemblyzer", strict, 2)
    many = threshold_for("resemblyzer", Acceptance(), 50)
    assert (many.score, many.false_accept_rate) == (finest.threshold, 0.05)
    assert threshold_for("resemblyzer", Acceptance(), 5000).false_accept_rate == 1.0


def test_a_given_threshold_promises_nothing():
    found = threshold_for("my-model", Acceptance(threshold=0.5), 3)
    assert (found.score, found.false_accept_rate, found.measured_on) == (0.5, None, None)
    assert found.accepts(0.5)
    assert not found.accepts(0.49999)
    with pytest.raises(ParameterError, match="no threshold was measured for the encoder 'my-model'"):
        threshold_for("my-model", Acceptance())


@pytest.mark.parametrize(
    "given",
    [
        {"max_false_accepts": 0.0},
        {"max_false_accepts": 1.0},
        {"max_false_accepts": float("nan")},
        {"threshold": 1.1},
        {"threshold": float("nan")},
        {"max_false_accepts": 0.1, "threshold": 0.5},
    ],
)
def test_values_that_make_no_sense_are_refused(given: dict[str, float]):
    with pytest.raises(ParameterError, match=r"max_false_accepts is|threshold is"):
        Acceptance(**given)
