"""One process that runs functions, and its failures."""

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
from soundalike.audio.sandbox.forking import ForkedWorker, safe_environment
from soundalike.audio.sandbox.transport import Channel
from soundalike.errors import ServiceError

_START_TIMEOUT_S = 60.0


class ProcessFailure(Exception):
    """A call did not finish.

    Attributes
    ----------
    decoder : str or None
        The running decoder, if it was reported; see `soundalike.audio.attempts`.
    """

    decoder: str | None = None


class ProcessCrashed(ProcessFailure):
    """The process ended during a call; the message has the signal or exit status."""


class ProcessGone(ProcessCrashed):
    """The process ended before it had read the call, which another process can answer."""


class ProcessTooSlow(ProcessFailure):
    """The call exceeded its time limit, and its process was killed."""


class ProcessTooLarge(ProcessFailure, MemoryError):
    """The call exceeded the memory limit of the process."""


class Process:
    """One process, in its own session so that its children end with it.

    Parameters
    ----------
    memory_mb : int
        Memory limit in megabytes.
    is_eager : bool
        The process loads all modules before its first call.
    is_forked : bool
        Fork this process, which must have a single thread.

    Attributes
    ----------
    n_calls : int
        Number of calls so far.
    decoder : str or None
        The decoder that the running call reported last.
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
                f"a decoding process cannot be started: {exc.strerror}; check the machine's limits"
            ) from exc

    def ask(self, question: Any, timeout_s: float) -> tuple[bool, Any]:
        """Run a call; return whether it has returned, and its result or error.

        Raises
        ------
        ProcessCrashed, ProcessGone, ProcessTooSlow
            The process failed.
        ServiceError
            The process did not start.
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
                is_answer, *content = self._channel.receive()
                if is_answer:
                    return content[0], content[1]
                (self.decoder,) = content
        except TimeoutError:
            raise ProcessTooSlow from None
        except EOFError:
            self._process.wait()
            if self._process.returncode == -signal.SIGXCPU:
                raise ProcessTooSlow from None
            raise ProcessCrashed(self._end_shown()) from None
        except ConnectionError:
            # Linux reports a reset if the other side has closed its end with data that it had not read.
            self._process.wait()
            raise ProcessGone(self._end_shown()) from None

    def _wait_until_ready(self) -> None:
        self._channel.settimeout(_START_TIMEOUT_S)
        try:
            self._channel.receive()
        except (EOFError, ConnectionError, TimeoutError) as exc:
            raise ServiceError(
                f"a decoding process does not start ({type(exc).__name__}); check whether this works: "
                "python -m soundalike.audio.sandbox.worker"
            ) from exc
        self._is_ready = True

    def abandon(self) -> None:
        """Forget a process that belongs to the parent."""
        self._channel.close()

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the process and its children, and remove its temporary files."""
        self._channel.close()
        if self._process.poll() is None:
            # It may not be the leader of its process group yet.
            os.kill(self._process.pid, signal.SIGKILL)
        # Its children may have outlived it.
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
            **safe_environment(),
            "PYTHONPATH": str(Path(soundalike.__file__).parents[1]),
            "TMPDIR": scratch,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        },
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # Some decoders print many warnings.
        stderr=subprocess.DEVNULL,
        pass_fds=[descriptor],
        start_new_session=True,
    )


def _own_folders() -> list[str]:
    """Return the module folders of this program, without those of the interpreter."""
    prefixes = tuple({sys.prefix, sys.base_prefix})
    return [path for path in sys.path if os.path.isabs(path) and not path.startswith(prefixes)]
