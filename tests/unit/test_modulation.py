"""The weight-free encoder that sees a second as a picture."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.loading import load_audio
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.encoders.modulation import RATES, SCALES, Modulation, raw_features
from soundalike.types import FloatArray

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


def test_length_is_the_level_above_silence(patches: FloatArray):
    lengths = np.linalg.norm(Modulation().embed_patches(patches), axis=1)
    np.testing.assert_allclose(lengths, patches.mean(axis=(1, 2)) - SILENCE, rtol=1e-3)


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
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert Modulation().fingerprint == digest


def test_embeddings_have_not_moved(toy_data: Path):
    # Other vectors under the same name would be compared with those of existing indexes. On
    # purpose only: note the change in CHANGELOG.md, and write the numbers below anew.
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert Modulation().fingerprint == snapshot["fingerprint"]
    samples = load_audio(toy_data / snapshot["recording"]).samples
    seconds = np.stack([samples[start : start + 15_600] for start in range(0, 64_000, 16_000)])
    vectors = Modulation().embed_patches(log_mel_spectrogram(seconds, sample_rate=16_000))
    np.testing.assert_allclose(vectors[:, ::16], snapshot["every_16th_number"], atol=1e-3)
