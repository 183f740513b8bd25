"""Models of what is normal in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg2

from soundalike.store.connection import Cursor
from soundalike.store.normal_models import (
    NormalStore,
    NormalSummary,
    WatchedFile,
    WatchEvent,
    check_event_limit,
    check_model,
    checked_model_name,
    normal_not_found,
)
from soundalike.store.reading import PostgresReader
from soundalike.store.schema import ensure_schema, has_schema, lock_schema

#: Vectors of models lie in a bytea, so any dimension is allowed.
_NO_DIMENSION = 0


class PostgresNormal(PostgresReader, NormalStore):
    """The part of `soundalike.store.PostgresStore` that keeps models of what is normal; thread-safe."""

    def normal_models(self) -> list[NormalSummary]:
        """Return all models without their vectors, sorted by name."""

        def work(cursor: Cursor) -> list[NormalSummary]:
            cursor.execute(self._sql["list_normal_models"])
            return [NormalSummary(*row) for row in cursor.fetchall()]

        return self._with_schema(work, [])

    def normal_model(self, name: str) -> tuple[NormalSummary, bytes]:
        """Return a model; see `soundalike.store.normal_models.NormalStore`."""
        checked_model_name(name)

        def work(cursor: Cursor) -> Any:
            cursor.execute(self._sql["find_normal_model"], {"name": name})
            return cursor.fetchone()

        row = self._with_schema(work, None)
        if row is None:
            raise normal_not_found(name)
        *summary, model = row
        return NormalSummary(*summary), bytes(model)

    def save_normal_model(
        self, name: str, model: bytes, summary: Mapping[str, Any], *, version: int | None
    ) -> bool:
        """Store a model; see `soundalike.store.normal_models.NormalStore`."""
        checked_model_name(name)
        check_model(model, summary)
        given = {
            "name": name,
            "model": psycopg2.Binary(model),
            "summary": json.dumps(dict(summary)),
            "version": version,
        }
        statement = "put_normal_model" if version is None else "replace_normal_model"

        def work(cursor: Cursor) -> bool:
            if not has_schema(cursor):
                lock_schema(cursor)
                ensure_schema(cursor, _NO_DIMENSION)
            cursor.execute(self._sql[statement], given)
            return cursor.rowcount > 0

        return self._run(work)

    def remove_normal_model(self, name: str) -> bool:
        """Delete a model with its watched recordings; return whether it existed."""
        checked_model_name(name)

        def work(cursor: Cursor) -> bool:
            cursor.execute(self._sql["remove_watch_events"], {"name": name})
            cursor.execute(self._sql["remove_normal_model"], {"name": name})
            return cursor.rowcount > 0

        return self._with_schema(work, False)

    def put_watch_event(self, event: WatchEvent) -> bool:
        """Store the score of a file; return False, without a change, if it has one."""
        given = {**_file(event.name, event.file), "event_id": event.event_id}
        row = {
            **given,
            "occurred_at": event.occurred_at,
            "is_anomalous": event.is_anomalous,
            "details": json.dumps(dict(event.details)),
        }

        def work(cursor: Cursor) -> bool | None:
            cursor.execute(self._sql["share_normal_model"], given)
            if cursor.rowcount == 0:
                return None
            cursor.execute(self._sql["put_watched_file"], {**given, "is_told": not event.is_anomalous})
            if cursor.rowcount == 0:
                return False
            cursor.execute(self._sql["put_watch_event"], row)
            return True

        none: bool | None = None
        is_new = self._with_schema(work, none)
        if is_new is None:
            raise normal_not_found(event.name)
        return is_new

    def watched(self, name: str, files: Sequence[WatchedFile]) -> set[WatchedFile]:
        """Return the files among these that have a score."""

        def work(cursor: Cursor) -> set[WatchedFile]:
            uris = [file.uri for file in files]
            cursor.execute(self._sql["list_watched_files"], {"name": name, "uris": uris})
            return {WatchedFile(*row) for row in cursor.fetchall()} & set(files)

        return self._with_schema(work, set())

    def rename_watched(self, name: str, file: WatchedFile, uri: str) -> bool:
        """Note that a file has another path; return False, without a change, if it has no score."""

        def work(cursor: Cursor) -> bool:
            cursor.execute(self._sql["rename_watched_file"], {**_file(name, file), "new_uri": uri})
            return cursor.rowcount > 0

        return self._with_schema(work, False)

    def watch_events(
        self,
        name: str,
        *,
        since: datetime | None = None,
        only_anomalous: bool = False,
        limit: int = 100,
    ) -> list[WatchEvent]:
        """Return events, the latest first."""
        check_event_limit(limit)
        given = {"name": name, "since": since, "only_anomalous": only_anomalous, "limit": limit}
        return self._events("list_watch_events", given)

    def untold_events(self, name: str) -> list[WatchEvent]:
        """Return anomalous events that the hooks have not been told, the earliest first."""
        return self._events("list_untold_events", {"name": name})

    def mark_told(self, event: WatchEvent) -> None:
        """Note that the hooks were told an event."""

        def work(cursor: Cursor) -> None:
            cursor.execute(self._sql["mark_told"], {"event_id": event.event_id})

        self._with_schema(work, None)

    def _events(self, statement: str, given: Mapping[str, Any]) -> list[WatchEvent]:
        def work(cursor: Cursor) -> list[WatchEvent]:
            cursor.execute(self._sql[statement], given)
            return [
                WatchEvent(key, name, WatchedFile(*file), at.astimezone(UTC), is_anomalous, details)
                for key, name, *file, at, is_anomalous, details in cursor.fetchall()
            ]

        return self._with_schema(work, [])


def _file(name: str, file: WatchedFile) -> dict[str, Any]:
    return {
        "name": name,
        "uri": file.uri,
        "size_bytes": file.size_bytes,
        "mtime_ns": file.mtime_ns,
    }
