"""Decode with libsndfile (librosa's decoder): WAV, FLAC, OGG, MP3, AIFF, CAF, W64, AU."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from itertools import pairwise
from typing import Any, BinaryIO

from soundalike.audio import mpeg
from soundalike.audio.content import open_content
from soundalike.audio.mixing import stretch_frames
from soundalike.audio.sources import AudioSource
from soundalike.audio.streams import BLOCK_FRAMES, RUN_UP_S, AudioStream, Blocks, DecodeError, reason

#: libsndfile reports the largest possible number of frames if it does not know the length.
_UNKNOWN_LENGTH_S = 1e9
#: Bytes at the end of a file that are searched for an appended file; libsndfile reads ahead by less.
_TAIL_BYTES = 1 << 16
#: Formats in which libsndfile stops after the number of frames that the first stream's header declares.
_STREAMS = ("FLAC", "OGG", "MP3")
_OGG_PAGE = re.compile(rb"OggS\0([\0-\7])", re.DOTALL)
_BEGINS_STREAM = 2


class UnsureLengthError(DecodeError):
    """The decoder might stop before the end of the sound; the others are tried first."""


def open_with_sndfile(source: AudioSource, start_s: float = 0.0, *, anyway: bool = False) -> AudioStream:
    """Open with libsndfile.

    The file's name is hidden: libsndfile treats any content as sound if the name ends with ``.au`` or
    ``.vox``.

    Parameters
    ----------
    source, start_s
        See `soundalike.audio.parts.with_first_decoder`.
    anyway : bool
        Open the file even if the length of the sound is only an estimate.

    Raises
    ------
    UnsureLengthError
        The length is an estimate.
    DecodeError
        libsndfile does not know the format.
    """
    content, notes, declared_ratio = open_content(source)
    try:
        if not anyway and mpeg.is_mpeg(content):
            _check_length(content)
        file = _sequential_file(content)
        if file.format == "SVX" and not anyway:
            raise UnsureLengthError("libsndfile reads its second channel as part of the first")
    except DecodeError:
        content.close()
        raise
    reader = _Reader(file, content)
    if start_s > RUN_UP_S:
        reader.go_to(start_s - RUN_UP_S)
    duration_s = file.frames / file.samplerate
    return AudioStream(
        "libsndfile",
        file.samplerate,
        declared_ratio * duration_s if 0 < duration_s < _UNKNOWN_LENGTH_S else None,
        reader.blocks(),
        notes=notes,
        first_frame=reader.first_frame,
        doubt=lambda: reader.doubt,
    )


def _check_length(content: BinaryIO) -> None:
    length = mpeg.stated_length(content)
    if length is None or not length.fits:
        raise UnsureLengthError("the header does not declare the length")


def _sequential_file(content: BinaryIO) -> Any:
    import soundfile

    class Sequential(soundfile.SoundFile):  # type: ignore[misc]
        """A file that is read sequentially.

        After each block soundfile seeks to the current position. In MP3 a seek discards the bit
        reservoir, which damages the first frame of each block.
        """

        def seekable(self) -> bool:
            return False

    content.seek(0)
    # With a descriptor libsndfile reads the file itself, which is faster than callbacks to Python.
    is_plain = isinstance(content, io.FileIO)
    try:
        return Sequential(content.fileno() if is_plain else content, closefd=not is_plain)
    except (soundfile.SoundFileError, TypeError, OSError) as exc:
        # libsndfile reports its MPEG errors as errors of the file.
        is_misled = "does not exist" in str(exc)
        raise DecodeError("no MPEG audio" if is_misled else reason(exc)) from exc


class _Reader:
    """Reads a file to its end, and reports whether more sound may follow."""

    def __init__(self, file: Any, content: BinaryIO) -> None:
        self._file, self._content = file, content
        self.first_frame = 0
        self.doubt: str | None = None

    def go_to(self, start_s: float) -> None:
        """Seek to a second; stay at the start if seeking fails."""
        wanted = int(start_s * self._file.samplerate)
        if wanted < self._file.frames:
            with suppress(RuntimeError):
                self.first_frame = self._file.seek(wanted)

    def blocks(self) -> Blocks:
        """Yield the samples, then close the file."""
        import soundfile

        file = self._file
        # Whole stretches of the mix-down, which then need no copy.
        step = stretch_frames(file.samplerate)
        n_frames = max(1, BLOCK_FRAMES // step) * step
        n_wanted = n_frames - self.first_frame % step
        try:
            while len(block := file.read(n_wanted, dtype="float32", always_2d=True)):
                n_wanted = n_frames
                yield block
            if file.format in _STREAMS:
                self.doubt = _left_over(self._content, file.format)
        except soundfile.SoundFileError as exc:
            raise DecodeError(reason(exc)) from exc
        finally:
            file.close()
            self._content.close()


def _left_over(content: BinaryIO, container: str) -> str | None:
    """Return why more sound may follow; None if everything was read."""
    position, end = content.tell(), content.seek(0, io.SEEK_END)
    begin = max(0, end - _TAIL_BYTES)
    content.seek(begin)
    tail = content.read(_TAIL_BYTES)
    if container == "MP3":
        end = mpeg.end_of_frames(content)
    elif _has_second_stream(tail, container, is_whole=begin == 0):
        return "another stream follows the first"
    unread = tail[max(0, position - begin) :] if position >= begin else b"more"
    return f"{end - position} bytes are left" if position < end and unread.strip(b"\0") else None


def _has_second_stream(tail: bytes, container: str, *, is_whole: bool) -> bool:
    """Return whether a second stream follows the first."""
    if container == "FLAC":
        return tail.count(b"fLaC") > is_whole
    are_first = [int(flags[0]) & _BEGINS_STREAM for flags in _OGG_PAGE.findall(tail)]
    # Parallel streams begin together, before any of them continues.
    return any(first and not before for before, first in pairwise([is_whole, *are_first]))
