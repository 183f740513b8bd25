"""Every format that is promised, judged by its content."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from soundalike.audio.decoders import DecodeError, open_with_ffmpeg
from soundalike.audio.loading import load_audio
from soundalike.errors import AudioError, EmptyAudio, UnreadableAudio
from soundalike.types import FloatArray

RATE = 16_000
#: Longest delay that `soundalike.windows.TAIL_TOLERANCE_S` allows for.
MAX_DELAY_SAMPLES = 1_120


@pytest.fixture(scope="module")
def chirp() -> FloatArray:
    """Two seconds from 200 to 2000 Hz that swell, so that nothing in it resembles its neighbour."""
    time_s = np.arange(2 * RATE) / RATE
    swell = np.linspace(0.2, 0.6, len(time_s))
    return (swell * np.sin(2 * np.pi * (200 * time_s + 450 * time_s**2))).astype(np.float32)


def similarity(samples: FloatArray, original: FloatArray) -> float:
    """Return the highest correlation at a delay of up to 70 ms."""
    padded = np.concatenate([samples, np.zeros(MAX_DELAY_SAMPLES + len(original), np.float32)])
    return max(
        float(np.corrcoef(padded[delay : delay + len(original)], original)[0, 1])
        for delay in range(0, MAX_DELAY_SAMPLES, 1)
    )


@pytest.mark.parametrize(
    ("container", "subtype", "step"),
    [
        ("WAV", "PCM_U8", 1 / 128),
        ("WAV", "PCM_16", 1 / 2**15),
        ("WAV", "PCM_24", 1 / 2**23),
        ("WAV", "PCM_32", 1e-7),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAVEX", "PCM_16", 1 / 2**15),
        ("RF64", "PCM_16", 1 / 2**15),
        ("W64", "PCM_16", 1 / 2**15),
        ("AIFF", "PCM_16", 1 / 2**15),
        ("CAF", "PCM_16", 1 / 2**15),
        ("FLAC", "PCM_16", 1 / 2**15),
        ("FLAC", "PCM_24", 1 / 2**23),
    ],
)
def test_lossless(container: str, subtype: str, step: float, chirp: FloatArray, tmp_path: Path):
    path = tmp_path / "sound"
    soundfile.write(path, chirp, RATE, format=container, subtype=subtype)
    waveform = load_audio(path)
    assert waveform.samples.dtype == np.float32
    assert waveform.samples.shape == chirp.shape
    np.testing.assert_allclose(waveform.samples, chirp, rtol=0, atol=step)
    assert (waveform.duration_s, waveform.warnings) == (2.0, ())


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
        ("WAV", "ULAW"),
        ("WAV", "IMA_ADPCM"),
    ],
)
def test_lossy_of_libsndfile(container: str, subtype: str, chirp: FloatArray, tmp_path: Path):
    path = tmp_path / "sound"
    soundfile.write(path, chirp, RATE, format=container, subtype=subtype)
    waveform = load_audio(path)
    assert waveform.decoder == "libsndfile"
    assert 2.0 <= waveform.duration_s <= 2.07
    assert similarity(waveform.samples, chirp) > 0.99


@pytest.mark.parametrize(
    ("codec", "container"),
    [("aac", "ipod"), ("aac", "adts"), ("aac", "matroska"), ("alac", "mp4")],
)
def test_formats_that_libsndfile_cannot_read(
    codec: str, container: str, chirp: FloatArray, tmp_path: Path, encode: Callable[..., Path]
):
    # "sound" has no extension: only the content tells what it is.
    waveform = load_audio(encode(tmp_path / "sound", chirp, RATE, codec, container))
    assert waveform.decoder == "PyAV"
    assert 1.99 <= waveform.duration_s <= 2.15
    assert similarity(waveform.samples, chirp) > 0.99


@pytest.mark.parametrize("name", ["guitar/guitar_3.m4a", "siren/siren_2.m4a"])
def test_m4a_of_the_toy_data(name: str, toy_data: Path):
    waveform = load_audio(toy_data / name)
    assert waveform.decoder == "PyAV"
    assert 10.0 <= waveform.duration_s <= 10.07
    assert np.abs(waveform.samples).max() > 0.05


def test_tags_that_are_not_utf8(chirp: FloatArray, encode: Callable[..., Path], tmp_path: Path):
    path = encode(tmp_path / "old.m4a", chirp, RATE, "aac", "ipod")
    content = path.read_bytes()
    # The name of the program that wrote it.
    assert content.count(b"Lavf") == 1
    changed = load_audio(content.replace(b"Lavf", b"L\xe4vf"))
    np.testing.assert_array_equal(changed.samples, load_audio(content).samples)
    assert changed.decoder == "PyAV"


def test_video_file_gives_its_sound_track(tmp_path: Path, chirp: FloatArray):
    import av

    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        sound = file.add_stream("aac", rate=RATE, layout="mono")
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            file.mux(video.encode(picture))
        frame = av.AudioFrame.from_ndarray(chirp[np.newaxis, :1024], format="fltp", layout="mono")
        frame.sample_rate = RATE
        file.mux(sound.encode(frame))
        file.mux(video.encode(None))
        file.mux(sound.encode(None))
    assert 0.06 <= load_audio(path).duration_s <= 0.2


@pytest.mark.parametrize(
    "name", ["a.mp3", "a.m4a", "a.raw", "a.txt", "a", ".wav", "A.FLAC", "Vögel 鳥.ogg"]
)
def test_the_name_does_not_matter(name: str, chirp: FloatArray, tmp_path: Path):
    path = tmp_path / name
    soundfile.write(path, chirp, RATE, format="WAV", subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(path).samples, chirp)


@pytest.mark.parametrize(
    "name",
    [
        "clock_tick/clock_tick_2.wav",
        "rain/rain_1.mp3",
        "bird_song/bird_song_3.flac",
        "rain/rain_3.ogg",
        "engine/engine_4.opus",
        "guitar/guitar_3.m4a",
    ],
)
def test_upload_equals_file(name: str, toy_data: Path):
    from_file, from_bytes = load_audio(toy_data / name), load_audio((toy_data / name).read_bytes())
    np.testing.assert_array_equal(from_file.samples, from_bytes.samples)
    assert from_file.decoder == from_bytes.decoder


def test_name_that_is_not_utf8(chirp: FloatArray, tmp_path: Path, write_wav: Callable[..., Path]):
    path = write_wav(tmp_path / "a.wav", chirp).rename(tmp_path / "caf\udce9.wav")
    np.testing.assert_array_equal(load_audio(path).samples, chirp)


@pytest.mark.parametrize(
    "content",
    [b"hello\n" * 500, bytes(10_000), b"RIFF", b"ID3\x04\0\0\0\0\0\0", b"\xff", b"{}", b"<html></html>"],
    ids=["text", "zeros", "RIFF only", "ID3 only", "one byte", "JSON", "HTML"],
)
def test_what_is_no_audio(content: bytes, tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(UnreadableAudio, match="no decoder can read") as caught:
            load_audio(source)
        assert "sndfile: " in caught.value.message
        assert "pyav: " in caught.value.message
        assert "\n" not in caught.value.message


@pytest.mark.slow
def test_random_bytes_never_raise_anything_else(rng: np.random.Generator):
    heads = [
        b"",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"fLaC",
        b"OggS",
        b"ID3",
        b"\0\0\0\x20ftypM4A ",
        b"\xff\xfb",
    ]
    for _ in range(5):
        for head in heads:
            with pytest.raises(AudioError):
                load_audio(head + rng.bytes(int(rng.integers(0, 300))))


def test_message_names_the_file_but_shows_no_upload(tmp_path: Path):
    path = tmp_path / "notes.wav"
    path.write_text("secret")
    with pytest.raises(UnreadableAudio, match=r"notes\.wav"):
        load_audio(path)
    with pytest.raises(UnreadableAudio, match="the upload of 6 bytes") as caught:
        load_audio(b"secret")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("container", "name"), [("WAV", "a.wav"), ("OGG", "a.ogg"), ("AIFF", "a.aiff")])
def test_header_without_samples(container: str, name: str, tmp_path: Path):
    path = tmp_path / name
    soundfile.write(path, np.zeros(0, np.float32), RATE, format=container)
    with pytest.raises(EmptyAudio, match="0 audio samples"):
        load_audio(path)


def test_upload_without_bytes():
    with pytest.raises(EmptyAudio):
        load_audio(b"")


@pytest.mark.parametrize("source", ["folder", "missing"])
def test_path_that_nobody_approved(source: str, tmp_path: Path):
    path = tmp_path if source == "folder" else tmp_path / "a.wav"
    with pytest.raises(UnreadableAudio):
        load_audio(path)


HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile {}\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", HLS),
        ("list.ffconcat", CONCAT),
        ("list.wav", CONCAT),
        ("list.mp3", CONCAT),
        ("list.m3u", "{}\n"),
        ("list.pls", "[playlist]\nFile1={}\nNumberOfEntries=1\n"),
    ],
)
def test_play_list_opens_no_other_file(name: str, text: str, toy_data: Path, tmp_path: Path):
    (tmp_path / "other.mp3").write_bytes((toy_data / "rain/rain_1.mp3").read_bytes())
    path = tmp_path / name
    path.write_text(text.format("other.mp3"))
    with pytest.raises(UnreadableAudio):
        load_audio(path)
    with pytest.raises(UnreadableAudio):
        load_audio(text.format(tmp_path / "other.mp3").encode())


def test_without_the_ffmpeg_program(chirp: FloatArray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DecodeError, match="not installed"):
        open_with_ffmpeg(b"anything")
    with pytest.raises(UnreadableAudio, match="ffmpeg: the ffmpeg program is not installed"):
        load_audio(b"anything")


needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="the ffmpeg program is not installed"
)


@needs_ffmpeg
@pytest.mark.parametrize("as_upload", [False, True])
def test_ffmpeg_program_reads_and_leaves_nothing(
    as_upload: bool, toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = toy_data / "guitar/guitar_3.m4a"
    stream = open_with_ffmpeg(path.read_bytes() if as_upload else path)
    assert (stream.decoder, stream.sample_rate_hz) == ("ffmpeg", 44_100)
    assert list(tmp_path.iterdir()) == []
    assert sum(len(block) for block in stream.blocks) >= 441_000


@needs_ffmpeg
@pytest.mark.parametrize(("name", "text"), [("list.m3u8", HLS), ("list.wav", CONCAT)])
def test_ffmpeg_program_opens_no_other_file(name: str, text: str, toy_data: Path, tmp_path: Path):
    (tmp_path / "other.mp3").write_bytes((toy_data / "rain/rain_1.mp3").read_bytes())
    path = tmp_path / name
    path.write_text(text.format("other.mp3"))
    with pytest.raises(DecodeError):
        open_with_ffmpeg(path)
