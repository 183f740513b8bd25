"""Codings in containers, whole and otherwise: the end of a recording is the end of its sound."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.loading import Waveform, load_audio
from soundalike.errors import AudioTooShort, EmptyAudio, UnreadableAudio
from tests.fixtures.formats import (
    BY_NAME,
    FIRST_S,
    FORMATS,
    SECOND_S,
    TOLERANCE_S,
    TONE_HZ,
    Format,
    length_by_ffmpeg,
    pitch_hz,
)

Maker = Callable[..., Path]
#: Formats in which one file behind another is one recording.
STREAMS = (
    *(
        "flac",
        "ogg flac",
        "ogg vorbis",
        "ogg opus",
        "ogg speex",
        "mp3 cbr",
        "mp3 vbr",
        "mp3 cbr no xing",
    ),
    *(
        "mp3 vbr no xing",
        "mp3 id3",
        "mp3 8 kHz",
        "mp2",
        "aac adts",
        "aac latm",
        "ts aac",
        "ts mp2",
        "ac3",
    ),
    *("m2ts ac3", "eac3", "dts", "truehd", "mka flac", "mka aac", "webm opus"),
)
#: Formats whose header names the length, so that a player stops there.
CONTAINERS = (
    *("wav s16", "wav u8", "wav adpcm_ms", "rf64", "aiff", "au", "caf", "w64", "aac m4a", "alac m4a"),
    *("pcm mov", "aac 3gp"),
)
#: Streams whose frames say their rate and channels.
CHANGING = ("mp3 cbr", "mp3 vbr no xing", "mp2", "aac adts", "ac3", "flac", "eac3")
#: Players look for the start of these.
AFTER_ZEROS = (*STREAMS, *CONTAINERS, "aac fragments", "avi mp3", "wavpack", "tta", "wma 2")
#: Formats whose header promises a length that a shorter file does not hold.
PROMISING = (
    *("wav s16", "wav adpcm_ms", "wav mp3", "rf64", "mp3 cbr", "mp3 id3", "flac", "tta", "wavpack"),
    *("wav u8", "w64", "aiff", "au", "caf"),
)
BARE = ("gsm", "mp2", "aac latm", "dts", "truehd")


def named(names: tuple[str, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("one", [BY_NAME[name] for name in names], ids=names)


def both_ways(path: Path) -> Waveform:
    """Decode a file by its path and by its bytes, which has to give the same."""
    waveform, from_bytes = load_audio(path), load_audio(path.read_bytes())
    np.testing.assert_array_equal(waveform.samples, from_bytes.samples)
    assert (waveform.warnings, waveform.decoder) == (from_bytes.warnings, from_bytes.decoder)
    return waveform


@pytest.mark.parametrize("one", FORMATS, ids=[one.name for one in FORMATS])
def test_an_undamaged_file_is_as_long_as_ffmpeg_says(one: Format, made: Maker):
    path = made(one)
    waveform = both_ways(path)
    assert waveform.duration_s == pytest.approx(length_by_ffmpeg(path), abs=TOLERANCE_S)
    assert waveform.warnings == ()
    assert pitch_hz(waveform.samples[16_000:48_000]) == pytest.approx(TONE_HZ, abs=2)


@named(STREAMS)
def test_streams_that_were_joined_are_one_recording(one: Format, made: Maker, tmp_path: Path):
    path = tmp_path / "joined"
    path.write_bytes(made(one).read_bytes() + made(one, SECOND_S).read_bytes())
    waveform = both_ways(path)
    assert waveform.duration_s == pytest.approx(FIRST_S + SECOND_S, abs=3 * TOLERANCE_S)
    assert waveform.warnings == ()
    assert pitch_hz(waveform.samples[-24_000:-4_000]) == pytest.approx(TONE_HZ, abs=2)


@named(CONTAINERS)
def test_a_file_that_was_joined_to_a_container_is_told_of(one: Format, made: Maker, tmp_path: Path):
    path = tmp_path / "joined"
    path.write_bytes(made(one).read_bytes() + made(one, SECOND_S).read_bytes())
    waveform = both_ways(path)
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=TOLERANCE_S)
    (warning,) = waveform.warnings
    assert "another file is appended" in warning


@named(CHANGING)
@pytest.mark.parametrize("change", ["rate", "channels"])
def test_what_follows_a_change_keeps_its_speed(one: Format, change: str, made: Maker, tmp_path: Path):
    other = made(one, SECOND_S, 32_000) if change == "rate" else made(one, SECOND_S, 0, 1)
    path = tmp_path / "changing"
    path.write_bytes(made(one).read_bytes() + other.read_bytes())
    waveform = both_ways(path)
    assert waveform.duration_s == pytest.approx(FIRST_S + SECOND_S, abs=3 * TOLERANCE_S)
    assert pitch_hz(waveform.samples[16_000:48_000]) == pytest.approx(TONE_HZ, abs=2)
    assert pitch_hz(waveform.samples[-24_000:-4_000]) == pytest.approx(TONE_HZ, abs=2)
    assert waveform.warnings == ()


@named(tuple(one.name for one in FORMATS if one.name != "gsm"))
def test_a_file_that_ends_early_gives_what_there_is(one: Format, made: Maker, tmp_path: Path):
    content = made(one).read_bytes()
    path = tmp_path / "truncated"
    path.write_bytes(content[: int(len(content) * 0.6)])
    there_s = length_by_ffmpeg(path)
    try:
        waveform = both_ways(path)
    except UnreadableAudio:
        assert there_s == 0
        return
    assert waveform.duration_s == pytest.approx(there_s, abs=2 * TOLERANCE_S)
    if one.name in PROMISING:
        assert any("truncated: the header declares" in warning for warning in waveform.warnings)


@named(AFTER_ZEROS)
def test_zeros_before_the_sound_change_nothing(one: Format, made: Maker, tmp_path: Path):
    path = tmp_path / "zeros"
    path.write_bytes(bytes(5_000) + made(one).read_bytes())
    expected, waveform = load_audio(made(one)), both_ways(path)
    np.testing.assert_array_equal(waveform.samples, expected.samples)
    assert waveform.warnings == expected.warnings == ()


@pytest.mark.parametrize("one", FORMATS, ids=[one.name for one in FORMATS])
def test_a_single_sample_is_no_accident(one: Format, made: Maker, tmp_path: Path):
    try:
        content = made(one, f"{1 / one.rate_hz:.7f}").read_bytes()
    except subprocess.CalledProcessError:
        pytest.skip("this encoder takes no less than a frame")
    path = tmp_path / "short"
    path.write_bytes(content)
    # A lone frame of a bare stream has nothing to be known by.
    refused = (AudioTooShort, EmptyAudio, *((UnreadableAudio,) if one.name in BARE else ()))
    with suppress(*refused):
        assert load_audio(path).duration_s <= 2 * TOLERANCE_S
