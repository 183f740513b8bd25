"""Headers that do not say what is in the file."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.loading import load_audio
from tests.fixtures.formats import BY_NAME, FIRST_S

Maker = Callable[..., Path]
LIST = b"LIST\x04\0\0\0abcd"


def with_number(content: bytes, behind: bytes, number: int, layout: str = "<I", skip: int = 0) -> bytes:
    """Return the content with the number behind a chunk's name replaced."""
    changed = bytearray(content)
    struct.pack_into(layout, changed, content.index(behind) + len(behind) + skip, number)
    return bytes(changed)


def number_behind(content: bytes, name: bytes, layout: str = "<I") -> int:
    return int(struct.unpack_from(layout, content, content.index(name) + len(name))[0])


@pytest.fixture
def wav(made: Maker) -> bytes:
    return made(BY_NAME["wav s16"]).read_bytes()


@pytest.mark.parametrize("share", [0.5, 1 / 3, 0.9])
@pytest.mark.parametrize("riff_too", [False, True])
def test_wav_header_of_an_earlier_moment(wav: bytes, share: float, *, riff_too: bool):
    named = int(number_behind(wav, b"data") * share) // 4 * 4
    content = with_number(wav, b"data", named)
    if riff_too:
        content = with_number(content, b"RIFF", named + 36)
    waveform = load_audio(content)
    assert waveform.duration_s == FIRST_S
    (warning,) = waveform.warnings
    assert warning.startswith("wrong header: ")


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFFFFFF, None])
def test_wav_header_that_was_never_filled_in(wav: bytes, size: int, riff_size: int | None):
    content = with_number(wav, b"data", size)
    if riff_size is not None:
        content = with_number(content, b"RIFF", riff_size)
    waveform = load_audio(content)
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.001)
    assert waveform.warnings == ()


@pytest.mark.parametrize(
    "tail",
    [LIST, b"\0" + LIST, LIST + b"id3 \x02\0\0\0ab", bytes(100_000), b"TAG" + bytes(125), b"\0"],
    ids=["chunk", "pad and chunk", "chunks", "zeros", "tag", "pad"],
)
def test_what_follows_the_samples_is_no_sound(wav: bytes, tail: bytes):
    waveform = load_audio(wav + tail)
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.001)
    assert waveform.warnings == ()


@pytest.mark.parametrize("name", ["wav s16", "wav u8", "aiff", "caf", "w64"])
@pytest.mark.parametrize("kind", ["ID3", "APETAGEX", "picture", "archive", "random", "text", "short"])
def test_foreign_bytes_behind_the_samples_are_no_sound(name: str, kind: str, made: Maker):
    noise = np.random.default_rng(0).bytes(200_000)
    heads = {
        "ID3": b"ID3\3\0",
        "APETAGEX": b"APETAGEX",
        "picture": b"\xff\xd8\xff",
        "archive": b"PK\3\4",
    }
    others = {"random": noise, "text": b"made by a recorder; " * 5_000, "short": noise[:3_000]}
    waveform = load_audio(
        made(BY_NAME[name]).read_bytes() + others.get(kind, heads.get(kind, b"") + noise)
    )
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.001)
    assert waveform.warnings == ()


def test_a_second_chunk_of_samples_is_told_of(wav: bytes):
    rest = wav[wav.index(b"data") :]
    waveform = load_audio(wav + rest)
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.001)
    assert "bytes are not read" in waveform.warnings[0]


@pytest.mark.parametrize("tail", [b"LYRICSBEGINla la laLYRICSENDTAG" + bytes(125), b"7 bytes"])
def test_tags_behind_an_mp3_without_a_header_are_no_damage(tail: bytes, made: Maker):
    waveform = load_audio(made(BY_NAME["mp3 cbr no xing"]).read_bytes() + tail)
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.1)
    assert waveform.warnings == ()


def test_wav_header_that_promises_more(wav: bytes):
    waveform = load_audio(with_number(wav, b"data", 2 * number_behind(wav, b"data")))
    assert waveform.duration_s == FIRST_S
    assert waveform.warnings == ("truncated: the header declares 12.6 s, 6.3 s could be decoded",)


@pytest.mark.parametrize("share", [0, 0.5])
def test_rf64_header_of_an_earlier_moment(share: float, made: Maker):
    content = made(BY_NAME["rf64"]).read_bytes()
    for skip in (4, 12, 20):
        at = content.index(b"ds64") + 4 + skip
        number = struct.unpack_from("<Q", content, at)[0]
        content = with_number(content, b"ds64", int(number * share) // 4 * 4, "<Q", skip)
    waveform = load_audio(content)
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.001)


def test_flac_header_that_promises_less(made: Maker):
    content = bytearray(made(BY_NAME["flac"]).read_bytes())
    # 36 bits of the number of samples, behind 20 bits of the rate and 8 of channels and depth.
    n_samples = int.from_bytes(content[21:26], "big") & (1 << 36) - 1
    rest = int.from_bytes(content[21:26], "big") - n_samples
    content[21:26] = (rest + n_samples // 2).to_bytes(5, "big")
    assert load_audio(bytes(content)).duration_s == pytest.approx(FIRST_S, abs=0.001)


def test_aiff_header_of_an_earlier_moment(made: Maker):
    content = made(BY_NAME["aiff"]).read_bytes()
    content = with_number(content, b"SSND", number_behind(content, b"SSND", ">I") // 2, ">I")
    n_frames = struct.unpack_from(">I", content, content.index(b"COMM") + 10)[0]
    content = with_number(content, b"COMM", n_frames // 2, ">I", skip=6)
    assert load_audio(content).duration_s == pytest.approx(FIRST_S, abs=0.001)


@pytest.mark.parametrize(
    ("name", "behind", "layout"),
    [
        ("au", b".snd", ">I"),
        ("caf", b"data", ">q"),
        ("w64", bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"), "<Q"),
    ],
)
def test_other_headers_of_an_earlier_moment(name: str, behind: bytes, layout: str, made: Maker):
    content = made(BY_NAME[name]).read_bytes()
    # Between the name of AU and the length stands the length of the header.
    skip = 4 if name == "au" else 0
    behind = content[content.index(behind) :][: len(behind) + skip]
    half = number_behind(content, behind, layout) // 8 * 4
    changed = with_number(content, behind, half, layout)
    assert load_audio(changed).duration_s == pytest.approx(FIRST_S, abs=0.001)


def test_mp3_header_with_no_frames(made: Maker):
    content = made(BY_NAME["mp3 vbr"]).read_bytes()
    tag = b"Xing" if b"Xing" in content else b"Info"
    waveform = load_audio(with_number(content, tag, 0, ">I", skip=4))
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.1)
    assert waveform.warnings == ()
