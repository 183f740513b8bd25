"""Cut-outs of recordings for other programs, as they are in the file where it can be read exactly."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from soundalike.audio.content import open_content
from soundalike.audio.excerpt import Excerpt
from soundalike.audio.parts import OpenPart, Part, with_first_decoder
from soundalike.audio.pictures import MAX_CUT_OUT_S
from soundalike.audio.streams import DecodeError
from soundalike.errors import ParameterError

CutOutFormat = Literal["wav", "flac"]
CUT_OUT_FORMATS: tuple[CutOutFormat, ...] = get_args(CutOutFormat)
#: Formats in which libsndfile finds every frame exactly; others are decoded from before the part.
_EXACT = ("WAV", "WAVEX", "FLAC", "AIFF", "CAF", "W64", "RF64", "AU")
_PCM = ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32")
_FLOATS = {"FLOAT": "float32", "DOUBLE": "float64"}
_BLOCK_FRAMES = 1 << 16
_Samples = npt.NDArray[Any]


class CutOut(NamedTuple):
    """Form of a written cut-out."""

    sample_rate_hz: int
    channels: int
    frames: int


def write_cut_out_as(
    source: Path, target: Path, *, start_s: float, end_s: float, audio: CutOutFormat = "wav"
) -> CutOut:
    """Write a part of a recording at its own sample rate.

    WAV, FLAC, AIFF, CAF, W64, RF64 and AU files keep their channels and, as far as the target has it,
    their sample format. Other files are decoded and mixed to one channel.

    Parameters
    ----------
    source : Path
        A file that `soundalike.audio.sources.resolve_path` has approved.
    target : Path
        The file to create or overwrite.
    start_s, end_s : float
        Bounds in seconds; the end of the recording is the latest end.
    audio : str
        ``wav`` or ``flac``.

    Raises
    ------
    ParameterError
        The part is longer than an hour, or the recording ends before it begins.
    AudioError
        As for `soundalike.audio.loading.load_audio`.
    OSError
        The file cannot be written.
    """
    Excerpt(start_s, end_s)
    if end_s - start_s > MAX_CUT_OUT_S:
        raise ParameterError(
            f"the part from {start_s:g} to {end_s:g} s is longer than {MAX_CUT_OUT_S:g} s"
        )
    found = _exact(source, target, start_s, end_s, audio)
    return found or _decoded(source, target, start_s, end_s, audio)


def _exact(
    source: Path, target: Path, start_s: float, end_s: float, audio: CutOutFormat
) -> CutOut | None:
    """Copy frames; None if the file cannot be read exactly."""
    import soundfile

    try:
        content = open_content(source)
    except DecodeError:
        return None
    with content.file:
        try:
            file = soundfile.SoundFile(content.file)
        except (soundfile.SoundFileError, TypeError, OSError):
            return None
        with file:
            if file.format not in _EXACT or not file.seekable():
                return None
            begin, end = round(start_s * file.samplerate), round(end_s * file.samplerate)
            end = min(max(end, begin + 1), file.frames)
            if begin >= end:
                return None
            kind = file.subtype if file.subtype in (*_PCM, *_FLOATS) else "FLOAT"
            dtype = _FLOATS.get(kind, "int32")
            try:
                file.seek(begin)
                blocks = _blocks(file, end - begin, dtype)
                return _write(target, blocks, file.samplerate, file.channels, kind, audio)
            except soundfile.SoundFileError:
                # Damaged within the part; other decoders may read over it.
                return None


def _blocks(file: Any, n_frames: int, dtype: str) -> Iterator[_Samples]:
    while n_frames > 0:
        block = file.read(min(n_frames, _BLOCK_FRAMES), dtype=dtype, always_2d=True)
        if not len(block):
            return
        n_frames -= len(block)
        yield block


def _decoded(source: Path, target: Path, start_s: float, end_s: float, audio: CutOutFormat) -> CutOut:
    def cut(part: OpenPart) -> CutOut:
        blocks = (block[:, np.newaxis] for block in part.blocks())
        return _write(target, blocks, part.sample_rate_hz, 1, "PCM_16", audio)

    return with_first_decoder(source, cut, Part(start_s, end_s), has_side_effects=True)


def _write(
    target: Path,
    blocks: Iterator[_Samples],
    rate_hz: int,
    channels: int,
    kind: str,
    audio: CutOutFormat,
) -> CutOut:
    import soundfile

    with soundfile.SoundFile(
        target, "w", rate_hz, channels, _subtype(kind, audio), format=audio.upper()
    ) as file:
        n_frames = 0
        for block in blocks:
            # Samples beyond full scale are clipped where the format needs it.
            file.write(block)
            n_frames += len(block)
    # libsndfile does not report that a disk is full.
    if soundfile.info(target).frames != n_frames:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    return CutOut(rate_hz, channels, n_frames)


def _subtype(kind: str, audio: CutOutFormat) -> str:
    """Return the sample format of a target for that of a source."""
    if audio == "flac":
        return "PCM_16" if kind in ("PCM_U8", "PCM_S8", "PCM_16") else "PCM_24"
    return "PCM_U8" if kind == "PCM_S8" else kind
