"""The log-mel front end against values derived by hand and against the published description."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from soundalike.audio import front_end
from soundalike.audio.log_mel import hertz_to_mel, log_mel_spectrogram, mel_matrix
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import OneNetwork
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.errors import AudioTooShort, ParameterError
from soundalike.types import FloatArray, Window

RATE = 16_000
GOLDEN = Path(__file__).parents[2] / "golden" / "upstream_log_mel.npz"
Tone = Callable[..., FloatArray]


# Derivable by hand


@pytest.mark.parametrize(
    ("hertz", "mel"),
    [(0, 0.0), (125, 185.170), (500, 607.449), (700, 781.177), (1000, 999.991), (7500, 2773.332)],
)
def test_hertz_to_mel(hertz: float, mel: float):
    assert float(hertz_to_mel(hertz)) == pytest.approx(mel, abs=6e-4)


def test_mel_scale_is_the_natural_logarithms_not_librosas():
    # 2595 log10(1 + f / 700), the other common form, gives 607.446.
    assert round(float(hertz_to_mel(500)), 3) == 607.449


@pytest.mark.parametrize(
    ("n_samples", "n_frames"),
    [(400, 1), (559, 1), (560, 2), (15_599, 95), (15_600, 96), (16_000, 98), (160_000, 998)],
)
def test_number_of_frames(n_samples: int, n_frames: int):
    log_mel = log_mel_spectrogram(np.zeros(n_samples, np.float32), sample_rate=RATE)
    assert log_mel.shape == (n_frames, 64)
    assert log_mel.dtype == np.float32


def test_a_patch_looks_at_15600_samples():
    assert front_end.PATCH_SAMPLES == 15_600
    assert front_end.PATCH_SAMPLES / RATE == 0.975


def test_silence_is_ln_0_01():
    log_mel = log_mel_spectrogram(np.zeros(RATE, np.float32), sample_rate=RATE)
    np.testing.assert_allclose(log_mel, math.log(0.01), atol=1e-6)


def test_three_seconds_of_1_khz_give_three_patches(tone: Tone):
    seen = []

    class Recorder(OneNetwork):
        name = description = fingerprint = "recorder"

        def embed_patches(self, log_mel: FloatArray) -> FloatArray:
            seen.append(log_mel)
            return np.ones((len(log_mel), 128), np.float32)

    recording = CutRecording(tone(1000, 3.0), [Window(0, 0.0, 3.0)])
    embed_windows([recording], Recorder(), WindowPlan(3.0, 3.0))
    (patches,) = seen
    assert patches.shape == (3, 96, 64)
    assert patches.dtype == np.float32
    # 1000 Hz is 999.991 mel; the centres lie (2773.332 - 185.170) / 65 = 39.818 mel apart.
    loudest = round((999.991 - 185.170) / 39.818) - 1
    assert (patches.argmax(axis=2) == loudest).all()


@pytest.mark.parametrize("bin_number", [8, 32, 100, 200])
def test_sine_has_the_height_that_follows_from_its_amplitude(bin_number: int, tone: Tone):
    # A sine of amplitude a on a bin has magnitude a / 2 times the sum of the window, 200.
    hertz = bin_number * RATE / 512
    log_mel = log_mel_spectrogram(tone(hertz, 0.5, peak=0.1), sample_rate=RATE)
    neighbours = np.arange(bin_number - 4, bin_number + 5)
    time_s = np.arange(400) / RATE
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    lobe = [
        abs(np.sum(hann * 0.05 * np.exp(2j * np.pi * (hertz - n * RATE / 512) * time_s)))
        for n in neighbours
    ]
    assert lobe[4] == pytest.approx(0.05 * 200, rel=1e-6)
    expected = np.log(np.array(lobe) @ mel_matrix()[neighbours] + 0.01)
    band = int(np.argmax(expected))
    np.testing.assert_allclose(log_mel[:, band], expected[band], rtol=0.01)


def test_magnitude_not_power(rng: np.random.Generator):
    noise = rng.uniform(-0.01, 0.01, RATE).astype(np.float32)
    quiet = np.exp(log_mel_spectrogram(noise, sample_rate=RATE)) - 0.01
    loud = np.exp(log_mel_spectrogram(10 * noise, sample_rate=RATE)) - 0.01
    np.testing.assert_allclose(loud, 10 * quiet, rtol=1e-3)


# The mel bands


def test_weights_lie_between_0_and_1():
    weights = mel_matrix()
    assert weights.shape == (257, 64)
    assert weights.dtype == np.float32
    assert weights.min() == 0.0
    assert weights.max() <= 1.0


def test_constant_component_is_left_out():
    assert (mel_matrix()[0] == 0).all()


def test_every_band_hears_something_around_its_centre():
    edges_mel = np.linspace(185.170, 2773.332, 66)
    centres_hz = 700 * (np.exp(edges_mel[1:-1] / 1127) - 1)
    peaks_hz = mel_matrix().argmax(axis=0) * RATE / 512
    assert (mel_matrix().max(axis=0) > 0).all()
    assert np.abs(peaks_hz - centres_hz).max() <= RATE / 512


def test_bands_hear_nothing_outside_of_125_to_7500_hz():
    bins_hz = np.arange(257) * RATE / 512
    outside = (bins_hz <= 125) | (bins_hz >= 7500)
    assert (mel_matrix()[outside] == 0).all()
    assert (mel_matrix()[~outside].sum(axis=1) > 0).all()


def test_neighbouring_triangles_sum_to_one_between_their_centres():
    bins_mel = 1127 * np.log(1 + np.arange(257) * RATE / 512 / 700)
    edges_mel = np.linspace(bins_mel[4], 1127 * math.log(1 + 7500 / 700), 66)  # bin 4 is 125 Hz
    between = (bins_mel > edges_mel[1]) & (bins_mel < edges_mel[-2])
    np.testing.assert_allclose(mel_matrix()[between].sum(axis=1), 1.0, atol=1e-5)


def test_callers_get_the_same_matrix():
    assert mel_matrix() is mel_matrix()


# The published description, once more


def reference_log_mel(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute the spectrogram in double precision, step by step, without the product's code."""
    frame, hop, n_fft, n_bands = 400, 160, 512, 64
    low, high = (1127.0 * math.log(1.0 + hertz / 700.0) for hertz in (125.0, 7500.0))
    edges = [low + n * (high - low) / (n_bands + 1) for n in range(n_bands + 2)]
    bands = np.zeros((n_fft // 2 + 1, n_bands))
    for row in range(1, n_fft // 2 + 1):
        mel = 1127.0 * math.log(1.0 + row * 16_000 / n_fft / 700.0)
        for band in range(n_bands):
            lower, centre, upper = edges[band : band + 3]
            slope = min((mel - lower) / (centre - lower), (upper - mel) / (upper - centre))
            bands[row, band] = max(0.0, slope)
    hann = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / frame) for n in range(frame)])
    rows = []
    for start in range(0, len(samples) - frame + 1, hop):
        spectrum = np.fft.rfft(samples[start : start + frame] * hann, n_fft)
        rows.append(np.log(np.abs(spectrum) @ bands + 0.01))
    return np.array(rows)


def signal(kind: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    time_s = np.arange(2 * RATE) / RATE
    signals = {
        "white noise": rng.uniform(-1, 1, len(time_s)),
        "quiet noise": rng.uniform(-1e-3, 1e-3, len(time_s)),
        "silence": np.zeros(len(time_s)),
        "sine": 0.5 * np.sin(2 * np.pi * 440 * time_s),
        "chirp": 0.5 * np.sin(2 * np.pi * (100 * time_s + 1875 * time_s**2)),
        "clipped square": np.sign(np.sin(2 * np.pi * 313 * time_s)),
    }
    return signals[kind].astype(np.float32).astype(np.float64)


SIGNALS = ("white noise", "quiet noise", "silence", "sine", "chirp", "clipped square")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", SIGNALS)
def test_equals_the_published_description(kind: str, dtype: type, rng: np.random.Generator):
    samples = signal(kind, rng)
    log_mel = log_mel_spectrogram(samples.astype(dtype), sample_rate=RATE)
    # Beside a pure tone a transform in single precision would be 3e-4 away.
    np.testing.assert_allclose(log_mel, reference_log_mel(samples), rtol=0, atol=2e-5)


# Made by upstream's code


def test_golden_file_is_the_one_that_was_made():
    about = json.loads(GOLDEN.with_suffix(".json").read_text(encoding="utf-8"))
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == about["sha256"]


def test_mel_matrix_equals_upstreams():
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(mel_matrix(), golden["mel_matrix"], rtol=0, atol=1e-6)


def test_log_mel_equals_upstreams():
    with np.load(GOLDEN) as golden:
        samples, expected = golden["waveform"] / np.float32(32768), golden["log_mel"]
    log_mel = log_mel_spectrogram(samples, sample_rate=RATE)
    np.testing.assert_allclose(log_mel, expected, rtol=0, atol=2e-5)


# Shapes, types, and refusals


def test_batch_equals_its_rows(rng: np.random.Generator):
    waveforms = rng.uniform(-1, 1, (2, 3, 5_000)).astype(np.float32)
    batch = log_mel_spectrogram(waveforms, sample_rate=RATE)
    assert batch.shape == (2, 3, 29, 64)
    alone = log_mel_spectrogram(waveforms[1, 2], sample_rate=RATE)
    np.testing.assert_allclose(batch[1, 2], alone, atol=1e-5)


def test_a_frame_sees_only_its_own_samples(rng: np.random.Generator):
    samples = rng.uniform(-1, 1, RATE).astype(np.float32)
    before = log_mel_spectrogram(samples, sample_rate=RATE)
    samples[5_000] += 0.5
    changed = np.abs(log_mel_spectrogram(samples, sample_rate=RATE) - before).max(axis=1) > 1e-3
    assert np.flatnonzero(changed).tolist() == [29, 30, 31]  # 160 t <= 5000 < 160 t + 400


def test_the_waveform_is_not_modified(rng: np.random.Generator):
    samples = rng.uniform(-1, 1, RATE).astype(np.float32)
    copy = samples.copy()
    samples.flags.writeable = False
    log_mel_spectrogram(samples, sample_rate=RATE)
    np.testing.assert_array_equal(samples, copy)


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 0])
def test_other_sample_rates_are_refused(sample_rate: int):
    with pytest.raises(ParameterError, match=f"sample_rate is {sample_rate} Hz; resample"):
        log_mel_spectrogram(np.zeros(RATE, np.float32), sample_rate=sample_rate)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.bool_, np.complex64])
def test_other_types_are_refused(dtype: type):
    with pytest.raises(ParameterError, match="convert integers to floats"):
        log_mel_spectrogram(np.zeros(RATE, dtype), sample_rate=RATE)


@pytest.mark.parametrize("n_samples", [0, 1, 399])
def test_less_than_a_frame_is_refused(n_samples: int):
    with pytest.raises(AudioTooShort, match=f"waveform has {n_samples} samples; a frame needs 400"):
        log_mel_spectrogram(np.zeros(n_samples, np.float32), sample_rate=RATE)
