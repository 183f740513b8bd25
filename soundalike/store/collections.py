"""Find, create, replace and drop named collections."""

from __future__ import annotations

from collections.abc import Iterable, Set
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
    """An existing collection.

    Attributes
    ----------
    collection_id : int
        Part of the name of its table of windows.
    name : str
    spec : IndexSpec
    created_at : datetime
        Distinguishes collections with the same name and number before and after a reset.
    n_chunks : int
        Number of TimescaleDB chunks of the table; each has its own vector index.
    layout : str
        How its vector index keeps vectors: ``halfvec`` or ``bit``.
    centre : str or None
        Centre of an index of bits, in the text format of pgvector; None without such an index.
    n_windows : int
        The server's estimate of its windows, for an index of bits; otherwise 0.
    """

    collection_id: int
    name: str
    spec: IndexSpec
    created_at: datetime
    n_chunks: int = 0
    layout: str = "halfvec"
    centre: str | None = None
    n_windows: int = 0

    @property
    def index(self) -> str:
        """Name of its vector index, which may not exist."""
        return f"windows_{self.collection_id}_embedding"

    def statement(self, name: str) -> str:
        """Return a statement of ``queries.sql`` for this collection's table."""
        return sql.queries()[name].replace("{collection}", str(int(self.collection_id)))

    def unchunked(self) -> Collection:
        """Return the collection without its chunks and its index, which may change."""
        return changed(self, n_chunks=0, layout="halfvec", centre=None, n_windows=0)

    def is_same(self, other: Collection | None) -> bool:
        """Return whether another lookup found this same collection, not a recreated one."""
        return other is not None and self.unchunked() == other.unchunked()


def find(cursor: Cursor, name: str) -> Collection | None:
    """Return a collection, or None if it does not exist; the schema must exist."""
    check_collection_name(name)
    cursor.execute(sql.queries()["find_collection"], {"name": name})
    row = cursor.fetchone()
    if row is None or row[1] is None:
        return None
    _, number, name, created_at, n_chunks, layout, centre, n_windows, *spec = row
    return Collection(number, name, IndexSpec(*spec), created_at, n_chunks, layout, centre, n_windows)


def ensure(cursor: Cursor, name: str, spec: IndexSpec, *, like: str | None = None) -> Collection:
    """Return a collection, created if missing, and lock it against replacement.

    A new one takes the layout of the collection `like`.

    Raises
    ------
    ModelMismatch
        The collection has another specification.
    """
    found = find(cursor, name) if has_schema(cursor) else None
    if found is None:
        lock_schema(cursor)
        timescaledb = ensure_schema(cursor, spec.dimension)
        found = find(cursor, name) or _create(cursor, name, spec, timescaledb, like)
    check_spec(found.spec, spec)
    cursor.execute(sql.queries()["share_collection"], {"collection": found.collection_id})
    if cursor.rowcount == 0:
        # Another process has just replaced or dropped it.
        return ensure(cursor, name, spec, like=like)
    return found


def _create(
    cursor: Cursor, name: str, spec: IndexSpec, timescaledb: str | None, like: str | None
) -> Collection:
    cursor.execute(sql.queries()["put_collection"], {"name": name, **asdict(spec)})
    row = cursor.fetchone()
    assert row is not None
    made = Collection(row[0], name, spec, row[1])
    create_windows(cursor, made.collection_id, spec.dimension, timescaledb)
    if like is not None:
        cursor.execute(sql.queries()["take_layout"], {"collection": row[0], "like": like})
    return made


def drop(cursor: Cursor, collection: Collection) -> None:
    """Delete a collection with its content."""
    cursor.execute(sql.queries()["lock_collection"], {"collection": collection.collection_id})
    cursor.execute(collection.statement("drop_collection"))


def rename(cursor: Cursor, collection: Collection, name: str) -> None:
    """Rename a collection.

    Raises
    ------
    ParameterError
        The name is in use.
    """
    lock_schema(cursor)
    if find(cursor, name) is not None:
        raise ParameterError(f"there is a collection {name!r} already; choose another name")
    cursor.execute(sql.queries()["lock_collection"], {"collection": collection.collection_id})
    cursor.execute(
        sql.queries()["rename_collection"], {"collection": collection.collection_id, "name": name}
    )


def replace(cursor: Cursor, old: Collection, new: Collection, without: Set[str]) -> bool:
    """Replace `old` with `new` under its name; return False if `new` lacks paths not in `without`."""
    lock(cursor, old, new)
    if missing_paths(cursor, old, new) - without:
        return False
    ids = {"collection": old.collection_id, "other": new.collection_id}
    cursor.execute(sql.queries()["delete_vanished"], ids)
    for (recording_id,) in set(cursor.fetchall()):
        orphan = {"collection": new.collection_id, "recording_id": recording_id}
        cursor.execute(sql.queries()["delete_orphan"], orphan)
    swap(cursor, old, new)
    return True


def lock(cursor: Cursor, *locked: Collection) -> None:
    """Lock collections against changes by others until the transaction ends."""
    for collection in locked:
        cursor.execute(sql.queries()["lock_collection"], {"collection": collection.collection_id})


def missing_paths(cursor: Cursor, old: Collection, new: Collection) -> set[str]:
    """Return the paths of one collection that are missing in another one."""
    ids = {"collection": old.collection_id, "other": new.collection_id}
    cursor.execute(sql.queries()["missing_files"], ids)
    return {uri for (uri,) in cursor.fetchall()}


def paths_among(cursor: Cursor, collection: Collection, uris: Iterable[str]) -> dict[str, str]:
    """Return the recording ids of the stored paths among these."""
    values = {"collection": collection.collection_id, "uris": list(uris)}
    cursor.execute(sql.queries()["find_files"], values)
    return {uri: recording_id for uri, recording_id, *_ in cursor.fetchall()}


def swap(cursor: Cursor, old: Collection, new: Collection) -> None:
    """Give a collection the name, the annotations and the searches of another one, which is dropped."""
    ids = {"collection": old.collection_id, "other": new.collection_id}
    cursor.execute(sql.queries()["keep_annotations"], ids)
    cursor.execute(sql.queries()["keep_searches"], ids)
    cursor.execute(old.statement("drop_collection"))
    cursor.execute(
        sql.queries()["rename_collection"], {"collection": new.collection_id, "name": old.name}
    )
