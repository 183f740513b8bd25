"""Several encoders side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import index_spec, only_network, plan_for
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.encoders.fusion import Fusion, fused_fingerprint, parse_model
from soundalike.encoders.manifest import read_manifest
from soundalike.encoders.model_file import ModelFile
from soundalike.encoders.modulation import Modulation
from soundalike.errors import ConfigError, ParameterError
from soundalike.types import Window
from tests.fixtures.models import DIMENSION, WAVEFORM, Make

RATE = 44_100
PLAN = WindowPlan(4.0, 2.0, RATE)


@pytest.fixture
def high(make_model: Make) -> ModelFile:
    """Load a network for samples at 44.1 kHz."""
    facts = {**WAVEFORM, "sample_rate_hz": RATE, "samples": RATE}
    path, manifest = make_model((RATE,), "high", input=facts)
    return ModelFile(path, read_manifest(manifest), precision="float32")


def recording(rng: np.random.Generator, n_windows: int) -> CutRecording:
    samples = 0.1 * rng.standard_normal((2 * n_windows + 2) * RATE)
    # Resampling is exact for what both rates can hold.
    smooth = np.convolve(samples, np.hanning(33) / 16, "same").astype(np.float32)
    return CutRecording(smooth, [Window(i, 2.0 * i, 2.0 * i + 4) for i in range(n_windows)])


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 3.0)])
def test_a_cosine_is_the_weighted_mean_of_cosines(
    weights: Any, high: ModelFile, rng: np.random.Generator
):
    fused = Fusion([Modulation(), high], weights)
    sound = recording(rng, 3)

    (rows,) = embed_windows([sound], fused, PLAN)

    samples = soxr.resample(sound.samples, RATE, 16_000, quality="HQ")
    (low,) = embed_windows([CutRecording(samples, sound.windows)], Modulation(), WindowPlan(4.0, 2.0))
    (own,) = embed_windows([sound], high, PLAN)
    share = weights[1] / sum(weights)
    expected = (1 - share) * low @ low.T + share * own @ own.T
    np.testing.assert_allclose(rows @ rows.T, expected, atol=1e-5)
    assert index_spec(fused, PLAN).dimension == rows.shape[1] == 512 + DIMENSION


def test_pieces_of_a_long_recording_are_resampled_alike(
    high: ModelFile, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
):
    fused = Fusion([Modulation(), high], [1.0, 1.0])
    sound = recording(rng, 7)
    (whole,) = embed_windows([sound], fused, PLAN)
    monkeypatch.setattr("soundalike.encoders.embedding._PIECE_WINDOWS", 2)

    (pieces,) = embed_windows([sound], fused, PLAN)

    assert (pieces * whole).sum(axis=1).min() > 0.9999


def test_a_part_of_a_recording_has_the_vectors_of_its_windows(
    high: ModelFile, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
):
    fused = Fusion([Modulation(), high], [1.0, 1.0])
    sound = recording(rng, 7)
    part = CutRecording(sound.samples[4 * RATE :], sound.windows[2:], offset_s=4.0)
    (whole,) = embed_windows([sound], fused, PLAN)
    monkeypatch.setattr("soundalike.encoders.embedding._PIECE_WINDOWS", 2)

    (rows,) = embed_windows([part], fused, PLAN)

    assert (rows * whole[2:]).sum(axis=1).min() > 0.9999


def test_progress_counts_the_examples_of_all(high: ModelFile, rng: np.random.Generator):
    told: list[tuple[int, int]] = []
    embed_windows(
        [recording(rng, 2)],
        Fusion([Modulation(), high], [1, 1]),
        PLAN,
        on_progress=lambda *counts: told.append(counts),
    )
    # Six seconds, and an example each half second as long as it fits into a window.
    assert told[-1] == (6 + 11, 6 + 11)


def test_the_rate_is_the_highest(high: ModelFile, rng: np.random.Generator):
    fused = Fusion([Modulation(), high], [1.0, 1.0])
    assert plan_for(fused, WindowPlan(4.0, 2.0)) == PLAN
    with pytest.raises(ParameterError, match=r"cut at 16000 Hz; .* needs sample_rate_hz=44100"):
        embed_windows([recording(rng, 1)], fused, WindowPlan(4.0, 2.0))


def test_identity(high: ModelFile):
    def identity(*weights: float) -> str:
        return Fusion([Modulation(), high], weights).fingerprint

    assert identity(1, 1) == identity(2, 2) != identity(1, 2)
    prints = [Modulation().fingerprint, high.fingerprint]
    assert identity(1, 2) == fused_fingerprint([(1, prints[0]), (2, prints[1])])
    assert Fusion([Modulation(), high], [1, 1]).name == "logmel-modulation+high"
    # As --model takes it, which the advice of a mismatch needs.
    assert Fusion([Modulation(), high], [2, 6]).name == "logmel-modulation:1+high:3"


def test_each_network_needs_a_weight(high: ModelFile):
    with pytest.raises(ValueError, match="shorter"):
        Fusion([Modulation(), high], [1.0])


def test_vectors_of_seconds_need_one_network(high: ModelFile):
    assert only_network(high) is high
    with pytest.raises(ParameterError, match="several networks"):
        only_network(Fusion([Modulation(), high], [1, 1]))


@pytest.mark.parametrize("text", ["a+a", "a:0+b", "a:-1", "a:x", "a:inf", "a:nan"])
def test_wrong_weights(text: str):
    with pytest.raises(ConfigError, match="give different names"):
        parse_model(text)
