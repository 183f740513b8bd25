"""Decode with the ``ffmpeg`` program, if installed: it may support more formats than the libraries."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from soundalike.audio.containers import allowed_formats
from soundalike.audio.sndfile import open_with_sndfile
from soundalike.audio.sources import AudioSource
from soundalike.audio.streams import AudioStream, DecodeError

_TIMEOUT_S = 600


def open_with_ffmpeg(source: AudioSource, start_s: float = 0.0) -> AudioStream:
    """Decode with the ``ffmpeg`` program into a temporary WAV file, then read that."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise DecodeError("the ffmpeg program is not installed")
    with tempfile.TemporaryDirectory(prefix="soundalike-") as folder:
        # A neutral name: ffmpeg would choose the format by the name.
        given = Path(folder, "content")
        if isinstance(source, bytes):
            given.write_bytes(source)
        else:
            given.symlink_to(source.absolute())
        wav = Path(folder, "decoded.wav")
        command = [
            *(program, "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe"),
            *("-format_whitelist", allowed_formats(), "-i", str(given), "-map", "0:a:0"),
            *("-c:a", "pcm_f32le", "-rf64", "auto", str(wav)),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)  # noqa: S603 - a fixed program, no shell, and the path is one argument
        except subprocess.CalledProcessError as exc:
            lines = exc.stderr.decode(errors="replace").strip().splitlines()
            said = lines[-1].replace(f"{given}: ", "") if lines else f"exit status {exc.returncode}"
            raise DecodeError(said) from exc
        except subprocess.TimeoutExpired as exc:
            raise DecodeError(f"no end after {_TIMEOUT_S} s") from exc
        stream = open_with_sndfile(wav, start_s)
    # The open file outlives the folder: its blocks are read after it is unlinked.
    stream.decoder = "ffmpeg"
    return stream
