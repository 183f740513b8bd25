"""A pool of warm processes that run one function at a time and can be killed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from soundalike.audio.sandbox.process import Process, ProcessFailure, ProcessGone, ProcessTooLarge
from soundalike.errors import ServiceError

_Result = TypeVar("_Result")
#: Decoders may leak memory; a process is replaced after this many calls.
_MOST_CALLS = 500


class ProcessPool:
    """Processes for calls that may crash, hang or use too much memory.

    Thread-safe: each call has its own process, and waits for one if all are busy. A process that crashed
    or was killed is replaced at once.

    Parameters
    ----------
    size : int
        Maximum number of processes.
    memory_mb : int
        Memory limit of each process in megabytes.
    started : int
        Number of processes to start now; the others start on demand.
    is_eager : bool
        Processes load all modules before their first call.
    """

    def __init__(self, size: int, memory_mb: int, *, started: int = 0, is_eager: bool = True) -> None:
        self._size = size
        self._memory_mb = memory_mb
        self._is_eager = is_eager
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Process] = []
        self._processes: set[Process] = set()
        self._is_closed = False
        self.start(started)

    def start(self, count: int, *, may_fork: bool = False) -> None:
        """Start processes in advance, up to this number and the pool's size.

        Parameters
        ----------
        count : int
        may_fork : bool
            Fork this process if it has a single thread; the children then share its loaded modules.
        """
        for _ in range(min(count, self._size) - len(self._processes)):
            # Ready processes are taken first.
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
        """Run a function in a process; return its result or raise its error.

        Parameters
        ----------
        function : callable
            Picklable: a function of a module, or a method of a picklable object.
        timeout_s : float
            Time limit in seconds, counted from the moment when a process is free.
        folder : Path, optional
            Folder for large arrays in the result, which are memory-mapped.
        excluded : collection of str
            Decoders to skip.

        Raises
        ------
        ProcessCrashed, ProcessTooSlow, ProcessTooLarge
            The process failed.
        ServiceError
            No process can be started, or the pool is closed.
        """
        question = (function, arguments, keywords, timeout_s, folder, excluded)
        with self._slots:
            # One that was killed a moment ago may still count as alive, and all may have been killed.
            for _ in range(self._size):
                with suppress(ProcessGone):
                    return self._asked(question, timeout_s)
            return self._asked(question, timeout_s)

    def abandon(self) -> None:
        """Forget processes that belong to the parent, after a fork, without ending them."""
        for process in self._processes:
            process.abandon()

    def close(self) -> None:
        """End all processes; running calls fail."""
        with self._lock:
            self._is_closed = True
            processes, self._idle = list(self._processes), []
        for process in processes:
            self._end(process)

    def _asked(
        self, question: tuple[Callable[..., _Result], *tuple[Any, ...]], timeout_s: float
    ) -> _Result:
        """Run a call in a process; return its result or raise its error."""
        process = self._take()
        is_well = False
        try:
            has_returned, value = process.ask(question, timeout_s)
            is_well = True
        except ProcessFailure as exc:
            exc.decoder = process.decoder
            raise
        finally:
            self._give_back(process, is_well=is_well)
        if not has_returned:
            raise _raised(value, process.decoder)
        result: _Result = value
        return result

    def _take(self) -> Process:
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return self._start()
            if process.is_alive():
                return process
            # Killed from outside, for example by the kernel when memory was short.
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
            self._processes.add(process)
        return process

    def _end(self, process: Process) -> None:
        process.kill()
        with self._lock:
            self._processes.discard(process)


def _raised(exc: Exception, decoder: str | None) -> Exception:
    """Return the error of a call; a MemoryError becomes `ProcessTooLarge` with the running decoder."""
    if not isinstance(exc, MemoryError):
        return exc
    failure = ProcessTooLarge(*exc.args)
    failure.decoder = decoder
    return failure
