"""Waveform outlines, spectrogram pictures and cut-outs of recordings, in bounded memory."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundalike.audio import front_end
from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.audio.parts import OpenPart, Part, resampled, with_first_decoder
from soundalike.audio.sources import AudioSource
from soundalike.errors import ParameterError
from soundalike.types import FloatArray

#: Upper limits of pictures, about the size of a screen.
MAX_POINTS, MAX_WIDTH, MAX_HEIGHT = 4_000, 4_000, 1_024
#: Longest cut-out in seconds: 350 MB at 48 kHz.
MAX_CUT_OUT_S = 3_600.0
_PCM_16_MAX = 32_767
#: Number of columns in memory while the length of the recording is unknown.
_CAPACITY = 1 << 14
#: Colour map, interpolated linearly: dark blue, green, yellow, with increasing brightness.
_COLOURS = ((4, 8, 46), (52, 28, 110), (38, 92, 140), (32, 148, 132), (110, 200, 88), (250, 232, 60))


@dataclass(frozen=True, slots=True)
class Peaks:
    """The outline of a waveform.

    Attributes
    ----------
    start_s, end_s : float
        Bounds in seconds.
    values : (n_points, 2) float32
        Lowest and highest sample of `n_points` equal stretches, nominally in [-1, 1].
    """

    start_s: float
    end_s: float
    values: FloatArray


def peaks(source: AudioSource, excerpt: Excerpt = WHOLE, *, points: int = 600) -> Peaks:
    """Return the outline of a recording at its own sample rate.

    Parameters
    ----------
    source : Path or bytes
        A file that `soundalike.audio.sources.resolve_path` has approved, or an upload.
    excerpt : Excerpt
        The slice to show; decoding stops at its end.
    points : int
        Number of stretches, 1 to 4000; fewer if there are fewer samples.

    Raises
    ------
    ParameterError
        `points` is out of range, or the recording ends before the part begins.
    AudioError
        As for `soundalike.audio.loading.load_audio`.
    """
    _check("points", points, MAX_POINTS)

    def outline(part: OpenPart) -> Peaks:
        columns = _Columns(2)
        for block in part.blocks():
            columns.add(np.stack((-block, block)))
        lowest, highest = columns.at_most(points) * np.array([[-1], [1]], dtype=np.float32)
        shown_s = columns.n_added / part.sample_rate_hz
        begin_s = excerpt.begin_s
        return Peaks(begin_s, begin_s + shown_s, np.stack((lowest, highest), axis=1))

    return with_first_decoder(source, outline, _part_of(excerpt))


def spectrogram_png(
    source: AudioSource, excerpt: Excerpt = WHOLE, *, width: int = 600, height: int = 128
) -> bytes:
    """Return a picture of the log-mel spectrogram that the encoders use, without axes.

    Low frequencies are at the bottom. A column shows the maximum of its frames in each band, so that
    short sounds stay visible in long recordings.

    Parameters
    ----------
    source, excerpt
        As for `peaks`.
    width, height : int
        In pixels: 1 to 4000, 1 to 1024.

    Returns
    -------
    png : bytes

    Raises
    ------
    ParameterError
        `width` or `height` is out of range, or the recording ends before the part begins.
    AudioError
        As for `soundalike.audio.loading.load_audio`.
    """
    _check("width", width, MAX_WIDTH)
    _check("height", height, MAX_HEIGHT)

    def draw(part: OpenPart) -> bytes:
        columns = _Columns(front_end.N_MEL_BANDS)
        for frames in _log_mel(part.blocks(), part.sample_rate_hz):
            columns.add(frames.T)
        return _painted(columns.at_most(width), width, height)

    return with_first_decoder(source, draw, _part_of(excerpt))


def write_cut_out(source: AudioSource, target: Path, excerpt: Excerpt) -> None:
    """Write a part of a recording as WAV: 16 bit, mono, at the recording's own sample rate.

    Parameters
    ----------
    source, excerpt
        As for `peaks`.
    target : Path
        The file to create or overwrite.

    Raises
    ------
    ParameterError
        The part is longer than an hour, or the recording ends before it begins.
    AudioError
        As for `soundalike.audio.loading.load_audio`.
    OSError
        The file cannot be written.
    """
    if excerpt.stop_s - excerpt.begin_s > MAX_CUT_OUT_S:
        raise ParameterError(
            f"the part from {excerpt.begin_s:g} to {excerpt.stop_s:g} s is longer than "
            f"{MAX_CUT_OUT_S:g} s; ask for a shorter one, or for the whole file"
        )

    def cut(part: OpenPart) -> None:
        # Not libsndfile, which does not report that a disk is full.
        with target.open("wb") as out, wave.open(out, "wb") as file:
            file.setparams((1, 2, part.sample_rate_hz, 0, "NONE", "not compressed"))
            for block in part.blocks():
                samples = np.rint(np.clip(block, -1.0, 1.0) * _PCM_16_MAX)
                file.writeframesraw(samples.astype("<i2").tobytes())

    with_first_decoder(source, cut, _part_of(excerpt), has_side_effects=True)


class _Columns:
    """The maxima of a series of unknown length in a bounded number of columns.

    A column has the maximum of each row over an equal number of moments, which doubles when the columns
    are full.
    """

    def __init__(self, n_rows: int) -> None:
        self._columns = np.full((n_rows, _CAPACITY), -np.inf, dtype=np.float32)
        self._moments_each = 1
        self.n_added = 0

    def add(self, values: FloatArray) -> None:
        """Add ``(n_rows, n)`` values for the next `n` moments."""
        count = values.shape[1]
        if not count:
            return
        while self.n_added + count > _CAPACITY * self._moments_each:
            half = np.maximum(self._columns[:, ::2], self._columns[:, 1::2])
            middle = _CAPACITY // 2
            self._columns[:, :middle], self._columns[:, middle:] = half, -np.inf
            self._moments_each *= 2
        each = self._moments_each
        to_next = -self.n_added % each
        firsts = np.arange(to_next, count, each)
        if to_next:
            firsts = np.concatenate(([0], firsts))
        found = np.maximum.reduceat(values, firsts, axis=1)
        begin = self.n_added // each
        into = self._columns[:, begin : begin + found.shape[1]]
        np.maximum(into, found, out=into)
        self.n_added += count

    def at_most(self, n_columns: int) -> FloatArray:
        """Return the filled columns, merged into at most `n_columns`."""
        n_filled = -(-self.n_added // self._moments_each)
        filled = self._columns[:, :n_filled]
        if n_filled <= n_columns:
            return filled.copy()
        firsts = np.arange(n_columns) * n_filled // n_columns
        merged: FloatArray = np.maximum.reduceat(filled, firsts, axis=1)
        return merged


def _log_mel(blocks: Iterator[FloatArray], rate_hz: int) -> Iterator[FloatArray]:
    """Yield ``(n_frames, 64)`` log-mel frames; sound shorter than a frame is padded."""
    left = np.zeros(0, dtype=np.float32)
    is_begun = False
    for block in resampled(blocks, rate_hz):
        left = np.concatenate((left, block))
        if len(left) >= front_end.FRAME_SAMPLES:
            frames = log_mel_spectrogram(left, sample_rate=front_end.SAMPLE_RATE_HZ)
            left = left[len(frames) * front_end.HOP_SAMPLES :]
            is_begun = True
            yield frames
    if not is_begun:
        padded = np.zeros(front_end.FRAME_SAMPLES, dtype=np.float32)
        padded[: len(left)] = left
        yield log_mel_spectrogram(padded, sample_rate=front_end.SAMPLE_RATE_HZ)


def _painted(columns: FloatArray, width: int, height: int) -> bytes:
    """Return ``(n_bands, n_columns)`` values as PNG, from silence (dark) to the maximum (bright)."""
    floor = float(np.log(front_end.LOG_OFFSET))
    # At least a factor of e above silence, so that the noise of a quiet recording stays dark.
    top = max(float(columns.max()), floor + 1.0)
    levels = np.clip((columns - floor) / (top - floor), 0.0, 1.0)
    grey = Image.fromarray(np.rint(255 * levels[::-1]).astype(np.uint8))
    picture = grey.resize((width, height), Image.Resampling.BILINEAR)
    picture.putpalette(_palette().tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _palette() -> npt.NDArray[np.uint8]:
    """Return the colours of 256 levels, ``(256, 3)``."""
    at = np.linspace(0, 255, len(_COLOURS))
    bands = [np.interp(np.arange(256), at, band) for band in zip(*_COLOURS, strict=True)]
    colours: npt.NDArray[np.uint8] = np.rint(np.stack(bands, axis=1)).astype(np.uint8)
    return colours


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ParameterError(f"{name} is {value}; give 1 to {most}")


def _part_of(excerpt: Excerpt) -> Part:
    return Part(excerpt.begin_s, excerpt.stop_s)
