"""The shape of a sound is found again at another place and in other noise; that of another is not."""

from __future__ import annotations

import numpy as np
import pytest

from soundalike.audio.front_end import SAMPLE_RATE_HZ as RATE_HZ
from soundalike.encoders.modulation import Modulation
from soundalike.events.activity import Columns
from soundalike.events.listening import Hearing
from soundalike.repeats.shapes import LEAST, Shapes, shape_of
from soundalike.types import FloatArray


def chirp(low_hz: float, high_hz: float, length_s: float = 1.0) -> FloatArray:
    time_s = np.arange(round(length_s * RATE_HZ), dtype=np.float32) / RATE_HZ
    return np.sin(2 * np.pi * (low_hz + (high_hz - low_hz) * time_s / (2 * length_s)) * time_s)


def shape(sound: FloatArray, at_s: float, seed: int, found_s: float | None = None) -> Columns:
    """Return the shape of a sound at a place in noise, as if it were found at another."""
    samples = 0.05 * np.random.default_rng(seed).standard_normal(20 * RATE_HZ).astype(np.float32)
    begin = round(at_s * RATE_HZ)
    samples[begin : begin + len(sound)] += 0.3 * sound
    stretch = Hearing(Modulation()).hear(samples)
    assert stretch is not None
    begin_s = at_s if found_s is None else found_s
    return shape_of(stretch.above, begin_s, begin_s + len(sound) / RATE_HZ)


def test_a_sound_is_like_itself_and_unlike_others_of_the_same_bands():
    up, down = chirp(800, 3000), chirp(3000, 800)
    shapes = Shapes(
        [shape(up, 5.0, 1), shape(up, 9.3, 2, 9.45), shape(down, 7.0, 3), shape(up * 0, 5, 4)]
    )
    scores = shapes.compare(0, np.array([0, 1, 2, 3]))
    assert scores[0] == pytest.approx(1.0, abs=1e-3)
    assert scores[1] > LEAST + 0.05
    assert scores[2] < LEAST - 0.2
    assert scores[3] < 0.3
    assert shapes.compare(1, np.array([0]))[0] == pytest.approx(scores[1], abs=1e-4)


def test_lengths_differ_and_a_long_sound_is_cut():
    short, long = chirp(800, 1500), chirp(800, 1500, 12.0)
    found = Shapes([shape(short, 5.0, 1), shape(long, 4.0, 2)])
    assert found.compare(0, np.array([1]))[0] < LEAST
    assert len(shape(long, 4.0, 2)) == 200


def test_the_order_of_the_others_is_kept():
    made = [shape(chirp(500 * n, 700 * n, 0.5 * n), 4.0, n) for n in range(1, 5)]
    others = np.array([2, 0, 3, 1] * 20)
    scores = Shapes(made).compare(2, others)
    assert scores.reshape(20, 4)[:, 0] == pytest.approx(1.0, abs=1e-3)
    assert (scores.reshape(20, 4)[:, 1:] < LEAST).all()
