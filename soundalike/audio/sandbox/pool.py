"""A few processes that are kept warm, run one function at a time each, and can be killed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from soundalike.audio.sandbox.process import Process, ProcessFailure, ProcessTooLarge
from soundalike.errors import ServiceError

_Result = TypeVar("_Result")
#: Decoders leak a little now and then; after so many calls a process makes room for a fresh one.
_MOST_CALLS = 500


class ProcessPool:
    """Processes for calls that may crash, hang or grow.

    Safe to be used from several threads: each call has a process of its own, and where all are busy it
    waits for one. A process that crashed or was killed is replaced at once.

    Parameters
    ----------
    size : int
        Processes at the same time.
    memory_mb : int
        Megabytes that each may hold.
    started : int
        How many are started now; the others when they are needed.
    is_eager : bool
        Each loads all that it may need before its first call.
    """

    def __init__(self, size: int, memory_mb: int, *, started: int = 0, is_eager: bool = True) -> None:
        self._size = size
        self._memory_mb = memory_mb
        self._is_eager = is_eager
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Process] = []
        self._everybody: set[Process] = set()
        self._is_closed = False
        self.start(started)

    def start(self, count: int, *, may_fork: bool = False) -> None:
        """Start processes that will be needed soon, up to this number and the pool's size.

        Parameters
        ----------
        count : int
        may_fork : bool
            Fork this process, which spares them all that it has loaded already, where it has one thread.
        """
        for _ in range(min(count, self._size) - len(self._everybody)):
            # Behind those that are ready.
            self._idle.insert(0, self._start(may_fork=may_fork and threading.active_count() == 1))

    def call(
        self,
        function: Callable[..., _Result],
        *arguments: Any,
        timeout_s: float,
        folder: Path | None = None,
        excluded: Collection[str] = (),
        **keywords: Any,
    ) -> _Result:
        """Return what a function returns, or raise what it raises.

        Parameters
        ----------
        function : callable
            That can be found again by its module and name, or a method of what can be pickled.
        timeout_s : float
            From the moment when a process is free for it.
        folder : Path, optional
            Where large arrays are written to on their way back; they come back mapped.
        excluded : collection of str
            Decoders that are not to be asked.

        Raises
        ------
        ProcessCrashed, ProcessTooSlow, ProcessTooLarge
            See there.
        ServiceError
            No process can be started, or the pool was closed.
        """
        with self._places:
            process = self._take()
            is_well = False
            try:
                question = (function, arguments, keywords, timeout_s, folder, excluded)
                has_returned, value = process.ask(question, timeout_s)
                is_well = True
            except ProcessFailure as exc:
                exc.decoder = process.decoder
                raise
            finally:
                self._give_back(process, is_well=is_well)
        if not has_returned:
            raise _told(value, process.decoder)
        result: _Result = value
        return result

    def abandon(self) -> None:
        """Let go of processes that are another one's, after a fork; they are not ended."""
        for process in self._everybody:
            process.abandon()

    def close(self) -> None:
        """End all processes; calls that are under way fail."""
        with self._lock:
            self._is_closed = True
            everybody, self._idle = list(self._everybody), []
        for process in everybody:
            self._end(process)

    def _take(self) -> Process:
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return self._start()
            if process.is_alive():
                return process
            # Somebody has killed it, such as the kernel where memory was short.
            self._end(process)

    def _give_back(self, process: Process, *, is_well: bool) -> None:
        if not is_well or process.n_calls >= _MOST_CALLS:
            self._end(process)
            try:
                process = self._start()
            except ServiceError:
                return
        with self._lock:
            if not self._is_closed:
                self._idle.append(process)

    def _start(self, *, may_fork: bool = False) -> Process:
        with self._lock:
            if self._is_closed:
                raise ServiceError("the service is stopping; ask again when it is back")
            process = Process(self._memory_mb, is_eager=self._is_eager, is_forked=may_fork)
            self._everybody.add(process)
        return process

    def _end(self, process: Process) -> None:
        process.kill()
        with self._lock:
            self._everybody.discard(process)


def _told(exc: Exception, decoder: str | None) -> Exception:
    """Return what a call has raised; where memory was short, with the decoder that was at work."""
    if not isinstance(exc, MemoryError):
        return exc
    failure = ProcessTooLarge(*exc.args)
    failure.decoder = decoder
    return failure
