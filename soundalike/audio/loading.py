"""Decode a recording to mono samples at 16 kHz."""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from soundalike.audio.parts import EVERYTHING, OpenPart, Part, resampled, with_first_decoder
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
        Mono, nominally in [-1, 1], all finite. Memory-mapped if the recording is longer than the
        `inline_limit_s` of `load_audio`.
    duration_s : float
        ``n_samples`` by the sample rate.
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
    part: Part = EVERYTHING,
    *,
    inline_limit_s: float = INLINE_LIMIT_S,
    spool_dir: Path | None = None,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Waveform:
    """Decode a recording, or a part of it, to mono samples of one rate.

    Memory stays bounded by `inline_limit_s`, whatever the recording's length.

    Parameters
    ----------
    source : Path or bytes
        A file that `soundalike.audio.sources.resolve_path` has approved, or an upload.
    part : Part
    inline_limit_s : float
        Longer recordings are stored in a temporary file and memory-mapped.
    spool_dir : Path, optional
        Folder of the temporary file; the system's temporary folder by default. The file is unlinked,
        so it disappears even if the process is killed.
    sample_rate_hz : int
        Rate of the samples.

    Returns
    -------
    waveform : Waveform
        Equal to ``librosa.load(path, sr=sample_rate_hz, mono=True)`` within 1e-4.

    Raises
    ------
    UnreadableAudio
        No decoder can read the content; the message has the reason of each.
    EmptyAudio
        The recording has no samples.
    InvalidSamples
        A sample is NaN or infinite; the message has its time.
    ParameterError
        The recording ends before the part begins.
    AudioTooLarge
        The recording is longer than the part's `longest_s`.
    """

    def collect(opened: OpenPart) -> Waveform:
        sink = _Sink(round(inline_limit_s * sample_rate_hz), spool_dir)
        for block in resampled(opened.blocks(), opened.sample_rate_hz, sample_rate_hz):
            sink.append(block)
        samples = sink.finish()
        if not len(samples):
            raise part.past_end_error(opened.read_to_s) if part.start_s else _too_short(opened)
        duration_s = len(samples) / sample_rate_hz
        return Waveform(samples, duration_s, opened.stream.decoder, opened.warnings())

    return with_first_decoder(source, collect, part)


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
    """Collects blocks in memory, and in an unnamed file once they exceed `limit` samples."""

    def __init__(self, limit: int, spool_dir: Path | None) -> None:
        self._limit = limit
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
