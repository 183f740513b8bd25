"""Decode, mix down, resample and collect: the one way by which sound enters."""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import soxr

from soundalike.audio.attempts import announce
from soundalike.audio.decoders import DECODERS, AudioStream, DecodeError
from soundalike.audio.refusals import refusal
from soundalike.audio.sources import AudioSource
from soundalike.errors import AudioTooLarge, EmptyAudio, InvalidSamples
from soundalike.excerpt import nothing_there
from soundalike.types import FloatArray
from soundalike.windows import SAMPLE_RATE_HZ

#: Recordings up to this long stay in memory (8 MB of float32 at 16 kHz); longer ones go to a file.
INLINE_LIMIT_S = 120.0
_MIN_RATE_HZ, _MAX_RATE_HZ, _MAX_CHANNELS = 1_000, 1_000_000, 64
#: A decoded length this far under the header's counts as truncated; MP3 and AAC headers are
#: estimates that may be off by some frames.
_TRUNCATED_S, _TRUNCATED_SHARE = 0.5, 0.01
_Result = TypeVar("_Result")


class _NoSamplesError(DecodeError):
    """A decoder knows the format but finds no samples."""

    def __init__(self) -> None:
        super().__init__("no samples")


@dataclass(frozen=True, slots=True)
class Waveform:
    """A decoded recording.

    Attributes
    ----------
    samples : (n_samples,) float32
        Mono at 16 kHz, nominally in [-1, 1], all finite. Mapped from a file where the recording is
        longer than the limit given to `load_audio`.
    duration_s : float
        ``n_samples / 16000``.
    decoder : str
        Which decoder read it.
    warnings : tuple of str
        Sentences about damage that did not stop the decoding.
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
        A file that `soundalike.audio.resolve_path` has approved, or an upload.
    start_s, end_s : float
        The part, in seconds from the recording's start. What is before it is decoded only where the
        format does not allow to go there at once, what is behind it never is.
    inline_limit_s : float
        Longer recordings are kept in a temporary file that is mapped into memory.
    spool_dir : Path, optional
        Folder of that file; the system's temporary folder by default. The file has no name any
        more when this returns, so nothing is left behind even when the process is killed.
    longest_s : float
        So many seconds are decoded at most, whatever the header says.
    asked_s : float, optional
        The second that the caller has named, where decoding begins before it; errors name it.

    Returns
    -------
    waveform : Waveform
        Same samples as ``librosa.load(path, sr=16000, mono=True)`` within 1e-4.

    Raises
    ------
    UnreadableAudio
        No decoder could read it; the message gives each one's reason.
    EmptyAudio
        It holds no samples.
    InvalidSamples
        A sample is NaN or infinite; the message gives its time.
    ParameterError
        The recording is over before `start_s`.
    AudioTooLarge
        It goes on after `longest_s`.
    """

    def collect(part: OpenPart) -> Waveform:
        sink = _Sink(inline_limit_s, spool_dir)
        for block in resampled(part.blocks(), part.sample_rate_hz):
            sink.append(block)
        samples = sink.finish()
        if not len(samples):
            raise nothing_there(start_s if asked_s is None else asked_s, part.read_to_s)
        return _finished(samples, part)

    return with_first_decoder(
        source, collect, start_s=start_s, end_s=end_s, longest_s=longest_s, asked_s=asked_s
    )


def with_first_decoder(
    source: AudioSource,
    use: Callable[[OpenPart], _Result],
    *,
    start_s: float = 0.0,
    end_s: float = math.inf,
    longest_s: float = math.inf,
    asked_s: float | None = None,
) -> _Result:
    """Return what `use` makes of a part of a recording, with the first decoder that comes through.

    Parameters
    ----------
    source, start_s, end_s, longest_s, asked_s
        As for `load_audio`.
    use : callable
        Reads the blocks; called again, with another decoder's, where reading breaks off.

    Raises
    ------
    UnreadableAudio, EmptyAudio, InvalidSamples, ParameterError, AudioTooLarge
        As for `load_audio`.
    """
    if source == b"":
        raise EmptyAudio("the upload has 0 bytes; send the bytes of a sound file")
    reasons: list[str] = []
    is_empty = False
    for open_stream in DECODERS:
        name = open_stream.__name__.removeprefix("open_with_")
        if not announce(name):
            reasons.append(f"{name}: it crashed or hung")
            continue
        try:
            stream = open_stream(source, start_s)
            _check_format(stream)
            return use(OpenPart(stream, start_s, end_s, longest_s, asked_s))
        except DecodeError as exc:
            # A header may say 0 where a recorder died before it could fill it in; others look further.
            is_empty = is_empty or isinstance(exc, _NoSamplesError)
            reasons.append(f"{name}: {exc}")
    if is_empty:
        raise EmptyAudio(f"{_shown(source)} holds 0 audio samples; record or export it again")
    raise refusal(source, _shown(source), reasons)


def _finished(samples: FloatArray, part: OpenPart) -> Waveform:
    stream = part.stream
    warnings = []
    missing_s = 0.0 if part.is_ended else (stream.declared_s or 0.0) - part.read_to_s
    if missing_s > max(_TRUNCATED_S, _TRUNCATED_SHARE * part.read_to_s):
        warnings.append(
            f"truncated: the header promises {stream.declared_s:.1f} s, "
            f"{part.read_to_s:.1f} s could be decoded"
        )
    if stream.damaged_packets:
        warnings.append(f"damaged: {len(stream.damaged_packets)} packets were left out")
    return Waveform(samples, len(samples) / SAMPLE_RATE_HZ, stream.decoder, tuple(warnings))


def _check_format(stream: AudioStream) -> None:
    if not _MIN_RATE_HZ <= stream.sample_rate_hz <= _MAX_RATE_HZ:
        raise DecodeError(f"sample rate {stream.sample_rate_hz} Hz is out of range")


def _mono_blocks(stream: AudioStream) -> Iterator[FloatArray]:
    """Yield (n,) float32 blocks: the mean of the channels. The only mix-down there is."""
    position = stream.first_frame
    for block in stream.blocks:
        if block.shape[1] > _MAX_CHANNELS:
            raise DecodeError(f"{block.shape[1]} channels are more than {_MAX_CHANNELS}")
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        finite = np.isfinite(mono)
        if not finite.all():
            index = position + int(np.argmin(finite))
            raise InvalidSamples(
                f"sample {index} (at {index / stream.sample_rate_hz:.3f} s) is NaN or infinite; "
                "export the recording again as 16-bit or 24-bit audio"
            )
        position += len(mono)
        yield mono


class OpenPart:
    """The part of a recording that is wanted; knows how far it was read.

    Parameters
    ----------
    stream : AudioStream
    start_s, end_s : float
        In seconds from the recording's start.
    longest_s : float
        So many seconds are read at most.
    asked_s : float, optional
        The second that an error names in the place of `start_s`.
    """

    def __init__(
        self,
        stream: AudioStream,
        start_s: float,
        end_s: float,
        longest_s: float = math.inf,
        asked_s: float | None = None,
    ) -> None:
        self.stream = stream
        self._longest_s = longest_s
        self._asked_s = start_s if asked_s is None else asked_s
        self._start = round(start_s * stream.sample_rate_hz)
        last = max(self._start + 1, round(end_s * stream.sample_rate_hz)) if end_s < math.inf else None
        self._end = last
        self._position = stream.first_frame

    @property
    def sample_rate_hz(self) -> int:
        """The recording's own rate."""
        return self.stream.sample_rate_hz

    @property
    def read_to_s(self) -> float:
        """Up to which second of the recording there was something to read."""
        return self._position / self.stream.sample_rate_hz

    @property
    def is_ended(self) -> bool:
        """Whether the part was over before the recording was."""
        return self._end is not None and self._position >= self._end

    def blocks(self) -> Iterator[FloatArray]:
        """Yield (n,) float32 blocks, at least one.

        Raises
        ------
        ParameterError
            The recording is over before the part begins.
        AudioTooLarge
            There is more than may be read.
        """
        is_found = False
        for block in _mono_blocks(self.stream):
            first = max(0, self._start - self._position)
            last = None if self._end is None else max(0, self._end - self._position)
            self._position += len(block)
            if self.read_to_s - self.stream.first_frame / self.sample_rate_hz > self._longest_s:
                raise AudioTooLarge(
                    f"the sound goes on after {self._longest_s:g} s, which is all that is taken; send a "
                    "part of it, or raise the limit (see docs/security.md)"
                )
            if len(block[first:last]):
                is_found = True
                yield block[first:last]
            if self.is_ended:
                break
        if not is_found:
            raise nothing_there(self._asked_s, self.read_to_s) if self._position else _NoSamplesError


def resampled(blocks: Iterator[FloatArray], rate_hz: int) -> Iterator[FloatArray]:
    """Yield blocks at 16 kHz: soxr's HQ quality, which is librosa's default too."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(np.ascontiguousarray(block))
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def map_samples(file: IO[bytes]) -> FloatArray:
    """Return the float32 numbers of a non-empty file as an array that is read when it is used."""
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.float32)


def release_pages(samples: FloatArray) -> None:
    """Let go of what was read of a mapped file so far; reading it again is still possible.

    Without this a process grows by every page that it has looked at, until the whole recording
    counts as its memory. Arrays in memory are left as they are.
    """
    owner: object = samples
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    if isinstance(owner, mmap.mmap) and hasattr(owner, "madvise"):
        owner.madvise(mmap.MADV_DONTNEED)


class _Sink:
    """Collects blocks in memory, and in an unnamed file from `limit_s` on."""

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


def _shown(source: AudioSource) -> str:
    return f"the upload of {len(source)} bytes" if isinstance(source, bytes) else repr(str(source))
