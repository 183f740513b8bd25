"""Copies agree in their waveforms at one offset; two takes of one sound do not."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from soundalike.errors import ParameterError
from soundalike.repeats.coherence import RATE_HZ, align, coherence, overlap
from soundalike.repeats.copies import compare_sound
from soundalike.repeats.requests import DuplicatesRequest
from soundalike.types import FloatArray

REQUEST = DuplicatesRequest()


def take(seed: int, duration_s: float = 8.0) -> FloatArray:
    """Return chirps at random times in noise, as a bird would repeat one call."""
    rng = np.random.default_rng(seed)
    samples = 0.01 * rng.standard_normal(round(duration_s * RATE_HZ))
    time_s = np.arange(round(0.3 * RATE_HZ)) / RATE_HZ
    for second in range(int(duration_s) - 1):
        pitch_hz = 1500 * rng.uniform(0.95, 1.05)
        call = 0.3 * np.sin(2 * np.pi * (pitch_hz * time_s + 800 * time_s**2))
        begin = round((second + rng.uniform(0, 0.5)) * RATE_HZ)
        samples[begin : begin + len(call)] += call
    return samples.astype(np.float32)


def noisy(samples: FloatArray, snr_db: float) -> FloatArray:
    noise = np.random.default_rng(9).standard_normal(len(samples)).astype(np.float32)
    noise *= np.sqrt((samples**2).mean() / (noise**2).mean()) * 10 ** (-snr_db / 20)
    return samples + noise


def lower_rate(samples: FloatArray) -> FloatArray:
    return soxr.resample(soxr.resample(samples, RATE_HZ, 8000), 8000, RATE_HZ).astype(np.float32)


@pytest.mark.parametrize(
    ("copy", "offset_s"),
    [
        (0.1 * take(1), 0.0),
        (-take(1), 0.0),
        (take(1)[20_001:-9000], 20_001 / RATE_HZ),
        (np.concatenate([np.zeros(1105, np.float32), take(1)]), -1105 / RATE_HZ),
        (lower_rate(take(1)), 0.0),
        (noisy(take(1), 20.0), 0.0),
        (take(1)[3 * RATE_HZ : 5 * RATE_HZ], 3.0),
    ],
    ids=["quieter", "inverted", "trimmed", "padded", "lower rate", "noise", "excerpt"],
)
def test_copies_are_found_with_their_offset(copy: FloatArray, offset_s: float):
    found = compare_sound(take(1), copy, REQUEST)
    assert found is not None
    assert found.offset_s == pytest.approx(offset_s, abs=0.001)
    assert found.score > 0.9
    assert found.evidence == "sound"


def test_two_takes_are_not_copies():
    assert [compare_sound(take(1), take(seed), REQUEST) for seed in range(2, 12)] == [None] * 10


def test_a_common_hum_does_not_make_copies():
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * k * time_s + k) / k for k in range(1, 20)).astype(np.float32)
    assert compare_sound(take(1) + 0.05 * hum, take(2) + 0.05 * np.roll(hum, 77), REQUEST) is None


def test_a_loud_common_hum_does_not_make_copies():
    rng = np.random.default_rng(5)
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * k * time_s + k) / k for k in range(1, 20)).astype(np.float32)
    first, second = (
        0.1 * hum + 0.02 * rng.standard_normal((2, len(hum))).astype(np.float32)  # 14 dB below
    )
    assert compare_sound(first, second, REQUEST) is None


def test_a_common_beep_does_not_make_copies():
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    beeps = (0.2 * np.sin(2 * np.pi * 1000 * time_s) * (time_s % 1 < 0.2)).astype(np.float32)
    assert compare_sound(take(1) + beeps, take(2) + beeps, REQUEST) is None


def test_silence_is_not_a_copy_of_anything():
    silence = np.zeros(RATE_HZ, np.float32)
    assert align(silence, silence) is None
    assert coherence(overlap(silence, silence, 0)) == 0.0


def test_a_shared_part_has_to_be_long_enough():
    first, second = take(1)[: 4 * RATE_HZ], take(1)[2 * RATE_HZ : 6 * RATE_HZ]
    found = compare_sound(first, second, DuplicatesRequest(min_overlap_s=1.5))
    assert found is not None
    assert found.offset_s == pytest.approx(2.0, abs=0.001)
    assert compare_sound(first, second, DuplicatesRequest(min_overlap_s=3.0)) is None


def test_parts_that_do_not_meet_share_nothing():
    sound = take(1)
    assert len(overlap(sound, sound, len(sound) + 5).first) == 0


@pytest.mark.parametrize(
    "values", [{"min_score": 0.1}, {"min_overlap_s": float("nan")}, {"candidates": 0}]
)
def test_values_out_of_range_are_refused(values: dict[str, float]):
    with pytest.raises(ParameterError, match=next(iter(values))):
        DuplicatesRequest(**values)  # type: ignore[arg-type]
