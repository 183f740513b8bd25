"""The decoders, in the order of use; each detects the format by content, never by the file's name.

1. libsndfile (the decoder that librosa uses): WAV, FLAC, OGG Vorbis and Opus, MP3, AIFF, CAF, W64. 2.
PyAV (FFmpeg's libraries): M4A/AAC, films, WMA, Matroska/WebM, and files that libsndfile would cut short.
3. The ``ffmpeg`` program, if installed: rarer formats, through a temporary file.
"""

from __future__ import annotations

from collections.abc import Callable

from soundalike.audio.containers import open_container, open_with_pyav
from soundalike.audio.program import open_with_ffmpeg
from soundalike.audio.sndfile import open_with_sndfile
from soundalike.audio.streams import BLOCK_FRAMES, AudioStream, DecodeError

__all__ = [
    "BLOCK_FRAMES",
    "DECODERS",
    "AudioStream",
    "DecodeError",
    "open_container",
    "open_with_ffmpeg",
    "open_with_pyav",
    "open_with_sndfile",
]

DECODERS: tuple[Callable[..., AudioStream], ...] = (
    open_with_sndfile,
    open_with_pyav,
    open_with_ffmpeg,
)
