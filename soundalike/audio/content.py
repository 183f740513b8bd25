"""Prepare content for decoders: hide the name, skip leading zeros, correct a wrong header."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, NamedTuple, cast

from soundalike.audio import headers
from soundalike.audio.sources import AudioSource
from soundalike.audio.streams import DecodeError, reason

#: Block-writing recorders and failed transfers leave zeros before the sound.
_LEAST_ZEROS, _MOST_ZEROS = 16, 1 << 20
_SEARCHED_BYTES = 1 << 16


class Content(NamedTuple):
    """An open source.

    Attributes
    ----------
    file : binary file
        Positioned at its start.
    notes : list of str
        Warnings about parts of the source that are not read.
    declared_ratio : float
        Ratio of the declared length to the present length of the sound, at least 1.
    """

    file: BinaryIO
    notes: list[str]
    declared_ratio: float = 1.0


def open_content(source: AudioSource) -> Content:
    """Open a file or an upload for a decoder.

    Raises
    ------
    DecodeError
        The file cannot be read.
    """
    try:
        file = cast(
            BinaryIO, io.BytesIO(source) if isinstance(source, bytes) else _Nameless(source, "rb")
        )
        return _corrected(file)
    except OSError as exc:
        raise DecodeError(reason(exc)) from exc


def _corrected(file: BinaryIO) -> Content:
    zeros = _leading_zeros(file)
    if zeros:
        file = cast(BinaryIO, _View(file, zeros))
    samples = headers.find_samples(file)
    notes: list[str] = []
    if samples is None:
        second = headers.second_mp4_at(file)
        if second is not None:
            notes.append(_joined(file, second))
    else:
        joined = headers.joined_file_at(file, samples)
        if joined is not None:
            notes.append(_joined(file, joined))
            file = cast(BinaryIO, _View(file, 0, joined))
        elif headers.is_cut_short(file, samples):
            n_bytes = samples.file_end - samples.end
            notes.append(f"wrong header: {n_bytes} bytes after its declared end are read as sound")
            file = cast(BinaryIO, _View(file, 0, None, samples.size_at, headers.size_to_end(samples)))
        elif headers.must_be_ended(samples):
            file = cast(BinaryIO, _View(file, 0, samples.end))
    file.seek(0)
    return Content(file, notes, headers.declared_ratio(samples) if samples else 1.0)


def _joined(file: BinaryIO, position: int) -> str:
    n_bytes = file.seek(0, io.SEEK_END) - position
    return f"another file is appended to this one: {n_bytes} bytes are not read"


def _leading_zeros(file: BinaryIO) -> int:
    """Return the number of zeros before the content; 0 for zeros that belong to the format."""
    begin = 0
    content = file.read(_LEAST_ZEROS)
    if content.strip(b"\0"):
        return 0
    while content and begin < _MOST_ZEROS:
        rest = content.lstrip(b"\0")
        begin += len(content) - len(rest)
        if rest:
            # MPEG start codes begin with two zeros, and MP4 boxes with a length.
            is_box = rest[1:5] == b"ftyp"
            return begin - (2 if rest[:1] == b"\1" else 3 if is_box else 0)
        content = file.read(_SEARCHED_BYTES)
    return 0


class _Nameless(io.FileIO):
    """A file without a name: FFmpeg would choose the format by the name instead of the content."""

    @property
    def name(self) -> str:
        """Empty."""
        return ""

    @name.setter
    def name(self, _: object) -> None:
        pass

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek; a position that the file system does not support becomes the end of the file."""
        try:
            return super().seek(offset, whence)
        except OSError:
            return super().seek(0, io.SEEK_END if offset > 0 else io.SEEK_SET)


class _View(io.RawIOBase):
    """A part of a file, with some of its bytes replaced.

    Parameters
    ----------
    file : binary file
        Seekable; closed together with this view.
    begin, end : int
        Bounds of the part; None for the end of the file.
    patched_at : int
        Position of the replaced bytes in the part.
    patch : bytes
        Replacement.
    """

    def __init__(
        self,
        file: BinaryIO,
        begin: int,
        end: int | None = None,
        patched_at: int = 0,
        patch: bytes = b"",
    ) -> None:
        super().__init__()
        self._file, self._begin = file, begin
        self._size = (file.seek(0, io.SEEK_END) if end is None else end) - begin
        self._patched_at, self._patch = patched_at, patch
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes read."""
        begin = self._position
        self._file.seek(self._begin + begin)
        content = bytearray(self._file.read(max(0, min(len(buffer), self._size - begin))))
        first = max(begin, self._patched_at)
        last = min(begin + len(content), self._patched_at + len(self._patch))
        if first < last:
            content[first - begin : last - begin] = self._patch[
                first - self._patched_at : last - self._patched_at
            ]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        """Close the underlying file."""
        if not self.closed:
            self._file.close()
        super().close()
