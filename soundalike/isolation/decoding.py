"""Decoding in processes that may crash or hang, with the errors of decoding for what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from soundalike.audio.sources import AudioSource
from soundalike.errors import AudioNotFound, AudioTooLarge, AudioTooSlow, UnreadableAudio
from soundalike.isolation.pool import ProcessCrashed, ProcessPool, ProcessTooSlow
from soundalike.limits import Limits

_Result = TypeVar("_Result")
_MB = 1 << 20


class IsolatedDecoding:
    """Runs functions that read sounds, each in a process of its own.

    Parameters
    ----------
    limits : Limits
    processes : int, optional
        At the same time; one a processor by default.
    started : int
        How many are started now.
    """

    def __init__(self, limits: Limits, processes: int | None = None, *, started: int = 0) -> None:
        self._base_s = limits.decode_s
        self._memory_mb = limits.decoder_memory_mb
        self._pool = ProcessPool(processes or os.cpu_count() or 1, self._memory_mb, started=started)

    def run(
        self,
        function: Callable[..., _Result],
        source: AudioSource,
        *arguments: Any,
        folder: Path | None = None,
        **keywords: Any,
    ) -> _Result:
        """Return what a function makes of a sound, or raise what it raises.

        Parameters
        ----------
        function : callable
            Called with the source and the other arguments; see `ProcessPool.call`.
        source : Path or bytes
            A file that `soundalike.audio.resolve_path` has approved, or an upload.
        folder : Path, optional
            Where long recordings are kept on their way back.

        Raises
        ------
        AudioNotFound
            The file has vanished.
        UnreadableAudio
            A decoder has crashed.
        AudioTooSlow
            It took longer than it may.
        AudioTooLarge
            It needs more memory than it may have.
        """
        timeout_s = self._base_s + _size_bytes(source) / _MB
        try:
            return self._pool.call(
                function, source, *arguments, timeout_s=timeout_s, folder=folder, **keywords
            )
        except ProcessCrashed as exc:
            raise UnreadableAudio(
                f"a decoder has crashed on {_shown(source)} ({exc}); convert it to WAV or FLAC"
            ) from exc
        except ProcessTooSlow as exc:
            raise AudioTooSlow(
                f"decoding {_shown(source)} took longer than {timeout_s:.0f} s; convert it to WAV or "
                "FLAC, or raise SOUNDALIKE_DECODE_S"
            ) from exc
        except MemoryError as exc:
            raise AudioTooLarge(
                f"decoding {_shown(source)} needs more than {self._memory_mb} MB; convert it to WAV or "
                "FLAC, or raise SOUNDALIKE_DECODER_MEMORY_MB"
            ) from exc

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def _size_bytes(source: AudioSource) -> int:
    if isinstance(source, bytes):
        return len(source)
    try:
        return source.stat().st_size
    except OSError as exc:
        raise AudioNotFound(f"{str(source)!r}: {exc.strerror}; check the path") from exc


def _shown(source: AudioSource) -> str:
    return f"the upload of {len(source)} bytes" if isinstance(source, bytes) else repr(str(source))
