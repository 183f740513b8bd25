"""A database on several servers: writes go to the primary, reads to standbys."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from soundalike.errors import ConfigError, StoreError, StoreUnavailable
from soundalike.store.connection import Connection, Cursor, Database

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
#: Values of libpq's ``target_session_attrs``; in a URL with several hosts it says where reads go.
TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
#: Options of a connection to one of several servers, so that a dead one is noticed.
PATIENCE: Mapping[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
#: Age at which an idle connection for reads is replaced, because its server may have become the primary.
_RENEW_AFTER_S = 60.0
#: How long reads do without the primary after it could not be reached.
_WITHOUT_PRIMARY_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.05
_POSITION = "SELECT pg_current_wal_lsn()::text"
_HAS_REPLAYED = "SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= %s::pg_lsn"
#: A position that no standby reaches, after a write whose position is unknown.
_NEVER = "FFFFFFFF/FFFFFFFF"


def has_several_hosts(parameters: Mapping[str, str]) -> bool:
    """Return whether a database URL names several servers."""
    return any("," in parameters.get(name, "") for name in ("host", "hostaddr"))


def targets(parameters: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the connection parameters for writes and for reads.

    Raises
    ------
    ConfigError
        ``target_session_attrs`` has an unknown value.
    """
    reads = parameters.get("target_session_attrs", "prefer-standby")
    if reads not in TARGETS:
        raise ConfigError(
            f"target_session_attrs in SOUNDALIKE_DATABASE_URL is {reads!r}; choose one of "
            f"{', '.join(TARGETS)}"
        )
    rest = {name: value for name, value in parameters.items() if name != "target_session_attrs"}
    spread = {"load_balance_hosts": "random", **rest}
    return {**rest, "target_session_attrs": "read-write"}, {**spread, "target_session_attrs": reads}


class _Behind(Exception):
    """A standby has not replayed the last write of this process."""


class _Readers(Database):
    """Connections for reads; old ones are replaced."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        description: str,
        cursor_class: type[Cursor] | None = None,
    ) -> None:
        super().__init__(self._opened, description, cursor_class=cursor_class)
        self._open = connect
        self._opened_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    def _opened(self) -> Connection:
        connection = self._open()
        self._opened_at[connection] = time.monotonic()
        return connection

    def _take(self) -> Connection | None:
        while (connection := super()._take()) is not None:
            if time.monotonic() - self._opened_at.get(connection, 0.0) < _RENEW_AFTER_S:
                return connection
            connection.close()
        return None


class ReplicatedDatabase(Database):
    """A primary for writes and standbys for reads; thread-safe.

    A read sees all earlier writes of this object: it waits until the standby has replayed the last one,
    and goes to the primary if that takes too long. While the primary cannot be reached, a standby
    answers with what it has.

    Parameters
    ----------
    connect, connect_to_read : callable
        Open a connection to the primary, and to a server for reads.
    description : str
        Name of the database in messages, without a password.
    wait_s : float or None
        How long a read waits for a standby. None: reads need not see earlier writes.
    cursor_class : type, optional
        As for `Database`.
    """

    has_standbys = True

    def __init__(
        self,
        connect: Callable[[], Connection],
        connect_to_read: Callable[[], Connection],
        description: str,
        wait_s: float | None,
        cursor_class: type[Cursor] | None = None,
    ) -> None:
        super().__init__(connect, description, cursor_class=cursor_class)
        self._readers = _Readers(connect_to_read, description, cursor_class=cursor_class)
        self._wait_s = wait_s
        #: Position of the last write in the write-ahead log.
        self._written: str | None = None
        #: The last position that each connection's server is known to have replayed.
        self._replayed: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()
        self._noting = threading.Lock()
        self._without_primary_until = 0.0

    def run(self, work: Callable[[Cursor], _Result], *, in_transaction: bool = True) -> _Result:
        """Run a function on the primary; see `Database.run`."""
        try:
            result = super().run(work, in_transaction=in_transaction)
        except StoreUnavailable:
            self._without_primary_until = time.monotonic() + _WITHOUT_PRIMARY_S
            raise
        self._without_primary_until = 0.0
        if in_transaction and self._wait_s is not None:
            self._note_position()
        return result

    def _note_position(self) -> None:
        """Note the position of a write that is committed already, so no error may leave this."""
        # The lock keeps a thread from replacing a position by one that it read earlier.
        with self._noting:
            try:
                self._written = super().run(_position, in_transaction=False)
            except StoreError as exc:
                _log.debug("the position of a write is unknown: %s", exc)
                self._written = _NEVER

    def read(self, work: Callable[[Cursor], _Result], *, in_transaction: bool = True) -> _Result:
        """Run a function that only reads, on a standby if it has the last write of this object."""

        def checked(cursor: Cursor) -> _Result:
            self._wait_for_replay(cursor)
            return work(cursor)

        is_without_primary = time.monotonic() < self._without_primary_until
        try:
            return self._readers.run(
                work if is_without_primary else checked, in_transaction=in_transaction
            )
        except (_Behind, StoreUnavailable) as exc:
            if is_without_primary:
                raise
            try:
                return self._on_primary(work, in_transaction)
            except StoreUnavailable:
                if not isinstance(exc, _Behind):
                    raise
            _log.warning("the primary cannot be reached; a standby without the last write answers")
            return self._readers.run(work, in_transaction=in_transaction)

    def _on_primary(self, work: Callable[[Cursor], _Result], in_transaction: bool) -> _Result:
        try:
            return super().run(work, in_transaction=in_transaction)
        except StoreUnavailable:
            self._without_primary_until = time.monotonic() + _WITHOUT_PRIMARY_S
            raise

    def _wait_for_replay(self, cursor: Cursor) -> None:
        """Wait until the cursor's server has the last write; raise `_Behind` if it takes too long."""
        written = self._written
        if written is None or self._replayed.get(cursor.connection) == written:
            return
        deadline = time.monotonic() + (self._wait_s or 0.0)
        pause_s = _FIRST_PAUSE_S
        while not _has_replayed(cursor, written):
            if time.monotonic() >= deadline:
                raise _Behind
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._replayed[cursor.connection] = written

    def close(self) -> None:
        """Close the idle connections; the next transaction opens a new one."""
        super().close()
        self._readers.close()


def _position(cursor: Cursor) -> str:
    cursor.execute(_POSITION)
    ((position,),) = cursor.fetchall()
    return str(position)


def _has_replayed(cursor: Cursor, position: str) -> bool:
    cursor.execute(_HAS_REPLAYED, (position,))
    found = cursor.fetchone() == (True,)
    # What follows may set the isolation level, which must be the first statement of a transaction.
    cursor.connection.rollback()
    return found
