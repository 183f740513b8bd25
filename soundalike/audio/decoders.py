"""The decoders, each in the same form: a stream of blocks at the file's own rate, from a second on.

They are tried in order, and each judges by content, never by the file name's extension:

1. libsndfile (the decoder that librosa uses): WAV, FLAC, OGG Vorbis and Opus, MP3, AIFF, CAF, W64.
2. PyAV (FFmpeg's libraries): M4A/AAC, MP4, WMA, Matroska/WebM, and MP3 that libsndfile refuses. It
   steps over damaged packets.
3. The ``ffmpeg`` program where one is installed: rarer formats, through a temporary file.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.audio.sources import AudioSource

BLOCK_FRAMES = 1 << 16
#: Containers that FFmpeg may open. Without a list it also takes play lists and concat scripts, which
#: make it open other files and addresses that the content names.
_FFMPEG_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,dts,eac3,flac,flv,"
    "matroska,mov,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv"
)
_FFMPEG_TIMEOUT_S = 600
#: Containers that note the time of each packet. In bare streams it is guessed from the bit rate.
_WITH_TIMES = {"mov", "matroska"}
#: Decoders need some frames before they give the same samples as when they began at the start.
_RUN_UP_S = 1.0
_LONGEST_GAP_S = 60
_CORRECTED_LENGTH = re.compile(r"^\s*data\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)
#: What programs write that do not know the length yet; it promises nothing.
_STREAMED_LENGTH = 0x7FFFF000
#: libsndfile gives the highest number of frames there is where it does not know the length.
_UNKNOWN_LENGTH_S = 1e9


class DecodeError(Exception):
    """A decoder could not read the content; the next one is tried."""


@dataclass(slots=True)
class AudioStream:
    """An open recording.

    Attributes
    ----------
    decoder : str
        Which decoder reads it.
    sample_rate_hz : int
        The file's own rate.
    declared_s : float or None
        Length that the header promises, in seconds.
    blocks : iterator of (n_frames, n_channels) float32
        The samples in order. Raises `DecodeError` where the content breaks off.
    damaged_packets : list of str
        One entry for each packet that was stepped over; grows while `blocks` is read.
    first_frame : int
        Where in the recording `blocks` begins, in frames. Not behind the start that was asked for, and
        before it where the format does not allow to go there at once.
    """

    decoder: str
    sample_rate_hz: int
    declared_s: float | None
    blocks: Iterator[npt.NDArray[np.float32]]
    damaged_packets: list[str] = field(default_factory=list)
    first_frame: int = 0


def open_with_sndfile(source: AudioSource, start_s: float = 0.0) -> AudioStream:
    """Open with libsndfile."""
    import soundfile

    class Sequential(soundfile.SoundFile):
        """A file that is read from front to back.

        After each block soundfile seeks to where it already is. In MP3 a seek loses the bits that
        earlier frames left for later ones, and the first frame of each block comes out damaged.
        """

        def seekable(self) -> bool:
            return False

    try:
        # Names that are not UTF-8 pass only as bytes.
        file = Sequential(io.BytesIO(source) if isinstance(source, bytes) else os.fsencode(source))
    except (soundfile.SoundFileError, TypeError, OSError) as exc:
        raise DecodeError(_reason(exc)) from exc
    declared_s = _declared_s(file.frames / file.samplerate, file.extra_info)
    first_frame = 0
    wanted = int((start_s - _RUN_UP_S) * file.samplerate)
    if 0 < wanted < file.frames:
        # Where it does not work the file is read from its start.
        with suppress(soundfile.SoundFileError):
            first_frame = file.seek(wanted)

    def blocks() -> Iterator[npt.NDArray[np.float32]]:
        with file:
            while True:
                try:
                    block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
                except soundfile.SoundFileError as exc:
                    raise DecodeError(_reason(exc)) from exc
                if not len(block):
                    return
                yield block

    return AudioStream("libsndfile", file.samplerate, declared_s, blocks(), first_frame=first_frame)


def _declared_s(duration_s: float, log: str) -> float | None:
    """Return the length that a header promises, from what libsndfile notes while it opens a file.

    Of a WAV file that ends early it reports the length that is there, and only its log tells what
    the header said: ``data : 320000 (should be 100000)``.
    """
    if not 0 < duration_s < _UNKNOWN_LENGTH_S:
        return None
    found = _CORRECTED_LENGTH.search(log)
    promised, there = (int(number) for number in found.groups()) if found else (1, 1)
    return duration_s * promised / there if 0 < there < promised < _STREAMED_LENGTH else duration_s


def open_container(source: AudioSource, options: Mapping[str, str] | None = None) -> Any:
    """Open a container with FFmpeg's libraries, whose ways to other files are shut.

    Parameters
    ----------
    source : Path or bytes
        A file that `soundalike.audio.resolve_path` has approved, or an upload.
    options : mapping, optional
        More options of FFmpeg.

    Returns
    -------
    container : av.container.InputContainer
        To be closed by the caller.

    Raises
    ------
    DecodeError
        FFmpeg does not know it.
    """
    import av

    av.logging.set_level(None)
    shut = {"format_whitelist": _FFMPEG_FORMATS, "protocol_whitelist": "file"}
    # What stands before a colon in a relative name would be taken for a protocol.
    file: Any = io.BytesIO(source) if isinstance(source, bytes) else os.path.abspath(source)
    try:
        # Old files hold tags in Latin-1, which say nothing about the sound.
        return av.open(file, mode="r", options={**(options or {}), **shut}, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as exc:
        raise DecodeError(_reason(exc)) from exc


def open_with_pyav(source: AudioSource, start_s: float = 0.0) -> AudioStream:
    """Open the first audio stream of a container with FFmpeg's libraries."""
    container = open_container(source)
    if not container.streams.audio:
        container.close()
        raise DecodeError("no audio track inside")
    track = container.streams.audio[0]
    if track.codec_context is None:
        container.close()
        raise DecodeError("nothing decodes the coding of its audio track")
    declared_s = float(track.duration * track.time_base) if track.duration else None
    stream = AudioStream("PyAV", track.rate or 0, declared_s, iter(()))
    if start_s > _RUN_UP_S and not _WITH_TIMES.isdisjoint(container.format.name.split(",")):
        stream.first_frame = _go_to(container, track, start_s - _RUN_UP_S)
    stream.blocks = _pyav_blocks(container, stream.damaged_packets)
    return stream


def _go_to(container: Any, track: Any, start_s: float) -> int:
    """Let a container be read from about a second on; return the frame at which it then begins."""
    import av

    def seek(seconds: float) -> None:
        container.seek(round((zero_s + seconds) / track.time_base), stream=track)

    zero_s = 0.0
    try:
        # Time stamps need not begin with 0.
        zero_s = _time_of_next_frame(container)
        seek(start_s)
        begins_s = _time_of_next_frame(container) - zero_s
        # What was read to learn that is read once more.
        seek(start_s if 0 <= begins_s <= start_s + _RUN_UP_S else 0.0)
    except (av.FFmpegError, StopIteration, TypeError) as exc:
        raise DecodeError(f"it cannot be read from {start_s:g} s on: {_reason(exc)}") from exc
    return round(begins_s * track.rate) if 0 <= begins_s <= start_s + _RUN_UP_S else 0


def _time_of_next_frame(container: Any) -> float:
    frame = next(container.decode(audio=0))
    return float(frame.pts * frame.time_base)


def _pyav_blocks(container: Any, damaged: list[str]) -> Iterator[npt.NDArray[np.float32]]:
    import av

    # "fltp" without a layout or a rate changes the sample format only; mixing and resampling have
    # one place each, and it is not here.
    to_float = av.AudioResampler(format="fltp")
    clock = _Clock()
    with container:
        try:
            for packet in container.demux(audio=0):
                try:
                    frames = packet.decode()
                except av.FFmpegError as exc:
                    damaged.append(_reason(exc))
                    continue
                for frame in frames:
                    missing = clock.samples_missing_before(frame)
                    if missing:
                        damaged.append(f"{missing} samples are missing")
                        yield np.zeros((missing, len(frame.layout.channels)), dtype=np.float32)
                    for converted in to_float.resample(frame):
                        yield np.ascontiguousarray(converted.to_ndarray().T, dtype=np.float32)
            # No flush: without a rate change the converter holds nothing back.
        except (av.FFmpegError, ValueError) as exc:
            raise DecodeError(_reason(exc)) from exc


class _Clock:
    """Compares the time stamps of frames with what came before, to see what was left out.

    FFmpeg leaves out frames that it cannot decode without a word. Silence in their place keeps the times
    of everything after them right.
    """

    def __init__(self) -> None:
        self._next: float | None = None

    def samples_missing_before(self, frame: Any) -> int:
        """Return how many samples are missing between the last frame and this one."""
        if frame.pts is None or frame.time_base is None:
            return 0
        begins = float(frame.pts * frame.time_base) * frame.sample_rate
        missing = round(begins - self._next) if self._next is not None else 0
        self._next = begins + frame.samples
        # Below a frame it is the rounding of time stamps; far above, a jump of the clock.
        return missing if frame.samples // 2 < missing < _LONGEST_GAP_S * frame.sample_rate else 0


def open_with_ffmpeg(source: AudioSource, start_s: float = 0.0) -> AudioStream:
    """Decode with the ``ffmpeg`` program into a temporary WAV file, then read that."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise DecodeError("the ffmpeg program is not installed")
    with tempfile.TemporaryDirectory(prefix="soundalike-") as folder:
        given = Path(folder, "upload") if isinstance(source, bytes) else source
        if isinstance(source, bytes):
            given.write_bytes(source)
        wav = Path(folder, "decoded.wav")
        command = [
            *(program, "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe"),
            *("-format_whitelist", _FFMPEG_FORMATS, "-i", str(given), "-map", "0:a:0"),
            *("-c:a", "pcm_f32le", "-rf64", "auto", str(wav)),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_FFMPEG_TIMEOUT_S)  # noqa: S603 - a fixed program, no shell, and the path is one argument
        except subprocess.CalledProcessError as exc:
            lines = exc.stderr.decode(errors="replace").strip().splitlines()
            raise DecodeError(lines[-1] if lines else f"exit status {exc.returncode}") from exc
        except subprocess.TimeoutExpired as exc:
            raise DecodeError(f"no end after {_FFMPEG_TIMEOUT_S} s") from exc
        stream = open_with_sndfile(wav, start_s)
    # The open file outlives the folder: its blocks are read after the name is gone.
    stream.decoder = "ffmpeg"
    return stream


DECODERS: tuple[Callable[[AudioSource, float], AudioStream], ...] = (
    open_with_sndfile,
    open_with_pyav,
    open_with_ffmpeg,
)


def _reason(exc: BaseException) -> str:
    """Return the shortest useful part of a decoder's message, without paths or memory addresses."""
    text = getattr(exc, "error_string", None) or getattr(exc, "strerror", None) or str(exc)
    if "possibly a pipe" in str(text):
        # So libsndfile says that it finds nothing of what the name promises.
        return "Format not recognised"
    return " ".join(str(text).split()).rstrip(".") or type(exc).__name__
