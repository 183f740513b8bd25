"""A process for decoding that is forked from this one, and so has loaded what this one has."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

#: Of the environment, and nothing else: keys and passwords are none of a decoder's business.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONTZPATH", "PYTHONUTF8")


#: Of the socket in the child, behind those of the three standard streams.
_DESCRIPTOR = 3


def kept_environment() -> dict[str, str]:
    """Return what a process for decoding may know of the environment."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


class ForkedWorker:
    """A child that answers at a socket; of `subprocess.Popen` it has what a pool needs.

    This process must have no other thread: what such a one holds at that moment stays held in the child.

    Parameters
    ----------
    descriptor : int
        Of the child's end of the socket.
    memory_mb : int
        Megabytes that it may hold, besides those that this process holds already.
    scratch : str
        Its temporary folder.

    Attributes
    ----------
    pid : int
    returncode : int or None
        As that of `subprocess.Popen`.
    """

    def __init__(self, descriptor: int, memory_mb: int, scratch: str) -> None:
        # Loaded before, so that children share it.
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
        """Return how it ended; None while it runs."""
        return self._collect(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait for its end, and return how it ended."""
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
    """Return the megabytes that count for the limit in this process already; 0 where nobody says so."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[5])
        return pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return 0


def _forget_the_parent(descriptor: int, scratch: str) -> None:
    """Keep nothing but the socket: no file, no terminal, no folder, no environment."""
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
    kept = {**kept_environment(), "TMPDIR": scratch}
    os.environ.clear()
    os.environ.update(kept)
    tempfile.tempdir = None
