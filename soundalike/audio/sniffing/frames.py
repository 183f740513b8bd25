"""Detect formats without a file header by two consecutive frames; a single match may be an accident."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: Kilobits per second of each layer, by the index in a header of MPEG audio: version 1, and later ones.
_RATES_1 = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_RATES_2 = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    **dict.fromkeys((2, 3), (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)),
}
#: Version by the two bits of a header; 25 stands for 2.5, and 0 is invalid.
_VERSIONS = (25, 0, 2, 1)
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_AC3_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
#: Length of an MPEG-TS packet: plain, with a time stamp before it, and with a checksum after it.
_PACKETS = (188, 192, 204)
_ENOUGH_PACKETS = 5
_GSM_FRAME, _ENOUGH_GSM = 33, 10

_Length = Callable[[bytes, int], int]


def frames_of(head: bytes, *, is_whole: bool) -> str | None:
    """Return the format of a file that begins with frames.

    Parameters
    ----------
    head : bytes
        First bytes of the file, after leading zeros.
    is_whole : bool
        `head` is the whole file.

    Returns
    -------
    format : str or None
        ``mp3`` (any layer), ``aac``, ``loas``, ``ac3`` (and E-AC-3), ``mpegts`` or ``gsm``.
    """
    for name, length_of in _FRAMES.items():
        if _repeats(head, length_of):
            return name
    if head[:2] == b"\x77\x0b" and _repeats(_swapped(head), _ac3_length):
        return "ac3"
    # A file of a single frame, only in layer 3: the rarer layers would match by accident.
    if is_whole and _is_layer_3(head) and len(head) <= _mpeg_length(head, 0) + 4:
        return "mp3"
    return _packets_of(head)


def _repeats(head: bytes, length_of: _Length) -> bool:
    """Return whether a frame begins at the start, and another one at its end."""
    length = length_of(head, 0)
    return length > 0 and length_of(head, length) > 0


class MpegHeader(NamedTuple):
    """Header of an MPEG audio frame (four bytes).

    Attributes
    ----------
    version : int
        1, 2, or 25 for 2.5.
    layer : int
        1 to 3.
    is_mono : bool
    rate_hz : int
    n_bytes : int
        Length of the frame; without a bit rate, the distance to the next frame.
    """

    version: int
    layer: int
    is_mono: bool
    rate_hz: int
    n_bytes: int


def mpeg_header(content: bytes, at: int = 0) -> MpegHeader | None:
    """Return the header of an MPEG audio frame; None if no frame begins here."""
    if len(content) < at + 4 or content[at] != 0xFF or content[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = _VERSIONS[content[at + 1] >> 3 & 3], 4 - (content[at + 1] >> 1 & 3)
    rate, sampling = content[at + 2] >> 4, content[at + 2] >> 2 & 3
    if version == 0 or layer == 4 or rate == 15 or sampling == 3:
        return None
    hertz = _SAMPLE_RATES[sampling] >> {1: 0, 2: 1, 25: 2}[version]
    is_mono = content[at + 3] >> 6 == 3
    if rate == 0:
        return MpegHeader(version, layer, is_mono, hertz, _free_length(content, at))
    bits = (_RATES_1 if version == 1 else _RATES_2)[layer][rate] * 1000
    padding = content[at + 2] >> 1 & 1
    if layer == 1:
        n_bytes = (12 * bits // hertz + padding) * 4
    else:
        n_bytes = (72 if layer == 3 and version != 1 else 144) * bits // hertz + padding
    return MpegHeader(version, layer, is_mono, hertz, n_bytes)


def _mpeg_length(head: bytes, at: int) -> int:
    """Return the length of an MPEG audio frame, or 0 if none begins here."""
    header = mpeg_header(head, at)
    return header.n_bytes if header else 0


def _free_length(head: bytes, at: int) -> int:
    """Return the distance to the next frame of a stream without a declared bit rate."""
    following = head.find(head[at : at + 2] + bytes([head[at + 2] & ~2]), at + 24)
    # The last frame has no successor.
    return following - at if following > 0 else len(head)


def _is_layer_3(head: bytes) -> bool:
    header = mpeg_header(head)
    return header is not None and header.layer == 3


def _adts_length(head: bytes, at: int) -> int:
    if len(head) < at + 7 or head[at] != 0xFF or head[at + 1] & 0xF6 != 0xF0:
        return 0
    length = (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5
    return length if head[at + 2] >> 2 & 15 < 13 and length > 7 else 0


def _loas_length(head: bytes, at: int) -> int:
    if len(head) < at + 3 or head[at] != 0x56 or head[at + 1] & 0xE0 != 0xE0:
        return 0
    return ((head[at + 1] & 0x1F) << 8 | head[at + 2]) + 3


def _ac3_length(head: bytes, at: int) -> int:
    """Return the length of a frame of AC-3 or E-AC-3, which may alternate."""
    if head[at : at + 2] != b"\x0b\x77" or len(head) < at + 6 or head[at + 5] >> 3 > 16:
        return 0
    if head[at + 5] >> 3 > 10:
        return 2 * (((head[at + 2] & 7) << 8 | head[at + 3]) + 1)
    sampling, size = head[at + 4] >> 6, head[at + 4] & 0x3F
    if sampling == 3 or size >= 2 * len(_AC3_RATES):
        return 0
    rate = _AC3_RATES[size >> 1]
    words = (rate * 2, rate * 96_000 // 44_100 + (size & 1), rate * 3)
    return 2 * words[sampling]


_FRAMES: dict[str, _Length] = {
    "mp3": _mpeg_length,
    "aac": _adts_length,
    "loas": _loas_length,
    "ac3": _ac3_length,
}


def _swapped(head: bytes) -> bytes:
    """Return the bytes with each pair swapped."""
    even = len(head) // 2 * 2
    turned = bytearray(even)
    turned[::2], turned[1::2] = head[1:even:2], head[:even:2]
    return bytes(turned)


def _packets_of(head: bytes) -> str | None:
    if any(_are_packets(head, size) for size in _PACKETS):
        return "mpegts"
    begins = head[::_GSM_FRAME]
    if len(begins) >= _ENOUGH_GSM and all(byte >> 4 == 0xD for byte in begins):
        return "gsm"
    return None


def _are_packets(head: bytes, size: int) -> bool:
    """Return whether the content is MPEG-TS packets; the first one may be incomplete."""
    at = head.find(b"G", 0, size)
    while at >= 0:
        if _is_packet_chain(head, at, size):
            return True
        at = head.find(b"G", at + 1, size)
    return False


def _is_packet_chain(head: bytes, at: int, size: int) -> bool:
    """Return whether all packets are free of errors and have content."""
    begins = range(at, len(head) - 3, size)
    return len(begins) >= _ENOUGH_PACKETS and all(
        head[i] == 0x47 and not head[i + 1] & 0x80 and head[i + 3] & 0x30 for i in begins
    )
