"""The weight-free encoder."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio import load_audio
from soundalike.embedding import CutRecording, embed_windows
from soundalike.logmel_stats import LogMelStats, raw_statistics
from soundalike.segmenter import segment
from soundalike.types import FloatArray
from soundalike.vggish.features import log_mel_spectrogram
from soundalike.windows import WindowPlan

SNAPSHOT = Path(__file__).parents[1] / "golden" / "logmel_stats.json"


@pytest.fixture
def patches(rng: np.random.Generator) -> FloatArray:
    return rng.uniform(-4.6, 3.0, (5, 96, 64)).astype(np.float32)


def test_statistics_by_hand():
    log_mel = np.zeros((1, 4, 64), np.float32)
    log_mel[0, :, 0] = [1, 2, 3, 4]
    log_mel[0, :, 63] = [-2, 2, -2, 2]
    (statistics,) = raw_statistics(log_mel)
    assert statistics.shape == (128,)
    expected = np.zeros(128)
    expected[0], expected[64] = 2.5, np.sqrt(1.25)
    expected[127] = 2.0
    np.testing.assert_allclose(statistics, expected, atol=1e-6)


def test_shape_and_type(patches: FloatArray):
    vectors = LogMelStats().embed_patches(patches)
    assert vectors.shape == (5, 128)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()


def test_order_of_time_within_a_second_does_not_matter(patches: FloatArray):
    encoder = LogMelStats()
    np.testing.assert_allclose(
        encoder.embed_patches(patches), encoder.embed_patches(patches[:, ::-1]), atol=1e-4
    )


def test_patches_do_not_influence_each_other(patches: FloatArray):
    encoder = LogMelStats()
    together, alone = encoder.embed_patches(patches), encoder.embed_patches(patches[3:4])
    np.testing.assert_array_equal(together[3], alone[0])


def test_constants_standardise_the_toy_data(toy_data: Path):
    clips = sorted(
        path
        for path in toy_data.rglob("*.*")
        if path.suffix in (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a")
        and path.parent.name != "queries"
    )
    vectors = []
    for path in clips:
        samples = load_audio(path).samples
        starts = range(0, len(samples) - 15_600 + 1, 16_000)
        seconds = np.stack([samples[start : start + 15_600] for start in starts])
        vectors.append(LogMelStats().embed_patches(log_mel_spectrogram(seconds, sample_rate=16_000)))
    every = np.concatenate(vectors)
    assert np.abs(every.mean(axis=0)).max() < 0.01
    assert np.abs(every.std(axis=0) - 1).max() < 0.01


def test_says_what_it_is():
    encoder = LogMelStats()
    assert encoder.name == "logmel-stats"
    assert "weight-free" in encoder.description
    assert LogMelStats().fingerprint == encoder.fingerprint


def test_fingerprint_is_the_constants():
    constants = np.load(Path(__file__).parents[2] / "soundalike" / "logmel_stats.npz")
    parts = [constants[name].astype(np.float32) for name in ("centre", "scale")]
    assert [part.shape for part in parts] == [(128,), (128,)]
    assert parts[1].min() > 0
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert LogMelStats().fingerprint == digest


def test_embeddings_have_not_moved(toy_data: Path):
    # Other vectors under the same name would be compared with those of existing indexes. On
    # purpose only: note the change in CHANGELOG.md, and write the numbers below anew.
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert LogMelStats().fingerprint == snapshot["fingerprint"]
    plan = WindowPlan(4.0, 2.0)
    segments = segment(toy_data / snapshot["recording"], plan)
    recording = CutRecording(segments.samples, segments.windows)
    (embeddings,) = embed_windows([recording], LogMelStats(), plan)
    assert embeddings.shape == (4, 512)
    np.testing.assert_allclose(embeddings[:, ::32], snapshot["every_32nd_number"], atol=1e-4)
