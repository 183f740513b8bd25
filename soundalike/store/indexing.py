"""Build the HNSW index of a collection, if it has enough vectors."""

from __future__ import annotations

from psycopg2 import errors as pg_errors

from soundalike.ranges import Layout
from soundalike.store import index_layouts, sql
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.schema import exists, lock_schema

_NEIGHBOURS_BYTES = 970
_SMALLEST_BUILD_MB = 64
#: A larger ``maintenance_work_mem`` of the server takes precedence.
_LARGEST_BUILD_MB = 2048
#: Maximum numbers of recordings and windows whose mean is the centre of an index of bits.
_SAMPLE = {"recordings": 1000, "windows": 100_000}


def build_if_missing(cursor: Cursor, collection: Collection, exact_below: int) -> None:
    """Build a missing index, for `exact_below` windows or more."""
    if exists(cursor, collection.index) or not _is_worth_it(cursor, collection, exact_below):
        return
    _begin(cursor)
    layout = _stored_layout(cursor, collection)
    # Another process may have built it, or dropped the collection, before this one had the lock.
    if layout is not None and not exists(cursor, collection.index):
        _build(cursor, collection, layout)


def drop(cursor: Cursor, collection: Collection) -> bool:
    """Drop the index, and return whether there was one."""
    if not exists(cursor, collection.index):
        return False
    _begin(cursor)
    cursor.execute(collection.statement("set_index_aside"))
    _set_layout(cursor, collection, _stored_layout(cursor, collection), None)
    cursor.execute(collection.statement("drop_index_aside"))
    return True


def rebuild(
    cursor: Cursor, collection: Collection, exact_below: int, layout: Layout | None = None
) -> None:
    """Replace the index with a new one, for `exact_below` windows or more.

    Searches use the old index until the new one is complete; additions wait.

    Parameters
    ----------
    cursor : cursor
    collection : Collection
    exact_below : int
    layout : str, optional
        Layout from now on, also without an index; None keeps the collection's.
    """
    _begin(cursor)
    wanted = index_layouts.chosen(cursor, collection, layout) if layout else None
    wanted = wanted or _stored_layout(cursor, collection) or collection.layout
    if exists(cursor, collection.index):
        cursor.execute(collection.statement("set_index_aside"))
    if _is_worth_it(cursor, collection, exact_below):
        _build(cursor, collection, wanted)
    else:
        _set_layout(cursor, collection, wanted, None)
    cursor.execute(collection.statement("drop_index_aside"))


def _stored_layout(cursor: Cursor, collection: Collection) -> str | None:
    """Return the layout of a collection, None if it was dropped; `collection` may be outdated."""
    cursor.execute(sql.queries()["layout_of"], {"collection": collection.collection_id})
    row = cursor.fetchone()
    return row[0] if row else None


def _set_layout(cursor: Cursor, collection: Collection, layout: str | None, centre: str | None) -> None:
    values = {"collection": collection.collection_id, "layout": layout, "centre": centre}
    cursor.execute(sql.queries()["set_layout"], values)


def _centre(cursor: Cursor, collection: Collection) -> str:
    """Return the mean of a sample of vectors in the text format of pgvector; zero without vectors."""
    cursor.execute(collection.statement("mean_of_sample"), _SAMPLE)
    (mean,) = cursor.fetchone() or (None,)
    return mean or str([0] * collection.spec.dimension)


def _is_worth_it(cursor: Cursor, collection: Collection, exact_below: int) -> bool:
    cursor.execute(collection.statement("estimate_windows"), {"limit": exact_below})
    row = cursor.fetchone()
    return row is not None and row[0] >= exact_below


def _build(cursor: Cursor, collection: Collection, layout: str) -> None:
    cursor.execute(sql.queries()["count_rows"], {"collection": collection.collection_id})
    *_, windows = cursor.fetchone() or (0,)
    statement, centre = collection.statement("create_index"), None
    if layout == "bit":
        centre = _centre(cursor, collection)
        made = collection.statement("create_bit_index")
        statement = index_layouts.with_centre(made, collection, centre)
    cursor.execute(sql.queries()["memory_settings"])
    *_, work_memory = cursor.fetchone() or (0,)
    most_mb = max(int(work_memory) >> 20, _LARGEST_BUILD_MB)
    megabytes = build_memory_mb(int(windows), collection.spec.dimension, layout, most_mb)
    cursor.execute(f"SET LOCAL maintenance_work_mem = '{megabytes}MB'; SAVEPOINT build")
    try:
        cursor.execute(statement)
    except pg_errors.DiskFull:
        # Parallel workers need shared memory, of which containers have 64 MB by default; a single
        # process needs none.
        cursor.execute("ROLLBACK TO SAVEPOINT build; SET LOCAL max_parallel_maintenance_workers = 0")
        cursor.execute(statement)
    cursor.execute(collection.statement("analyze"))
    _set_layout(cursor, collection, layout, centre)


def _begin(cursor: Cursor) -> None:
    # Otherwise the server would notice a killed client only after the index is complete, or after a wait
    # for another transaction.
    cursor.execute("SAVEPOINT alone")
    try:
        cursor.execute(sql.queries()["stop_if_alone"])
    except pg_errors.InvalidParameterValue:
        # Servers on some systems, such as Windows, do not support the setting.
        cursor.execute("ROLLBACK TO SAVEPOINT alone")
    # Without the lock two processes could deadlock.
    lock_schema(cursor)


def build_memory_mb(
    windows: int, dimension: int, layout: str = "halfvec", most_mb: int = _LARGEST_BUILD_MB
) -> int:
    """Return the memory for building an index in MiB: enough for its graph, within bounds.

    A graph that does not fit is completed on disk, which takes several times as long. With m = 24 and
    512 dimensions 40 MiB were enough for 21 031 windows: 1994 bytes each, including 1024 of the vector.

    Examples
    --------
    >>> build_memory_mb(10_000, 512), build_memory_mb(650_000, 512), build_memory_mb(10**8, 512)
    (64, 1359, 2048)
    >>> build_memory_mb(2_000_000, 512, most_mb=8192)
    4183
    """
    vector = dimension // 8 if layout == "bit" else 2 * dimension
    needed = windows * (vector + _NEIGHBOURS_BYTES) * 11 // 10 >> 20
    return min(max(needed, _SMALLEST_BUILD_MB), most_mb)
