"""Read tags from the header of a recording without decoding it."""

from __future__ import annotations

import io
import os
import re
import struct
from typing import BinaryIO

from soundalike.audio.attempts import announce
from soundalike.audio.decoders import DecodeError, open_container
from soundalike.audio.sources import AudioSource

#: A damaged file may declare millions of chunks, or a huge one.
_MOST_CHUNKS, _MOST_BYTES = 256, 1 << 16
#: RF64 writes this length if the real one is in the chunk ``ds64``.
_LENGTH_ELSEWHERE = 0xFFFFFFFF
_GUANO_TIMESTAMP = re.compile(rb"^[ \t]*Timestamp[ \t]*:([^\r\n]*)", re.MULTILINE)
_WAMD_START_TIME = 5
_INFO_KEYS = {b"ICRD": "icrd", b"ICMT": "comment"}


def read_tags(source: AudioSource) -> dict[str, str]:
    """Return the tags in a recording's header.

    FFmpeg reads all formats except WAV, where it confuses two chunks with a date and ignores the chunks
    of bat detectors and Song Meters. The time is 0.04 ms for WAV and 0.2 to 0.5 ms for FLAC, MP3 and
    OGG of any length; for M4A, whose header lists every packet, 0.5 ms plus 14 ms per hour.

    Parameters
    ----------
    source : Path or bytes
        A regular file, or an upload.

    Returns
    -------
    tags : dict of str to str
        Keys in lower case, with FFmpeg's names; empty if the file cannot be read. ``bext`` is date and
        time of origination, separated by a space. WAV files may also have ``icrd`` and ``comment`` of
        the INFO list, ``guano`` (GUANO's time stamp) and ``wamd`` (Wildlife Acoustics' start time).
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            head = file.read(12)
            if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
                return _wave_tags(file)
    except (OSError, ValueError, struct.error):
        return {}
    # Skipped if the header has crashed FFmpeg before; the recording may still be usable.
    if not announce("header"):
        return {}
    try:
        # By default FFmpeg reads 5 MB of uncompressed samples to check for DTS.
        with open_container(source, {"max_probe_packets": "1"}) as container:
            # OGG stores tags with the stream, other formats with the file.
            layers = [stream.metadata for stream in container.streams.audio[:1]]
            pairs = [pair for layer in (*layers, container.metadata) for pair in layer.items()]
    except DecodeError:
        return {}
    tags = {key.lower(): value for key, value in pairs}
    # FFmpeg's names for date and time of ``bext``, which it also copies into other formats.
    if "date" in tags and "creation_time" in tags:
        tags.setdefault("bext", f"{tags['date']} {tags['creation_time']}")
    return tags


def _wave_tags(file: BinaryIO) -> dict[str, str]:
    """Read the chunks after the first twelve bytes, except the samples."""
    tags: dict[str, str] = {}
    position, data_length, end = 12, 0, file.seek(0, os.SEEK_END)
    for _ in range(_MOST_CHUNKS):
        # A damaged length may exceed the file.
        if position + 8 > end:
            break
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data" and length == _LENGTH_ELSEWHERE:
            length = data_length
        position += 8 + length + length % 2
        if name in (b"bext", b"LIST", b"guan", b"wamd", b"ds64"):
            content = file.read(min(length, _MOST_BYTES))
            if name == b"ds64" and len(content) >= 16:
                (data_length,) = struct.unpack_from("<Q", content, 8)
            tags.update(_chunk_tags(name, content))
    return tags


def _chunk_tags(name: bytes, content: bytes) -> dict[str, str]:
    if name == b"bext":
        # After 320 bytes of names: ten bytes of the date, eight of the time.
        return {"bext": f"{_text(content[320:330])} {_text(content[330:338])}"}
    if name == b"LIST" and content.startswith(b"INFO"):
        return {
            _INFO_KEYS[key]: _text(value)
            for key, value in _fields(content[4:], "<4sI", even=True)
            if key in _INFO_KEYS
        }
    if name == b"guan":
        found = _GUANO_TIMESTAMP.search(content)
        return {"guano": _text(found[1])} if found else {}
    if name == b"wamd":
        fields = _fields(content, "<HI", even=False)
        return next(({"wamd": _text(value)} for key, value in fields if key == _WAMD_START_TIME), {})
    return {}


def _fields(content: bytes, layout: str, *, even: bool) -> list[tuple[bytes | int, bytes]]:
    """Return the pairs of key and value in a chunk; `layout` is the format of key and length."""
    found, position, size = [], 0, struct.calcsize(layout)
    while position + size <= len(content):
        key, length = struct.unpack_from(layout, content, position)
        position += size
        found.append((key, content[position : position + length]))
        position += length + (length % 2 if even else 0)
    return found


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace").strip("\0 \t\r\n")
