"""Spectrograms by a manifest's facts equal those of the libraries that models were trained with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest

from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.audio.spectrogram import Compression, LogMel, hertz_to_mel, mel_bands, mel_to_hertz
from soundalike.errors import AudioTooShort, ParameterError

TOLERANCE = 1e-4
VGGISH = LogMel(
    *(16_000, 400, 512, 160, 64, 125.0, 7500.0),
    spectrum="magnitude",
    compression=Compression("ln", offset=0.01),
)
#: kaldi-native-fbank 1.23.0: 40 bands, dither off, all else by default.
KALDI = LogMel(
    *(16_000, 400, 512, 160, 40, 20.0, 8000.0),
    window="povey",
    periodic=False,
    compression=Compression("ln", floor=float(np.finfo(np.float32).eps)),
    input_gain=32_768,
    remove_dc=True,
    pre_emphasis=0.97,
)


@pytest.fixture
def samples(rng: np.random.Generator) -> Any:
    tone = np.sin(2 * np.pi * 1000 * np.arange(32_000) / 16_000)
    return (0.1 * rng.standard_normal(32_000) + 0.3 * tone).astype(np.float32)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", ["none", "slaney"])
@pytest.mark.parametrize(("padding", "mode"), [("reflect", "reflect"), ("zeros", "constant")])
def test_equals_librosa(samples: Any, scale: str, norm: str, padding: Any, mode: str):
    facts: dict[str, Any] = {"scale": scale, "norm": norm, "slopes": "hertz", "cut": "fft"}
    found = LogMel(16_000, 400, 512, 160, 40, 50.0, 7800.0, padding=padding, **facts)(samples)
    expected = librosa.feature.melspectrogram(
        y=samples,
        sr=16_000,
        n_fft=512,
        win_length=400,
        hop_length=160,
        n_mels=40,
        fmin=50.0,
        fmax=7800.0,
        pad_mode=mode,
        htk=scale == "htk",
        norm=None if norm == "none" else norm,
    ).T
    assert np.abs(found - expected).max() < TOLERANCE * expected.max()


@pytest.mark.parametrize(("spectrum", "power"), [("power", 2.0), ("magnitude", 1.0)])
@pytest.mark.parametrize("top_db", [None, 40.0])
def test_decibels_equal_librosa(samples: Any, spectrum: Any, power: float, top_db: float | None):
    to_db = librosa.power_to_db if power == 2 else librosa.amplitude_to_db
    floor = 1e-10 if power == 2 else 1e-5
    compression = Compression("db", floor=floor, reference=0.5, top_db=top_db)
    wanted = LogMel(
        *(16_000, 512, 512, 160, 40, 0.0, 8000.0),
        slopes="hertz",
        cut="fft",
        spectrum=spectrum,
        compression=compression,
    )
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=16_000,
        n_fft=512,
        hop_length=160,
        n_mels=40,
        center=False,
        htk=True,
        norm=None,
        power=power,
    )
    np.testing.assert_allclose(
        wanted(samples), to_db(mel, ref=0.5, amin=floor, top_db=top_db).T, atol=TOLERANCE
    )


def test_equals_kaldi():
    with np.load(Path(__file__).with_name("kaldi_fbank.npz")) as golden:
        samples, expected = golden["samples"], golden["fbank"]
    np.testing.assert_allclose(KALDI(samples), expected, atol=TOLERANCE)
    centred = replace(KALDI, centre_bands=True)(samples)
    np.testing.assert_allclose(centred, expected - expected.mean(axis=0), atol=TOLERANCE)


def test_equals_vggish(samples: Any):
    expected = log_mel_spectrogram(samples, sample_rate=16_000)
    np.testing.assert_allclose(VGGISH(samples), expected, atol=1e-6)


def test_one_over_all_bands_and_a_scaled_logarithm(samples: Any):
    """Essentia's parameters: the weights of each band have the sum 1, and log10(1 + 10000 x)."""
    bands = mel_bands(44_100, 2048, 96, 0.0, 22_050.0, norm="unit_sum")
    np.testing.assert_allclose(bands.sum(axis=0), 1.0)
    facts = {"norm": "unit_sum", "cut": "fft", "periodic": False}
    plain = LogMel(44_100, 2048, 2048, 1024, 96, 0.0, 22_050.0, **facts)  # type: ignore[arg-type]
    scaled = replace(
        plain, compression=Compression("log10", gain=1e4, offset=1.0), mean=1.0, deviation=2.0
    )
    np.testing.assert_allclose(
        scaled(samples), (np.log10(1 + 1e4 * plain(samples)) - 1) / 2, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_scales_equal_librosa(scale: str):
    hertz = np.linspace(0, 20_000, 101)
    mels = hertz_to_mel(hertz, scale)
    np.testing.assert_allclose(mels, librosa.hz_to_mel(hertz, htk=scale == "htk"), rtol=1e-4)
    np.testing.assert_allclose(mel_to_hertz(mels, scale), hertz, atol=1e-6)


@pytest.mark.parametrize("facts", [VGGISH, KALDI, replace(VGGISH, cut="fft", padding="reflect")])
@pytest.mark.parametrize("frames", [1, 7, 96])
def test_samples_of_frames(facts: LogMel, frames: int):
    needed = facts.n_samples(frames)
    assert (facts.n_frames(needed), facts.n_frames(needed - 1)) == (frames, frames - 1)
    if needed > facts.fft_length:
        assert facts(np.ones((2, needed), np.float32)).shape == (2, frames, facts.n_mels)


def test_what_cannot_be_is_refused():
    with pytest.raises(AudioTooShort, match="399 samples at 16000 Hz"):
        VGGISH(np.zeros(399, np.float32))
    for wrong in ({"frame_length": 513}, {"max_hz": 8001.0}, {"hop_length": 0}, {"deviation": 0.0}):
        with pytest.raises(ParameterError):
            replace(VGGISH, **wrong)
