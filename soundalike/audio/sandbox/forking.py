"""Decoding processes forked from this one, which share its loaded modules."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

#: Environment variables of decoding processes; they must not see keys and passwords.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONTZPATH", "PYTHONUTF8")
#: Descriptor of the socket in the child, after the three standard streams.
_DESCRIPTOR = 3


def safe_environment() -> dict[str, str]:
    """Return the environment variables that a decoding process may see."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


class ForkedWorker:
    """A forked child that answers at a socket, with the part of `subprocess.Popen` that a pool uses.

    This process must have a single thread: locks held by other threads would stay locked in the child.

    Parameters
    ----------
    descriptor : int
        The child's end of the socket.
    memory_mb : int
        Memory limit in megabytes, in addition to the memory of this process.
    scratch : str
        Temporary folder of the child.

    Attributes
    ----------
    pid : int
    returncode : int or None
        As in `subprocess.Popen`.
    """

    def __init__(self, descriptor: int, memory_mb: int, scratch: str) -> None:
        # Imported before the fork, so that children share it.
        from soundalike.audio.sandbox import worker

        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _forget_the_parent(descriptor, scratch)
                worker.main(_DESCRIPTOR, memory_mb + _held_mb(), is_eager=False)
                worker.leave()
            finally:
                os._exit(1)

    def poll(self) -> int | None:
        """Return the exit status; None while the process runs."""
        return self._collect(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait for the process to end, and return the exit status."""
        return self._collect(0)

    def _collect(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _held_mb() -> int:
    """Return the megabytes of this process that count for the limit; 0 if unknown."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        return pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return 0


def _forget_the_parent(descriptor: int, scratch: str) -> None:
    """Release the parent's files, terminal, folder and environment; keep only the socket."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    descriptor = os.dup(descriptor) if descriptor <= _DESCRIPTOR else descriptor
    for standard in range(_DESCRIPTOR):
        os.dup2(nothing, standard)
    os.dup2(descriptor, _DESCRIPTOR, inheritable=False)
    os.closerange(_DESCRIPTOR + 1, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    environment = {**safe_environment(), "TMPDIR": scratch}
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
