"""Mixing down, resampling, damage, and bounded memory."""

import contextlib
import io
import mmap
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from soundalike.audio.loading import load_audio, map_samples, release_pages
from soundalike.errors import EmptyAudio, InvalidSamples, UnreadableAudio
from soundalike.types import FloatArray

RATE = 16_000
WriteWav = Callable[..., Path]
TOY_DATA = Path(__file__).parents[3] / "toy-data"
#: FFmpeg's formats are left out: librosa reads with libsndfile alone here.
READABLE = sorted(
    path for path in TOY_DATA.rglob("*") if path.suffix in (".wav", ".mp3", ".flac", ".ogg", ".opus")
)


def noise(rng: np.random.Generator, *shape: int) -> FloatArray:
    return (0.2 * rng.standard_normal(shape)).clip(-1, 1).astype(np.float32)


def encoded(samples: FloatArray, container: str, subtype: str, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def is_mapped(samples: FloatArray) -> bool:
    owner: object = samples
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return isinstance(owner, mmap.mmap)


def test_there_are_toy_clips():
    assert len(READABLE) > 40


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_toy_clips_equal_librosa(path: Path):
    # Guards against soundfile's seek after each block, which damages the next frame of an MP3.
    expected, _ = librosa.load(path, sr=RATE, mono=True)
    waveform = load_audio(path)
    assert len(waveform.samples) == len(expected)
    np.testing.assert_allclose(waveform.samples, expected, rtol=0, atol=1e-4)
    assert waveform.duration_s == len(expected) / RATE


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("n_samples", [1_001, 65_536, 65_537, 200_003])
def test_resampling_equals_librosa(
    rate: int, n_samples: int, rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav
):
    path = write_wav(tmp_path / "a.wav", noise(rng, n_samples), rate)
    expected, _ = librosa.load(path, sr=RATE, mono=True)
    samples = load_audio(path).samples
    # librosa rounds the length up and adds a zero; soxr rounds to the nearest.
    assert 0 <= len(expected) - len(samples) <= 1
    np.testing.assert_allclose(samples, expected[: len(samples)], rtol=0, atol=1e-4)


def test_16_khz_is_not_touched(rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav):
    samples = noise(rng, 70_001)
    np.testing.assert_array_equal(load_audio(write_wav(tmp_path / "a.wav", samples)).samples, samples)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_stereo_is_the_mean_of_its_channels(
    rate: int, tone: Callable[..., FloatArray], tmp_path: Path, write_wav: WriteWav
):
    left, right = tone(440, 1.0, rate), tone(1000, 1.0, rate, peak=0.2)
    stereo = write_wav(tmp_path / "stereo.wav", np.stack([left, right], axis=1), rate)
    mono = write_wav(tmp_path / "mono.wav", (left + right) / 2, rate)
    np.testing.assert_allclose(load_audio(stereo).samples, load_audio(mono).samples, atol=1e-6)


def test_six_channels(rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav):
    samples = noise(rng, 5_000, 6)
    loaded = load_audio(write_wav(tmp_path / "a.wav", samples)).samples
    np.testing.assert_allclose(loaded, samples.mean(axis=1), atol=1e-6)


def test_stereo_of_pyav_is_mixed_by_the_same_rule(toy_data: Path):
    import av

    path = toy_data / "guitar/guitar_3.m4a"
    with av.open(str(path)) as file:
        blocks = [frame.to_ndarray() for frame in file.decode(audio=0)]
    stereo = np.concatenate(blocks, axis=1)
    assert stereo.shape[0] == 2
    assert np.abs(stereo[0] - stereo[1]).max() > 0.01
    expected = librosa.resample(stereo.mean(axis=0), orig_sr=44_100, target_sr=RATE)
    samples = load_audio(path).samples
    np.testing.assert_allclose(samples, expected[: len(samples)], atol=1e-4)


@pytest.mark.parametrize(
    ("n_channels", "rate", "reason"),
    [(65, RATE, "65 channels are more than 64"), (1, 500, "sample rate 500 Hz is out of range")],
)
def test_absurd_formats(n_channels: int, rate: int, reason: str, tmp_path: Path, write_wav: WriteWav):
    path = write_wav(tmp_path / "a.wav", np.zeros((500, n_channels), np.float32), rate)
    with pytest.raises(UnreadableAudio, match=reason):
        load_audio(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("index", [0, 12_345, 65_536, 139_999])
def test_invalid_sample_is_named(
    value: float, index: int, rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav
):
    samples = noise(rng, 140_000)
    samples[[index, -1]] = value
    path = write_wav(tmp_path / "a.wav", samples)
    with pytest.raises(InvalidSamples, match=rf"^sample {index} \(at {index / RATE:.3f} s\)"):
        load_audio(path)


def test_invalid_sample_of_one_channel_counts_frames_of_the_file(
    rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav
):
    samples = noise(rng, 100_000, 2)
    samples[88_200, 1] = np.nan
    path = write_wav(tmp_path / "a.wav", samples, 44_100)
    with pytest.raises(InvalidSamples, match=r"^sample 88200 \(at 2\.000 s\)"):
        load_audio(path)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("MP3", "MPEG_LAYER_III"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
    ],
)
def test_truncated_file_gives_what_is_there(container: str, subtype: str, rng: np.random.Generator):
    content = encoded(noise(rng, 10 * RATE), container, subtype)
    whole = load_audio(content)
    part = load_audio(content[: len(content) * 6 // 10])
    assert whole.warnings == ()
    assert 4.0 < part.duration_s < 6.5
    n_same = len(part.samples) - RATE // 2
    np.testing.assert_allclose(part.samples[:n_same], whole.samples[:n_same], atol=2e-3)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("FLAC", "PCM_16"),
        ("MP3", "MPEG_LAYER_III"),
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
    ],
)
def test_truncated_file_is_reported(container: str, subtype: str, rng: np.random.Generator):
    content = encoded(noise(rng, 10 * RATE), container, subtype)
    part = load_audio(content[: len(content) // 2])
    text = f"truncated: the header declares 10.0 s, {part.duration_s:.1f} s could be decoded"
    assert text in part.warnings


@pytest.mark.parametrize(
    "length",
    [
        0xFFFFFFFF,  # FFmpeg
        0x7FFFFFFF,
        0x80000000,  # arecord
        pytest.param(
            0x7FFFF000,
        ),
    ],
    ids=hex,
)
def test_streamed_wav_promises_nothing(length: int, rng: np.random.Generator):
    content = bytearray(encoded(noise(rng, 2 * RATE), "WAV", "PCM_16"))
    begin = content.index(b"data") + 4
    content[begin : begin + 4] = length.to_bytes(4, "little")
    waveform = load_audio(bytes(content))
    assert (waveform.duration_s, waveform.warnings) == (2.0, ())


def test_recorder_that_died_before_it_wrote_the_length(rng: np.random.Generator):
    content = bytearray(encoded(noise(rng, 2 * RATE), "WAV", "PCM_16"))
    begin = content.index(b"data") + 4
    content[begin : begin + 4] = bytes(4)
    assert load_audio(bytes(content)).duration_s == 2.0


def test_flac_that_is_damaged_in_the_middle_is_reported(rng: np.random.Generator):
    content = bytearray(encoded(noise(rng, 5 * RATE), "FLAC", "PCM_16"))
    middle = len(content) // 2
    content[middle : middle + 2_000] = rng.bytes(2_000)
    waveform = load_audio(bytes(content))
    assert waveform.duration_s == 5.0 or waveform.warnings


def test_chunks_after_the_samples_are_no_damage(rng: np.random.Generator):
    content = encoded(noise(rng, 2 * RATE), "WAV", "PCM_16") + b"LIST\x04\0\0\0abcd"
    assert load_audio(content).warnings == ()


def test_truncated_m4a_has_no_table_of_contents(toy_data: Path):
    content = (toy_data / "guitar/guitar_3.m4a").read_bytes()
    with pytest.raises(UnreadableAudio):
        load_audio(content[: len(content) // 2])


def test_damaged_packets_are_stepped_over_and_counted(toy_data: Path, rng: np.random.Generator):
    content = bytearray((toy_data / "guitar/guitar_3.m4a").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2_000] = rng.bytes(2_000)
    waveform = load_audio(bytes(content))
    assert 9.0 < waveform.duration_s < 10.1
    assert any(text.startswith("damaged: ") for text in waveform.warnings)


def test_damaged_mp3_still_gives_its_rest(toy_data: Path, rng: np.random.Generator):
    content = bytearray((toy_data / "rain/rain_1.mp3").read_bytes())
    content[20_000:21_500] = rng.bytes(1_500)
    assert load_audio(bytes(content)).duration_s > 8.0


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("limit_s", [0.0, 1.0, 2.999])
def test_long_recording_is_mapped_and_the_same(
    rate: int, limit_s: float, rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav
):
    path = write_wav(tmp_path / "a.wav", noise(rng, 3 * rate), rate)
    spool = tmp_path / "spool" / "made on demand"
    inline, mapped = load_audio(path), load_audio(path, inline_limit_s=limit_s, spool_dir=spool)
    assert not is_mapped(inline.samples)
    assert is_mapped(mapped.samples)
    assert mapped.samples.dtype == np.float32
    np.testing.assert_array_equal(mapped.samples, inline.samples)
    assert list(spool.iterdir()) == []


def test_recording_as_long_as_the_limit_stays_in_memory(
    rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav
):
    path = write_wav(tmp_path / "a.wav", noise(rng, 2 * RATE))
    waveform = load_audio(path, inline_limit_s=2.0, spool_dir=tmp_path / "spool")
    assert not is_mapped(waveform.samples)
    assert not (tmp_path / "spool").exists()


def test_mapped_samples_cannot_be_written(rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav):
    path = write_wav(tmp_path / "a.wav", noise(rng, 2 * RATE))
    samples = load_audio(path, inline_limit_s=0.5, spool_dir=tmp_path).samples
    with pytest.raises(ValueError, match="read-only"):
        samples[0] = 1.0


@pytest.mark.parametrize("content_of", ["invalid samples at the end", "no audio", "truncated"])
def test_nothing_is_left_in_the_spool_folder(content_of: str, rng: np.random.Generator, tmp_path: Path):
    samples = noise(rng, 20 * RATE)
    outcome: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if content_of == "invalid samples at the end":
        samples[-1] = np.nan
        content, outcome = encoded(samples, "WAV", "FLOAT"), pytest.raises(InvalidSamples)
    elif content_of == "no audio":
        content, outcome = rng.bytes(2_000), pytest.raises(UnreadableAudio)
    else:
        content = encoded(samples, "FLAC", "PCM_16")[:200_000]
    with outcome:
        load_audio(content, inline_limit_s=1.0, spool_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_second_decoder_starts_from_nothing(rng: np.random.Generator, tmp_path: Path):
    # libsndfile gives up in the middle of this file, when part of it is in the spool file already.
    content = encoded(noise(rng, 20 * RATE), "FLAC", "PCM_16")
    part = content[: len(content) // 2]
    inline = load_audio(part)
    mapped = load_audio(part, inline_limit_s=1.0, spool_dir=tmp_path)
    assert inline.decoder == "PyAV"
    np.testing.assert_array_equal(mapped.samples, inline.samples)


def test_empty_file_of_a_long_recordings_loader(tmp_path: Path):
    with pytest.raises(EmptyAudio):
        load_audio(encoded(np.zeros(0, np.float32), "WAV", "PCM_16"), inline_limit_s=0)


def test_released_pages_can_be_read_again(tmp_path: Path):
    numbers = np.arange(100_000, dtype=np.float32)
    numbers.tofile(tmp_path / "a.f32")
    with (tmp_path / "a.f32").open("rb") as file:
        mapped = map_samples(file)
    (tmp_path / "a.f32").unlink()
    for view in (mapped, mapped[10:], mapped.reshape(-1, 100), numbers):
        before = view.copy()
        release_pages(view)
        np.testing.assert_array_equal(view, before)


_MEASURE = """
import re, sys
from pathlib import Path
from soundalike.audio.segmenter import segment
from soundalike.audio.windows import WindowPlan

def peak_mb():
    # VmHWM belongs to this program; ru_maxrss would include the process that started it.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024

short, long, limit_s = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
segment(short, WindowPlan())
before = peak_mb()
segments = segment(long, WindowPlan(), inline_limit_s=limit_s, spool_dir=long.parent)
assert segments.duration_s == 1200, segments.duration_s
print(peak_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_is_bounded_for_a_long_recording(
    rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav
):
    minute = noise(rng, 60 * RATE)
    short = write_wav(tmp_path / "short.wav", minute[: 10 * RATE], subtype="PCM_16")
    long = write_wav(tmp_path / "long.wav", np.tile(minute, 20), subtype="PCM_16")

    def grown_mb(limit_s: float) -> float:
        command = [sys.executable, "-c", _MEASURE, str(short), str(long), str(limit_s)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    try:
        samples_mb = 1200 * RATE * 4 / 2**20
        assert grown_mb(limit_s=3600) > samples_mb
        assert grown_mb(limit_s=10) < samples_mb / 2
    finally:
        long.unlink()
