"""Named collections: finding, making, replacing and dropping them."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import asdict, dataclass
from dataclasses import replace as changed
from datetime import datetime

from soundalike.errors import ParameterError
from soundalike.store import sql
from soundalike.store.base import check_collection_name, check_spec
from soundalike.store.connection import Cursor
from soundalike.store.schema import create_windows, ensure_schema, has_schema, lock_schema
from soundalike.types import IndexSpec


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection that is there.

    Attributes
    ----------
    collection_id : int
        Names its table of windows.
    name : str
    spec : IndexSpec
    created_at : datetime
        Tells it from one of the same name and number that was made after a reset.
    n_chunks : int
        Parts that TimescaleDB keeps its windows in; each has a vector index of its own.
    """

    collection_id: int
    name: str
    spec: IndexSpec
    created_at: datetime
    n_chunks: int = 0

    @property
    def index(self) -> str:
        """Name of the index of its vectors, whether there is one or not."""
        return f"windows_{self.collection_id}_embedding"

    def statement(self, name: str) -> str:
        """Return a statement of ``queries.sql`` for this collection's table."""
        return sql.queries()[name].replace("{collection}", str(int(self.collection_id)))

    def is_same(self, other: Collection | None) -> bool:
        """Tell whether this was found under the same name, and never made anew in between."""
        return other is not None and changed(self, n_chunks=other.n_chunks) == other


def find(cursor: Cursor, name: str) -> Collection | None:
    """Return a collection, or None where there is none; the schema must be there."""
    check_collection_name(name)
    cursor.execute(sql.queries()["find_collection"], {"name": name})
    row = cursor.fetchone()
    if row is None or row[1] is None:
        return None
    _, number, name, created_at, n_chunks, *spec = row
    return Collection(number, name, IndexSpec(*spec), created_at, n_chunks)


def ensure(cursor: Cursor, name: str, spec: IndexSpec) -> Collection:
    """Return a collection, made if it is not there, and held against being replaced meanwhile.

    Raises
    ------
    ModelMismatch
        It is there, but was made with something else.
    """
    found = find(cursor, name) if has_schema(cursor) else None
    if found is None:
        lock_schema(cursor)
        timescaledb = ensure_schema(cursor, spec)
        found = find(cursor, name) or _create(cursor, name, spec, timescaledb)
    check_spec(found.spec, spec)
    cursor.execute(sql.queries()["share_collection"], {"collection": found.collection_id})
    if cursor.rowcount == 0:
        # Replaced or dropped by another process a moment ago.
        return ensure(cursor, name, spec)
    return found


def _create(cursor: Cursor, name: str, spec: IndexSpec, timescaledb: str | None) -> Collection:
    cursor.execute(sql.queries()["put_collection"], {"name": name, **asdict(spec)})
    row = cursor.fetchone()
    assert row is not None
    made = Collection(row[0], name, spec, row[1])
    create_windows(cursor, made.collection_id, spec.dimension, timescaledb)
    return made


def drop(cursor: Cursor, collection: Collection) -> None:
    """Delete a collection with all it holds."""
    cursor.execute(sql.queries()["lock_collection"], {"collection": collection.collection_id})
    cursor.execute(collection.statement("drop_collection"))


def rename(cursor: Cursor, collection: Collection, name: str) -> None:
    """Give a collection another name.

    Raises
    ------
    ParameterError
        There is a collection of that name.
    """
    lock_schema(cursor)
    if find(cursor, name) is not None:
        raise ParameterError(f"there is a collection {name!r} already; choose another name")
    cursor.execute(sql.queries()["lock_collection"], {"collection": collection.collection_id})
    cursor.execute(
        sql.queries()["rename_collection"], {"collection": collection.collection_id, "name": name}
    )


def replace(cursor: Cursor, old: Collection, new: Collection, without: Set[str]) -> bool:
    """Let `new` take the place and name of `old`; tell whether it had everything it needs."""
    ids = {"collection": old.collection_id, "other": new.collection_id}
    for collection in (old, new):
        cursor.execute(sql.queries()["lock_collection"], {"collection": collection.collection_id})
    cursor.execute(sql.queries()["missing_files"], ids)
    if {uri for (uri,) in cursor.fetchall()} - without:
        return False
    cursor.execute(sql.queries()["delete_vanished"], ids)
    for (recording_id,) in set(cursor.fetchall()):
        orphan = {"collection": new.collection_id, "recording_id": recording_id}
        cursor.execute(sql.queries()["delete_orphan"], orphan)
    cursor.execute(old.statement("drop_collection"))
    cursor.execute(
        sql.queries()["rename_collection"], {"collection": new.collection_id, "name": old.name}
    )
    return True
