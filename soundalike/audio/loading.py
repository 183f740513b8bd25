"""Decode a recording to mono samples at 16 kHz."""

from __future__ import annotations

import math
import mmap
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from soundalike.audio.excerpt import past_end_error
from soundalike.audio.parts import OpenPart, resampled, with_first_decoder
from soundalike.audio.sources import AudioSource
from soundalike.audio.windows import SAMPLE_RATE_HZ
from soundalike.errors import AudioTooShort
from soundalike.types import FloatArray

#: Longer recordings are stored in a temporary file (8 MB of float32 at 16 kHz).
INLINE_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Waveform:
    """A decoded recording.

    Attributes
    ----------
    samples : (n_samples,) float32
        Mono at 16 kHz, nominally in [-1, 1], all finite. Memory-mapped if the recording is longer than
        the `inline_limit_s` of `load_audio`.
    duration_s : float
        ``n_samples / 16000``.
    decoder : str
        Name of the decoder.
    warnings : tuple of str
        Messages about damage that did not stop the decoding.
    """

    samples: FloatArray
    duration_s: float
    decoder: str
    warnings: tuple[str, ...] = ()


def load_audio(
    source: AudioSource,
    *,
    start_s: float = 0.0,
    end_s: float = math.inf,
    inline_limit_s: float = INLINE_LIMIT_S,
    spool_dir: Path | None = None,
    longest_s: float = math.inf,
    asked_s: float | None = None,
) -> Waveform:
    """Decode a recording, or a part of it, to mono samples at 16 kHz.

    Memory stays bounded by `inline_limit_s`, whatever the recording's length.

    Parameters
    ----------
    source : Path or bytes
        A file that `soundalike.audio.sources.resolve_path` has approved, or an upload.
    start_s, end_s : float
        The part to decode, in seconds from the recording's start. Sound before it is decoded only if the
        format does not support seeking; sound after it is never decoded.
    inline_limit_s : float
        Longer recordings are stored in a temporary file and memory-mapped.
    spool_dir : Path, optional
        Folder of the temporary file; the system's temporary folder by default. The file is unlinked,
        so it disappears even if the process is killed.
    longest_s : float
        Maximum number of seconds to decode.
    asked_s : float, optional
        The second to name in errors if decoding starts earlier than the caller asked for.

    Returns
    -------
    waveform : Waveform
        Equal to ``librosa.load(path, sr=16000, mono=True)`` within 1e-4.

    Raises
    ------
    UnreadableAudio
        No decoder can read the content; the message has the reason of each.
    EmptyAudio
        The recording has no samples.
    InvalidSamples
        A sample is NaN or infinite; the message has its time.
    ParameterError
        The recording ends before `start_s`.
    AudioTooLarge
        The recording is longer than `longest_s`.
    """

    def collect(part: OpenPart) -> Waveform:
        sink = _Sink(inline_limit_s, spool_dir)
        for block in resampled(part.blocks(), part.sample_rate_hz):
            sink.append(block)
        samples = sink.finish()
        if not len(samples):
            asked = start_s if asked_s is None else asked_s
            raise past_end_error(asked, part.read_to_s) if start_s else _too_short(part)
        return Waveform(samples, len(samples) / SAMPLE_RATE_HZ, part.stream.decoder, part.warnings())

    return with_first_decoder(
        source, collect, start_s=start_s, end_s=end_s, longest_s=longest_s, asked_s=asked_s
    )


def map_samples(file: IO[bytes]) -> FloatArray:
    """Return a non-empty file as a memory-mapped float32 array."""
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.float32)


def release_pages(samples: FloatArray) -> None:
    """Release the pages of a memory-mapped file that were read; they can be read again.

    Otherwise every page that was read counts as memory of the process, up to the whole recording.
    Arrays that are not mapped are unchanged.
    """
    owner: object = samples
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    if isinstance(owner, mmap.mmap) and hasattr(owner, "madvise"):
        owner.madvise(mmap.MADV_DONTNEED)


class _Sink:
    """Collects blocks in memory, and in an unnamed file once they exceed `limit_s`."""

    def __init__(self, limit_s: float, spool_dir: Path | None) -> None:
        self._limit = round(limit_s * SAMPLE_RATE_HZ)
        self._dir = spool_dir
        self._blocks: list[FloatArray] = []
        self._n = 0
        self._file: IO[bytes] | None = None

    def append(self, block: FloatArray) -> None:
        self._n += len(block)
        self._blocks.append(block)
        if self._n > self._limit:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            if self._dir is not None:
                self._dir.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(prefix="soundalike-", dir=self._dir)  # noqa: SIM115 - closed in finish()
        for block in self._blocks:
            self._file.write(np.ascontiguousarray(block, dtype=np.float32).data)
        self._blocks.clear()

    def finish(self) -> FloatArray:
        if self._file is None:
            return np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
        with self._file as file:
            file.flush()
            return map_samples(file)


def _too_short(part: OpenPart) -> AudioTooShort:
    n_samples = round(part.read_to_s * part.sample_rate_hz)
    return AudioTooShort(
        f"the recording has {n_samples} samples at {part.sample_rate_hz} Hz, too few for a sample at "
        "16 kHz; at least 25 ms are needed"
    )
