"""A few processes that are kept warm, run one function at a time each, and can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import soundalike
from soundalike.errors import ServiceError
from soundalike.isolation.transport import receive, send

_Result = TypeVar("_Result")
_START_TIMEOUT_S = 60.0
#: Decoders leak a little now and then; after so many calls a process makes room for a fresh one.
_MOST_CALLS = 500
#: Of the environment, and nothing else: keys and passwords are none of a decoder's business.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONTZPATH")


class ProcessCrashed(Exception):
    """The process ended in the middle of a call; the message says how."""


class ProcessTooSlow(Exception):
    """The call took longer than it may, and its process was killed."""


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
    """

    def __init__(self, size: int, memory_mb: int, *, started: int = 0) -> None:
        self._memory_mb = memory_mb
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._everybody: set[_Process] = set()
        self._is_closed = False
        for _ in range(started):
            self._idle.append(self._start())

    def call(
        self,
        function: Callable[..., _Result],
        *arguments: Any,
        timeout_s: float,
        folder: Path | None = None,
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

        Raises
        ------
        ProcessCrashed, ProcessTooSlow
            See there.
        ServiceError
            No process can be started, or the pool was closed.
        """
        with self._places:
            process = self._take()
            is_well = False
            try:
                answer = process.ask((function, arguments, keywords, timeout_s, folder), timeout_s)
                is_well = True
            finally:
                self._give_back(process, is_well=is_well)
        has_returned, value = answer
        if not has_returned:
            raise value
        result: _Result = value
        return result

    def close(self) -> None:
        """End all processes; calls that are under way fail."""
        with self._lock:
            self._is_closed = True
            everybody, self._idle = list(self._everybody), []
        for process in everybody:
            self._end(process)

    def _take(self) -> _Process:
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return self._start()
            if process.is_alive():
                return process
            # Somebody has killed it, such as the kernel where memory was short.
            self._end(process)

    def _give_back(self, process: _Process, *, is_well: bool) -> None:
        if not is_well or process.n_calls >= _MOST_CALLS:
            self._end(process)
            try:
                process = self._start()
            except ServiceError:
                return
        with self._lock:
            if not self._is_closed:
                self._idle.append(process)

    def _start(self) -> _Process:
        with self._lock:
            if self._is_closed:
                raise ServiceError("the service is stopping; ask again when it is back")
            process = _Process(self._memory_mb)
            self._everybody.add(process)
        return process

    def _end(self, process: _Process) -> None:
        process.kill()
        with self._lock:
            self._everybody.discard(process)


class _Process:
    """One process, in a session of its own so that what it starts ends with it."""

    def __init__(self, memory_mb: int) -> None:
        self.n_calls = 0
        self._is_ready = False
        self._scratch = tempfile.mkdtemp(prefix="soundalike-decoder-")
        self._channel, theirs = socket.socketpair()
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        root = str(Path(soundalike.__file__).parents[1])
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, no shell
                    [
                        *(sys.executable, "-P", "-m", "soundalike.isolation.worker"),
                        *(str(theirs.fileno()), str(memory_mb)),
                    ],
                    env={
                        **kept,
                        "PYTHONPATH": root,
                        "TMPDIR": self._scratch,
                        "OPENBLAS_NUM_THREADS": "1",
                        "OMP_NUM_THREADS": "1",
                    },
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    # Some decoders complain there of every bit that they do not like.
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as exc:
            self._channel.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise ServiceError(
                f"a process for decoding cannot be started: {exc.strerror}; see the machine's limits"
            ) from exc

    def ask(self, question: Any, timeout_s: float) -> Any:
        """Return the answer to a question; raises what `ProcessPool.call` does."""
        self.n_calls += 1
        try:
            if not self._is_ready:
                self._channel.settimeout(_START_TIMEOUT_S)
                receive(self._channel)
                self._is_ready = True
            self._channel.settimeout(timeout_s)
            begun = time.monotonic()
            send(self._channel, question)
            self._channel.settimeout(max(0.001, timeout_s - (time.monotonic() - begun)))
            return receive(self._channel)
        except TimeoutError:
            raise ProcessTooSlow from None
        except (EOFError, ConnectionError):
            self._process.wait()
            if self._process.returncode == -signal.SIGXCPU:
                raise ProcessTooSlow from None
            raise ProcessCrashed(self._end_shown()) from None

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it and whatever it has started, and remove what it has left."""
        self._channel.close()
        # Its group may have outlived it.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _end_shown(self) -> str:
        status = self._process.returncode
        with suppress(ValueError):
            return signal.Signals(-status).name
        return f"exit status {status}"
