"""What is stored in PostgreSQL: everything that a store tells without comparing sounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from psycopg2 import errors as pg_errors

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import StoreError
from soundalike.store import collections, contents, listing, sql
from soundalike.store.base import (
    MAX_PAGE,
    CollectionSummary,
    Content,
    StoredFile,
    StoreStatus,
    check_collection_name,
    check_filters,
    check_page,
    check_spec,
    checked_id,
    folder_prefix,
    is_storable,
    starts_by_trust,
)
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor, Database
from soundalike.store.schema import exists, extensions, has_schema, migrate_once
from soundalike.types import Filters, IndexSpec, Recording

_Result = TypeVar("_Result")
#: So long a collection is taken to have as many chunks as it had. That it is still the one of its
#: name each search finds out by itself.
_SEEN_FOR_S = 10.0


class PostgresReader:
    """The part of `PostgresStore` that changes nothing; threads may share it.

    Parameters
    ----------
    database : Database
        Where to.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._sql = sql.queries()
        self._has_schema = False
        self._seen: dict[str, tuple[float, Collection]] = {}

    def _run(self, work: Callable[[Cursor], _Result]) -> _Result:
        """Do some work in a transaction, with tables of this program's version."""
        try:
            self._migrate()
            return self._db.run(work)
        except StoreError as exc:
            if not isinstance(exc.__cause__, pg_errors.UndefinedTable):
                raise
            # Another process has deleted, or replaced, what this one had found a moment ago.
            self._has_schema = False
            self._migrate()
            return self._db.run(work)

    def _migrate(self) -> None:
        """Bring older tables up to date, unless they were seen to be."""
        while not self._has_schema and self._db.run(migrate_once):
            pass

    def _find(self, cursor: Cursor, name: str) -> Collection | None:
        """Return a collection; once the schema was seen, at the price of one question."""
        if not self._has_schema and not has_schema(cursor):
            check_collection_name(name)
            return None
        self._has_schema = True
        return collections.find(cursor, name)

    def _current(self, name: str, *, is_fresh: bool) -> Collection | None:
        """Return a collection; unless `is_fresh`, perhaps as it was some seconds ago."""
        seen_at, seen = self._seen.get(name, (0.0, None))
        if is_fresh or seen is None or time.monotonic() - seen_at > _SEEN_FOR_S:
            seen = self._run(lambda cursor: self._find(cursor, name))
            if seen is None:
                self._seen.pop(name, None)
            else:
                self._seen[name] = (time.monotonic(), seen)
        return seen

    def _read(self, work: Callable[[Cursor], _Result]) -> _Result | None:
        """Do some reading outside a transaction; None where a table is not what it was."""
        try:
            return self._db.run(work, in_transaction=False)
        except StoreError as exc:
            # After a reset another table may have the name, with vectors of another length.
            if not isinstance(exc.__cause__, (pg_errors.UndefinedTable, pg_errors.DataException)):
                raise
            return None

    def known_lengths(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, float]:
        """Return those of the ids that are stored, with the lengths of their recordings in seconds."""

        def work(cursor: Cursor) -> dict[str, float]:
            found = self._find(cursor, collection)
            if found is None:
                return {}
            keys = {"collection": found.collection_id, "recording_ids": list(recording_ids)}
            cursor.execute(self._sql["known_lengths"], keys)
            return dict(cursor.fetchall())

        return self._run(work)

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield every stored path with its recording, in the order of the paths.

        With `under`, only those that lie below this folder.
        """
        if under is not None and not is_storable(under):
            return
        filters = Filters(uri_prefix="" if under is None else folder_prefix(under))

        def page(cursor: Cursor, found: Collection, after: str) -> list[StoredFile]:
            return listing.page(cursor, found, after, MAX_PAGE, filters)

        yield from self._paged(page, collection)

    def outdated_files(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Recording]:
        """Yield the paths of what an earlier decoder has decoded, in their order.

        Those that are renewed meanwhile may be in it or not.
        """

        def page(cursor: Cursor, found: Collection, after: str) -> list[StoredFile]:
            return listing.outdated(cursor, found, after, MAX_PAGE)

        yield from self._paged(page, collection)

    def _paged(
        self, page_behind: Callable[[Cursor, Collection, str], list[StoredFile]], collection: str
    ) -> Iterator[Recording]:
        """Yield the recordings of pages that follow each other, each page in its own transaction."""
        after = ""

        def work(cursor: Cursor) -> list[StoredFile]:
            found = self._find(cursor, collection)
            return page_behind(cursor, found, after) if found else []

        while page := self._run(work):
            yield from (file.recording for file in page)
            after = page[-1].recording.uri

    def page_of_files(
        self,
        filters: Filters,
        *,
        after: str = "",
        limit: int = 100,
        collection: str = DEFAULT_COLLECTION,
    ) -> list[StoredFile]:
        """Return the next paths that pass the filters of label, tags and path, in their order.

        Parameters
        ----------
        filters : Filters
            Those of time, and `exclude_recording_id`, are left aside.
        after : str
            The last path of the page before; empty for the first page.
        limit : int
            From 1 to 1000.
        collection : str
            Which one.

        Raises
        ------
        ParameterError
            `limit` is out of range, or a filter cannot be.
        """
        check_page(limit, after)
        check_filters(filters)

        def work(cursor: Cursor) -> list[StoredFile]:
            found = self._find(cursor, collection)
            return listing.page(cursor, found, after, limit, filters) if found else []

        return self._run(work)

    def files_named(
        self, keys: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, StoredFile]:
        """Return what is stored under paths, and under recording ids the first path of each.

        Parameters
        ----------
        keys : sequence of str
            Paths and ids; in the answer those of which something is stored.
        collection : str
            Where to look.
        """
        storable = [key for key in keys if is_storable(key)]

        def work(cursor: Cursor) -> dict[str, StoredFile]:
            found = self._find(cursor, collection)
            return listing.named(cursor, found, storable) if found else {}

        return self._run(work)

    def labels(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels with how many paths have them, most frequent first."""
        return self._counts(self._sql["count_labels"], limit, collection)

    def folders(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return the folders in which there are stored paths, and how many, in their order.

        The paths in the folder itself count, those in folders below it do not.
        """
        return self._counts(self._sql["count_folders"], limit, collection)

    def _counts(self, statement: str, limit: int, collection: str) -> list[tuple[str, int]]:
        check_page(limit, "")

        def work(cursor: Cursor) -> list[tuple[str, int]]:
            found = self._find(cursor, collection)
            return listing.counts(cursor, found, statement, limit) if found else []

        return self._run(work)

    def known_files(
        self, uris: Sequence[str], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, Recording]:
        """Return those of the paths that are stored, with their recordings, in one question.

        Raises
        ------
        ModelMismatch
            The collection was made with something else.
        """
        storable = [uri for uri in uris if is_storable(uri)]

        def work(cursor: Cursor) -> dict[str, Recording]:
            found = self._find(cursor, collection)
            if found is None:
                return {}
            check_spec(found.spec, spec)
            files = listing.at_paths(cursor, found, storable)
            return {uri: file.recording for uri, file in files.items()}

        return self._run(work)

    def contents(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Content]:
        """Yield every recording with its paths and windows, in the order of the ids.

        Each recording comes as it is at one moment; those that are added or deleted meanwhile may be
        in it or not.

        Raises
        ------
        ModelMismatch
            The collection was replaced by another one in the meantime.
        """
        return contents.read_all(self._run, lambda cursor: self._find(cursor, collection))

    def content(
        self,
        recording_id: str,
        excerpt: Excerpt = WHOLE,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Content | None:
        """Return a recording with its paths, and the windows of a part of it.

        Parameters
        ----------
        recording_id : str
            UUID of its content.
        excerpt : Excerpt
            Which windows; their vectors alone are read.
        collection : str
            Where to look.

        Returns
        -------
        content : Content or None
            None where the recording, or the collection, is not there.

        Raises
        ------
        ParameterError
            The id is no UUID, or the recording is over before the part begins.
        """
        key = checked_id(recording_id)

        def work(cursor: Cursor) -> Content | None:
            found = self._find(cursor, collection)
            return contents.read_one(cursor, found, key, excerpt) if found else None

        return self._run(work)

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return what is stored; works on an empty database too."""

        def work(cursor: Cursor) -> StoreStatus:
            found = self._find(cursor, collection)
            counts, lacks = (0, 0, 0), (0, 0)
            starts: list[tuple[str | None, int, datetime | None, datetime | None]] = []
            if found is not None:
                cursor.execute(self._sql["count_rows"], {"collection": found.collection_id})
                counts = cursor.fetchone() or counts
                cursor.execute(self._sql["count_starts"], {"collection": found.collection_id})
                starts = cursor.fetchall()
                lacks = listing.shortcomings(cursor, found)
            installed = {name: version for name, (version, _) in extensions(cursor).items() if version}
            has_index = found is not None and exists(cursor, found.index)
            recordings, files, windows = (int(count) for count in counts)
            return StoreStatus(
                self._db.description,
                found.spec if found else None,
                recordings,
                files,
                windows,
                installed,
                "hnsw" if has_index else "exact",
                starts_by_trust({source: count for source, count, _, _ in starts}),
                min((first.astimezone(UTC) for *_, first, _ in starts if first), default=None),
                max((last.astimezone(UTC) for *_, last in starts if last), default=None),
                *lacks,
            )

        return self._run(work)

    def collections(self) -> dict[str, IndexSpec]:
        """Return all collections by name, and what they were made with."""

        def work(cursor: Cursor) -> dict[str, IndexSpec]:
            if not has_schema(cursor):
                return {}
            cursor.execute(self._sql["list_collections"])
            return {name: IndexSpec(*spec) for _, name, *spec in cursor.fetchall()}

        return self._run(work)

    def summaries(self, *, count: bool = True) -> list[CollectionSummary]:
        """Return all collections in the order of their names, and what they hold.

        Counting reads a row for each recording; where only the specifications matter, `count` is False.
        """

        def work(cursor: Cursor) -> list[CollectionSummary]:
            if not has_schema(cursor):
                return []
            cursor.execute(self._sql["list_collections"])
            found = []
            for number, name, *spec in cursor.fetchall():
                counts: tuple[int, ...] = ()
                if count:
                    cursor.execute(self._sql["count_rows"], {"collection": number})
                    counts = tuple(int(value) for value in cursor.fetchone() or ())
                found.append(CollectionSummary(name, IndexSpec(*spec), *counts))
            return found

        return self._run(work)
