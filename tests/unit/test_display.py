"""Outlines, pictures and cut-outs, against what numpy says of all samples at once."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.pictures import MAX_CUT_OUT_S, peaks, spectrogram_png, write_cut_out
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.errors import DiskFull, EmptyAudio, ParameterError, UnreadableAudio
from soundalike.limits import Limits

RATE_HZ = 8_000


@pytest.fixture
def noise(
    tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator
) -> tuple[Path, np.ndarray]:
    """Write 40 s of noise: more samples than columns are kept."""
    samples = rng.uniform(-1, 1, 40 * RATE_HZ).astype(np.float32)
    return write_wav(tmp_path / "noise.wav", samples, RATE_HZ), samples


@pytest.mark.parametrize("points", [1, 2, 5, 100])
def test_peaks_are_those_of_equal_stretches(noise: tuple[Path, np.ndarray], points: int):
    path, samples = noise
    found = peaks(path, points=points)
    assert found.values.shape == (points, 2)
    # Stretches begin where columns do, each of which holds 32 samples here.
    for (lowest, highest), stretch in zip(found.values, np.array_split(samples, points), strict=True):
        assert lowest == pytest.approx(stretch.min(), abs=2e-2)
        assert highest == pytest.approx(stretch.max(), abs=2e-2)
    assert found.values[:, 0].min() == samples.min()
    assert found.values[:, 1].max() == samples.max()
    assert (found.start_s, found.end_s) == (0.0, 40.0)


def test_few_samples_have_as_many_peaks(tmp_path: Path, write_wav: Callable[..., Path]):
    path = write_wav(tmp_path / "three.wav", [0.5, -0.25, 0.125], RATE_HZ)
    assert peaks(path, points=600).values.tolist() == [[0.5, 0.5], [-0.25, -0.25], [0.125, 0.125]]


def test_a_click_is_seen_however_long_the_recording(tmp_path: Path, write_wav: Callable[..., Path]):
    samples = np.zeros(300 * RATE_HZ, dtype=np.float32)
    samples[round(123.4 * RATE_HZ)] = 0.9
    path = write_wav(tmp_path / "click.wav", samples, RATE_HZ, "PCM_16")
    found = peaks(path, points=300).values[:, 1]
    assert np.flatnonzero(found > 0.5).tolist() == [123]


def test_memory_does_not_grow_with_the_length(tmp_path: Path, write_wav: Callable[..., Path]):
    def peak_bytes(seconds: int) -> int:
        path = write_wav(tmp_path / f"{seconds}.wav", np.zeros(seconds * RATE_HZ), RATE_HZ, "PCM_16")
        tracemalloc.start()
        peaks(path)
        spectrogram_png(path)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak_bytes(1)
    assert peak_bytes(600) < 1.5 * peak_bytes(60)


def test_a_part_is_what_lies_in_it(noise: tuple[Path, np.ndarray]):
    path, samples = noise
    found = peaks(path, Excerpt(3.0, 5.0), points=1)
    stretch = samples[3 * RATE_HZ : 5 * RATE_HZ]
    assert found.values.tolist() == [[stretch.min(), stretch.max()]]
    assert (found.start_s, found.end_s) == (3.0, 5.0)


@pytest.mark.parametrize("size", [(600, 128), (1, 1), (4_000, 10)])
def test_a_picture_has_the_size_asked_for(noise: tuple[Path, np.ndarray], size: tuple[int, int]):
    picture = Image.open(io.BytesIO(spectrogram_png(noise[0], width=size[0], height=size[1])))
    assert (picture.format, picture.size) == ("PNG", size)


def test_a_higher_tone_is_higher_up(
    tmp_path: Path, write_wav: Callable[..., Path], tone: Callable[..., np.ndarray]
):
    def brightest_row(hz: float) -> int:
        path = write_wav(tmp_path / f"{hz}.wav", tone(hz, 1.0))
        picture = Image.open(io.BytesIO(spectrogram_png(path, width=50, height=64)))
        return int(np.asarray(picture.convert("L"), dtype=float).mean(axis=1).argmax())

    assert brightest_row(4_000) < brightest_row(1_000) < brightest_row(250)


def test_a_sound_shorter_than_a_frame_has_a_picture(tmp_path: Path, write_wav: Callable[..., Path]):
    path = write_wav(tmp_path / "short.wav", [0.5] * 10, 16_000)
    assert spectrogram_png(path).startswith(b"\x89PNG")


def test_silence_is_dark(tmp_path: Path, write_wav: Callable[..., Path]):
    path = write_wav(tmp_path / "silence.wav", np.zeros(16_000))
    picture = Image.open(io.BytesIO(spectrogram_png(path)))
    assert np.asarray(picture.convert("L")).max() < 32


def test_a_cut_out_is_sixteen_bits_at_the_own_rate(noise: tuple[Path, np.ndarray], tmp_path: Path):
    path, samples = noise
    target = tmp_path / "part.wav"
    write_cut_out(path, target, Excerpt(1.0, 1.5))
    found, rate_hz = soundfile.read(target, dtype="float32")
    assert (rate_hz, soundfile.info(target).subtype) == (RATE_HZ, "PCM_16")
    np.testing.assert_allclose(found, samples[RATE_HZ : RATE_HZ * 3 // 2], atol=1e-4)


def test_a_full_disk_is_told_from_a_sound_that_cannot_be_read(noise: tuple[Path, np.ndarray]):
    decoding = IsolatedDecoding(Limits(), 1)
    try:
        with pytest.raises(DiskFull):
            decoding.run(write_cut_out, noise[0], Path("/dev/full"), Excerpt(0.0, 30.0))
    finally:
        decoding.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda path: peaks(path, points=0),
        lambda path: peaks(path, points=4_001),
        lambda path: peaks(path, Excerpt(40.0)),
        lambda path: peaks(path, Excerpt(-1.0)),
        lambda path: peaks(path, Excerpt(2.0, 2.0)),
        lambda path: peaks(path, Excerpt(float("nan"))),
        lambda path: spectrogram_png(path, width=0),
        lambda path: spectrogram_png(path, height=1_025),
        lambda path: spectrogram_png(path, Excerpt(41.0)),
        lambda path: write_cut_out(path, path.with_name("x"), Excerpt(0.0, MAX_CUT_OUT_S + 1)),
    ],
)
def test_what_cannot_be_asked_for(noise: tuple[Path, np.ndarray], ask: Callable[[Path], object]):
    with pytest.raises(ParameterError):
        ask(noise[0])


def test_what_is_no_sound(tmp_path: Path, write_wav: Callable[..., Path]):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(UnreadableAudio):
        peaks(text)
    with pytest.raises(EmptyAudio):
        spectrogram_png(write_wav(tmp_path / "empty.wav", np.zeros(0)))
