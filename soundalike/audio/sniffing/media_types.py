"""Media types of sound files for browsers."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from soundalike.audio.sniffing.content import HEAD_BYTES, Beginning, format_of, read_beginning

_UNKNOWN = "application/octet-stream"
#: Media types of formats that need no closer look.
_TYPES = {
    "wav": "audio/wav",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "ac3": "audio/ac3",
    "dts": "audio/vnd.dts",
    "truehd": "audio/vnd.dolby.mlp",
    "caf": "audio/x-caf",
    "au": "audio/basic",
    "amr": "audio/amr",
    "gsm": "audio/gsm",
    "qcp": "audio/qcelp",
    "avi": "video/x-msvideo",
    "mpeg": "video/mpeg",
    "mpegts": "video/mp2t",
    "flv": "video/x-flv",
    "dv": "video/dv",
    "mxf": "application/mxf",
    "realmedia": "application/vnd.rn-realmedia",
    **{name: f"video/x-{name}" for name in ("nut", "wtv", "gxf", "nsv")},
    **{
        name: f"audio/x-{name}"
        for name in (
            *("w64", "ape", "tta", "wavpack", "musepack", "tak", "dsf", "dff", "ilbc", "voc", "nist"),
            *("ircam", "sox", "oma", "shorten", "avr", "sds", "paf", "pvf", "xi", "vqf", "audible"),
            *("qoa", "loas", "psion"),
        )
    },
}
_MOST_BOXES = 64
#: Codec id of a video track.
_PICTURES_OF_MATROSKA = re.compile(rb"\x86[\x81-\xbf]V_")
#: Brands of Apple's MP4 files with sound, which may contain a cover picture.
_SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ")


def media_type_of(path: Path) -> str:
    """Return the media type of a sound file by its first bytes, then by its name.

    A container with video has a type ``video/...``. Other files have the type
    ``application/octet-stream``, so that no browser displays them as a page.
    """
    try:
        found = read_beginning(path)
        kind = found.format
        if kind == "id3":
            kind = _behind_tag(path, found.head)
        if kind in _CONTAINERS:
            return _CONTAINERS[kind](path, found)
    except OSError:
        kind = None
    return _TYPES[kind] if kind else _by_name(path)


def _by_name(path: Path) -> str:
    guessed = mimetypes.guess_type(path.name)[0] or ""
    return guessed if guessed.startswith(("audio/", "video/")) else _UNKNOWN


def _behind_tag(path: Path, head: bytes) -> str:
    """Return the format after an ID3 tag: MP3, unless another one is recognised."""
    if len(head) < 10:
        return "mp3"
    size = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    with path.open("rb") as file:
        file.seek(10 + size + 10 * bool(head[5] & 0x10))
        found = format_of(file.read(HEAD_BYTES))
    return found if found in _TYPES else "mp3"


def _of_ogg(path: Path, found: Beginning) -> str:
    is_film = b"\x80theora" in found.head or b"OVP80" in found.head
    return "video/ogg" if is_film else "audio/ogg"


def _of_matroska(path: Path, found: Beginning) -> str:
    """Return WebM if the file declares it or has a codec of WebM, which browsers then play."""
    is_webm = b"matroska" not in found.head or b"A_OPUS" in found.head or b"A_VORBIS" in found.head
    kind = "video" if _PICTURES_OF_MATROSKA.search(found.head) else "audio"
    return f"{kind}/{'webm' if is_webm and b'V_MPEG' not in found.head else 'x-matroska'}"


def _of_asf(path: Path, found: Beginning) -> str:
    return "audio/x-ms-wma" if path.suffix.lower() == ".wma" else "video/x-ms-asf"


def _of_iso(path: Path, found: Beginning) -> str:
    brand = found.head[8:12] if found.head[4:8] == b"ftyp" else b"qt  "
    kind = "video" if brand not in _SOUND_BRANDS and _has_picture(path) else "audio"
    if brand.startswith((b"3gp", b"3gr", b"3gs", b"3ge")):
        return f"{kind}/3gpp"
    # Browsers play QuickTime files without video as MP4.
    return "video/quicktime" if (kind, brand) == ("video", b"qt  ") else f"{kind}/mp4"


def _has_picture(path: Path) -> bool:
    """Return whether an MP4 or QuickTime file has a video track."""
    with path.open("rb") as file:
        index = _first_box(file, (0, os.fstat(file.fileno()).st_size), b"moov")
        if index is None:
            return False
        for track in _boxes(file, index, b"trak"):
            media = _first_box(file, track, b"mdia")
            handler = media and _first_box(file, media, b"hdlr")
            if handler:
                file.seek(handler[0] + 8)
                if file.read(4) == b"vide":
                    return True
    return False


def _first_box(file: BinaryIO, within: tuple[int, int], name: bytes) -> tuple[int, int] | None:
    return next(_boxes(file, within, name), None)


def _boxes(file: BinaryIO, within: tuple[int, int], name: bytes) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the content of each box with a name, at one level."""
    begin, end = within
    for _ in range(_MOST_BOXES):
        file.seek(begin)
        head = file.read(16)
        size, length = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, length = int.from_bytes(head[8:16], "big"), 16
        size = size or end - begin
        if begin + length > end or size < length:
            return
        if head[4:8] == name:
            yield begin + length, min(begin + size, end)
        begin += size


_CONTAINERS = {"ogg": _of_ogg, "matroska": _of_matroska, "asf": _of_asf, "iso": _of_iso}
