"""The record that makes a database one of several of an index: which one, and of how many."""

from __future__ import annotations

from typing import NamedTuple

from soundalike.errors import ShardMismatch
from soundalike.store import sql
from soundalike.store.connection import Cursor
from soundalike.store.schema import ensure_schema, exists, has_schema, lock_schema

_NO_DIMENSION = 0


class ShardRecord(NamedTuple):
    """Id of the set of databases, number of this one from 0, and number of all."""

    shards_id: str
    number: int
    total: int


class ShardState(NamedTuple):
    """The record of a database, if it has one, and whether anything is stored in it."""

    record: ShardRecord | None
    is_in_use: bool


def read_state(cursor: Cursor) -> ShardState:
    """Return the record of a database, and whether anything is stored in it."""
    if not has_schema(cursor):
        return ShardState(None, False)
    cursor.execute(sql.queries()["is_in_use"])
    is_in_use = cursor.fetchone() == (True,)
    return ShardState(_record(cursor), is_in_use)


def claim(cursor: Cursor, wanted: ShardRecord) -> ShardRecord:
    """Record an unused database as one of several; return what another process recorded just before."""
    lock_schema(cursor)
    ensure_schema(cursor, _NO_DIMENSION)
    cursor.execute(sql.queries()["create_shard"])
    found = _record(cursor)
    is_first = wanted.number == 0
    # The first database decides which set all belong to.
    if is_first and found is not None and found[1:] == wanted[1:]:
        return found
    cursor.execute(sql.queries()["put_shard"], wanted._asdict())
    return wanted


def check_is_alone(cursor: Cursor, database: str) -> None:
    """Raise `ShardMismatch` if a database is one of several."""
    record = _record(cursor) if exists(cursor, "schema_version") else None
    if record is not None:
        raise ShardMismatch(
            f"the database {database} is number {record.number + 1} of {record.total} of one index; "
            "name all of them, in their order and separated by spaces, in SOUNDALIKE_DATABASE_URL"
        )


def _record(cursor: Cursor) -> ShardRecord | None:
    if not exists(cursor, "shard"):
        return None
    cursor.execute(sql.queries()["find_shard"])
    row = cursor.fetchone()
    return ShardRecord(*row) if row else None
