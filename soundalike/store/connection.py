"""One connection that heals itself, and the one place where driver errors become Soundalike's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg2
from psycopg2 import errors as pg_errors

from soundalike.errors import ConfigError, ExtensionMissing, StoreError, StoreUnavailable

Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor
_MAX_PORT = 65_535


class Database:
    """A database that is connected to on first use, and again after the connection was lost.

    Parameters
    ----------
    connect : callable
        Opens a connection.
    description : str
        Names the database in messages; must hold no password.
    """

    def __init__(self, connect: Callable[[], Connection], description: str) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self.description = description

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor; commit at the end, roll back on any exception.

        Raises
        ------
        StoreUnavailable
            The server cannot be reached or the connection broke.
        StoreError
            The server refused a statement.
        """
        with self._wrapped_errors():
            connection = self._open()
            try:
                with connection, connection.cursor() as cursor:
                    yield cursor
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.close()
                raise

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed or not self._answers():
            self.close()
            self._connection = self._connect()
        return self._connection

    def _answers(self) -> bool:
        """Tell whether the idle connection still reaches a server, at the price of a round trip."""
        assert self._connection is not None
        try:
            with self._connection, self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return False
        return True

    @contextmanager
    def _wrapped_errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as exc:
            raise StoreUnavailable(
                f"the database {self.description} cannot be used ({one_line(exc)}); check that it "
                "runs and that SOUNDALIKE_DATABASE_URL is right"
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
        """Close the connection; the next transaction opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def one_line(exc: psycopg2.Error) -> str:
    """Return a driver error's message without line breaks."""
    return " ".join(str(exc).split()) or type(exc).__name__


def parse_url(url: str) -> dict[str, str]:
    """Return the connection parameters of a database URL.

    Raises
    ------
    ConfigError
        It cannot be parsed, or a special character of the password has ended up in host or port.
        The message shows nothing of it, because it may be the password.
    """
    try:
        parts: dict[str, str] = psycopg2.extensions.parse_dsn(url)
    except psycopg2.Error:
        parts = {"port": "unreadable"}
    plain = "@" not in parts.get("host", "") and re.fullmatch(r"[\d,]*", parts.get("port", ""))
    if not plain or any(int(port) > _MAX_PORT for port in parts.get("port", "").split(",") if port):
        raise ConfigError(
            "SOUNDALIKE_DATABASE_URL cannot be read; write postgresql://user:password@host:5432/name "
            "and special characters of the password as %XX (@ is %40, / is %2F, # is %23, % is %25)"
        ) from None
    return parts


def redacted(parameters: Mapping[str, str]) -> str:
    """Return connection parameters as a URL without password and options.

    Examples
    --------
    >>> redacted(parse_url("postgresql://ann:secret@db.example:5433/sounds?sslmode=require"))
    'postgresql://ann@db.example:5433/sounds'
    """
    user = f"{parameters['user']}@" if "user" in parameters else ""
    port = f":{parameters['port']}" if "port" in parameters else ""
    return f"postgresql://{user}{parameters.get('host', '')}{port}/{parameters.get('dbname', '')}"
