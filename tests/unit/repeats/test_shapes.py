"""The shape of a sound is found again at another place and in other noise; that of another is not."""

from __future__ import annotations

import numpy as np
import pytest

from soundalike.audio.front_end import SAMPLE_RATE_HZ as RATE_HZ
from soundalike.encoders.modulation import Modulation
from soundalike.events.activity import Columns
from soundalike.events.listening import Hearing
from soundalike.repeats.shapes import LEAST, LEAST_OF_SKETCHES, Shapes, shape_of, sketches
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


def burst(seed: int) -> FloatArray:
    """Return noise of one second, of the same colour whatever the seed."""
    noise: FloatArray = np.random.default_rng(seed).standard_normal(RATE_HZ).astype(np.float32)
    return noise


def hum(low_hz: float) -> FloatArray:
    time_s = np.arange(2 * RATE_HZ, dtype=np.float32) / RATE_HZ
    sound: FloatArray = sum(np.sin(2 * np.pi * low_hz * n * time_s) for n in range(1, 6))
    return sound * np.clip(5 * np.minimum(time_s, time_s[::-1]), 0, 1)


def test_noises_of_one_colour_are_the_same_only_with_the_same_fine_structure():
    shapes = Shapes([shape(burst(1), 5.0, 1), shape(burst(1), 9.2, 2), shape(burst(2), 7.0, 3)])
    cosines, confirmed = (each(0, np.array([1, 2])) for each in (shapes.compare, shapes.confirm))
    assert (cosines > 0.9).all()
    assert confirmed[0] == pytest.approx(cosines[0], abs=0.01)
    assert LEAST < confirmed[1] < LEAST + 0.35 * (cosines[1] - LEAST)
    assert shapes.confirm(1, np.array([0]))[0] == pytest.approx(confirmed[0], abs=1e-4)


def test_a_steady_tone_needs_no_fine_structure():
    # What remains of it is the noise around it, which is another one each time.
    shapes = Shapes([shape(0.15 * hum(200), 5.0, 1), shape(0.15 * hum(200), 9.2, 2)])
    cosine = shapes.compare(0, np.array([1]))[0]
    assert cosine > LEAST + 0.1
    assert shapes.confirm(0, np.array([1]))[0] == pytest.approx(cosine, abs=0.01)


def test_sketches_are_the_same_wherever_the_sound_begins():
    sounds = [
        shape(chirp(800, 3000), 5.0, 1),
        shape(chirp(800, 3000), 9.3, 2, 9.45),
        shape(hum(150), 4, 3),
    ]
    scores = sketches(sounds) @ sketches(sounds).T
    assert np.diag(scores) == pytest.approx(1.0, abs=1e-5)
    assert scores[0, 1] > 0.9
    assert scores[0, 2] < LEAST_OF_SKETCHES


def test_no_pair_of_alike_shapes_has_sketches_that_differ():
    sounds = [chirp(500 * n, 700 * n, 0.4 * n) for n in range(1, 5)]
    made = [shape(sound, 4.0 + 0.3 * seed, seed) for sound in sounds for seed in (1, 2)]
    shapes, near = Shapes(made), sketches(made)
    for row in range(len(made)):
        cosines = shapes.compare(row, np.arange(len(made)))
        alike = cosines >= 0.5
        assert (near[row] @ near[alike].T >= cosines[alike] - 0.1).all()


def test_a_shape_without_sound_is_like_nothing():
    silent = shape(burst(1) * 0, 5.0, 1) * 0
    shapes = [silent, silent, shape(burst(1), 5.0, 1)]
    assert (Shapes(shapes).confirm(0, np.array([1, 2])) == 0).all()
    assert (sketches([*shapes, silent[:0]])[[0, 1, 3]] == 0).all()
