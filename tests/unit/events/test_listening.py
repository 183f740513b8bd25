"""Tracks of vectors from sound: one network or several, whatever their rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.sandbox import shared
from soundalike.encoders.base import OneNetwork, Part
from soundalike.encoders.batching import share_batches
from soundalike.encoders.embedding import embed_patches_at
from soundalike.encoders.layout import ExampleLayout
from soundalike.encoders.modulation import Modulation
from soundalike.errors import AudioNotFound
from soundalike.events import listening
from soundalike.events.activity import log_mel_of
from soundalike.events.listening import HOP_S, Hearing, Listener, QuerySound, pooled
from soundalike.types import FloatArray


class Powers(OneNetwork):
    """A network of two numbers at 32 kHz: the power of an example, and 1."""

    name = fingerprint = description = "powers"
    layout = ExampleLayout(32_000, 16_000, 0.5, 2, "mean")

    def front_end(self, samples: FloatArray) -> FloatArray:
        """Return the samples."""
        return samples

    def embed_patches(self, patches: FloatArray) -> FloatArray:
        """Return the power of each example, and 1."""
        powers = (patches**2).mean(axis=1)
        return np.stack([powers, np.ones_like(powers)], axis=1)

    def pool(self, vectors: FloatArray) -> FloatArray:
        """Return the mean."""
        return vectors.mean(axis=1)


@dataclass
class Fused:
    """The weight-free encoder, and the powers."""

    name = fingerprint = description = "fused"

    @property
    def parts(self) -> Sequence[Part]:
        """Both, with their weights."""
        return (Part(0.25, Modulation()), Part(0.75, Powers()))


def noise(duration_s: float, rate_hz: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (0.01 * rng.standard_normal(round(duration_s * rate_hz))).astype(np.float32)


def test_a_network_that_threads_share_hears_the_same(monkeypatch: pytest.MonkeyPatch):
    """A service's vectors are those of the command line, bit by bit."""
    samples = noise(20.0, 16_000)
    plain, shared_network = Hearing(Modulation()).hear(samples), Hearing(share_batches(Modulation()))
    # Frames are computed once, as for the network alone.
    monkeypatch.setattr(listening, "embed_patches_at", None)
    assert plain is not None
    served = shared_network.hear(samples)
    assert served is not None
    np.testing.assert_array_equal(served.tracks[0].vectors, plain.tracks[0].vectors)


def test_frames_are_shared_between_examples_without_a_difference():
    listener = Listener(Modulation(), shared())
    samples = noise(5.0, 16_000)
    (track,) = listener.tracks(samples, log_mel_of(samples))
    starts = range(0, len(samples) - 15_600 + 1, 4_000)
    np.testing.assert_allclose(
        track.vectors, embed_patches_at(samples, starts, Modulation()), rtol=1e-4, atol=1e-5
    )


def test_each_network_has_a_track_at_its_own_rate():
    listener = Listener(Fused(), shared())
    assert listener.rate_hz == 32_000
    one, other = listener.tracks(noise(10.0, 32_000))
    assert (one.vectors.shape, one.weight, one.length_s) == ((37, 128), 0.25, 0.975)
    assert (other.vectors.shape, other.weight, other.length_s) == ((39, 2), 0.75, 0.5)
    np.testing.assert_allclose(other.vectors[:, 0], 1e-4, rtol=0.1)


def test_a_sound_shorter_than_an_example_is_one():
    (track,) = Listener(Modulation(), shared()).tracks(noise(0.3, 16_000))
    assert track.vectors.shape == (1, 128)


def test_a_query_is_mixed_with_the_background_at_two_levels(tmp_path: Path, write_wav: object):
    listener = Listener(Modulation(), shared())
    samples = noise(30.0, 16_000)
    samples[160_000:176_000] += np.sin(np.arange(16_000) * 0.5).astype(np.float32)
    path = write_wav(tmp_path / "a.wav", samples, subtype="FLOAT")  # type: ignore[operator]
    stretch = listener.stretch(str(path), 0.0, 30.0)
    assert stretch is not None
    assert stretch.contrast_db == pytest.approx(37, abs=1)
    assert stretch.duration_s == 30.0

    tone = np.sin(np.arange(8_000) * 0.3).astype(np.float32)
    loud, quiet = listener.masked(QuerySound(tone, 0.0, 0.5), stretch)
    levels_db = [20 * np.log10(np.sqrt((one**2).mean()) / 0.01) for one in (loud, quiet)]
    assert levels_db == pytest.approx([stretch.contrast_db, stretch.contrast_db - 10], abs=0.5)


def test_the_mean_of_a_span_is_that_of_its_examples():
    samples = noise(10.0, 32_000)
    samples[128_000:192_000] *= 10
    _, track = Listener(Fused(), shared()).tracks(samples)
    quiet, loud, both = pooled(track, [(0.0, 3.0), (4.0, 6.0), (3.0, 5.0)])[:, 0]
    assert quiet == pytest.approx(1e-4, rel=0.1)
    assert quiet < both < loud
    assert pooled(track, []).shape == (0, 2)
    assert HOP_S == 0.25


def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path, write_wav: object):
    path = write_wav(tmp_path / "a.wav", noise(2.0, 16_000))  # type: ignore[operator]

    def refuse(uri: str) -> Path:
        raise AudioNotFound(f"{uri} is outside of the allowed folders")

    assert Listener(Modulation(), shared(), refuse).stretch(str(path), 0.0, 2.0) is None
    assert Listener(Modulation(), shared()).stretch(str(path), 5.0, 6.0) is None
    assert Listener(Modulation(), shared()).stretch(str(path), 0.0, 2.0) is not None
