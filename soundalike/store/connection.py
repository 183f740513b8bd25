"""Connections that reconnect, and the conversion of driver errors."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import psycopg2
from psycopg2 import errors as pg_errors

from soundalike.errors import ConfigError, ExtensionMissing, StoreError, StoreUnavailable
from soundalike.faults import one_line
from soundalike.store.disk_space import full_error, says_full

Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor
_Result = TypeVar("_Result")
_LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)
_MAX_PORT = 65_535
#: Pauses between attempts to connect.
_PAUSES_S = (0.05, 0.2, 0.5)


class Database:
    """A pool of connections that connects on first use, and again after a lost connection.

    Thread-safe: each thread uses its own connection, and idle ones are reused.

    Attributes
    ----------
    description : str
        Name of the database in messages, without a password.
    has_standbys : bool
        Whether `read` may use another server than `run`.

    Parameters
    ----------
    connect : callable
        Opens a connection.
    description : str
        Name of the database in messages, without a password.
    folder : Path, optional
        Data folder of the server, if it is on this machine.
    cursor_class : type, optional
        Class of the cursors; default: psycopg2's own.
    """

    has_standbys = False

    def __init__(
        self,
        connect: Callable[[], Connection],
        description: str,
        folder: Path | None = None,
        cursor_class: type[Cursor] | None = None,
    ) -> None:
        self._cursor_class = cursor_class
        self._connect = connect
        self._folder = folder
        self._idle: list[Connection] = []
        self.description = description

    def run(self, work: Callable[[Cursor], _Result], *, in_transaction: bool = True) -> _Result:
        """Run a function in a transaction, which an exception rolls back.

        After a lost connection the function runs again on a new one, so it must be idempotent.

        Parameters
        ----------
        work : callable
            Called with a cursor.
        in_transaction : bool
            False saves the two messages that begin and end a transaction, for functions that only read;
            each message to the server is then its own transaction.

        Raises
        ------
        StoreUnavailable
            The server cannot be reached, or the connection was lost again.
        StoreFull
            The server's disk is full.
        StoreError
            The server rejected a statement.
        """
        with self._wrapped_errors():
            connection = self._take() or self._connect_patiently()
            try:
                return self._attempt(connection, work, in_transaction)
            except pg_errors.DiskFull:
                raise
            except _LOST:
                # The connection was lost, or the transaction was the victim of a deadlock.
                return self._attempt(self._connect_patiently(), work, in_transaction)

    def read(self, work: Callable[[Cursor], _Result], *, in_transaction: bool = True) -> _Result:
        """Run a function that only reads, like `run`."""
        return self.run(work, in_transaction=in_transaction)

    def _attempt(
        self, connection: Connection, work: Callable[[Cursor], _Result], in_transaction: bool
    ) -> _Result:
        try:
            connection.autocommit = not in_transaction
            # The context of a connection is a transaction.
            with (
                connection if in_transaction else nullcontext(),
                connection.cursor(cursor_factory=self._cursor_class) as cursor,
            ):
                result = work(cursor)
        except _LOST:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)
        return result

    def _take(self) -> Connection | None:
        """Return an idle connection, unless its server has sent a message, which announces its end."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            if not connection.closed and not select.select([connection], [], [], 0)[0]:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        if not connection.closed:
            self._idle.append(connection)

    def _connect_patiently(self) -> Connection:
        """Connect, with some retries for a server that is starting."""
        for pause_s in _PAUSES_S:
            try:
                return self._connect()
            except psycopg2.OperationalError as exc:
                if says_full(exc):
                    raise
                time.sleep(pause_s)
        return self._connect()

    @contextmanager
    def _wrapped_errors(self) -> Iterator[None]:
        try:
            yield
        except _LOST as exc:
            if full := full_error(exc, self.description, self._folder):
                raise full from exc
            raise StoreUnavailable(
                f"the database {self.description} cannot be used ({one_line(exc)}); check that it "
                "runs and that SOUNDALIKE_DATABASE_URL is correct"
            ) from exc
        except pg_errors.InsufficientPrivilege as exc:
            raise StoreError(
                f"the database {self.description} denies permission ({one_line(exc)}); give the "
                "role the right to create extensions and schemas, or let an administrator run: "
                "CREATE EXTENSION vector"
            ) from exc
        except pg_errors.UndefinedFile as exc:
            raise ExtensionMissing(f"{one_line(exc)}; install it on the server") from exc
        except psycopg2.Error as exc:
            raise StoreError(f"the database {self.description} answered: {one_line(exc)}") from exc

    def close(self) -> None:
        """Close the idle connections; the next transaction opens a new one."""
        while self._idle:
            self._idle.pop().close()


def parse_url(url: str) -> dict[str, str]:
    """Return the connection parameters of a database URL.

    Raises
    ------
    ConfigError
        The URL cannot be parsed, or the host or port contains a special character of the password. The
        message shows no part of the URL, because it may contain the password.
    """
    try:
        parts: dict[str, str] = psycopg2.extensions.parse_dsn(url)
    except psycopg2.Error:
        parts = {"port": "unreadable"}
    plain = "@" not in parts.get("host", "") and re.fullmatch(r"[\d,]*", parts.get("port", ""))
    if not plain or any(int(port) > _MAX_PORT for port in parts.get("port", "").split(",") if port):
        raise ConfigError(
            "SOUNDALIKE_DATABASE_URL cannot be parsed; write postgresql://user:password@host:5432/name "
            "and special characters of the password as %XX (@ is %40, / is %2F, # is %23, % is %25)"
        ) from None
    return parts


def redacted(parameters: Mapping[str, str]) -> str:
    """Return connection parameters as a URL without password and options.

    Examples
    --------
    >>> redacted(parse_url("postgresql://ann:secret@db.example:5433/sounds?sslmode=require"))
    'postgresql://ann@db.example:5433/sounds'
    >>> redacted(parse_url("postgresql://a.example:5433,b.example/sounds"))
    'postgresql://a.example:5433,b.example/sounds'
    """
    user = f"{parameters['user']}@" if "user" in parameters else ""
    hosts, ports = (parameters.get(name, "").split(",") for name in ("host", "port"))
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = ",".join(f"{host}:{port}" if port else host for host, port in zip_longest(hosts, ports))
    return f"postgresql://{user}{places}/{parameters.get('dbname', '')}"
