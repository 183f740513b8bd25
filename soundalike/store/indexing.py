"""The HNSW index of a collection's vectors: built where there are enough of them to be worth it."""

from __future__ import annotations

from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.schema import exists, lock_schema


def build_if_missing(cursor: Cursor, collection: Collection, exact_below: int) -> None:
    """Build the index unless it is there; from `exact_below` windows on."""
    if exists(cursor, collection.index) or not _is_worth_it(cursor, collection, exact_below):
        return
    # Two processes that reach the number together would wait for each other for ever.
    lock_schema(cursor)
    _build(cursor, collection)


def build_anew(cursor: Cursor, collection: Collection, exact_below: int) -> None:
    """Put a new index in the place of the one that is there; from `exact_below` windows on.

    Searches go on by the old one until the new one is complete; additions wait.
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
    cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
    cursor.execute(collection.statement("create_index"))
    cursor.execute(collection.statement("analyze"))
