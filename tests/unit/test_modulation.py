"""The weight-free encoder that sees a second as a picture."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.loading import load_audio
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.encoders.modulation import (
    RATES,
    SCALES,
    Modulation,
    magnitudes,
    raw_features,
    relative_log_mel,
)
from soundalike.types import FloatArray, Window

SNAPSHOT = Path(__file__).parents[1] / "golden" / "modulation.json"
SILENCE = float(np.log(0.01))


@pytest.fixture
def patches(rng: np.random.Generator) -> FloatArray:
    return rng.uniform(-4.6, 3.0, (5, 96, 64)).astype(np.float32)


def ripple(rate: int, scale: int) -> FloatArray:
    """Return a patch that is one line of the cosine transform along time and along the bands."""
    along_time = np.cos(np.pi * rate * (np.arange(96) + 0.5) / 96)
    along_bands = np.cos(np.pi * scale * (np.arange(64) + 0.5) / 64)
    return np.outer(along_time, along_bands)[np.newaxis].astype(np.float32)


def cells(log_mel: FloatArray) -> FloatArray:
    """Return the rate-scale cells of one patch, ``(7, 8)``."""
    (features,) = raw_features(log_mel)
    return features[24:80].reshape(len(RATES), len(SCALES))


@pytest.mark.parametrize(
    ("rate", "row"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (15, 4), (16, 5), (95, 6)]
)
@pytest.mark.parametrize(
    ("scale", "column"), [(0, 0), (1, 1), (3, 2), (4, 3), (20, 5), (21, 6), (63, 7)]
)
def test_a_ripple_falls_into_its_cell(rate: int, row: int, scale: int, column: int):
    found = cells(ripple(rate, scale))
    assert divmod(int(found.argmax()), len(SCALES)) == (row, column)
    others = np.delete(found.ravel(), row * len(SCALES) + column)
    np.testing.assert_allclose(others, np.log(0.05), atol=1e-3)  # empty cells


def test_cepstra_are_those_of_the_mean_spectrum():
    log_mel = np.ones((1, 96, 64), np.float32)
    (features,) = raw_features(log_mel)
    # Of a constant c the orthonormal transform leaves c sqrt(96 * 64) at the first place.
    assert features[0] == pytest.approx(np.sqrt(96 * 64), rel=1e-5)
    np.testing.assert_allclose(features[1:24], 0.0, atol=1e-4)


def test_groups_of_bands_hear_their_own_movement():
    log_mel = np.zeros((1, 96, 64), np.float32)
    log_mel[0, :, 40:48] = ripple(4, 0)[0, :, :1]  # the sixth group of eight bands
    (features,) = raw_features(log_mel)
    groups = features[80:].reshape(6, 8)
    assert divmod(int(groups.argmax()), 8) == (2, 5)  # rates 1, 2, 4: the third


def test_shape_and_type(patches: FloatArray):
    vectors = Modulation().embed_patches(patches)
    assert vectors.shape == (5, 128)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert raw_features(patches).shape == (5, 128)


def test_length_is_the_level(patches: FloatArray):
    lengths = np.linalg.norm(Modulation().embed_patches(patches), axis=1)
    loudest = (np.exp(patches) - 0.01).mean(axis=2).max(axis=1)
    np.testing.assert_allclose(lengths, np.log1p(loudest / 4e-4), rtol=1e-3)


def test_silence_is_zero():
    silence = np.full((1, 96, 64), SILENCE, np.float32)
    assert not Modulation().embed_patches(silence).any()


def test_patches_do_not_influence_each_other(patches: FloatArray):
    encoder = Modulation()
    together, alone = encoder.embed_patches(patches), encoder.embed_patches(patches[3:4])
    np.testing.assert_allclose(together[3], alone[0], atol=1e-5)


def test_the_input_is_not_modified(patches: FloatArray):
    copy = patches.copy()
    Modulation().embed_patches(patches)
    np.testing.assert_array_equal(patches, copy)


def test_where_in_the_second_an_event_lies_matters_little(rng: np.random.Generator):
    noise = rng.uniform(-0.001, 0.001, 15_600)
    click = np.hanning(1_600) * rng.uniform(-0.5, 0.5, 1_600)
    waveforms = []
    for begin in (3_000, 11_000):
        samples = noise.copy()
        samples[begin : begin + 1_600] += click
        waveforms.append(samples.astype(np.float32))
    waveforms.append((20 * noise).astype(np.float32))
    early, late, other = Modulation().embed_patches(
        log_mel_spectrogram(np.stack(waveforms), sample_rate=16_000)
    )

    def cosine(a: FloatArray, b: FloatArray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assert cosine(early, late) > 0.9 > cosine(early, other)


def test_says_what_it_is():
    encoder = Modulation()
    assert encoder.name == "logmel-modulation"
    assert "weight-free" in encoder.description


def test_fingerprint_is_the_constants():
    constants = np.load(Path(__file__).parents[2] / "soundalike" / "encoders" / "modulation.npz")
    parts = [constants[name].astype(np.float32) for name in ("centre", "gain", "common")]
    assert [part.shape for part in parts] == [(128,), (128,), (128, 4)]
    np.testing.assert_allclose(parts[2].T @ parts[2], np.eye(4), atol=1e-5)
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts))
    digest.update(b"(0.1, 0.0004, 0.001, 40)")  # constants of level and bandwidth
    assert Modulation().fingerprint == digest.hexdigest()


def test_embeddings_have_not_moved(toy_data: Path):
    # Other vectors under the same name would be compared with those of existing indexes. On
    # purpose only: note the change in CHANGELOG.md, and write the numbers below anew.
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert Modulation().fingerprint == snapshot["fingerprint"]
    samples = load_audio(toy_data / snapshot["recording"]).samples
    seconds = np.stack([samples[start : start + 15_600] for start in range(0, 64_000, 16_000)])
    vectors = Modulation().embed_patches(log_mel_spectrogram(seconds, sample_rate=16_000))
    np.testing.assert_allclose(vectors[:, ::16], snapshot["every_16th_number"], atol=1e-3)


PLAN = WindowPlan(4.0, 2.0)


def embedded(samples: FloatArray) -> FloatArray:
    """Return the vectors of two windows of six seconds."""
    windows = [Window(0, 0.0, 4.0), Window(1, 2.0, 6.0)]
    return embed_windows([CutRecording(samples, windows)], Modulation(), PLAN)[0]


def sound(rng: np.random.Generator) -> FloatArray:
    """Return six seconds: noise, an event in it, a tone, and a pause that is 35 dB quieter."""
    samples = 0.02 * rng.standard_normal(96_000)
    samples[24_000:27_000] += 0.3 * rng.standard_normal(3_000) * np.hanning(3_000)
    samples[48_000:80_000] += 0.4 * np.sin(2 * np.pi * 900 * np.arange(32_000) / 16_000)
    samples[80_000:] *= 0.3
    return samples.astype(np.float32)


@pytest.mark.parametrize("gain_db", [-6, -20, -40, -50])
def test_a_gain_changes_nothing(gain_db: float, rng: np.random.Generator):
    samples = sound(rng)
    quieter = (samples * 10 ** (gain_db / 20)).astype(np.float32)
    np.testing.assert_allclose(embedded(quieter), embedded(samples), atol=1e-3)


def test_a_quiet_copy_of_16_bits_is_nearly_the_same(rng: np.random.Generator):
    samples = sound(rng)
    quieter = np.round(samples * 10 ** (-40 / 20) * 32768) / 32768
    cosines = (embedded(samples) * embedded(quieter.astype(np.float32))).sum(axis=1)
    assert (cosines > 0.98).all()


def test_seconds_keep_their_levels_relative_to_each_other(rng: np.random.Generator):
    samples = np.tile((0.3 * rng.standard_normal(16_000)).astype(np.float32), 4)
    shares = (1.0, 0.1, 0.01, 0.0)
    for second, share in enumerate(shares):
        samples[16_000 * second : 16_000 * (second + 1)] *= share
    for gain in (1.0, 0.01):
        (row,) = embed_windows(
            [CutRecording(np.float32(gain) * samples, [Window(0, 0.0, 4.0)])], Modulation(), PLAN
        )[0]
        lengths = np.linalg.norm(row.reshape(4, 128), axis=1)
        expected = np.log1p(np.array(shares) / 0.1)
        np.testing.assert_allclose(lengths / lengths[0], expected / expected[0], atol=1e-3)


def strongest_frame(samples: FloatArray) -> float:
    """Return the mean magnitude of the loudest frame as the encoder sees it: 1 if fully raised."""
    mel = magnitudes(log_mel_spectrogram(samples[np.newaxis], sample_rate=16_000))
    return float((np.exp(relative_log_mel(mel)) - 0.1).mean(axis=2).max())


def test_rounding_noise_and_silence_are_not_raised(rng: np.random.Generator):
    noise = rng.uniform(-0.5, 0.5, 15_600).astype(np.float32) / 32_768
    assert strongest_frame(1000 * noise) == pytest.approx(1.0, abs=1e-3)
    assert strongest_frame(noise / 2) < 0.6
    assert strongest_frame(noise / 20) < 0.1
    assert strongest_frame(0 * noise) == pytest.approx(0.0, abs=1e-6)


def test_a_telephone_band_is_nearly_the_whole_sound(rng: np.random.Generator):
    """White noise that comes and goes, and the same below 3.6 kHz."""
    samples = 0.3 * rng.standard_normal(15_600)
    samples *= 0.55 + 0.45 * np.sin(2 * np.pi * 3 * np.arange(15_600) / 16_000)
    lines = np.fft.rfft(samples)
    lines[round(3600 / 16_000 * 15_600) :] = 0
    both = np.stack([samples, np.fft.irfft(lines, 15_600)]).astype(np.float32)
    whole, narrow = Modulation().embed_patches(log_mel_spectrogram(both, sample_rate=16_000))
    assert whole @ narrow / np.linalg.norm(whole) / np.linalg.norm(narrow) > 0.8


def test_a_tone_alone_keeps_its_empty_bands():
    tone = np.sin(2 * np.pi * 500 * np.arange(15_600) / 16_000).astype(np.float32)
    mel = magnitudes(log_mel_spectrogram(tone[np.newaxis], sample_rate=16_000))
    assert relative_log_mel(mel)[0, :, 40:].max() < np.log(0.1) + 0.1
