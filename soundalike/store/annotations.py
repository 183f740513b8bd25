"""Annotations in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from psycopg2.extras import execute_values

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.config import DEFAULT_COLLECTION
from soundalike.store import listing
from soundalike.store.base import MAX_PAGE, check_annotations, check_page, checked_id, is_storable
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.reading import PostgresReader

_PAGE_ROWS = 1000
#: Rows of a page that is read; without statistics of the table each page sorts all that remain.
_READ_ROWS = 10_000


class PostgresAnnotations(PostgresReader):
    """The part of `PostgresStore` for annotations."""

    def annotate(
        self,
        annotations: Sequence[StoredAnnotation],
        *,
        at: datetime | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Store annotations, added at a time, now by default; see `soundalike.store.Store.annotate`."""
        check_annotations(annotations)

        def work(cursor: Cursor, found: Collection) -> int:
            rows = annotation_rows(annotations, found, at)
            statement = self._sql["put_annotations"]
            return len(execute_values(cursor, statement, rows, page_size=_PAGE_ROWS, fetch=True))

        return self._run_in_existing(collection, work)

    def annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[StoredAnnotation]:
        """Yield annotations by recording id and time, each page in its own transaction."""
        chosen = _chosen(label, recording_id, source)
        last: tuple[Any, ...] = (None, None, None)
        none: list[StoredAnnotation] = []
        if chosen is None:
            return

        def work(cursor: Cursor, found: Collection) -> list[StoredAnnotation]:
            recording, start_s, number = last
            place = {"after_recording": recording, "after_s": start_s, "after_id": number}
            names = {**chosen, **place, "collection": found.collection_id, "limit": _READ_ROWS}
            cursor.execute(self._sql["list_annotations"], names)
            return [_stored(*row) for row in cursor.fetchall()]

        while page := self._run_in(collection, work, none, reads=True):
            yield from page
            end = page[-1]
            last = (end.recording_id, end.annotation.start_s, end.annotation_id)

    def annotation_labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels of annotations with their number, most frequent first; all without a limit."""
        check_page(MAX_PAGE if limit is None else limit, "")
        statement = self._sql["count_annotations"]
        return self._run_in(
            collection,
            lambda cursor, found: listing.counts(cursor, found, statement, limit),
            [],
            reads=True,
        )

    def remove_annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete annotations; return their number."""
        chosen = _chosen(label, recording_id, source)

        def work(cursor: Cursor, found: Collection) -> int:
            names = {**(chosen or {}), "collection": found.collection_id}
            cursor.execute(self._sql["delete_annotations"], names)
            return cursor.rowcount

        return self._run_in(collection, work, 0) if chosen is not None else 0


def annotation_rows(
    annotations: Sequence[StoredAnnotation], collection: Collection, at: datetime | None = None
) -> list[tuple[Any, ...]]:
    """Return the rows of ``put_annotations``, added at a time; None: when the transaction began."""
    return [
        (
            *(collection.collection_id, new.recording_id, new.annotation.start_s),
            *(new.annotation.end_s, new.annotation.low_hz, new.annotation.high_hz),
            *(new.annotation.label, new.source, at),
        )
        for new in annotations
    ]


def _chosen(
    label: str | None, recording_id: str | None, source: str | None
) -> dict[str, str | None] | None:
    """Return the conditions of a statement; None if a text cannot be stored, so that nothing has it."""
    if not all(is_storable(text or "") for text in (label, source)):
        return None
    key = recording_id and checked_id(recording_id)
    return {"label": label, "recording_id": key, "source": source}


def _stored(
    number: int,
    recording_id: str,
    uri: str,
    start_s: float,
    end_s: float,
    label: str,
    low_hz: float | None,
    high_hz: float | None,
    source: str,
    created_at: Any,
    duration_s: float,
) -> StoredAnnotation:
    annotation = Annotation(start_s, end_s, label, low_hz, high_hz)
    return StoredAnnotation(number, recording_id, uri, annotation, source, created_at, duration_s)
