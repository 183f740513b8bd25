"""From windows to embeddings, with encoders whose output can be told by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.audio.segmenter import pad_to
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import OneNetwork, index_spec
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.encoders.layout import VGGISH_LAYOUT
from soundalike.encoders.modulation import Modulation
from soundalike.encoders.vectors import normalised
from soundalike.errors import ParameterError
from soundalike.types import FloatArray, IndexSpec, Window

RATE = 16_000
PLAN = WindowPlan(4.0, 2.0)


class ToyEncoder(OneNetwork):
    """Puts the mean of the loudest band into the place of that band's number, the rest is zero."""

    name = "toy"
    description = "for tests"
    fingerprint = "0123456789abcdef"

    def __init__(self) -> None:
        self.batches: list[FloatArray] = []

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Remember the patches and answer with one number each."""
        self.batches.append(log_mel)
        levels = log_mel.mean(axis=1)
        vectors = np.zeros((len(log_mel), 128), np.float32)
        loudest = levels.argmax(axis=1)
        rows = np.arange(len(log_mel))
        vectors[rows, loudest] = levels[rows, loudest] + 5
        return vectors


class SilentEncoder(ToyEncoder):
    """Gives only zeros."""

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Answer with nothing."""
        return np.zeros((len(log_mel), 128), np.float32)


def cut(samples: FloatArray, plan: WindowPlan = PLAN) -> CutRecording:
    n_samples = len(samples)
    windows = [
        Window(index, start / RATE, min(start + plan.window_samples, n_samples) / RATE)
        for index, start in enumerate(plan.starts(n_samples))
    ]
    return CutRecording(pad_to(samples, plan.window_samples), windows)


def tones(frequencies_hz: Sequence[float]) -> FloatArray:
    """Return one second of each frequency."""
    time_s = np.arange(RATE) / RATE
    parts = [0.5 * np.sin(2 * np.pi * hertz * time_s) for hertz in frequencies_hz]
    return np.concatenate(parts).astype(np.float32)


def band_of(hertz: float) -> int:
    (log_mel,) = log_mel_spectrogram(tones([hertz])[np.newaxis], sample_rate=RATE)
    return int(log_mel.mean(axis=0).argmax())


@pytest.mark.parametrize(
    ("window_s", "hop_s", "count"),
    [
        (4.0, 1.0, 4),
        (4.0, 0.96, 4),
        (1.0, 1.0, 1),
        (0.975, 1.0, 1),
        (0.975, 0.96, 1),
        (1.934, 0.96, 1),
        (1.935, 0.96, 2),
        (1.974, 1.0, 1),
        (1.975, 1.0, 2),
        (10.0, 1.0, 10),
        (10.0, 0.96, 10),
        (30.0, 0.96, 31),
    ],
)
def test_seconds_per_window(window_s: float, hop_s: float, count: int):
    assert VGGISH_LAYOUT.examples_per_window(WindowPlan(window_s, 1.0), hop_s) == count


def test_index_spec():
    assert index_spec(ToyEncoder(), PLAN) == IndexSpec("toy", "0123456789abcdef", 512, 4.0, 2.0)


def test_another_hop_makes_another_index():
    spec = index_spec(ToyEncoder(), PLAN, 0.96)
    assert spec.dimension == 512
    assert spec.fingerprint != index_spec(ToyEncoder(), PLAN).fingerprint


def test_seconds_stand_one_after_the_other_in_the_order_of_time():
    frequencies = [400, 800, 1600, 3200, 600, 1200]
    bands = [band_of(hertz) for hertz in frequencies]
    assert len(set(bands)) == 6
    (embeddings,) = embed_windows([cut(tones(frequencies))], ToyEncoder(), PLAN)
    assert embeddings.shape == (2, 512)
    for row, first in zip(embeddings, (0, 2), strict=True):
        places = np.flatnonzero(row).tolist()
        assert places == [128 * n + bands[first + n] for n in range(4)]


def test_rows_have_length_one(rng: np.random.Generator):
    samples = rng.uniform(-0.5, 0.5, 11 * RATE).astype(np.float32)
    (embeddings,) = embed_windows([cut(samples)], ToyEncoder(), PLAN)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, rtol=1e-6)


def test_a_window_is_normalised_as_a_whole():
    # Were each second normalised by itself, the loud one would weigh no more than the quiet ones.
    samples = tones([440, 440, 440, 440])
    samples[RATE:] *= 0.01
    (embeddings,) = embed_windows([cut(samples)], ToyEncoder(), PLAN)
    lengths = np.linalg.norm(embeddings.reshape(4, 128), axis=1)
    assert lengths[0] > 2 * lengths[1]


def test_zeros_stay_zeros():
    (embeddings,) = embed_windows([cut(np.zeros(4 * RATE, np.float32))], SilentEncoder(), PLAN)
    assert not embeddings.any()
    assert not np.isnan(embeddings).any()


def test_each_second_is_embedded_once(rng: np.random.Generator):
    encoder = ToyEncoder()
    samples = rng.uniform(-0.5, 0.5, 30 * RATE).astype(np.float32)
    (embeddings,) = embed_windows([cut(samples)], encoder, PLAN)
    assert embeddings.shape == (14, 512)
    patches = np.concatenate(encoder.batches)
    assert len(patches) == 30  # not 14 windows of 4
    assert len(np.unique(patches.reshape(30, -1), axis=0)) == 30


def test_a_tail_off_the_grid_costs_only_its_own_seconds(rng: np.random.Generator):
    encoder = ToyEncoder()
    samples = rng.uniform(-0.5, 0.5, 10 * RATE + 8_000).astype(np.float32)
    embed_windows([cut(samples)], encoder, PLAN)
    assert sum(len(batch) for batch in encoder.batches) == 10 + 4


def test_recordings_share_batches_but_no_seconds(rng: np.random.Generator):
    encoder = ToyEncoder()
    samples = rng.uniform(-0.5, 0.5, 10 * RATE).astype(np.float32)
    embed_windows([cut(samples), cut(samples), cut(samples)], encoder, PLAN, batch_patches=8)
    assert [len(batch) for batch in encoder.batches] == [8, 8, 8, 6]


def test_patches_are_what_the_front_end_gives(rng: np.random.Generator):
    encoder = ToyEncoder()
    samples = rng.uniform(-0.5, 0.5, 4 * RATE).astype(np.float32)
    embed_windows([cut(samples)], encoder, PLAN)
    (patches,) = encoder.batches
    assert patches.shape == (4, 96, 64)
    for second in range(4):
        part = samples[second * RATE : second * RATE + 15_600]
        expected = log_mel_spectrogram(part, sample_rate=RATE)
        np.testing.assert_allclose(patches[second], expected, atol=1e-5)


def test_published_hop(rng: np.random.Generator):
    encoder = ToyEncoder()
    samples = rng.uniform(-0.5, 0.5, 4 * RATE).astype(np.float32)
    embed_windows([cut(samples)], encoder, PLAN, example_hop_s=0.96)
    (patches,) = encoder.batches
    whole = log_mel_spectrogram(samples, sample_rate=RATE)
    np.testing.assert_allclose(patches.reshape(-1, 64), whole[: 4 * 96], atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(400, 9 * RATE), min_size=1, max_size=4),
    batch=st.sampled_from([1, 3, 64]),
    hop_s=st.sampled_from([1.0, 0.96]),
)
def test_company_and_batch_size_do_not_matter(lengths: list[int], batch: int, hop_s: float):
    rng = np.random.default_rng(sum(lengths))
    plan = WindowPlan(2.5, 0.7)
    recordings = [cut(rng.uniform(-0.5, 0.5, n).astype(np.float32), plan) for n in lengths]
    encoder = Modulation()
    together = embed_windows(recordings, encoder, plan, batch_patches=batch, example_hop_s=hop_s)
    for recording, embeddings in zip(recordings, together, strict=True):
        assert embeddings.shape == (len(recording.windows), 256)
        (alone,) = embed_windows([recording], encoder, plan, example_hop_s=hop_s)
        np.testing.assert_allclose(embeddings, alone, atol=1e-5)


def test_overlapping_windows_agree_with_windows_embedded_alone(rng: np.random.Generator):
    samples = rng.uniform(-0.5, 0.5, 11 * RATE + 77).astype(np.float32)
    recording = cut(samples)
    (together,) = embed_windows([recording], Modulation(), PLAN)
    for window, row in zip(recording.windows, together, strict=True):
        start = round(window.start_s * RATE)
        part = CutRecording(samples[start : start + PLAN.window_samples], [Window(0, 0.0, 4.0)])
        np.testing.assert_allclose(row, embed_windows([part], Modulation(), PLAN)[0][0], atol=1e-5)


def test_progress_counts_patches(rng: np.random.Generator):
    seen: list[tuple[int, int]] = []
    samples = rng.uniform(-0.5, 0.5, 10 * RATE).astype(np.float32)
    embed_windows(
        [cut(samples)],
        ToyEncoder(),
        PLAN,
        batch_patches=4,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(4, 10), (8, 10), (10, 10)]


def test_nothing_gives_nothing():
    assert embed_windows([], ToyEncoder(), PLAN) == []


@pytest.mark.parametrize(("batch", "hop_s"), [(0, 1.0), (-1, 1.0), (64, 0.0), (64, -0.96)])
def test_parameters_out_of_range(batch: int, hop_s: float):
    recording = cut(np.zeros(4 * RATE, np.float32))
    with pytest.raises(ParameterError, match=r"must be (above 0|at least one sample)"):
        embed_windows([recording], ToyEncoder(), PLAN, batch_patches=batch, example_hop_s=hop_s)


def test_hop_of_less_than_a_sample():
    recording = cut(np.zeros(4 * RATE, np.float32))
    with pytest.raises(ParameterError):
        embed_windows([recording], ToyEncoder(), PLAN, example_hop_s=1e-6)


def test_recording_without_windows():
    recording = CutRecording(np.zeros(4 * RATE, np.float32), [])
    assert embed_windows([recording], ToyEncoder(), PLAN)[0].shape == (0, 512)


def test_normalised_leaves_its_input_alone():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]], np.float32)
    result = normalised(vectors)
    np.testing.assert_allclose(result, [[0.6, 0.8], [0, 0], [-1, 0]], atol=1e-7)
    assert vectors[0, 0] == 3.0
