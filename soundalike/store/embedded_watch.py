"""Watch program that stops an unused embedded server; started together with the server.

Every user of the server holds a shared lock on ``users.lock``, which the kernel releases when the
process ends for any reason. This program waits for the exclusive lock of the file. It imports nothing of
this package, to save memory while the server runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

USERS, SERVER, WATCH = "users.lock", "server.lock", "watch.lock"
_POLL_S = 0.3
#: A server that is about to start appears within this time.
_LINGER_S = 0.6
_STOP_S = 30.0
_PROGRAMS = frozenset({"postgres", "initdb", "pg_ctl", "sh"})


def main(folder: Path) -> None:
    """Wait until the server of a data folder is unused, and stop it."""
    with _opened(folder / WATCH) as own:
        if not _try_lock(own):
            return
        with _opened(folder / USERS) as users:
            while True:
                fcntl.flock(users, fcntl.LOCK_EX)
                fcntl.flock(users, fcntl.LOCK_UN)
                with _server_lock(folder):
                    if _is_other_folder(folder, own):
                        return
                    if _try_lock(users) and not _is_in_use(folder):
                        _stop(folder)
                        # Before the server's lock: its next owner starts a new watch program.
                        own.close()
                        return
                    fcntl.flock(users, fcntl.LOCK_UN)
                time.sleep(_POLL_S)


def _opened(path: Path) -> IO[str]:
    return path.open("a")


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _server_lock(folder: Path) -> Iterator[None]:
    """Prevent others from starting the server, unless the folder was deleted."""
    try:
        file = _opened(folder / SERVER)
    except OSError:
        yield
        return
    with file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _is_other_folder(folder: Path, own: IO[str]) -> bool:
    """Return whether the folder was recreated; its server has another watch program."""
    with contextlib.suppress(OSError):
        return os.stat(folder / WATCH).st_ino != os.fstat(own.fileno()).st_ino
    return False


def _processes(folder: Path) -> list:  # type: ignore[type-arg]
    """Return PostgreSQL's programs in the folder, without children of the server."""
    import psutil

    data = re.compile(re.escape(str(folder / "postgres")) + r"(\.new-\d+)?(?=[\"'/\s]|$)")
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] in _PROGRAMS and any(map(data.search, process.info["cmdline"] or [])):
            found.append(process)
    return found


def _is_in_use(folder: Path) -> bool:
    """Return whether a client without the lock is connected, such as ``psql``."""
    import psutil

    for process in _processes(folder):
        with contextlib.suppress(psutil.Error):
            if any("[local]" in " ".join(child.cmdline()) for child in process.children()):
                return True
    return False


def _stop(folder: Path) -> None:
    """Stop the server, and programs that are creating or starting it."""
    import psutil

    ends, quiet_since = time.monotonic() + _STOP_S, time.monotonic()
    while time.monotonic() - quiet_since < _LINGER_S:
        for process in _processes(folder):
            quiet_since = time.monotonic()
            with contextlib.suppress(psutil.Error):
                _end(process, patiently=quiet_since < ends)
        time.sleep(0.1)


def _end(process, *, patiently: bool) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - psutil is imported late
    """End one program; SIGINT makes a server disconnect its clients and flush its data."""
    if process.name() == "postgres":
        process.send_signal(signal.SIGINT if patiently else signal.SIGQUIT)
    elif process.name() == "initdb":
        # Stop its server in order first, so that no shared memory is left.
        for child in process.children(recursive=True):
            if "--single" in child.cmdline():
                child.terminate()
        process.kill()


if __name__ == "__main__":
    # Detach from the starting process.
    if os.fork():
        os._exit(0)
    sys.path.extend(sys.argv[2:])
    main(Path(sys.argv[1]))
