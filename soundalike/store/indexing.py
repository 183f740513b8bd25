"""Build the HNSW index of a collection, if it has enough vectors."""

from __future__ import annotations

from psycopg2 import errors as pg_errors

from soundalike.store import sql
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.schema import exists, lock_schema

_NEIGHBOURS_BYTES = 970
_SMALLEST_BUILD_MB = 64
_LARGEST_BUILD_MB = 2048


def build_if_missing(cursor: Cursor, collection: Collection, exact_below: int) -> None:
    """Build a missing index, for `exact_below` windows or more."""
    if exists(cursor, collection.index) or not _is_worth_it(cursor, collection, exact_below):
        return
    # Without the lock two processes could deadlock.
    lock_schema(cursor)
    _build(cursor, collection)


def drop(cursor: Cursor, collection: Collection) -> bool:
    """Drop the index, and return whether there was one."""
    if not exists(cursor, collection.index):
        return False
    lock_schema(cursor)
    cursor.execute(collection.statement("set_index_aside"))
    cursor.execute(collection.statement("drop_index_aside"))
    return True


def rebuild(cursor: Cursor, collection: Collection, exact_below: int) -> None:
    """Replace the index with a new one, for `exact_below` windows or more.

    Searches use the old index until the new one is complete; additions wait.
    """
    lock_schema(cursor)
    if exists(cursor, collection.index):
        cursor.execute(collection.statement("set_index_aside"))
    if _is_worth_it(cursor, collection, exact_below):
        _build(cursor, collection)
    cursor.execute(collection.statement("drop_index_aside"))


def _is_worth_it(cursor: Cursor, collection: Collection, exact_below: int) -> bool:
    cursor.execute(collection.statement("estimate_windows"), {"limit": exact_below})
    row = cursor.fetchone()
    return row is not None and row[0] >= exact_below


def _build(cursor: Cursor, collection: Collection) -> None:
    cursor.execute(sql.queries()["count_rows"], {"collection": collection.collection_id})
    *_, windows = cursor.fetchone() or (0,)
    _stop_if_alone(cursor)
    megabytes = build_memory_mb(int(windows), collection.spec.dimension)
    cursor.execute(f"SET LOCAL maintenance_work_mem = '{megabytes}MB'; SAVEPOINT build")
    try:
        cursor.execute(collection.statement("create_index"))
    except pg_errors.DiskFull:
        # Parallel workers need shared memory, of which containers have 64 MB by default; a single
        # process needs none.
        cursor.execute("ROLLBACK TO SAVEPOINT build; SET LOCAL max_parallel_maintenance_workers = 0")
        cursor.execute(collection.statement("create_index"))
    cursor.execute(collection.statement("analyze"))


def _stop_if_alone(cursor: Cursor) -> None:
    # Otherwise the server would notice a killed client only after the index is complete.
    cursor.execute("SAVEPOINT alone")
    try:
        cursor.execute(sql.queries()["stop_if_alone"])
    except pg_errors.InvalidParameterValue:
        # Servers on some systems, such as Windows, do not support the setting.
        cursor.execute("ROLLBACK TO SAVEPOINT alone")


def build_memory_mb(windows: int, dimension: int) -> int:
    """Return the memory for building an index in MiB: enough for its graph, within bounds.

    A graph that does not fit is completed on disk, which takes several times as long. With m = 24 and
    512 dimensions 40 MiB were enough for 21 031 windows: 1994 bytes each, including 1024 of the vector.

    Examples
    --------
    >>> build_memory_mb(10_000, 512), build_memory_mb(650_000, 512), build_memory_mb(10**8, 512)
    (64, 1359, 2048)
    """
    needed = windows * (2 * dimension + _NEIGHBOURS_BYTES) * 11 // 10 >> 20
    return min(max(needed, _SMALLEST_BUILD_MB), _LARGEST_BUILD_MB)
