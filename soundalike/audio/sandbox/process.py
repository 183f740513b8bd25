"""One process that runs functions, and what can happen to it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import soundalike
from soundalike.audio.sandbox.forking import ForkedWorker, kept_environment
from soundalike.audio.sandbox.transport import Channel
from soundalike.errors import ServiceError

_START_TIMEOUT_S = 60.0


class ProcessFailure(Exception):
    """A call did not come to its end.

    Attributes
    ----------
    decoder : str or None
        Which one was at work, where one was announced; see `soundalike.audio.attempts`.
    """

    decoder: str | None = None


class ProcessCrashed(ProcessFailure):
    """The process ended in the middle of a call; the message says how."""


class ProcessTooSlow(ProcessFailure):
    """The call took longer than it may, and its process was killed."""


class ProcessTooLarge(ProcessFailure, MemoryError):
    """The call needed more memory than the process may hold."""


class Process:
    """One process, in a session of its own so that what it starts ends with it.

    Parameters
    ----------
    memory_mb : int
        Megabytes that it may hold.
    is_eager : bool
        It loads all that it may need before its first call.
    is_forked : bool
        It is forked from this one, which must have a single thread.

    Attributes
    ----------
    n_calls : int
        How many it was given.
    decoder : str or None
        The one that was announced last in the call that is under way.
    """

    def __init__(self, memory_mb: int, *, is_eager: bool, is_forked: bool) -> None:
        self.n_calls = 0
        self.decoder: str | None = None
        self._is_ready = False
        self._scratch = tempfile.mkdtemp(prefix="soundalike-decoder-")
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._process: subprocess.Popen[bytes] | ForkedWorker
        try:
            with theirs:
                if is_forked:
                    self._process = ForkedWorker(theirs.fileno(), memory_mb, self._scratch)
                else:
                    self._process = _spawned(theirs.fileno(), memory_mb, self._scratch, is_eager)
        except OSError as exc:
            self._channel.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise ServiceError(
                f"a process for decoding cannot be started: {exc.strerror}; see the machine's limits"
            ) from exc

    def ask(self, question: Any, timeout_s: float) -> tuple[bool, Any]:
        """Return whether a call has returned, and what it has returned or raised.

        Raises
        ------
        ProcessCrashed, ProcessTooSlow
            See there.
        ServiceError
            It did not even start.
        """
        self.n_calls += 1
        self.decoder = None
        if not self._is_ready:
            self._wait_until_ready()
        ends = time.monotonic() + timeout_s
        try:
            self._channel.settimeout(timeout_s)
            self._channel.send(question)
            while True:
                self._channel.settimeout(max(0.001, ends - time.monotonic()))
                is_answer, *told = self._channel.receive()
                if is_answer:
                    return told[0], told[1]
                (self.decoder,) = told
        except TimeoutError:
            raise ProcessTooSlow from None
        except (EOFError, ConnectionError):
            self._process.wait()
            if self._process.returncode == -signal.SIGXCPU:
                raise ProcessTooSlow from None
            raise ProcessCrashed(self._end_shown()) from None

    def _wait_until_ready(self) -> None:
        self._channel.settimeout(_START_TIMEOUT_S)
        try:
            self._channel.receive()
        except (EOFError, ConnectionError, TimeoutError) as exc:
            raise ServiceError(
                f"a process for decoding does not start ({type(exc).__name__}); see whether this works: "
                "python -m soundalike.audio.sandbox.worker"
            ) from exc
        self._is_ready = True

    def abandon(self) -> None:
        """Let go of a process that is another one's."""
        self._channel.close()

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it and whatever it has started, and remove what it has left."""
        self._channel.close()
        if self._process.poll() is None:
            # It may not lead its group yet.
            os.kill(self._process.pid, signal.SIGKILL)
        # Its group may have outlived it.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _end_shown(self) -> str:
        status = self._process.returncode or 0
        with suppress(ValueError):
            return signal.Signals(-status).name
        return f"exit status {status}"


def _spawned(descriptor: int, memory_mb: int, scratch: str, is_eager: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this interpreter, no shell
        [
            *(sys.executable, "-P", "-m", "soundalike.audio.sandbox.worker"),
            *(str(descriptor), str(memory_mb), "eager" if is_eager else "lazy", *_own_folders()),
        ],
        env={
            **kept_environment(),
            "PYTHONPATH": str(Path(soundalike.__file__).parents[1]),
            "TMPDIR": scratch,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        },
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # Some decoders complain there of every bit that they do not like.
        stderr=subprocess.DEVNULL,
        pass_fds=[descriptor],
        start_new_session=True,
    )


def _own_folders() -> list[str]:
    """Return where this program looks for modules besides its interpreter's own folders."""
    prefixes = tuple({sys.prefix, sys.base_prefix})
    return [path for path in sys.path if os.path.isabs(path) and not path.startswith(prefixes)]
