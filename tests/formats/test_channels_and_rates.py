"""One to sixteen channels, 8 to 384 kHz, and channels that cancel each other out."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.loading import load_audio
from soundalike.audio.mixing import MixDown
from tests.fixtures.formats import TONE_HZ, pitch_hz, run

LAYOUTS = {
    1: "mono",
    2: "stereo",
    3: "2.1",
    4: "quad",
    6: "5.1",
    7: "6.1",
    8: "7.1",
    16: "hexadecagonal",
}
#: Arguments of ffmpeg, and the most channels that the coding takes.
CODINGS = {
    "wav": ("-c:a pcm_s16le -f wav", 16),
    "wav f32": ("-c:a pcm_f32le -f wav", 16),
    "aiff": ("-f aiff", 16),
    "caf": ("-f caf", 16),
    "w64": ("-f w64", 16),
    "mov": ("-c:a pcm_s16be -f mov", 16),
    "mka": ("-c:a pcm_s24le -f matroska", 16),
    "wavpack": ("-f wv", 8),
    "tta": ("-f tta", 16),
    "flac": ("-f flac", 8),
    "alac": ("-c:a alac -f ipod", 8),
    "aac": ("-c:a aac -f ipod", 8),
    "adts": ("-c:a aac -f adts", 8),
    "vorbis": ("-c:a libvorbis -f ogg", 8),
    "opus": ("-c:a libopus -mapping_family 255 -f ogg", 8),
}
FOUR_TIMES = """
import sys
from pathlib import Path
from soundalike.audio.loading import load_audio
for _ in range(4):
    load_audio(Path(sys.argv[1]))
"""
RATE_HZ = 44_100
RATES = (8_000, 11_025, 22_050, 32_000, 48_000, 96_000, 192_000, 384_000)


def make(path: Path, arguments: str, n_channels: int = 1, rate_hz: int = 48_000) -> Path:
    layout = LAYOUTS[n_channels]
    pan = "|".join([layout, *(f"c{channel}=c0" for channel in range(n_channels))])
    source = f"sine=f={TONE_HZ}:r={rate_hz}:d=2"
    run("-f", "lavfi", "-i", source, "-af", f"pan={pan}", *arguments.split(), str(path))
    return path


@pytest.mark.parametrize(
    ("coding", "n_channels"),
    [(coding, n) for coding, (_, most) in CODINGS.items() for n in LAYOUTS if n <= most],
)
def test_any_number_of_channels(coding: str, n_channels: int, tmp_path: Path):
    path = make(tmp_path / "sound", CODINGS[coding][0], n_channels)
    if coding == "mov":
        # A crash would take the tests along.
        subprocess.run([sys.executable, "-c", FOUR_TIMES, str(path)], check=True, timeout=60)
    waveform = load_audio(path)
    assert waveform.duration_s == pytest.approx(2.0, abs=0.1)
    assert waveform.warnings == ()
    assert pitch_hz(waveform.samples[4_000:28_000]) == pytest.approx(TONE_HZ, abs=2)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("arguments", ["-f wav", "-f flac", "-f wv", "-c:a alac -f ipod", "-f tta"])
def test_any_rate(arguments: str, rate_hz: int, tmp_path: Path):
    waveform = load_audio(make(tmp_path / "sound", arguments, rate_hz=rate_hz))
    assert waveform.duration_s == pytest.approx(2.0, abs=0.001)
    assert pitch_hz(waveform.samples[4_000:28_000]) == pytest.approx(TONE_HZ, abs=2)


def noise(rng: np.random.Generator, n_seconds: float = 4.0) -> np.ndarray:
    return rng.normal(0, 0.1, round(n_seconds * RATE_HZ)).astype(np.float32)


def test_of_opposite_channels_one_is_kept(
    rng: np.random.Generator, tmp_path: Path, write_wav: Callable[..., Path]
):
    left = noise(rng)
    opposed = write_wav(tmp_path / "a.wav", np.stack([left, -left], axis=1), RATE_HZ)
    alone = write_wav(tmp_path / "b.wav", left, RATE_HZ)
    waveform = load_audio(opposed)
    np.testing.assert_array_equal(waveform.samples, load_audio(alone).samples)
    assert waveform.warnings == (
        "opposite channels: the mix cancels out for 4.0 s; the loudest channel is used there",
    )


@pytest.mark.parametrize("coding", ["-c:a aac -f ipod", "-c:a libmp3lame -f mp3", "-f flac"])
def test_opposite_channels_in_compressed_files(coding: str, tmp_path: Path):
    path = tmp_path / "sound"
    run(
        *("-f", "lavfi", "-i", f"sine=f={TONE_HZ}:r=44100:d=4"),
        *("-af", "pan=stereo|c0=c0|c1=-1*c0", *coding.split(), str(path)),
    )
    waveform = load_audio(path)
    assert pitch_hz(waveform.samples[8_000:40_000]) == pytest.approx(TONE_HZ, abs=2)
    assert np.abs(waveform.samples).max() > 0.05
    assert any("opposite channels" in warning for warning in waveform.warnings)


def test_a_channel_is_taken_only_where_they_cancel(
    rng: np.random.Generator, tmp_path: Path, write_wav: Callable[..., Path]
):
    left, right = noise(rng), noise(rng)
    right[RATE_HZ : 2 * RATE_HZ] = -left[RATE_HZ : 2 * RATE_HZ]
    stereo = np.stack([left, right], axis=1)
    mixed = np.concatenate(list(MixDown(RATE_HZ).mono([stereo])))
    mean = stereo.mean(axis=1)
    mean[RATE_HZ : 2 * RATE_HZ] = left[RATE_HZ : 2 * RATE_HZ]
    np.testing.assert_array_equal(mixed, mean)


@pytest.mark.parametrize("n_channels", [2, 3, 6, 16])
@pytest.mark.parametrize("similarity", [0.0, 0.5, 1.0, -0.7])
def test_ordinary_channels_stay_as_they_are_to_the_bit(
    rng: np.random.Generator, n_channels: int, similarity: float
):
    common = noise(rng)[:, np.newaxis]
    own = rng.normal(0, 0.1, (len(common), n_channels)).astype(np.float32)
    signs = np.where(np.arange(n_channels) % 2, np.sign(similarity) or 1, 1)
    block = (abs(similarity) * signs * common + (1 - abs(similarity)) * own).astype(np.float32)
    mix_down = MixDown(RATE_HZ)
    mixed = np.concatenate(list(mix_down.mono(np.array_split(block, 7))))
    np.testing.assert_array_equal(mixed, block.mean(axis=1, dtype=np.float32))
    assert mix_down.cancelled_s == 0


def test_a_lone_channel_among_many_is_ordinary(rng: np.random.Generator):
    block = np.zeros((2 * RATE_HZ, 16), np.float32)
    block[:, 5] = noise(rng, 2.0)
    mix_down = MixDown(RATE_HZ)
    mixed = np.concatenate(list(mix_down.mono([block])))
    np.testing.assert_array_equal(mixed, block.mean(axis=1, dtype=np.float32))
    assert mix_down.cancelled_s == 0


@pytest.mark.parametrize("size", [1, 1_000, 22_050, 70_000])
def test_blocks_of_any_size_give_the_same(rng: np.random.Generator, size: int):
    left = noise(rng, 2.3)
    right = np.where(np.arange(len(left)) < 40_000, -left, left)
    stereo = np.stack([left, right], axis=1)[: 30 * size if size == 1 else None]
    parts = [stereo[begin : begin + size] for begin in range(0, len(stereo), size)]
    whole = np.concatenate(list(MixDown(RATE_HZ).mono([stereo])))
    np.testing.assert_array_equal(np.concatenate(list(MixDown(RATE_HZ).mono(parts))), whole)
