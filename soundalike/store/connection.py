"""One connection that heals itself, and the one place where driver errors become Soundalike's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import errors as pg_errors

from soundalike.errors import ExtensionMissing, StoreError, StoreUnavailable

Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor


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


def redacted(url: str) -> str:
    """Return a database URL without password and parameters.

    Examples
    --------
    >>> redacted("postgresql://ann:secret@db.example:5433/sounds?sslmode=require")
    'postgresql://ann@db.example:5433/sounds'
    """
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
