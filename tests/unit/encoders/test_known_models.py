"""The front ends of shipped manifests equal those of the libraries that the models were trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest

from soundalike.encoders.manifest import LogMelInput, WaveformInput, shipped_manifests, shipped_text

GOLDEN = Path(__file__).parents[2] / "golden" / "front_ends.npz"
TOLERANCE = 1e-4


def facts(name: str) -> LogMelInput:
    found = shipped_manifests()[name].input
    assert isinstance(found, LogMelInput)
    return found


def sound(rng: np.random.Generator, given: LogMelInput) -> Any:
    n_samples = given.n_samples()
    tone = np.sin(2 * np.pi * 1000 * np.arange(n_samples) / given.sample_rate_hz)
    return (0.1 * rng.standard_normal(n_samples) + 0.3 * tone).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "rate_hz", "hop"), [("panns-cnn14", 32_000, 320), ("clap-htsat-unfused", 48_000, 480)]
)
def test_those_of_torchlibrosa_and_transformers_are_librosas(
    name: str, rate_hz: int, hop: int, rng: np.random.Generator
):
    """Both say that they compute what librosa does, with these numbers."""
    given = facts(name)
    samples = sound(rng, given)
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=rate_hz,
        n_fft=1024,
        hop_length=hop,
        n_mels=64,
        fmin=50,
        fmax=14_000,
        pad_mode="reflect",
    )
    expected = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None).T

    found = given.spectrogram()(samples)

    assert found.shape == (given.frames, 64)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.model
def test_that_of_yamnet_is_tensorflows(rng: np.random.Generator):
    import tensorflow as tf

    given = facts("yamnet")
    samples = sound(rng, given)
    spectrum = tf.abs(tf.signal.stft(samples, frame_length=400, frame_step=160, fft_length=512))
    bands = tf.signal.linear_to_mel_weight_matrix(64, 257, 16_000.0, 125.0, 7500.0)
    expected = tf.math.log(tf.matmul(spectrum, bands) + 0.001).numpy()

    found = given.spectrogram()(samples)

    assert found.shape == (96, 64)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_that_of_wespeaker_is_kaldis():
    with np.load(GOLDEN) as golden:
        samples, fbank = golden["kaldi_samples"], golden["kaldi_fbank"]
    found = facts("wespeaker-resnet34").spectrogram()(samples)
    np.testing.assert_allclose(found, fbank - fbank.mean(axis=0), atol=TOLERANCE)


def test_that_of_aisfx_is_essentias():
    with np.load(GOLDEN) as golden:
        samples, log_mel = golden["essentia_samples"], golden["essentia_log_mel"]
    given = facts("aisfx")
    assert isinstance(given.deviation, float)
    np.testing.assert_allclose(given.spectrogram()(samples) * given.deviation, log_mel, atol=TOLERANCE)


def test_birdnet_takes_samples_as_they_are():
    given = shipped_manifests()["birdnet-2.4"].input
    assert isinstance(given, WaveformInput)
    assert (given.n_samples(), given.sample_rate_hz, given.input_gain) == (144_000, 48_000, 1.0)


def test_perch_takes_windows_of_one_peak(rng: np.random.Generator):
    """As in perch-hoplite's zoo_interface.py: less the mean, and a quarter of full scale at most."""
    manifest = shipped_manifests()["perch-v2"]
    assert manifest.level is not None
    samples = (0.01 * rng.standard_normal(manifest.input.n_samples())).astype(np.float32)
    samples -= samples.mean()
    expected = samples / np.abs(samples).max() * 0.25
    np.testing.assert_allclose(manifest.level.gain(samples) * samples, expected, atol=1e-6)


def test_unverified_facts_name_their_sources():
    for name, manifest in shipped_manifests().items():
        if manifest.status == "unverified":
            text = shipped_text(name) or ""
            assert text.count(" at ") >= 2, name
            assert "none was checked" in text.replace("\n# ", " "), name
            assert manifest.source.how, name
    assert shipped_text("none") is None
    assert shipped_text("../choice") is None
