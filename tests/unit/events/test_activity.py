"""Active parts of a recording: their bounds, the gap between them, and none in noise alone."""

import numpy as np
import pytest

from soundalike.events.activity import (
    FRAMES_PER_S,
    active_part,
    activity,
    joined,
    log_mel_of,
    without_noise,
)
from soundalike.types import FloatArray

RATE_HZ = 16_000


def noise(duration_s: float, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (0.01 * rng.standard_normal(round(duration_s * RATE_HZ))).astype(np.float32)


def beep(duration_s: float, level: float = 0.2) -> FloatArray:
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * 1500 * time_s)).astype(np.float32)


def with_beeps(samples: FloatArray, *spans_s: tuple[float, float]) -> FloatArray:
    for begin_s, end_s in spans_s:
        begin = round(begin_s * RATE_HZ)
        sound = beep(end_s - begin_s)
        samples[begin : begin + len(sound)] += sound
    return samples


def test_beeps_in_noise_have_their_bounds_to_a_twentieth_of_a_second():
    spans_s = [(5.0, 6.0), (20.3, 20.8), (41.25, 44.0)]
    found = activity(log_mel_of(with_beeps(noise(60.0), *spans_s))) / FRAMES_PER_S
    np.testing.assert_allclose(found, spans_s, atol=0.05)


def test_noise_alone_has_no_active_part():
    for seed in range(5):
        assert len(activity(log_mel_of(noise(60.0, seed)))) == 0


def test_digital_silence_is_a_background_too():
    samples = with_beeps(np.zeros(20 * RATE_HZ, np.float32), (5.0, 6.0))
    found = activity(log_mel_of(samples)) / FRAMES_PER_S
    np.testing.assert_allclose(found, [(5.0, 6.0)], atol=0.1)


def test_blocks_of_frames_are_seamless():
    samples = noise(90.0)
    whole = log_mel_of(samples)
    assert len(whole) == 1 + (len(samples) - 400) // 160
    np.testing.assert_array_equal(whole[5990:6010], log_mel_of(samples[5990 * 160 :])[:20])


@pytest.mark.parametrize(
    ("gap_s", "expected"),
    [(0.5, [(0.0, 2.0), (5.0, 6.0)]), (0.4, [(0.0, 1.0), (1.5, 2.0), (5.0, 6.0)])],
)
def test_spans_are_joined_over_a_gap(gap_s: float, expected: list[tuple[float, float]]):
    assert joined(np.array([[0, 100], [150, 200], [500, 600], [900, 905]]), gap_s) == expected


def test_a_query_is_cut_to_its_loud_part():
    silence = np.zeros(RATE_HZ, np.float32)
    begin, end = active_part(np.concatenate([silence, beep(0.5), silence]), RATE_HZ)
    assert (begin / RATE_HZ, end / RATE_HZ) == (pytest.approx(1.0), pytest.approx(1.5))
    assert active_part(noise(3.0), RATE_HZ) == (0, 3 * RATE_HZ)
    assert active_part(beep(0.01), RATE_HZ) == (0, 160)


def sound_of(samples: FloatArray) -> tuple[float, float]:
    """Return the bounds of a query without noise, in seconds."""
    frames = log_mel_of(samples)
    powers = (samples[: len(frames) * 160].reshape(len(frames), 160) ** 2).mean(axis=1)
    begin, end = without_noise(frames, powers)
    return begin / FRAMES_PER_S, end / FRAMES_PER_S


@pytest.mark.parametrize("spans_s", [[(1.0, 2.2)], [(1.0, 1.3), (1.9, 2.2)]])
def test_steady_noise_before_and_after_a_query_is_left_out(spans_s: list[tuple[float, float]]):
    found = sound_of(with_beeps(noise(3.2), *spans_s))
    assert found == pytest.approx((1.0, 2.2), abs=0.1)


def test_noise_on_one_side_only_is_left_out():
    assert sound_of(with_beeps(noise(2.2), (1.0, 2.2))) == pytest.approx((1.0, 2.18), abs=0.1)
    assert sound_of(with_beeps(noise(2.2), (0.0, 1.2))) == pytest.approx((0.0, 1.2), abs=0.1)


@pytest.mark.parametrize(
    "samples",
    [
        noise(3.0),
        beep(2.0),
        beep(2.0) * np.linspace(0.1, 1.0, 2 * RATE_HZ, dtype=np.float32),
        # Swelling, a little quieter at both ends.
        noise(3.0) * (1.0 + 0.4 * np.sin(np.linspace(0, np.pi, 3 * RATE_HZ, dtype=np.float32))),
        beep(0.3),
    ],
    ids=["noise", "tone", "rising", "swelling", "short"],
)
def test_a_sound_without_quiet_sides_stays_whole(samples: FloatArray):
    assert sound_of(samples) == (0.0, len(log_mel_of(samples)) / FRAMES_PER_S)
