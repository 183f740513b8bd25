"""Detect the format of a file by its first bytes: the formats that FFmpeg and libsndfile recognise."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from soundalike.audio.sniffing.frames import frames_of

#: Long enough for two frames of any format.
HEAD_BYTES = 1 << 14
#: Some programs write zeros before the first frame.
_MOST_ZEROS = 1 << 16
#: A shorter text may be the beginning of a truncated recording.
_SHORTEST_TEXT = 24
_TEXT_BYTES = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t\n\v\f\r\x1b"})
_WIDE_TEXT = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_GUID_ASF = rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
_GUID_W64 = rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_GUID_WTV = rb"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d"
#: Key of the first partition; a few bytes may precede it.
_MXF = b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"
#: Patterns of the first bytes. A file that ends before its subtype counts as sound.
_SIGNATURES = {
    "wav": rb"(?:RIF[FX]|RF64|BW64).{4}(?:WAVE|XWMA)",
    "avi": rb"RIF[FX].{4}(?:AVI[ X\x19]|AMV )",
    "mpeg": rb"\x00\x00\x01\xba|RIFF.{4}CDXA",
    "qcp": rb"RIFF.{4}QLCM",
    "w64": _GUID_W64,
    "aiff": rb"FORM(?:.{4}(?:AIF[FC]|8SVX|16SV|MAUD)|\Z)",
    "caf": rb"caff(?:\x00[\x00-\x02]|\Z)",
    "au": rb"\.snd|dns\.",
    "flac": rb"fLaC",
    "ogg": rb"OggS(?:\x00|\Z)",
    "id3": rb"ID3(?:[\x02-\x04]|\Z)",
    "truehd": rb".{4}\xf8\x72\x6f[\xba\xbb]",
    "dts": rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80|\x1f\xff\xe8\x00|\xff\x1f\x00\xe8|\x64\x58\x20\x25"
    rb"|DTSHDHDR",
    "matroska": rb"\x1aE\xdf\xa3",
    "asf": _GUID_ASF,
    "flv": rb"FLV[\x01-\x0f]",
    "realmedia": rb"\.RMF|\.ra\xfd",
    "ape": rb"MAC[ F].[\x0b-\x10]",
    "tta": rb"TTA1[\x01-\x03]\x00|TTA2",
    "wavpack": rb"wvpk",
    "musepack": rb"MPCK|MP\+[\x07\x17\x27\x37\x47\x57\x67\x77\x87\x97\xa7\xb7\xc7\xd7\xe7\xf7]",
    "tak": rb"tBaK",
    "dsf": rb"DSD ",
    "dff": rb"FRM8.{8}DSD ",
    "amr": rb"#!AMR",
    "ilbc": rb"#!iLBC",
    "voc": rb"Creative Voice File",
    "nist": rb"NIST_1A",
    "ircam": rb"\x64\xa3[\x00-\x04]\x00|\x00[\x00-\x04]\xa3\x64",
    "sox": rb"\.SoX|XoS\.",
    "oma": rb"ea3\x03|EA3\x01",
    "shorten": rb"ajkg",
    "nut": rb"nut/multimedia container\x00",
    "wtv": _GUID_WTV,
    "avr": rb"2BIT",
    "sds": rb"\xf0\x7e.\x01",
    "paf": rb" paf|fap ",
    "pvf": rb"PVF1\n",
    "xi": rb"Extended Instrument: ",
    "gxf": rb"\x00{4}\x01\xbc.{4}.{4}\xe1\xe2",
    "nsv": rb"NSV[fs]",
    "dv": rb"\x1f\x07\x00[\x3f\xbf]",
    "vqf": rb"TWIN(?:97012000|00052200)",
    "audible": rb".{4}\x57\x90\x75\x36",
    "qoa": rb"qoaf",
    "psion": rb"ALawSoundFile\*\*\x00",
}
_KNOWN = re.compile(
    b"|".join(b"(?P<%s>%s)" % (name.encode(), rule) for name, rule in _SIGNATURES.items()), re.DOTALL
)
#: Possible first boxes of MP4 and QuickTime files.
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"styp", b"moof", b"sidx", b"pnot")
#: Brands of pictures in MP4 boxes: HEIF with image sequences, AVIF, Canon's raw pictures.
_PICTURES = frozenset(
    (
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2"),
        *(b"msf1", b"avif", b"avis", b"avio", b"avci", b"avcs", b"miaf", b"crx ", b"jp2 ", b"jpx "),
        *(b"jpm ", b"mjp2", b"jxl ", b"jpeg", b"jpgs"),
    )
)
_PLAY_LIST = re.compile(
    rb"\s*(?:#EXTM3U|\[playlist\]|\[Reference\]|ffconcat version|v=0\r?\n[\s\S]*\nm=audio"
    rb"|<asx\b|<\?wpl\b|<\?zpl\b|(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*)?<(?:playlist|MPD|smil)\b)"
    rb"|(?:[^\n]*\n)*?[ \t]*FILE\s[^\n]*\n\s*TRACK\s",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """First bytes of a file.

    Attributes
    ----------
    head : bytes
        The first 16 KB; if they begin with zeros and have no known format, 16 KB after the zeros.
    is_whole : bool
        `head` is the whole file.
    """

    head: bytes
    is_whole: bool

    @property
    def format(self) -> str | None:
        """The format; see `format_of`."""
        return format_of(self.head, is_whole=self.is_whole)


def read_beginning(path: Path | str) -> Beginning:
    """Read the bytes that determine the format of a file, at most 80 KB.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        head = file.read(HEAD_BYTES)
        found = Beginning(head, len(head) < HEAD_BYTES)
        if found.is_whole or not head.startswith(bytes(4)) or found.format is not None:
            return found
        head = (head + file.read(_MOST_ZEROS)).lstrip(b"\0")[:HEAD_BYTES]
        return Beginning(head, len(head) < HEAD_BYTES)


def format_of(head: bytes, *, is_whole: bool = False) -> str | None:
    """Return the format of a file that may contain sound.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` of the file, or all of it.
    is_whole : bool
        `head` is the whole file.

    Returns
    -------
    format : str or None
        A short name such as ``wav``, ``iso`` (MP4 and QuickTime), ``id3`` (a tag, before MP3 or another
        format) or ``matroska``. None if the format is unknown or never contains sound.
    """
    if is_text(head):
        return None
    if found := _KNOWN.match(head):
        return found.lastgroup
    if _is_iso(head):
        return "iso"
    if _MXF in head:
        return "mxf"
    stripped = head.lstrip(b"\0")
    return frames_of(stripped, is_whole=is_whole) if stripped else None


def is_text(head: bytes) -> bool:
    """Return whether a file is text: sound always contains control characters."""
    if len(head) < _SHORTEST_TEXT:
        return False
    return not head.translate(None, _TEXT_BYTES) or _is_wide_text(head)


def is_play_list(head: bytes) -> bool:
    """Return whether a file is a playlist or a manifest of a stream."""
    return b"\0" not in head and _PLAY_LIST.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def _is_wide_text(head: bytes) -> bool:
    """Return whether a file is UTF-16 text; its byte order mark looks like an MPEG audio frame."""
    coding = _WIDE_TEXT.get(head[:2])
    if coding is None:
        return False
    try:
        # The last character may be incomplete.
        codecs.getincrementaldecoder(coding)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _is_iso(head: bytes) -> bool:
    """Return whether a file begins with a box of MP4 or QuickTime, and is not a picture."""
    if head[4:8] not in _BOXES:
        return False
    if head[4:8] in (b"ftyp", b"styp"):
        return head[8:12] not in _PICTURES
    size = int.from_bytes(head[:4], "big")
    # In a short text, the letters before a word like "free" would be a huge size.
    return size in (0, 1) or 8 <= size < (1 << 29 if len(head) < _SHORTEST_TEXT else 1 << 32)
