"""Named searches and their marks in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from soundalike.annotations.types import StoredAnnotation
from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.annotations import annotation_rows
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.named_searches import (
    SearchMark,
    SearchStore,
    SearchSummary,
    Undone,
    check_acceptance,
    check_definition,
    check_marks,
    checked_search_name,
    search_exists,
    search_not_found,
    search_source,
)
from soundalike.store.reading import PostgresReader

_PAGE_ROWS = 1000


class PostgresSearches(PostgresReader, SearchStore):
    """The part of `soundalike.store.PostgresStore` that keeps named searches; thread-safe."""

    def named_searches(self, *, collection: str = DEFAULT_COLLECTION) -> list[SearchSummary]:
        """Return all named searches of a collection without their vectors, sorted by name."""

        def work(cursor: Cursor, found: Collection) -> list[SearchSummary]:
            cursor.execute(self._sql["list_searches"], {"collection": found.collection_id})
            return [SearchSummary(*row) for row in cursor.fetchall()]

        return self._run_in(collection, work, [], reads=True)

    def named_search(
        self, name: str, *, collection: str = DEFAULT_COLLECTION
    ) -> tuple[SearchSummary, bytes]:
        """Return a named search and its vectors."""
        checked_search_name(name)

        def work(cursor: Cursor, found: Collection) -> Any:
            cursor.execute(self._sql["find_search"], _named(found, name))
            return cursor.fetchone()

        row = self._run_in(collection, work, None, reads=True)
        if row is None:
            raise search_not_found(name, collection)
        *summary, vectors = row
        return SearchSummary(*summary), bytes(vectors)

    def save_named_search(
        self,
        name: str,
        definition: Mapping[str, Any],
        vectors: bytes,
        *,
        replace: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> None:
        """Save a named search; see `soundalike.store.named_searches.SearchStore`."""
        checked_search_name(name)
        check_definition(definition, vectors)
        given = {
            "definition": json.dumps(dict(definition)),
            "vectors": psycopg2.Binary(vectors),
            "replace": replace,
        }

        def work(cursor: Cursor, found: Collection) -> bool:
            cursor.execute(self._sql["put_search"], {**_named(found, name), **given})
            return cursor.fetchone() is not None

        if not self._run_in_existing(collection, work):
            raise search_exists(name, collection)

    def remove_named_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Delete a named search with its marks; return whether it existed."""
        checked_search_name(name)

        def work(cursor: Cursor, found: Collection) -> bool:
            cursor.execute(self._sql["remove_search"], _named(found, name))
            return cursor.rowcount > 0

        return self._run_in(collection, work, False)

    def put_search_marks(
        self, name: str, marks: Sequence[SearchMark], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Store decisions in their order; see `soundalike.store.named_searches.SearchStore`."""
        checked_search_name(name)
        check_marks(marks)

        def work(cursor: Cursor, found: Collection) -> None:
            search_id = self._locked(cursor, found, name)
            rows = [
                (
                    *(number, search_id, mark.recording_id, mark.uri, float(mark.start_s)),
                    *(float(mark.end_s), mark.is_right, mark.marked_by, mark.marked_at),
                )
                for number, mark in enumerate(marks)
            ]
            if rows:
                execute_values(cursor, self._sql["put_search_marks"], rows, page_size=_PAGE_ROWS)

        self._run_in_existing(collection, work)

    def search_marks(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> list[SearchMark]:
        """Return the marks that count, in the order of marking."""
        checked_search_name(name)

        def work(cursor: Cursor, found: Collection) -> list[SearchMark] | None:
            cursor.execute(self._sql["list_search_marks"], _named(found, name))
            marks = [_mark(*row) for row in cursor.fetchall()]
            if marks:
                return marks
            cursor.execute(self._sql["find_search"], _named(found, name))
            return None if cursor.fetchone() is None else []

        none: list[SearchMark] | None = None
        marks = self._run_in(collection, work, none, reads=True)
        if marks is None:
            raise search_not_found(name, collection)
        return marks

    def accept_search(
        self,
        name: str,
        annotations: Sequence[StoredAnnotation],
        *,
        by: str = "",
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Store annotations of one label; see `soundalike.store.named_searches.SearchStore`."""
        checked_search_name(name)
        check_acceptance(annotations, by)

        def work(cursor: Cursor, found: Collection) -> int:
            search_id = self._locked(cursor, found, name)
            rows = annotation_rows(annotations, found)
            statement = self._sql["put_annotations"]
            added = len(execute_values(cursor, statement, rows, page_size=_PAGE_ROWS, fetch=True))
            if added:
                label = annotations[0].annotation.label
                self._put_acceptance(cursor, search_id, label, by, None)
            return added

        return self._run_in_existing(collection, work)

    def note_acceptance(
        self, name: str, label: str, by: str, at: datetime, *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Note that annotations, which were added at this time, were accepted."""

        def work(cursor: Cursor, found: Collection) -> None:
            self._put_acceptance(cursor, self._locked(cursor, found, name), label, by, at)

        self._run_in_existing(collection, work)

    def _put_acceptance(
        self, cursor: Cursor, search_id: int, label: str, by: str, at: datetime | None
    ) -> None:
        given = {"search": search_id, "label": label, "by": by, "at": at}
        cursor.execute(self._sql["put_search_acceptance"], given)

    def undo_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> Undone | None:
        """Take back the latest mark, clearing or acceptance; return None if there is none."""
        checked_search_name(name)

        def work(cursor: Cursor, found: Collection) -> Undone | None:
            undone, at = self._undone(cursor, found, name)
            if undone is None or undone.label is None:
                return undone
            count = self._delete_accepted(cursor, found, name, undone.label, at)
            return replace(undone, annotations=count)

        return self._run_in_existing(collection, work)

    def undo_decision(
        self, name: str, *, collection: str = DEFAULT_COLLECTION
    ) -> tuple[Undone | None, datetime | None]:
        """Take back the latest decision without its annotations; return it and its time."""
        checked_search_name(name)
        return self._run_in_existing(collection, lambda cursor, found: self._undone(cursor, found, name))

    def delete_accepted(
        self, name: str, label: str, at: datetime | None, *, collection: str = DEFAULT_COLLECTION
    ) -> int:
        """Delete the annotations of an acceptance; return their number."""

        def work(cursor: Cursor, found: Collection) -> int:
            return self._delete_accepted(cursor, found, name, label, at)

        return self._run_in(collection, work, 0)

    def _undone(
        self, cursor: Cursor, found: Collection, name: str
    ) -> tuple[Undone | None, datetime | None]:
        search_id = self._locked(cursor, found, name)
        cursor.execute(self._sql["undo_search_mark"], {"search": search_id})
        row = cursor.fetchone()
        if row is None:
            return None, None
        *mark, label = row
        if label is not None:
            return Undone("accept", label=label), mark[-1]
        done = _mark(*mark)
        return Undone("clear" if done.is_right is None else "mark", done), mark[-1]

    def _delete_accepted(
        self, cursor: Cursor, found: Collection, name: str, label: str, at: datetime | None
    ) -> int:
        given = {**_named(found, name), "label": label, "source": search_source(name), "at": at}
        cursor.execute(self._sql["delete_accepted"], given)
        return cursor.rowcount

    def _locked(self, cursor: Cursor, found: Collection, name: str) -> int:
        """Return the number of a search, which no other transaction changes until this one ends."""
        cursor.execute(self._sql["lock_search"], _named(found, name))
        row = cursor.fetchone()
        if row is None:
            raise search_not_found(name, found.name)
        return int(row[0])


def _named(found: Collection, name: str) -> dict[str, Any]:
    return {"collection": found.collection_id, "name": name}


def _mark(
    recording_id: str,
    uri: str,
    start_s: float,
    end_s: float,
    is_right: bool | None,
    marked_by: str,
    marked_at: datetime,
) -> SearchMark:
    return SearchMark(recording_id, uri, start_s, end_s, is_right, marked_by, marked_at.astimezone(UTC))
