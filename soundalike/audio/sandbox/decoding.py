"""Decode in processes that may crash or hang, and report failures as audio errors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from soundalike.audio.sandbox.pool import ProcessPool
from soundalike.audio.sandbox.process import ProcessCrashed, ProcessFailure, ProcessTooSlow
from soundalike.audio.sources import shown_source
from soundalike.errors import (
    AudioError,
    AudioNotFound,
    AudioTooLarge,
    AudioTooSlow,
    EmptyAudio,
    UnreadableAudio,
)
from soundalike.faults import recording_error
from soundalike.limits import Limits
from soundalike.runtime.stages import stage

_Result = TypeVar("_Result")
_MB = 1 << 20


class IsolatedDecoding:
    """Runs functions that read sounds in separate processes.

    Parameters
    ----------
    limits : Limits
    processes : int, optional
        Number of processes; one per processor by default.
    started : int
        Number of processes to start now.
    is_eager : bool
        Processes load all modules before their first call.
    """

    def __init__(
        self,
        limits: Limits,
        processes: int | None = None,
        *,
        started: int = 0,
        is_eager: bool = True,
    ) -> None:
        self._base_s = limits.decode_s
        self._memory_mb = limits.decoder_memory_mb
        self._pool = ProcessPool(
            processes or os.cpu_count() or 1, self._memory_mb, started=started, is_eager=is_eager
        )

    def run(
        self,
        function: Callable[..., _Result],
        source: Path | bytes,
        *arguments: Any,
        folder: Path | None = None,
        **keywords: Any,
    ) -> _Result:
        """Call a function with a sound in another process; return its result or raise its error.

        After a crash, a timeout or a lack of memory the function is called again without the decoder
        that was running, as long as another decoder remains.

        Parameters
        ----------
        function : callable
            Called with the source and the other arguments; see `ProcessPool.call`.
        source : Path or bytes
            A file that `soundalike.audio.sources.resolve_path` has approved, or an upload.
        folder : Path, optional
            Folder for long recordings in the result.

        Raises
        ------
        AudioNotFound
            The file does not exist any more.
        UnreadableAudio
            A decoder crashed.
        AudioTooSlow
            Decoding exceeded the time limit.
        AudioTooLarge
            Decoding exceeded the memory limit.
        UnexpectedFault
            The function raised an unexpected error; see `soundalike.faults.recording_error`.
        """
        timeout_s = self._base_s + _size_bytes(source) / _MB
        excluded: set[str] = set()
        failure: AudioError | None = None
        while True:
            try:
                with stage("decode"):
                    return self._pool.call(
                        function,
                        source,
                        *arguments,
                        timeout_s=timeout_s,
                        folder=folder,
                        excluded=excluded,
                        **keywords,
                    )
            except ProcessFailure as exc:
                failure = self._described(exc, source, timeout_s)
                if exc.decoder is None or exc.decoder in excluded:
                    raise failure from exc
                excluded.add(exc.decoder)
            except (UnreadableAudio, EmptyAudio) as exc:
                # The remaining decoders cannot read it; the first failure is the useful message.
                raise failure or exc from exc
            except Exception as exc:
                name = shown_source(source) if isinstance(source, bytes) else str(source)
                raise recording_error(exc, name) from exc

    def _described(self, exc: ProcessFailure, source: Path | bytes, timeout_s: float) -> AudioError:
        """Return the audio error for a failed process."""
        shown = shown_source(source)
        if isinstance(exc, ProcessCrashed):
            return UnreadableAudio(f"a decoder crashed on {shown} ({exc}); convert it to WAV or FLAC")
        if isinstance(exc, ProcessTooSlow):
            return AudioTooSlow(
                f"decoding {shown} took longer than {timeout_s:.0f} s; convert it to WAV or FLAC, or "
                "raise SOUNDALIKE_DECODE_S"
            )
        return AudioTooLarge(
            f"decoding {shown} needs more than {self._memory_mb} MB; convert it to WAV or FLAC, or "
            "raise SOUNDALIKE_DECODER_MEMORY_MB"
        )

    def start(self, count: int, *, may_fork: bool = False) -> None:
        """Start processes in advance; see `ProcessPool.start`."""
        self._pool.start(count, may_fork=may_fork)

    def abandon(self) -> None:
        """Forget processes that belong to the parent, after a fork."""
        self._pool.abandon()

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def _size_bytes(source: Path | bytes) -> int:
    if isinstance(source, bytes):
        return len(source)
    try:
        return source.stat().st_size
    except OSError as exc:
        raise AudioNotFound(f"{str(source)!r}: {exc.strerror}; check the path") from exc
