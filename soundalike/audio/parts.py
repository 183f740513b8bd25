"""Read a part of a recording with the first decoder that succeeds."""

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
from soundalike.audio.excerpt import past_end_error
from soundalike.audio.mixing import MixDown
from soundalike.audio.sndfile import UnsureLengthError
from soundalike.audio.sources import AudioSource, shown_source
from soundalike.audio.streams import MAX_RATE_HZ, MIN_RATE_HZ
from soundalike.audio.unreadable import unreadable_error
from soundalike.audio.windows import SAMPLE_RATE_HZ
from soundalike.errors import AudioTooLarge, EmptyAudio, InvalidSamples, ParameterError
from soundalike.types import FloatArray

#: A later decoder's result replaces the best one if it is longer by this, which exceeds the usual
#: differences between decoders.
_LONGER_S = 0.1
#: A recording counts as truncated if its decoded length is this much below the declared one.
_TRUNCATED_S, _TRUNCATED_SHARE = 0.5, 0.01
_Result = TypeVar("_Result")
_Opener = Callable[..., AudioStream]


class _NoSamplesError(DecodeError):
    """A decoder knows the format but finds no samples."""

    def __init__(self) -> None:
        super().__init__("no samples")


class _PastEndError(DecodeError):
    """A decoder stopped before the part begins, perhaps before the end of the recording."""

    def __init__(self, doubt: str, error: ParameterError) -> None:
        super().__init__(doubt)
        self.error = error


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a recording to decode, in seconds from its start; everything by default.

    Attributes
    ----------
    start_s, end_s : float
        Sound before the part is decoded only if the format does not support seeking; sound after it is
        never decoded.
    longest_s : float
        Maximum number of seconds to decode.
    asked_s : float or None
        The second to name in errors if decoding starts earlier than the caller asked for.
    """

    start_s: float = 0.0
    end_s: float = math.inf
    longest_s: float = math.inf
    asked_s: float | None = None

    def past_end_error(self, duration_s: float) -> ParameterError:
        """Return the error if a recording of this length ends before the part begins."""
        return past_end_error(self.start_s if self.asked_s is None else self.asked_s, duration_s)


EVERYTHING = Part()


class OpenPart:
    """A part of a recording that is being read.

    Parameters
    ----------
    stream : AudioStream
    part : Part
    """

    def __init__(self, stream: AudioStream, part: Part) -> None:
        self.stream = stream
        self._part = part
        rate_hz = stream.sample_rate_hz
        self._start = round(part.start_s * rate_hz)
        is_bounded = part.end_s < math.inf
        self._end = max(self._start + 1, round(part.end_s * rate_hz)) if is_bounded else None
        self._position = stream.first_frame
        self._mix_down = MixDown(stream.sample_rate_hz, stream.first_frame)

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of the recording."""
        return self.stream.sample_rate_hz

    @property
    def read_to_s(self) -> float:
        """End of the sound read so far, in seconds of the recording."""
        return self._position / self.stream.sample_rate_hz

    @property
    def is_ended(self) -> bool:
        """Whether the part was read completely, before the end of the recording."""
        return self._end is not None and self._position >= self._end

    def blocks(self) -> Iterator[FloatArray]:
        """Yield (n,) float32 blocks, at least one.

        Raises
        ------
        ParameterError
            The recording ends before the part begins.
        AudioTooLarge
            The sound is longer than the part's `longest_s`.
        """
        is_found = False
        for block in self._mixed():
            first = max(0, self._start - self._position)
            last = None if self._end is None else max(0, self._end - self._position)
            self._position += len(block)
            if self.read_to_s - self.stream.first_frame / self.sample_rate_hz > self._part.longest_s:
                raise AudioTooLarge(
                    f"the sound is longer than the limit of {self._part.longest_s:g} s; send a part of "
                    "it, or raise the limit (see docs/security.md)"
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
        error = self._part.past_end_error(self.read_to_s)
        doubt = self.stream.doubt()
        return error if doubt is None else _PastEndError(doubt, error)

    def warnings(self) -> tuple[str, ...]:
        """Return messages about damage that did not stop the decoding; complete after the last block."""
        stream, found = self.stream, []
        missing_s = 0.0 if self.is_ended else (stream.declared_s or 0.0) - self.read_to_s
        if missing_s > max(_TRUNCATED_S, _TRUNCATED_SHARE * self.read_to_s):
            found.append(
                f"truncated: the header declares {stream.declared_s:.1f} s, "
                f"{self.read_to_s:.1f} s could be decoded"
            )
        if stream.damaged_packets:
            found.append(f"damaged: {len(stream.damaged_packets)} packets were skipped")
        if self._mix_down.cancelled_s:
            found.append(
                f"opposite channels: the mix cancels out for {self._mix_down.cancelled_s:.1f} s; the "
                "loudest channel is used there"
            )
        return (*found, *stream.notes)


def resampled(
    blocks: Iterator[FloatArray], rate_hz: int, wanted_hz: int = SAMPLE_RATE_HZ
) -> Iterator[FloatArray]:
    """Yield blocks at another rate, resampled in soxr's HQ quality (librosa's default)."""
    if rate_hz == wanted_hz:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(np.ascontiguousarray(block))
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def with_first_decoder(
    source: AudioSource,
    use: Callable[[OpenPart], _Result],
    part: Part = EVERYTHING,
    *,
    has_side_effects: bool = False,
) -> _Result:
    """Return the result of `use` for a part of a recording, with the first decoder that succeeds.

    If a decoder may have stopped before the end of the sound, the next one runs too, and the longest
    result is returned.

    Parameters
    ----------
    source : Path or bytes
        As for `load_audio`.
    use : callable
        Reads the blocks; called again with another decoder if reading breaks off or may have ended too
        early.
    part : Part
    has_side_effects : bool
        `use` has a side effect, such as writing a file: the result of its last call is returned then.

    Raises
    ------
    UnreadableAudio, EmptyAudio, InvalidSamples, ParameterError, AudioTooLarge
        As for `load_audio`.
    """
    if source == b"":
        raise EmptyAudio("the upload has 0 bytes; send the bytes of a sound file")

    def attempt(opener: _Opener) -> _Attempt[_Result]:
        stream = opener(source, part.start_s)
        try:
            _check_format(stream)
            opened = OpenPart(stream, part)
            result = use(opened)
            return _Attempt(opener, result, opened.read_to_s, opened.is_ended or stream.doubt() is None)
        finally:
            # Closes the file if it was not read to the end.
            stream.blocks.close()

    tries = _Tries(source, attempt)
    for opener in DECODERS:
        if tries.ask(opener):
            break
    for opener in tries.last_resorts:
        if tries.best is None:
            tries.ask(opener)
    best = tries.found()
    return attempt(best.opener).result if has_side_effects and tries.last is not best else best.result


class _Attempt(NamedTuple, Generic[_Result]):
    """Result of one decoder, the second up to which it read, and whether it reached the end."""

    opener: _Opener
    result: _Result
    read_to_s: float
    is_all: bool


@dataclass
class _Tries(Generic[_Result]):
    """Results of the decoders that were tried so far."""

    source: AudioSource
    attempt: Callable[[_Opener], _Attempt[_Result]]
    best: _Attempt[_Result] | None = None
    last: _Attempt[_Result] | None = None
    last_resorts: list[_Opener] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    is_empty: bool = False
    past_end_error: ParameterError | None = None

    def ask(self, opener: _Opener) -> bool:
        """Try a decoder; return whether it reached the end, so that no other is needed."""
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
        # A crashed recorder leaves a length of 0 in the header; other decoders ignore it.
        self.is_empty = self.is_empty or isinstance(exc, _NoSamplesError)
        if isinstance(exc, _PastEndError):
            self.past_end_error = exc.error
        self.reasons.append(f"{name}: {exc}")

    def found(self) -> _Attempt[_Result]:
        """Return the best attempt, or raise the reason why all failed."""
        if self.best is not None:
            return self.best
        if self.past_end_error is not None:
            raise self.past_end_error
        if self.is_empty:
            shown = shown_source(self.source)
            raise EmptyAudio(f"{shown} has 0 audio samples; record or export it again")
        raise unreadable_error(self.source, self.reasons)


def _name_of(opener: _Opener) -> str:
    plain: Any = opener.func if isinstance(opener, partial) else opener
    return str(plain.__name__.removeprefix("open_with_"))


def _check_format(stream: AudioStream) -> None:
    if not MIN_RATE_HZ <= stream.sample_rate_hz <= MAX_RATE_HZ:
        raise DecodeError(f"sample rate {stream.sample_rate_hz} Hz is out of range")
