"""Read the length of an MP3 file from its header."""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from soundalike.audio.sniffing.frames import MpegHeader, mpeg_header

#: Bytes after tags and zeros that are searched for the first frame.
_SEARCHED_BYTES = 1 << 16
_MOST_TAGS = 16
_FRAMES_AND_BYTES = 3
#: Some encoders count the frame of the header and some do not; libmpg123 tolerates one percent.
_SLACK_BYTES = 1500


class Length(NamedTuple):
    """Length that the header of an MP3 file declares.

    Attributes
    ----------
    declared_s : float
        Seconds, without the delay and padding of the encoder.
    fits : bool
        The file has the declared number of bytes.
    """

    declared_s: float
    fits: bool


def is_mpeg(file: BinaryIO) -> bool:
    """Return whether a file begins like an MP3 file: with a tag or a frame."""
    file.seek(0)
    head = file.read(4)
    return head[:3] == b"ID3" or _layer_3(head) is not None


def stated_length(file: BinaryIO) -> Length | None:
    """Return the length that the header of an MP3 file declares; None if it declares none.

    Without such a header a decoder estimates the length from the first frames, with an error of any
    size; the same holds for concatenated files.

    Parameters
    ----------
    file : binary file
        Seekable; its position afterwards is undefined.

    References
    ----------
    The Xing header (also named ``Info``), which LAME and FFmpeg write into the first frame.
    """
    end, start = end_of_frames(file), _first_frame(file)
    if start is None:
        return None
    file.seek(start)
    frame = file.read(192)
    header = _layer_3(frame)
    assert header is not None
    is_first = header.version == 1
    side = (17 if header.is_mono else 32) if is_first else (9 if header.is_mono else 17)
    tag = frame[4 + side :]
    if tag[:4] not in (b"Xing", b"Info") or len(tag) < 144:
        return None
    flags, n_frames, n_bytes = struct.unpack_from(">3I", tag, 4)
    if flags & _FRAMES_AND_BYTES != _FRAMES_AND_BYTES or n_frames == 0:
        return None
    # Delay and padding, 12 bits each, after the seek table.
    gaps = int.from_bytes(tag[141:144], "big") if tag[120:124].strip(b"\0") else 0
    n_samples = n_frames * (1152 if is_first else 576) - (gaps >> 12) - (gaps & 0xFFF)
    missing = abs(end - start - n_bytes)
    return Length(n_samples / header.rate_hz, missing <= max(_SLACK_BYTES, n_bytes // 100))


def _first_frame(file: BinaryIO) -> int | None:
    """Return the position of the first frame after tags; None if there is none."""
    position = 0
    for _ in range(_MOST_TAGS):
        file.seek(position)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        position += 10 + _synchsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)
    file.seek(position)
    content = file.read(_SEARCHED_BYTES)
    at = content.find(b"\xff")
    while at >= 0:
        header = _layer_3(content, at)
        if header and (at + header.n_bytes + 4 > len(content) or _layer_3(content, at + header.n_bytes)):
            return position + at
        at = content.find(b"\xff", at + 1)
    return None


def _layer_3(content: bytes, at: int = 0) -> MpegHeader | None:
    header = mpeg_header(content, at)
    return header if header and header.layer == 3 else None


def end_of_frames(file: BinaryIO) -> int:
    """Return the end of the frames, before ID3v1, Lyrics3 and APE tags."""
    end = file.seek(0, 2)
    for _ in range(_MOST_TAGS):
        file.seek(max(0, end - 128))
        tail = file.read(min(128, end))
        if tail[:3] == b"TAG" and len(tail) == 128:
            end -= 128
        elif tail[-32:-24] == b"APETAGEX":
            size, _, flags = struct.unpack_from("<3I", tail, len(tail) - 20)
            end -= size + (32 if flags & 0x8000_0000 else 0)
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            end -= int(tail[-15:-9]) + 15
        else:
            break
    return max(0, end)


def _synchsafe(number: bytes) -> int:
    """Return a number that is stored as seven bits per byte."""
    value = 0
    for byte in number:
        value = value << 7 | byte & 0x7F
    return value
