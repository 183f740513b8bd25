"""Layouts of maps in PostgreSQL."""

from __future__ import annotations

import psycopg2

from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.map_layouts import MapStore
from soundalike.store.reading import PostgresReader


class PostgresMaps(PostgresReader, MapStore):
    """The part of `soundalike.store.PostgresStore` that keeps layouts of maps; thread-safe."""

    def map_layout(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bytes | None:
        """Return a layout; None if there is none."""

        def work(cursor: Cursor, found: Collection) -> bytes | None:
            values = {"collection": found.collection_id, "name": name}
            cursor.execute(self._sql["find_map_layout"], values)
            row = cursor.fetchone()
            return bytes(row[0]) if row else None

        return self._run_in(collection, work, None, reads=True)

    def save_map_layout(self, name: str, layout: bytes, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Store a layout; see `soundalike.store.map_layouts.MapStore`."""

        def work(cursor: Cursor, found: Collection) -> None:
            values = {"collection": found.collection_id, "name": name}
            given = {**values, "layout": psycopg2.Binary(layout)}
            cursor.execute(self._sql["put_map_layout"], given)

        self._run_in(collection, work, None)
