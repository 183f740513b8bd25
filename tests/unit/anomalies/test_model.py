"""The model of what is normal on vectors whose answer is known."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import pytest

from soundalike.anomalies.calibration import calibrate, p_value
from soundalike.anomalies.choice import folds
from soundalike.anomalies.distances import METHODS, Mahalanobis, Neighbours
from soundalike.anomalies.model import NormalModel, fit
from soundalike.anomalies.packing import pack, unpack
from soundalike.anomalies.regions import unusual_regions
from soundalike.anomalies.requests import LearnRequest
from soundalike.anomalies.results import NormalRecording, Region
from soundalike.errors import DimensionMismatch, ParameterError, SilentQuery, StoreError
from soundalike.types import IndexSpec

DIMENSION = 24
SPEC = IndexSpec("toy", "f00d", DIMENSION, 4.0, 2.0)


def recording(number: int, n_windows: int = 4, shift: float = 0.0, group: str = "") -> NormalRecording:
    """Return windows around one direction; `shift` moves the last one towards another."""
    rng = np.random.default_rng(number)
    rows = np.eye(1, DIMENSION) + 0.1 * rng.normal(size=(n_windows, DIMENSION))
    rows[-1] += shift * np.eye(1, DIMENSION, 1)[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number} {shift}"))
    spans = [(2.0 * row, 2.0 * row + 4) for row in range(n_windows)]
    return NormalRecording(key, f"/{number}.wav", spans, rows.astype(np.float32), group)


@pytest.fixture(scope="module")
def model() -> NormalModel:
    return fit([recording(number) for number in range(24)], SPEC)


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_an_unusual_recording_is_found_with_its_seconds(method: str):
    found = fit([recording(number) for number in range(24)], SPEC, method=method)
    usual, unusual = found.score(recording(100)), found.score(recording(101, shift=2.0))

    assert unusual.is_anomalous
    assert not usual.is_anomalous
    assert usual.regions == []
    # The last window overlaps the one before, which is usual.
    assert [(one.start_s, one.end_s) for one in unusual.regions] == [(8.0, 10.0)]
    assert (unusual.worst.start_s, unusual.worst.end_s) == (6.0, 10.0)
    assert unusual.p_value == pytest.approx(1 / 25)


def test_the_stated_rate_is_the_observed_one():
    model = fit([recording(number) for number in range(99)], SPEC, false_alarm_rate=0.1)
    limits = model.calibration
    assert limits.rate == pytest.approx(0.1)
    assert limits.low < 0.06 < 0.15 < limits.high
    observed = np.mean([model.score(recording(1000 + n)).is_anomalous for n in range(400)])
    assert 0.1 / 1.5 < observed < 0.1 * 1.5


def test_three_recordings_are_enough_and_the_interval_says_so():
    model = fit([recording(number) for number in range(3)], SPEC)
    limits = model.calibration
    assert limits.rate == limits.finest == 0.25
    assert limits.low < 0.01
    assert limits.high > 0.7
    assert model.score(recording(101, shift=3.0)).is_anomalous
    with pytest.raises(ParameterError, match="2 different normal recordings"):
        fit([recording(0), recording(1), recording(1)], SPEC)


def test_recordings_of_a_session_are_left_out_together():
    """Copies find each other, so that each seems more normal than a new recording would."""
    copies = [
        replace(recording(number // 2), recording_id=str(uuid.UUID(int=number)), group=str(number // 2))
        for number in range(24)
    ]
    apart = fit([replace(one, group="") for one in copies], SPEC, method="neighbours")
    together = fit(copies, SPEC, method="neighbours")

    assert len(set(together.sessions)) == 12
    assert together.calibration.threshold > 1.5 * apart.calibration.threshold
    assert together.calibration.rate == pytest.approx(1 / 13)
    assert together.calibration.finest == pytest.approx(1 / 13)
    assert folds(["a", "b", "a"]) == [{0, 2}, {1}]


def test_one_window_and_many_windows_are_scored(model: NormalModel):
    assert not model.score(recording(200, n_windows=1)).is_anomalous
    # A fault of seconds in an hour is as conspicuous as in ten seconds.
    hour = recording(201, n_windows=1800, shift=6.0)
    assert model.score(hour).score > model.score(recording(201, n_windows=1800)).score
    assert [one.end_s for one in model.score(hour).regions][-1] == 3602.0


def test_the_same_audio_counts_once():
    again = [recording(number) for number in (0, 1, 2, 3, 3, 2)]
    assert len(fit(again, SPEC).recordings) == 4


def test_identical_recordings_do_no_harm():
    same = [replace(recording(0), recording_id=str(uuid.UUID(int=number))) for number in range(5)]
    model = fit(same, SPEC)
    assert not model.score(recording(0)).is_anomalous
    assert model.score(recording(1, shift=1.0)).is_anomalous


def test_the_nearest_normal_window_is_named(model: NormalModel):
    normal = model.recordings[5]
    asked = replace(recording(300), vectors=normal.vectors[2:3], spans=[(0.0, 4.0)])
    nearest = model.score(asked).nearest
    assert (nearest.uri, nearest.start_s, nearest.end_s) == ("/5.wav", 4.0, 8.0)
    assert nearest.similarity == pytest.approx(1, abs=1e-3)


def test_what_cannot_be_scored_is_refused(model: NormalModel):
    empty = NormalRecording("x", "/x.wav", [], np.zeros((0, DIMENSION), np.float32))
    with pytest.raises(SilentQuery, match=r"/x\.wav"):
        model.score(empty)
    with pytest.raises(DimensionMismatch, match="8 numbers"):
        model.score(replace(empty, vectors=np.ones((1, 8), np.float32)))


@pytest.mark.parametrize(("name", "value"), [("method", "best"), ("false_alarm_rate", 0.0)])
def test_wrong_parameters_are_refused(name: str, value: object):
    with pytest.raises(ParameterError, match=name):
        fit([recording(number) for number in range(3)], SPEC, **{name: value})  # type: ignore[arg-type]


def test_a_packed_model_gives_the_same_scores(model: NormalModel):
    packed = pack(model)
    found = unpack(packed)
    assert found.calibration == model.calibration
    for asked in (recording(100), recording(101, shift=2.0)):
        assert found.score(asked).to_json() == model.score(asked).to_json()
    assert b"pickle" not in packed


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x80\x04N."])
def test_a_damaged_model_is_refused(content: bytes):
    with pytest.raises(StoreError, match="damaged"):
        unpack(content)


def test_a_cut_model_and_a_later_format_are_refused(model: NormalModel, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(StoreError, match="damaged"):
        unpack(pack(model)[:-100])
    monkeypatch.setattr("soundalike.anomalies.packing._FORMAT", 2)
    later = pack(model)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="update Soundalike"):
        unpack(later)


def test_mahalanobis_is_the_distance_under_the_shrunk_covariance():
    from sklearn.covariance import LedoitWolf

    rows = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    asked = np.random.default_rng(1).normal(size=(5, 30)).astype(np.float32)
    expected = np.sqrt(LedoitWolf().fit(rows).mahalanobis(asked) / 30)
    found = Mahalanobis(rows, np.arange(12))(asked)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_neighbours_are_those_of_two_recordings():
    vectors = np.array([[0.0, 0], [0, 0.1], [1, 0], [0, 3]], dtype=np.float32)
    owners = np.array([0, 0, 1, 2])
    asked = np.array([[0.0, 0.0]], dtype=np.float32)
    around = [(1 + 3) / 2, (np.sqrt(1.01) + 2.9) / 2, (1 + np.sqrt(10)) / 2, (2.9 + np.sqrt(10)) / 2]
    nearest = sorted([0.0 / around[0], 1 / around[2], 3 / around[3]])[:2]
    assert Neighbours(vectors, owners)(asked)[0] == pytest.approx(np.mean(nearest), rel=1e-5)


@pytest.mark.parametrize(
    ("n", "wanted", "rate"), [(19, 0.05, 0.05), (18, 0.05, 1 / 19), (99, 0.05, 0.05)]
)
def test_no_finer_rate_is_promised_than_recordings_allow(n: int, wanted: float, rate: float):
    scores, sessions = np.arange(float(n)), [str(number) for number in range(n)]
    assert calibrate(scores, scores, sessions, wanted).rate == pytest.approx(rate)


def test_a_p_value_is_never_zero():
    scores, sessions = np.arange(9.0), [str(number) for number in range(9)]
    assert p_value(100.0, scores, sessions) == pytest.approx(0.1)
    assert p_value(0.0, scores, sessions) == pytest.approx(1.0)


def test_a_session_counts_as_one():
    """A session with many takes says no more about the next session than one with one take."""
    scores = np.array([1.0, 2.0, 3.0, 9.0, 9.1, 9.2])
    found = calibrate(scores, scores, ["a", "b", "c", "d", "d", "d"], 0.45)
    assert (found.threshold, found.rate) == (3.0, pytest.approx(2 / 5))
    assert p_value(9.15, scores, ["a", "b", "c", "d", "d", "d"]) == pytest.approx(1 / 5 + 1 / 15)


def test_names_that_make_one_session_of_all_are_not_believed():
    model = fit([replace(recording(number), group="pump") for number in range(5)], SPEC)
    assert model.calibration.rate == pytest.approx(1 / 6)


def test_windows_without_a_stretch_of_their_own_are_shown_whole():
    spans = [(0.0, 4.0, 1.0), (1.0, 5.0, 3.0), (2.0, 6.0, 1.0)]
    assert unusual_regions([Region(*one) for one in spans], 2.0) == [Region(1.0, 5.0, 3.0)]


def test_separate_sounds_are_separate_regions():
    spans = [(0.0, 4.0, 3.0), (4.5, 8.0, 1.0), (9.0, 13.0, 4.0), (11.0, 15.0, 5.0)]
    found = unusual_regions([Region(*one) for one in spans], 2.0)
    assert found == [Region(0.0, 4.0, 3.0), Region(9.0, 15.0, 5.0)]


@pytest.mark.parametrize(
    ("stem", "group"),
    [("1-100032-A", "1-100032"), ("take B", "take"), ("A-7", "A-7"), ("pump_07", "pump_07")],
)
def test_takes_of_a_session_are_recognised_by_a_letter(stem: str, group: str):
    assert LearnRequest().group_of(stem) == group


@pytest.mark.parametrize(
    "given",
    [
        {"group_pattern": "("},
        {"method": "x"},
        {"false_alarm_rate": 1.0},
        {"accept": True, "replace": True},
    ],
)
def test_wrong_requests_are_refused(given: dict[str, object]):
    with pytest.raises(ParameterError, match="|".join(given)):
        LearnRequest(**given)  # type: ignore[arg-type]
