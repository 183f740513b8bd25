"""Speech is found by its energy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.speech import (
    LEVEL_DBFS,
    LONGEST_S,
    SPEECH_RATE_HZ,
    at_level,
    cut_speech,
    speech_in,
)
from soundalike.errors import AudioTooShort, TooLittleSpeech
from soundalike.types import FloatArray
from tests.fixtures.voices import voice

FRAME_S = 0.03


def noise(seconds: float, dbfs: float, seed: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 10 ** (dbfs / 20), round(seconds * SPEECH_RATE_HZ))
    return samples.astype(np.float32)


def test_long_pauses_are_shortened_and_short_ones_stay():
    loud = noise(1.5, -25)
    for pause_s, kept_s in ((0.3, 3.3), (3.0, 3.48)):
        whole = np.concatenate([loud, noise(pause_s, -75), loud])
        found, speech_s = speech_in(whole)
        assert len(found) / SPEECH_RATE_HZ == pytest.approx(kept_s, abs=3 * FRAME_S)
        assert speech_s == pytest.approx(3.0, abs=3 * FRAME_S)


@pytest.mark.parametrize(("below_db", "is_kept"), [(25.0, True), (35.0, False)])
def test_quiet_speech_is_kept_down_to_30_db_below_the_loud(below_db: float, is_kept: bool):
    whole = np.concatenate([noise(2, -20), noise(2, -20 - below_db, seed=2)])
    _, speech_s = speech_in(whole)
    assert speech_s == pytest.approx(4.0 if is_kept else 2.0, abs=3 * FRAME_S)


def test_silence_and_a_constant_are_no_speech():
    for samples in (np.zeros(32_000), np.full(32_000, 0.5), noise(2, -70)):
        found, speech_s = speech_in(samples.astype(np.float32))
        assert (len(found), speech_s) == (0, 0.0)


def test_the_level_does_not_depend_on_the_gain_or_an_offset():
    loud = noise(1, -20)
    for samples in (loud, 0.01 * loud, loud + 0.2):
        levelled = at_level(samples.astype(np.float32))
        assert 10 * np.log10(np.mean(np.square(levelled))) == pytest.approx(LEVEL_DBFS, abs=0.01)
        assert np.allclose(levelled, at_level(loud), atol=2e-4)
    assert not at_level(np.zeros(100, np.float32)).any()


def test_too_little_speech_is_an_error_with_the_seconds(tmp_path: Path, write_wav: Callable[..., Path]):
    path = write_wav(tmp_path / "short.wav", np.concatenate([noise(0.6, -20), noise(5, -80)]))
    with pytest.raises(TooLittleSpeech, match=r"short\.wav' has 0\.6 s of speech in 5\.6 s; give"):
        cut_speech(path)
    assert TooLittleSpeech.code == "audio.too_little_speech"
    assert issubclass(TooLittleSpeech, AudioTooShort)


def test_of_a_long_recording_only_the_beginning_is_used(tmp_path: Path, write_wav: Callable[..., Path]):
    path = write_wav(tmp_path / "long.wav", noise(LONGEST_S + 20, -20), subtype="PCM_16")
    found = cut_speech(path)
    assert found.duration_s == pytest.approx(LONGEST_S, abs=0.1)
    assert found.speech_s <= LONGEST_S


def test_other_rates_and_channels_are_read(tmp_path: Path, write_wav: Callable[..., Path]):
    samples = np.repeat(voice(120, 1), 3)
    path = write_wav(tmp_path / "voice.wav", np.stack([samples, samples], axis=1), 48_000)
    found = cut_speech(path)
    assert found.duration_s == pytest.approx(4.0, abs=0.01)
    assert 2.0 < found.speech_s <= 4.0
