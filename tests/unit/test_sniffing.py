"""What a file holds, by its beginning: real files of all formats that can be made here, and others."""

import shutil
import struct
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from soundalike.audio.sniffing import format_of, is_play_list, media_type_of, read_beginning
from soundalike.audio.sniffing.content import HEAD_BYTES

RATE = 48_000
#: What libsndfile writes, and no beginning tells: bare samples, and files of samplers, MATLAB and HTK.
UNMARKED = {"RAW", "SD2", "MAT4", "MAT5", "MPC2K", "HTK"}
#: Headers with a frame length of 417 and 192 bytes: MPEG-1 layer III at 128 kbit/s, layer II at 64.
LAYER_3, LAYER_2 = b"\xff\xfb\x90\x64", b"\xff\xfd\x44\x64"


def written(path: Path, container: str, codec: str | None, picture: str | None = None) -> Path:
    """Write a second of noise, with a second of pictures beside it where a coding for them is given."""
    with av.open(str(path), "w", format=container) as file:
        film = file.add_stream(picture, rate=5, width=64, height=64) if picture else None
        track = None
        if codec:
            track = file.add_stream(codec, rate=RATE, layout="mono")
        if film is not None:
            film.pix_fmt = film.codec_context.codec.video_formats[0].name
            for number in range(5):
                grey = np.full((64, 64, 3), 40 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                frame.pts = number
                file.mux(film.encode(frame))
            file.mux(film.encode(None))
        if track is not None:
            noise = 0.1 * np.random.default_rng(1).standard_normal((1, track.rate)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = track.rate, 0
            resampler = av.AudioResampler(
                track.format, track.layout, track.rate, track.frame_size or None
            )
            for part in (*resampler.resample(frame), *resampler.resample(None)):
                file.mux(track.encode(part))
            file.mux(track.encode(None))
    return path


@pytest.mark.parametrize("name", sorted(soundfile.available_formats().keys() - UNMARKED))
def test_every_format_of_libsndfile_is_known_by_its_beginning(name: str, tmp_path: Path):
    for subtype in soundfile.available_subtypes(name):
        path = tmp_path / subtype
        try:
            noise = 0.1 * np.random.default_rng(1).standard_normal(16_000)
            soundfile.write(path, noise, 8_000, format=name, subtype=subtype)
        except soundfile.SoundFileError:  # it reads some that it does not write
            continue
        assert read_beginning(path).format is not None, subtype


MADE = [
    ("wav", "pcm_s16le", "wav", "audio/wav"),
    ("w64", "pcm_s16le", "w64", "audio/x-w64"),
    ("aiff", "pcm_s16be", "aiff", "audio/aiff"),
    ("caf", "pcm_s16be", "caf", "audio/x-caf"),
    ("au", "pcm_s16be", "au", "audio/basic"),
    ("flac", "flac", "flac", "audio/flac"),
    ("ogg", "libopus", "ogg", "audio/ogg"),
    ("mp3", "libmp3lame", "id3", "audio/mpeg"),
    ("mp2", "mp2", "mp3", "audio/mpeg"),
    ("ipod", "aac", "iso", "audio/mp4"),
    ("mp4", "aac", "iso", "audio/mp4"),
    ("mov", "aac", "iso", "audio/mp4"),
    ("adts", "aac", "aac", "audio/aac"),
    ("latm", "aac", "loas", "audio/x-loas"),
    ("ac3", "ac3", "ac3", "audio/ac3"),
    ("eac3", "eac3", "ac3", "audio/ac3"),
    ("matroska", "aac", "matroska", "audio/x-matroska"),
    ("matroska", "libopus", "matroska", "audio/webm"),
    ("webm", "libopus", "matroska", "audio/webm"),
    ("asf", "libmp3lame", "asf", "video/x-ms-asf"),
    ("flv", "aac", "flv", "video/x-flv"),
    ("avi", "pcm_s16le", "avi", "video/x-msvideo"),
    ("mpeg", "mp2", "mpeg", "video/mpeg"),
    ("vob", "ac3", "mpeg", "video/mpeg"),
    ("mpegts", "aac", "mpegts", "video/mp2t"),
    ("nut", "pcm_s16le", "nut", "video/x-nut"),
    ("tta", "tta", "tta", "audio/x-tta"),
    ("wv", "wavpack", "wavpack", "audio/x-wavpack"),
    ("voc", "pcm_u8", "voc", "audio/x-voc"),
    ("sox", "pcm_s32le", "sox", "audio/x-sox"),
    ("ircam", "pcm_s16le", "ircam", "audio/x-ircam"),
    ("rm", "ac3", "realmedia", "application/vnd.rn-realmedia"),
]


@pytest.mark.parametrize(("container", "codec", "kind", "media_type"), MADE)
def test_formats_of_ffmpeg(container: str, codec: str, kind: str, media_type: str, tmp_path: Path):
    path = written(tmp_path / "sound", container, codec)
    assert read_beginning(path).format == kind
    assert media_type_of(path) == media_type


@pytest.mark.parametrize(
    ("container", "codec", "picture", "media_type"),
    [
        ("mp4", "aac", "mpeg4", "video/mp4"),
        ("mov", "aac", "mpeg4", "video/quicktime"),
        ("3gp", "aac", "mpeg4", "video/3gpp"),
        ("3gp", "aac", None, "audio/3gpp"),
        ("matroska", "aac", "mpeg4", "video/x-matroska"),
        ("webm", "libopus", "libvpx", "video/webm"),
    ],
)
def test_films_are_told_from_sounds(
    container: str, codec: str, picture: str | None, media_type: str, tmp_path: Path
):
    assert media_type_of(written(tmp_path / "film", container, codec, picture)) == media_type


def test_a_book_with_pictures_of_its_chapters_is_sound(tmp_path: Path):
    path = written(tmp_path / "book", "ipod", "aac", "mpeg4")
    path.write_bytes(path.read_bytes().replace(b"ftypM4V ", b"ftypM4B ", 1))
    assert media_type_of(path) == "audio/mp4"


def test_the_index_of_a_film_may_lie_behind_it(tmp_path: Path):
    path = written(tmp_path / "film", "mp4", "aac", "mpeg4")
    content = path.read_bytes()
    assert content.index(b"moov") > content.index(b"mdat")
    path.write_bytes(content.replace(b"ftyp", b"free", 1))
    assert read_beginning(path).format == "iso"
    assert media_type_of(path) == "video/quicktime"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"BW64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"RIFX\0\0\0\x24WAVEfmt ", "wav"),
        (b"RIFF\0\0\0\0QLCMfmt ", "qcp"),
        (b"FORM\0\0\0\0AIFCFVER", "aiff"),
        (b"FORM\0\0\0\x008SVXVHDR", "aiff"),
        (b"ID3\x03\0\0\0\0\0\0", "id3"),
        (b"MAC \x96\x0f\0\0", "ape"),
        (b"TTA2\0\0\0\0", "tta"),
        (b"MPCKSH\x10", "musepack"),
        (b"MP+\x07\0\0", "musepack"),
        (b"tBaK\1", "tak"),
        (b"DSD \x1c\0\0\0\0\0\0\0", "dsf"),
        (b"FRM8\0\0\0\0\0\0\1\0DSD FVER", "dff"),
        (b"#!AMR-WB\n\x04", "amr"),
        (b"NIST_1A\n   1024\n", "nist"),
        (b"ea3\3\0\0", "oma"),
        (b"ajkg\2", "shorten"),
        (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02\x04\0", "mxf"),
        (b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d", "wtv"),
        (b"2BIT\0\0\0\0", "avr"),
        (b"\xf0\x7e\0\1\0\0", "sds"),
        (b"fap \0\0\0\1", "paf"),
        (b"\x7f\xfe\x80\x01", "dts"),
        (b"\xfe\x7f\x01\x80", "dts"),
        (b"\x1f\xff\xe8\x00", "dts"),
        (b"\xff\x1f\x00\xe8", "dts"),
        (b"\x84\x28\x11\x22\xf8\x72\x6f\xba", "truehd"),
        (b"\0\0\0\x14ftypM4B ", "iso"),
        (b"\0\0\0\x6cmoov\0\0\0\x64mvhd", "iso"),
        (b"\0\0\0\0mdat\0\0", "iso"),
        (b"\x7a\0\0\0mdat" + bytes(64), "iso"),
        (b"\0\0\0\1mdat\0\0\0\2\0\0\0\0", "iso"),
        (b"\0\0\0\x08wide\0\0\1\0mdat", "iso"),
        (b"\0\0\0\x18stypmsdh", "iso"),
        (LAYER_3 + bytes(413) + LAYER_3, "mp3"),
        (LAYER_2 + bytes(188) + LAYER_2, "mp3"),
        (bytes(3000) + LAYER_2 + bytes(188) + LAYER_2, "mp3"),
        # A bit rate that no header tells.
        (b"\xff\xfb\x00\x64" + b"\1" * 500 + b"\xff\xfb\x00\x64", "mp3"),
        # AC-3 with its bytes in pairs.
        ((b"\x77\x0b\0\0\x00\x00" + bytes(122)) * 2, "ac3"),
        # Packets with the time before each, from the middle of one on, and with a checksum.
        ((bytes(4) + b"G\x40\x11\x10" + bytes(184)) * 6, "mpegts"),
        (bytes(77) + (b"G\x40\x11\x10" + b"\xff" * 184) * 6, "mpegts"),
        (b"\1" + (b"G\x40\x11\x10" + b"\xff" * 200) * 6, "mpegts"),
        ((b"\xd4" + bytes(32)) * 12, "gsm"),
    ],
)
def test_beginnings_of_sounds(head: bytes, kind: str):
    assert format_of(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"RIFF\0\0\0\0RMIDdata",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0ACONanih",
        b"FORM\0\0\0\0ILBMBMHD",
        b"MThd\0\0\0\6",
        b"\0\0\0\x18ftypheic",
        b"\0\0\0\x1cftypavif",
        b"\0\0\0\x18ftypmif1",
        b"\0\0\0\x18ftypcrx ",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        b"\x7fELF\2\1\1\0",
        b"PK\3\4\x14\0",
        b"SQLite format 3\0",
        b"\0\0\1\xb3\x14\0\xf0\x14",  # pictures without sound
        # Words that formats begin with.
        b"MAC addresses of the recorders, and where they hang\n",
        b"the free lunch",
        b"DSD and PCM compared: a listening test with twelve people\n",
        b"OggStream of thoughts, in the order in which they came to me",
        # UTF-16, whose mark looks like a frame of layer I.
        "The wind was in the west, and no bird sang.".encode("utf-16"),
        # A frame of a length that no second one follows.
        LAYER_3 + bytes(1000),
        b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(1000),
        b"\x0b\x77\0\0\0\x40" + bytes(1000),
        b"\x56\xe0\x10" + bytes(1000),
        # Packets that are none: one is broken, or they are too few.
        (b"G\x40\x11\x10" + bytes(184)) * 5 + b"H\x40\x11\x10" + bytes(184),
        (b"G\x40\x11\x10" + bytes(184)) * 3,
        (b"\xd4" + bytes(32)) * 5,
        (b"\xd4" + bytes(32)) * 11 + b"\x04" + bytes(32),
        bytes(HEAD_BYTES),
    ],
)
def test_beginnings_of_other_things(head: bytes):
    assert format_of(head) is None


def test_a_frame_that_is_all_there_is_counts_in_layer_3_only():
    assert format_of(LAYER_3 + bytes(100), is_whole=True) == "mp3"
    assert format_of(LAYER_2 + bytes(100), is_whole=True) is None
    assert format_of(LAYER_3 + bytes(1000), is_whole=True) is None


def test_noise_is_no_sound():
    rng = np.random.default_rng(3)
    found = [format_of(rng.bytes(HEAD_BYTES)) for _ in range(500)]
    assert found == [None] * 500


@pytest.mark.parametrize("coding", ["utf-8", "koi8-r", "cp1251", "utf-16"])
def test_texts_of_other_scripts_are_no_sound(coding: str):
    """Letters of such a coding look like the frames of telephones: GSM begins each with 13."""
    assert format_of(("д" * 20_000).encode(coding)[:HEAD_BYTES]) is None


def test_many_zeros_before_the_first_frame(tmp_path: Path):
    path = tmp_path / "sound"
    path.write_bytes(bytes(50_000) + (LAYER_2 + bytes(188)) * 3)
    assert read_beginning(path).format == "mp3"
    path.write_bytes(bytes(50_000) + b"no sound")
    assert read_beginning(path).format is None


@pytest.mark.parametrize(
    ("tagged", "media_type"),
    [
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"\xff\xf1\x50\x80\x01\x1f\xfc" + bytes(1), "audio/aac"),
        (LAYER_3, "audio/mpeg"),
        (b"", "audio/mpeg"),
    ],
)
def test_media_type_of_what_follows_a_tag(tagged: bytes, media_type: str, tmp_path: Path):
    path = tmp_path / "sound"
    path.write_bytes(b"ID3\4\0\0\0\0\1\0" + bytes(128) + tagged * 3)
    assert media_type_of(path) == media_type


def test_media_type_of_a_pipe_of_zeros_and_of_a_broken_film(tmp_path: Path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isommp41" + struct.pack(">I4sI", 8, b"moov", 3))
    assert media_type_of(path) == "audio/mp4"
    path.write_bytes(bytes(100_000))
    assert media_type_of(path) == "video/mp4"  # by its name
    assert media_type_of(tmp_path / "none.html") == "application/octet-stream"


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1,A\na.wav\n",
        b"\xef\xbb\xbf#EXTM3U\n",
        b"[playlist]\nFile1=a.wav\n",
        b"ffconcat version 1.0\nfile a.wav\n",
        b'REM GENRE Bird\nTITLE "x"\nFILE "a.wav" WAVE\n  TRACK 01 AUDIO\n',
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=audio 5004 RTP/AVP 96\r\n",
        b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
        b'<?xml version="1.0"?>\n<playlist version="1"/>',
        b'<asx version="3.0">',
    ],
)
def test_lists_of_sounds(content: bytes):
    assert is_play_list(content)
    assert format_of(content) is None


@pytest.mark.parametrize(
    "content", [b"", b"a.wav\nb.wav\n", b"<html>", b"#EXTM3U\0", b"FILE of notes\n"]
)
def test_what_is_no_list_of_sounds(content: bytes):
    assert not is_play_list(content)


def test_a_hostile_text_takes_no_time():
    for text in (b"FILE \n" * 3_000, b"<!--" * 4_000, b"\n" * HEAD_BYTES, b"v=0\n" * 4_000):
        assert not is_play_list(text)


@pytest.mark.parametrize(
    ("codec", "container", "kind"),
    [("dca", "dts", "dts"), ("truehd", "truehd", "truehd"), ("mlp", "mlp", "truehd")],
)
def test_formats_of_discs(codec: str, container: str, kind: str, tmp_path: Path):
    program = shutil.which("ffmpeg") or pytest.skip("needs the ffmpeg program")
    path = tmp_path / "sound"
    sine = ("-f", "lavfi", "-i", "sine=duration=1:sample_rate=48000", "-ac", "2")
    command = [program, "-v", "error", *sine, "-c:a", codec, "-strict", "-2", "-f", container, path]
    subprocess.run(command, check=True)
    assert read_beginning(path).format == kind
