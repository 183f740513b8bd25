"""Check the length that a header declares against the length of the file.

A crashed recorder leaves an outdated header, and people concatenate files with ``cat``. This module
covers the formats whose header libsndfile trusts: WAV, Wave64, AIFF, AU and CAF.
"""

from __future__ import annotations

import io
import math
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

#: Programs that do not know the length yet write this value or a larger one.
STREAMED_LENGTH = 0x7FFFF000
_MOST_CHUNKS = 256
_SEARCHED_BYTES = 1 << 16
#: Chunks that may follow the samples, even truncated.
_KNOWN = frozenset(
    (
        *(b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"cue ", b"smpl", b"fact", b"_PMX", b"JUNK"),
        *(b"junk", b"guan", b"wamd", b"PEAK", b"afsp", b"inst", b"NAME", b"ANNO", b"MARK", b"APPL"),
    )
)
_RF64 = (b"RF64", b"BW64")
#: Beginnings of tags, pictures and archives that are appended to sounds.
_OTHER_CONTENT = (
    b"ID3",
    b"APETAGEX",
    b"TAG",
    b"LYRICSBEGIN",
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"PK\3\4",
    b"%PDF",
)
#: A continued recording has at least this many bytes. Random content of this size has an entropy above
#: 7.9 bits.
_LEAST_BYTES = 4096
_PACKED_BITS, _CLEAR_BITS, _TEXT_SHARE = 7.9, 0.1, 0.95
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")


class _Kind(NamedTuple):
    """Chunk layout of a format.

    Attributes
    ----------
    magic : bytes
        First bytes of a file.
    form : bytes
        Bytes after the magic and the length of the file; may be empty.
    first : int
        Position of the first chunk.
    chunk : Struct
        Name and length of a chunk.
    samples : bytes
        Name of the chunk that holds the samples.
    counted : int
        Bytes of a chunk's head that its length includes.
    even : int
        Alignment of chunks, relative to the first one.
    is_read_on : bool
        libsndfile reads everything from the start of the samples to the end of the file as samples.
    """

    magic: bytes
    form: bytes
    first: int
    chunk: struct.Struct
    samples: bytes
    counted: int = 0
    even: int = 2
    is_read_on: bool = False


_KINDS = (
    _Kind(b"RIFF", b"WAVE", 12, struct.Struct("<4sI"), b"data"),
    _Kind(b"RIFX", b"WAVE", 12, struct.Struct(">4sI"), b"data"),
    *(_Kind(magic, b"WAVE", 12, struct.Struct("<4sI"), b"data") for magic in _RF64),
    _Kind(b"FORM", b"AIF", 12, struct.Struct(">4sI"), b"SSND"),
    _Kind(b"caff", b"", 8, struct.Struct(">4sq"), b"data", even=1),
    _Kind(_W64_RIFF, b"", 40, struct.Struct("<16sQ"), _W64_DATA, counted=24, even=8, is_read_on=True),
)
_AU = b".snd"
#: First box of an MP4 file, and the most boxes that are searched.
_FIRST_BOX, _MOST_BOXES = b"ftyp", 10_000


class Samples(NamedTuple):
    """Position of the samples in a file.

    Attributes
    ----------
    kind : _Kind or None
        None for AU, which has no chunks.
    size_at : int
        Position of the length field.
    begin, end : int
        Bounds of the samples; the end is the one that the header declares.
    file_end : int
    length : Struct
        Format of the length field.
    """

    kind: _Kind | None
    size_at: int
    begin: int
    end: int
    file_end: int
    length: struct.Struct

    @property
    def n_bytes(self) -> int:
        """Declared number of bytes."""
        return self.end - self.begin


def find_samples(file: BinaryIO) -> Samples | None:
    """Return the position of the samples; None for another format or a file without samples."""
    file_end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(24)
    if head[:4] == _AU and len(head) == 24:
        begin, length = struct.unpack_from(">2I", head, 4)
        return Samples(None, 8, begin, begin + length, file_end, struct.Struct(">I"))
    kind = next((kind for kind in _KINDS if _begins(head, kind)), None)
    if kind is None:
        return None
    for name, position, end in _chunks(file, kind, kind.first, file_end):
        if name == kind.samples:
            begin = position + kind.chunk.size
            length = struct.Struct(kind.chunk.format.replace("4s", "").replace("16s", ""))
            found = Samples(kind, position + len(name), begin, end, file_end, length)
            return _of_rf64(file, found) if kind.magic in _RF64 else found
    return None


def _of_rf64(file: BinaryIO, samples: Samples) -> Samples:
    """Return the position of the samples in an RF64 file, whose chunk ``ds64`` holds their length."""
    file.seek(12)
    head = file.read(24)
    if head[:4] != b"ds64" or len(head) < 24:
        return samples
    (length,) = struct.unpack_from("<Q", head, 16)
    return samples._replace(size_at=28, end=samples.begin + length, length=struct.Struct("<Q"))


def is_cut_short(file: BinaryIO, samples: Samples) -> bool:
    """Return whether samples continue after the declared end.

    If so, the bytes after the end are neither chunks nor zeros, and resemble the bytes before it.
    """
    is_promise = 0 < samples.n_bytes < STREAMED_LENGTH or samples.length.size == 8
    if not is_promise or samples.file_end - samples.end < _LEAST_BYTES:
        return False
    if samples.kind is not None and any(
        _are_chunks(file, samples.kind, start, samples.file_end) for start in _next_chunks(samples)
    ):
        return False
    file.seek(samples.end)
    rest = file.read(_SEARCHED_BYTES)
    file.seek(max(samples.begin, samples.end - _SEARCHED_BYTES))
    named = file.read(min(samples.n_bytes, _SEARCHED_BYTES))
    return bool(rest.strip(b"\0")) and not _is_foreign(rest, named)


def _is_foreign(rest: bytes, named: bytes) -> bool:
    """Return whether bytes are not samples but a tag, a picture or an archive.

    In compressed content all byte values are equally frequent; in samples they are not.
    """
    if rest.startswith(_OTHER_CONTENT):
        return True
    n_printable = sum(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in rest)
    is_packed = _entropy(rest) > _PACKED_BITS and _entropy(named) < _PACKED_BITS - _CLEAR_BITS
    return n_printable > _TEXT_SHARE * len(rest) or (bool(named) and is_packed)


def _entropy(content: bytes) -> float:
    """Return the Shannon entropy of the byte values in bits, 0 to 8."""
    counts = [count / len(content) for count in Counter(content).values()]
    return -sum(share * math.log2(share) for share in counts)


def declared_ratio(samples: Samples) -> float:
    """Return the ratio of the declared length to the present length, at least 1."""
    promised, there = samples.n_bytes, samples.file_end - samples.begin
    most = STREAMED_LENGTH if samples.length.size == 4 else 1 << 62
    return promised / there if 0 < there < promised < most else 1.0


def must_be_ended(samples: Samples) -> bool:
    """Return whether the content after the samples must be hidden from libsndfile."""
    is_read_on = samples.kind is not None and samples.kind.is_read_on
    return is_read_on and samples.begin < samples.end < samples.file_end


def size_to_end(samples: Samples) -> bytes:
    """Return the length field for samples that extend to the end of the file."""
    length = samples.file_end - samples.begin + (samples.kind.counted if samples.kind else 0)
    is_short = samples.length.size == 4
    return samples.length.pack(min(length, STREAMED_LENGTH - 1) if is_short else length)


def joined_file_at(file: BinaryIO, samples: Samples) -> int | None:
    """Return the position of further samples after the declared end: another file or chunk."""
    if samples.end >= samples.file_end:
        return None
    if samples.kind is None:
        file.seek(samples.end)
        return samples.end if file.read(4) == _AU else None
    kind = samples.kind
    for start in _next_chunks(samples):
        for name, position, _ in _chunks(file, kind, start, samples.file_end):
            file.seek(position)
            if name == kind.samples or _begins(file.read(24), kind):
                return position
    return None


def second_mp4_at(file: BinaryIO) -> int | None:
    """Return the position of a second MP4 file appended to the first one, which players ignore."""
    position, end, n_films = 0, file.seek(0, io.SEEK_END), 0
    for _ in range(_MOST_BOXES):
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return None
        length, name = struct.unpack_from(">I4s", head)
        if position == 0 and name != _FIRST_BOX:
            return None
        if position and name == _FIRST_BOX and n_films:
            return position
        n_films += name == b"moov"
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length < 8:
            return None
        position += length
        if position >= end:
            return None
    return None


def _begins(head: bytes, kind: _Kind) -> bool:
    at = len(kind.magic) + 4
    return head.startswith(kind.magic) and (not kind.form or head[at:].startswith(kind.form))


def _next_chunks(samples: Samples) -> tuple[int, ...]:
    """Return possible positions of the chunk after the samples; some programs omit the padding."""
    assert samples.kind is not None
    return samples.end, _aligned(samples.end, samples.kind)


def _aligned(position: int, kind: _Kind) -> int:
    return position + (kind.first - position) % kind.even


def _are_chunks(file: BinaryIO, kind: _Kind, start: int, file_end: int) -> bool:
    """Return whether the rest of a file consists of chunks."""
    end = start
    for name, _, chunk_end in _chunks(file, kind, start, file_end):
        if name in _KNOWN:
            return True
        end = chunk_end
    return end > start and abs(_aligned(end, kind) - file_end) <= kind.chunk.size


def _chunks(file: BinaryIO, kind: _Kind, start: int, file_end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, position and end of consecutive chunks, as far as they look like chunks."""
    position = start
    is_name: Callable[[bytes], bool] = _is_guid if len(kind.samples) == 16 else _is_printable
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        part = file.read(kind.chunk.size)
        if len(part) < kind.chunk.size:
            return
        name, length = kind.chunk.unpack(part)
        if not is_name(name) or length < kind.counted:
            return
        end = position + kind.chunk.size - kind.counted + length
        yield name, position, end
        position = _aligned(end, kind)
        if position > file_end:
            return


def _is_printable(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in name)


def _is_guid(name: bytes) -> bool:
    return _is_printable(name[:4])
