"""Stop an embedded server that nobody uses any more: a program of its own, started beside the server.

Whoever uses the server holds a shared lock on ``users.lock``, which the kernel takes away when the
process ends, however it ends. This program waits for that file's exclusive lock. It imports nothing
of this package, because it stays in memory as long as the server.
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
#: A server that was about to start shows within this time.
_LINGER_S = 0.6
_STOP_S = 30.0
_PROGRAMS = frozenset({"postgres", "initdb", "pg_ctl", "sh"})


def main(folder: Path) -> None:
    """Wait until nobody uses the server of a data folder, and stop it."""
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
                        # Before the server's lock: who gets that starts a new watch where this is free.
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
    """Keep others from starting the server; where the folder is gone there are no others."""
    try:
        file = _opened(folder / SERVER)
    except OSError:
        yield
        return
    with file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _is_other_folder(folder: Path, own: IO[str]) -> bool:
    """Tell whether the folder was removed and made again; its server has a watch of its own."""
    with contextlib.suppress(OSError):
        return os.stat(folder / WATCH).st_ino != os.fstat(own.fileno()).st_ino
    return False


def _processes(folder: Path) -> list:  # type: ignore[type-arg]
    """Return PostgreSQL's programs that work in the folder, but no server's children."""
    import psutil

    data = re.compile(re.escape(str(folder / "postgres")) + r"(\.new-\d+)?(?=[\"'/\s]|$)")
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] in _PROGRAMS and any(map(data.search, process.info["cmdline"] or [])):
            found.append(process)
    return found


def _is_in_use(folder: Path) -> bool:
    """Tell whether somebody is connected who does not hold the lock, such as ``psql``."""
    import psutil

    for process in _processes(folder):
        with contextlib.suppress(psutil.Error):
            if any("[local]" in " ".join(child.cmdline()) for child in process.children()):
                return True
    return False


def _stop(folder: Path) -> None:
    """Stop the server, and what was at work to make or start it."""
    import psutil

    ends, quiet_since = time.monotonic() + _STOP_S, time.monotonic()
    while time.monotonic() - quiet_since < _LINGER_S:
        for process in _processes(folder):
            quiet_since = time.monotonic()
            with contextlib.suppress(psutil.Error):
                _end(process, patiently=quiet_since < ends)
        time.sleep(0.1)


def _end(process, *, patiently: bool) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - psutil is imported late
    """End one program; a server disconnects its clients and writes all down (SIGINT)."""
    if process.name() == "postgres":
        process.send_signal(signal.SIGINT if patiently else signal.SIGQUIT)
    elif process.name() == "initdb":
        # It would let its server finish. That one stops in order, and so leaves no shared memory.
        for child in process.children(recursive=True):
            if "--single" in child.cmdline():
                child.terminate()
        process.kill()


if __name__ == "__main__":
    # Who started it does not want to hear of its end.
    if os.fork():
        os._exit(0)
    sys.path.extend(sys.argv[2:])
    main(Path(sys.argv[1]))
