"""Decode with PyAV (FFmpeg's libraries): M4A/AAC, films, Matroska, WMA, and more."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import soxr

from soundalike.audio import mpeg
from soundalike.audio.content import open_content
from soundalike.audio.sources import AudioSource
from soundalike.audio.streams import (
    BLOCK_FRAMES,
    RUN_UP_S,
    AudioStream,
    Block,
    Blocks,
    DecodeError,
    reason,
)
from soundalike.audio.timeline import Timeline, time_of

#: Blocked formats of FFmpeg, by reason.
BLOCKED_FORMATS = {
    "opens other files or addresses that the content names": (
        *("concat", "concatf", "hls", "dash", "imf", "hds", "sdp", "rtsp", "rtp", "sap", "image2"),
        *("image2pipe", "webm_dash_manifest", "vobsub"),
    ),
    "runs a script": ("avisynth", "vapoursynth", "sbg", "lavfi"),
    "is a device": (
        *("alsa", "oss", "pulse", "jack", "sndio", "fbdev", "kmsgrab", "x11grab", "xcbgrab"),
        *("video4linux2", "v4l2", "libcdio", "openal", "dv1394", "iec61883", "decklink"),
    ),
}
#: Formats in which FFmpeg can seek to a time.
_SEEKABLE = {"mov", "matroska"}
#: Formats whose header holds the length. In others FFmpeg estimates it from the first bit rate.
_EXACT_LENGTH = {
    *("mov", "flac", "wav", "w64", "aiff", "caf", "ape", "tta", "wv", "tak"),
    *("ogg", "asf", "au", "dsf", "voc", "shn"),
}
#: Formats that are read sequentially; bytes after their end were not played.
_FRONT_TO_BACK = {"tta", "ape", "wv", "tak", "mpc", "mpc8", "shn"}
_UNREAD_BYTES = 1 << 16
_PCM = re.compile(r"pcm_[suf]([0-9]+)(?:le|be)?")
#: Beginnings of packets between concatenated streams that are not sound: tags and stream headers.
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"Speex", b"OpusTags", b"\3vorbis", bytes(4))
_TAG_BYTES = 8
#: Content with more damaged packets than this per decoded frame is not sound.
_MOST_DAMAGED = 1


@lru_cache(maxsize=1)
def allowed_formats() -> str:
    """Return the names of the allowed formats of FFmpeg, separated by commas."""
    import av

    shut = {name for names in BLOCKED_FORMATS.values() for name in names}
    return ",".join(sorted(av.formats_available - shut))


def open_container(source: AudioSource, options: Mapping[str, str] | None = None) -> Any:
    """Open a container with FFmpeg's libraries; access to other files and addresses is blocked.

    Parameters
    ----------
    source : Path or bytes
        A file that `soundalike.audio.sources.resolve_path` has approved, or an upload.
    options : mapping, optional
        More options of FFmpeg.

    Returns
    -------
    container : av.container.InputContainer
        To be closed by the caller.

    Raises
    ------
    DecodeError
        FFmpeg does not know the format.
    """
    return _opened(open_content(source).file, options or {})


def _opened(file: BinaryIO, options: Mapping[str, str]) -> Any:
    import av

    av.logging.set_level(None)
    shut = {"format_whitelist": allowed_formats(), "protocol_whitelist": ""}
    try:
        # Old files have tags in Latin-1, which do not matter for the sound.
        return av.open(file, mode="r", options={**options, **shut}, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as exc:
        file.close()
        raise DecodeError(_error_text(exc)) from exc


def _error_text(exc: BaseException) -> str:
    import av

    if isinstance(exc, av.InvalidDataError | av.FileNotFoundError):
        return "FFmpeg does not know its format"
    return reason(exc)


def open_with_pyav(source: AudioSource, start_s: float = 0.0) -> AudioStream:
    """Open the first audio stream of a container with FFmpeg's libraries."""
    content = open_content(source)
    length = mpeg.stated_length(content.file) if mpeg.is_mpeg(content.file) else None
    content.file.seek(0)
    container = _opened(content.file, {})
    try:
        track = _Track(container, content.file)
        if start_s > RUN_UP_S:
            track.go_to(start_s - RUN_UP_S)
    except BaseException:
        container.close()
        raise
    track.notes.extend(content.notes)
    # FFmpeg takes the length of truncated CAF files from the bytes that are present.
    if content.declared_ratio > 1 and "caf" in track.formats:
        times = f"{content.declared_ratio:.2f}"
        track.notes.append(f"truncated: the header declares {times} times the bytes that are present")
    return track.stream(length.declared_s if length and "mp3" in track.formats else None)


class _Track:
    """The first audio track of a container, on the time axis of a player."""

    def __init__(self, container: Any, file: BinaryIO) -> None:
        if not container.streams.audio:
            raise DecodeError("no audio track inside")
        self._container, self._track, self._file = container, container.streams.audio[0], file
        if self._track.codec_context is None:
            raise DecodeError("no decoder for the codec of its audio track")
        _forget_custom_layout(self._track)
        self.formats = set(container.format.name.split(","))
        self.notes: list[str] = []
        self._damaged: list[str] = []
        self._n_decoded = 0
        self._n_damaged_before = 0
        self._end: str | None = None
        self._frames = self._decoded()
        self._first = next(self._frames, None)
        start = container.start_time
        self._timeline = Timeline(self.formats, self._first, None if start is None else start / 1e6)

    def go_to(self, start_s: float) -> None:
        """Seek to a second, or to some time before it, if the format supports seeking."""
        timeline = self._timeline
        if _SEEKABLE.isdisjoint(self.formats) or start_s <= timeline.lead_s:
            return
        begins_s = self._after_seek(start_s)
        if begins_s is None or not 0 <= begins_s - timeline.shift_s <= start_s + RUN_UP_S:
            self._after_seek(0.0)
        else:
            timeline.begin_at(begins_s)

    def _after_seek(self, start_s: float) -> float | None:
        import av

        self._damaged.clear()
        try:
            at = round((self._timeline.shift_s + start_s) / self._track.time_base)
            self._container.seek(at, stream=self._track)
        except av.FFmpegError as exc:
            raise DecodeError(f"seeking to {start_s:g} s failed: {reason(exc)}") from exc
        self._frames = self._decoded()
        self._first = next(self._frames, None)
        return time_of(self._first)

    def stream(self, declared_s: float | None) -> AudioStream:
        """Return the stream; its blocks are decoded on demand."""
        rate_hz = self._first.sample_rate if self._first else self._track.rate or 0
        return AudioStream(
            "PyAV",
            rate_hz,
            self._declared_s() if declared_s is None else declared_s,
            self._blocks(rate_hz),
            self._damaged,
            self.notes,
            first_frame=round(self._timeline.position_s * rate_hz),
            doubt=lambda: self._end,
        )

    def _declared_s(self) -> float | None:
        track, timeline = self._track, self._timeline
        if not track.duration or _EXACT_LENGTH.isdisjoint(self.formats):
            return None
        begins_s = float((track.start_time or 0) * track.time_base)
        # If the track does not declare its start, the first frame gives it.
        shift_s = timeline.shift_s if track.start_time is not None else begins_s - timeline.lead_s
        return begins_s + float(track.duration * track.time_base) - shift_s

    def _decoded(self) -> Iterator[Any]:
        """Yield frames; record packets that cannot be decoded, and where the content breaks off."""
        import av

        try:
            for packet in self._container.demux(self._track):
                try:
                    frames = packet.decode()
                except av.FFmpegError as exc:
                    if not bytes(packet)[:_TAG_BYTES].startswith(_TAGS):
                        self._damaged.append(reason(exc))
                    continue
                self._n_decoded += len(frames)
                yield from frames
        except (av.FFmpegError, ValueError) as exc:
            self._end = f"its content breaks off: {reason(exc)}"

    def _blocks(self, rate_hz: int) -> Blocks:
        with self._container:
            yield from _in_blocks(self._samples(rate_hz))
            unread = -self._file.tell() + self._file.seek(0, io.SEEK_END)
        if "mp3" in self.formats:
            # Tags follow the last frame.
            del self._damaged[self._n_damaged_before :]
        if len(self._damaged) > _MOST_DAMAGED * self._n_decoded:
            raise DecodeError(
                f"{len(self._damaged)} of its packets cannot be decoded: {self._damaged[0]}"
            )
        self._note_end(unread)

    def _note_end(self, unread: int) -> None:
        if self._end is not None:
            self.notes.append(self._end)
        elif unread > _UNREAD_BYTES and not _FRONT_TO_BACK.isdisjoint(self.formats):
            self.notes.append(f"trailing data: {unread} bytes after the sound are not read")
        if gaps_s := self._timeline.gaps_s:
            self.notes.append(
                f"gaps: {len(gaps_s)} in the sound, filled with {sum(gaps_s):.2f} s of silence"
            )

    def _samples(self, rate_hz: int) -> Iterator[Block]:
        import av

        converter = _Converter(rate_hz)
        try:
            for frame in self._from_first():
                is_after_damage = len(self._damaged) > self._n_damaged_before
                self._n_damaged_before = len(self._damaged)
                silence_s = self._timeline.silence_before(frame, is_after_damage=is_after_damage)
                if silence_s:
                    yield from converter.flush()
                    yield from _silence(round(silence_s * rate_hz), frame.layout.nb_channels)
                yield from converter.convert(frame)
            yield from converter.flush()
        except (av.FFmpegError, ValueError) as exc:
            raise DecodeError(reason(exc)) from exc

    def _from_first(self) -> Iterator[Any]:
        if self._first is not None:
            yield self._first
            yield from self._frames


def _forget_custom_layout(track: Any) -> None:
    """Remove the channel names of uncompressed samples with many channels.

    QuickTime names each channel, and PyAV 18 frees the memory of such names twice, which corrupts the
    process, even when only the number of channels is read. The mix-down does not need the names.
    """
    coding = track.codec_context
    sample = _PCM.fullmatch(coding.name)
    if sample and coding.rate and track.bit_rate:
        n_channels = round(track.bit_rate / (coding.rate * int(sample[1])))
        if n_channels > 2:
            coding.layout = f"{n_channels} channels"


def _silence(n_frames: int, n_channels: int) -> Iterator[Block]:
    for begin in range(0, n_frames, BLOCK_FRAMES):
        yield np.zeros((min(BLOCK_FRAMES, n_frames - begin), n_channels), dtype=np.float32)


def _in_blocks(pieces: Iterator[Block]) -> Iterator[Block]:
    """Yield the same samples in larger blocks; a block has one number of channels."""
    waiting: list[Block] = []
    n_waiting = 0
    for piece in pieces:
        if waiting and (n_waiting >= BLOCK_FRAMES or waiting[0].shape[1] != piece.shape[1]):
            yield np.concatenate(waiting)
            waiting, n_waiting = [], 0
        waiting.append(piece)
        n_waiting += len(piece)
    if waiting:
        yield np.concatenate(waiting)


class _Converter:
    """Converts frames of any format, channels and rate to float samples of one rate.

    Parameters
    ----------
    rate_hz : int
        Rate of the first frame; frames of another rate are resampled to it.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._kind: tuple[Any, ...] = ()
        self._to_float: Any = None
        self._resampler: soxr.ResampleStream | None = None

    def convert(self, frame: Any) -> Iterator[Block]:
        """Yield the samples of a frame, ``(n, n_channels)``."""
        import av

        n_channels = frame.layout.nb_channels
        kind = (frame.format.name, frame.layout.name, n_channels, frame.sample_rate)
        if kind != self._kind:
            yield from self.flush()
            self._kind = kind
            # Interleaved: PyAV searches for the end of a list of planes, which more than seven lack.
            self._to_float = av.AudioResampler(format="flt")
            if frame.sample_rate != self._rate_hz:
                self._resampler = soxr.ResampleStream(
                    frame.sample_rate, self._rate_hz, n_channels, dtype="float32", quality="HQ"
                )
        for converted in self._to_float.resample(frame):
            samples = converted.to_ndarray().reshape(-1, n_channels)
            yield self._resampler.resample_chunk(samples) if self._resampler else samples

    def flush(self) -> Iterator[Block]:
        """Yield buffered samples; the next frame may have another format."""
        if self._resampler is not None:
            nothing = np.zeros((0, self._kind[2]), np.float32)
            yield self._resampler.resample_chunk(nothing, last=True)
        self._resampler, self._kind = None, ()
