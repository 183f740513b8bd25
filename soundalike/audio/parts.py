"""A part of a recording, read with the first decoder that comes to its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import soxr

from soundalike.audio.attempts import announce
from soundalike.audio.decoders import DECODERS, AudioStream, DecodeError
from soundalike.audio.excerpt import nothing_there
from soundalike.audio.mixing import MixDown
from soundalike.audio.refusals import refusal
from soundalike.audio.sndfile import UnsureLengthError
from soundalike.audio.sources import AudioSource
from soundalike.audio.windows import SAMPLE_RATE_HZ
from soundalike.errors import AudioTooLarge, EmptyAudio, InvalidSamples, ParameterError
from soundalike.types import FloatArray

_MIN_RATE_HZ, _MAX_RATE_HZ = 1_000, 1_000_000
#: Another decoder's result is taken where it is longer by this: more than decoders differ in what they
#: cut off at the ends.
_LONGER_S = 0.1
#: A decoded length this far under the header's counts as truncated.
_TRUNCATED_S, _TRUNCATED_SHARE = 0.5, 0.01
_Result = TypeVar("_Result")
_Opener = Callable[..., AudioStream]


class _NoSamplesError(DecodeError):
    """A decoder knows the format but finds no samples."""

    def __init__(self) -> None:
        super().__init__("no samples")


class _NothingThereError(DecodeError):
    """A decoder has come to an end before the part begins, but perhaps not to that of the recording."""

    def __init__(self, doubt: str, error: ParameterError) -> None:
        super().__init__(doubt)
        self.error = error


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
        self._mix_down = MixDown(stream.sample_rate_hz, stream.first_frame)

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
        for block in self._mixed():
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
            raise self._nothing_found()

    def _mixed(self) -> Iterator[FloatArray]:
        """Yield (n,) float32 blocks of finite samples."""
        position = self.stream.first_frame
        for block in self._mix_down.mono(self.stream.blocks):
            finite = np.isfinite(block)
            if not finite.all():
                index = position + int(np.argmin(finite))
                raise InvalidSamples(
                    f"sample {index} (at {index / self.sample_rate_hz:.3f} s) is NaN or infinite; "
                    "export the recording again as 16-bit or 24-bit audio"
                )
            position += len(block)
            yield block

    def _nothing_found(self) -> Exception:
        if not self._position:
            return _NoSamplesError()
        error = nothing_there(self._asked_s, self.read_to_s)
        doubt = self.stream.doubt()
        return error if doubt is None else _NothingThereError(doubt, error)

    def warnings(self) -> tuple[str, ...]:
        """Return sentences about damage that did not stop the reading; complete after the last block."""
        stream, found = self.stream, []
        missing_s = 0.0 if self.is_ended else (stream.declared_s or 0.0) - self.read_to_s
        if missing_s > max(_TRUNCATED_S, _TRUNCATED_SHARE * self.read_to_s):
            found.append(
                f"truncated: the header promises {stream.declared_s:.1f} s, "
                f"{self.read_to_s:.1f} s could be decoded"
            )
        if stream.damaged_packets:
            found.append(f"damaged: {len(stream.damaged_packets)} packets were left out")
        if self._mix_down.cancelled_s:
            found.append(
                f"opposite channels: for {self._mix_down.cancelled_s:.1f} s they cancel each other out "
                "in the mix, so that the loudest channel is used there"
            )
        return (*found, *stream.notes)


def resampled(blocks: Iterator[FloatArray], rate_hz: int) -> Iterator[FloatArray]:
    """Yield blocks at 16 kHz: soxr's HQ quality, which is librosa's default too."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(np.ascontiguousarray(block))
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def with_first_decoder(
    source: AudioSource,
    use: Callable[[OpenPart], _Result],
    *,
    start_s: float = 0.0,
    end_s: float = math.inf,
    longest_s: float = math.inf,
    asked_s: float | None = None,
    leaves_traces: bool = False,
) -> _Result:
    """Return what `use` makes of a part of a recording, with the first decoder that comes through.

    A decoder that may have stopped before the end of the sound is followed by the next one; the result
    that goes furthest is returned.

    Parameters
    ----------
    source, start_s, end_s, longest_s, asked_s
        As for `load_audio`.
    use : callable
        Reads the blocks; called again, with another decoder's, where reading breaks off or may have
        ended too early.
    leaves_traces : bool
        `use` writes a file, for instance: its last call is then the one whose result is returned.

    Raises
    ------
    UnreadableAudio, EmptyAudio, InvalidSamples, ParameterError, AudioTooLarge
        As for `load_audio`.
    """
    if source == b"":
        raise EmptyAudio("the upload has 0 bytes; send the bytes of a sound file")

    def attempt(opener: _Opener) -> _Attempt[_Result]:
        stream = opener(source, start_s)
        try:
            _check_format(stream)
            part = OpenPart(stream, start_s, end_s, longest_s, asked_s)
            result = use(part)
            return _Attempt(opener, result, part.read_to_s, part.is_ended or stream.doubt() is None)
        finally:
            # Closes the file of what was not read to the end.
            stream.blocks.close()

    tries = _Tries(source, attempt)
    for opener in DECODERS:
        if tries.ask(opener):
            break
    for opener in tries.last_resorts:
        if tries.best is None:
            tries.ask(opener)
    best = tries.found()
    return attempt(best.opener).result if leaves_traces and tries.last is not best else best.result


class _Attempt(NamedTuple, Generic[_Result]):
    """What one decoder has made of a recording, up to which second, and whether that is all of it."""

    opener: _Opener
    result: _Result
    read_to_s: float
    is_all: bool


@dataclass
class _Tries(Generic[_Result]):
    """What the decoders that were asked so far have made of a recording."""

    source: AudioSource
    attempt: Callable[[_Opener], _Attempt[_Result]]
    best: _Attempt[_Result] | None = None
    last: _Attempt[_Result] | None = None
    last_resorts: list[_Opener] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    is_empty: bool = False
    nothing_there: ParameterError | None = None

    def ask(self, opener: _Opener) -> bool:
        """Ask a decoder; return whether it came to the end, so that no other needs to be asked."""
        name = _name_of(opener)
        if not announce(name):
            self.reasons.append(f"{name}: it crashed or hung")
            return False
        self.last = None
        try:
            self.last = self.attempt(opener)
        except UnsureLengthError:
            self.last_resorts.append(partial(opener, anyway=True))
            return False
        except DecodeError as exc:
            self._note(name, exc)
            return False
        if self.best is None or self.last.read_to_s > self.best.read_to_s + _LONGER_S:
            self.best = self.last
        return self.last.is_all

    def _note(self, name: str, exc: DecodeError) -> None:
        # A header may say 0 where a recorder died before it could fill it in; others look further.
        self.is_empty = self.is_empty or isinstance(exc, _NoSamplesError)
        if isinstance(exc, _NothingThereError):
            self.nothing_there = exc.error
        self.reasons.append(f"{name}: {exc}")

    def found(self) -> _Attempt[_Result]:
        """Return the best attempt, or raise why there is none."""
        if self.best is not None:
            return self.best
        if self.nothing_there is not None:
            raise self.nothing_there
        if self.is_empty:
            raise EmptyAudio(f"{_shown(self.source)} holds 0 audio samples; record or export it again")
        raise refusal(self.source, _shown(self.source), self.reasons)


def _name_of(opener: _Opener) -> str:
    plain: Any = opener.func if isinstance(opener, partial) else opener
    return str(plain.__name__.removeprefix("open_with_"))


def _check_format(stream: AudioStream) -> None:
    if not _MIN_RATE_HZ <= stream.sample_rate_hz <= _MAX_RATE_HZ:
        raise DecodeError(f"sample rate {stream.sample_rate_hz} Hz is out of range")


def _shown(source: AudioSource) -> str:
    return f"the upload of {len(source)} bytes" if isinstance(source, bytes) else repr(str(source))
