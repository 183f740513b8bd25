"""The store on PostgreSQL: pgvector for the search, a hypertable where TimescaleDB is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from psycopg2 import errors as pg_errors

from soundalike import sql
from soundalike.config import DEFAULT_COLLECTION, Settings
from soundalike.errors import IndexEmpty, StoreError
from soundalike.store import collections, contents, indexing, listing, searching, writing
from soundalike.store.base import (
    Content,
    Entry,
    Outcome,
    SearchResult,
    StoreStatus,
    check_collection_name,
    check_embeddings,
    check_entry,
    check_filters,
    check_recording,
    check_spec,
    check_top_k,
    is_storable,
    starts_by_trust,
)
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor, Database
from soundalike.store.opening import open_database
from soundalike.store.schema import exists, extensions, has_schema, lock_schema, migrate_once
from soundalike.store.timeline import check_count, count_by_time
from soundalike.types import BucketWidth, Filters, FloatArray, IndexSpec, Recording, Timeline, Window

#: Below this many windows every search is exact; from here on an HNSW index is built.
EXACT_BELOW_WINDOWS = 10_000
_Result = TypeVar("_Result")


def open_store(settings: Settings) -> PostgresStore:
    """Return the store that the settings name; nothing is connected or started yet.

    Parameters
    ----------
    settings : Settings
        `database_url` names a server; None stands for the embedded one in `data_dir`.
    """
    database, release = open_database(settings)
    return PostgresStore(database, on_close=release)


class PostgresStore:
    """Recordings and windows in PostgreSQL. A `soundalike.store.Store`; threads may share it.

    Parameters
    ----------
    database : Database
        Where to.
    on_close : callable, optional
        Called when the store was closed.
    exact_below : int
        Number of windows from which on an HNSW index is built.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_close: Any = None,
        exact_below: int = EXACT_BELOW_WINDOWS,
    ) -> None:
        self._db = database
        self._on_close = on_close
        self._exact_below = exact_below
        self._sql = sql.queries()
        self._has_schema = False

    def _run(self, work: Callable[[Cursor], _Result]) -> _Result:
        """Do some work in a transaction, with tables of this program's version."""
        if not self._has_schema:
            while self._db.run(migrate_once):
                pass
        try:
            return self._db.run(work)
        except StoreError as exc:
            if not isinstance(exc.__cause__, pg_errors.UndefinedTable):
                raise
            # Another process has deleted, or replaced, what this one had found a moment ago.
            self._has_schema = False
            return self._db.run(work)

    def _find(self, cursor: Cursor, name: str) -> Collection | None:
        """Return a collection; once the schema was seen, at the price of one question."""
        if not self._has_schema and not has_schema(cursor):
            check_collection_name(name)
            return None
        self._has_schema = True
        return collections.find(cursor, name)

    def add(
        self,
        recording: Recording,
        windows: Sequence[Window],
        embeddings: FloatArray,
        spec: IndexSpec,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome:
        """Store a recording entirely or not at all; storing it again changes nothing.

        Parameters
        ----------
        recording : Recording
            What is known of it. A `recorded_at` of None leaves the stored one.
        windows : sequence of Window
            Its windows; silent ones are stored, but no search finds them.
        embeddings : (n_windows, spec.dimension) float32
            One row for each window.
        spec : IndexSpec
            What the embeddings were made with; the first one makes the collection.
        collection : str
            Where to.

        Raises
        ------
        ModelMismatch, DimensionMismatch, InvalidSamples
            The embeddings do not fit the collection.
        StoreError
            The database refused or cannot be reached; nothing of the recording was stored.
        """
        return self.add_many([Entry(recording, windows, embeddings)], spec, collection=collection)[0]

    def add_many(
        self, entries: Sequence[Entry], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Outcome]:
        """Store all of these recordings or none, as `add` would one after the other.

        Several times faster than one by one: they share a transaction and a COPY.
        """
        for entry in entries:
            check_entry(entry, spec)

        def work(cursor: Cursor) -> list[Outcome]:
            target = collections.ensure(cursor, collection, spec)
            return writing.add_many(cursor, target, entries)

        return self._run(work) if entries else []

    def link(
        self, recording: Recording, spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> Outcome | None:
        """Store a path of audio that is stored already; None where it is not.

        Spares the caller decoding and embedding what is known; `recording.duration_s` is not used.
        """
        check_recording(recording, has_length=False)

        def work(cursor: Cursor) -> Outcome | None:
            target = self._find(cursor, collection)
            if target is None:
                return None
            check_spec(target.spec, spec)
            return writing.link(cursor, target, recording)

        return self._run(work)

    def known_ids(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> set[str]:
        """Return those of the ids that are stored."""

        def work(cursor: Cursor) -> set[str]:
            found = self._find(cursor, collection)
            if found is None:
                return set()
            keys = {"collection": found.collection_id, "recording_ids": list(recording_ids)}
            cursor.execute(self._sql["known_ids"], keys)
            return {row[0] for row in cursor.fetchall()}

        return self._run(work)

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield every stored path with its recording, in the order of the paths.

        With `under`, only those that lie below this folder.
        """
        after, page = "", [Recording("", "", 0.0)]

        def work(cursor: Cursor) -> list[Recording]:
            found = self._find(cursor, collection)
            return listing.page(cursor, found, after, under) if found else []

        if under is not None and not is_storable(under):
            return
        while page:
            after = page[-1].uri
            page = self._run(work)
            yield from page

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
            return listing.known(cursor, found, storable)

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

    def search(
        self,
        vectors: FloatArray,
        spec: IndexSpec,
        *,
        top_k: int,
        filters: Filters,
        collection: str = DEFAULT_COLLECTION,
    ) -> SearchResult:
        """Return the hits of the `top_k` best recordings, where there are that many.

        Parameters
        ----------
        vectors : (n_query_windows, spec.dimension) float32
            The query's windows; all of them go to the server in one statement.
        spec : IndexSpec
            What they were made with.
        top_k : int
            From 1 to 1000.
        filters : Filters
            Which recordings may answer.
        collection : str
            Where to look.

        Raises
        ------
        IndexEmpty
            There is no such collection.
        ModelMismatch, DimensionMismatch, ParameterError, StoreError
            As their names say.
        """
        check_top_k(top_k)
        check_filters(filters)
        check_embeddings(vectors, None, spec)

        def work(cursor: Cursor) -> SearchResult:
            found = self._find(cursor, collection)
            if found is None:
                raise not_indexed(collection)
            check_spec(found.spec, spec)
            return searching.search(cursor, found, vectors, top_k, filters)

        return self._run(work)

    def count_by_time(
        self,
        vectors: FloatArray,
        spec: IndexSpec,
        *,
        min_score: float,
        bucket: BucketWidth,
        zone: tzinfo,
        filters: Filters,
        collection: str = DEFAULT_COLLECTION,
    ) -> Timeline:
        """Count by wall-clock time; see `soundalike.store.timeline.count_by_time`.

        Raises
        ------
        IndexEmpty
            There is no such collection.
        ModelMismatch, DimensionMismatch, ParameterError, StoreError
            As their names say.
        """
        check_count(min_score, bucket)
        check_filters(filters)
        check_embeddings(vectors, None, spec)

        def work(cursor: Cursor) -> Timeline:
            found = self._find(cursor, collection)
            if found is None:
                raise not_indexed(collection)
            check_spec(found.spec, spec)
            return count_by_time(cursor, found, vectors, min_score, bucket, zone, filters)

        return self._run(work)

    def delete(self, key: str, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete a path, every path below a folder, or a recording by id; return how many paths.

        Windows go with the last path of their recording.
        """
        if not is_storable(key):
            return 0

        def work(cursor: Cursor) -> int:
            found = self._find(cursor, collection)
            return writing.delete(cursor, found, key) if found else 0

        return self._run(work)

    def delete_files(self, uris: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> list[str]:
        """Delete exactly these paths, in one transaction; return those that were stored."""
        storable = [uri for uri in uris if is_storable(uri)]

        def work(cursor: Cursor) -> list[str]:
            found = self._find(cursor, collection)
            return writing.delete_files(cursor, found, storable) if found else []

        return self._run(work)

    def finish_batch(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Build the HNSW index once there are enough windows to be worth it."""

        def work(cursor: Cursor) -> None:
            found = self._find(cursor, collection)
            if found is not None:
                indexing.build_if_missing(cursor, found, self._exact_below)

        self._run(work)

    def optimize(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Build the HNSW index anew, or drop it where there are too few windows to be worth it.

        Searches go on by the old index until the new one is complete; additions wait.
        """

        def work(cursor: Cursor) -> None:
            found = self._find(cursor, collection)
            if found is None:
                raise not_indexed(collection)
            indexing.build_anew(cursor, found, self._exact_below)

        self._run(work)

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return what is stored; works on an empty database too."""

        def work(cursor: Cursor) -> StoreStatus:
            found = self._find(cursor, collection)
            counts = (0, 0, 0)
            starts: list[tuple[str | None, int, datetime | None, datetime | None]] = []
            if found is not None:
                cursor.execute(self._sql["count_rows"], {"collection": found.collection_id})
                counts = cursor.fetchone() or counts
                cursor.execute(self._sql["count_starts"], {"collection": found.collection_id})
                starts = cursor.fetchall()
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

    def create_collection(self, name: str, spec: IndexSpec) -> None:
        """Make an empty collection; one that is there already must fit."""
        self._run(lambda cursor: collections.ensure(cursor, name, spec))

    def drop_collection(self, name: str) -> bool:
        """Delete a collection with all it holds; tell whether there was one."""

        def work(cursor: Cursor) -> bool:
            found = self._find(cursor, name)
            if found is not None:
                collections.drop(cursor, found)
            return found is not None

        return self._run(work)

    def rename_collection(self, name: str, new_name: str) -> None:
        """Give a collection a name that is still free.

        Raises
        ------
        IndexEmpty
            There is no such collection.
        ParameterError
            The new name is taken.
        """

        def work(cursor: Cursor) -> None:
            found = self._find(cursor, name)
            if found is None:
                raise not_indexed(name)
            collections.rename(cursor, found, new_name)

        self._run(work)

    def replace_collection(self, name: str, successor: str, *, without: Set[str] = frozenset()) -> bool:
        """Let another collection take the place and name of this one.

        Only where it has every path of this one but those in `without`; tell whether it was so. What
        was deleted from this one in the meantime goes from the successor too.
        """

        def work(cursor: Cursor) -> bool:
            old, new = self._find(cursor, name), self._find(cursor, successor)
            if old is None or new is None:
                raise not_indexed(successor if old else name)
            return collections.replace(cursor, old, new, without)

        return self._run(work)

    def reset(self) -> None:
        """Delete everything that Soundalike has stored in this database."""

        def work(cursor: Cursor) -> None:
            lock_schema(cursor)
            cursor.execute(self._sql["drop_schema"])

        self._has_schema = False
        self._db.run(work)

    def close(self) -> None:
        """Close the connections; the embedded server stops where nobody else needs it."""
        self._db.close()
        if self._on_close is not None:
            self._on_close()


def not_indexed(collection: str) -> IndexEmpty:
    """Return the error of those who ask for something in a collection that is not there."""
    if collection == DEFAULT_COLLECTION:
        return IndexEmpty("nothing has been indexed yet; run: soundalike index PATH")
    return IndexEmpty(
        f"there is no collection {collection!r}; see: soundalike collections, or make it with: "
        f"soundalike index --collection {collection} PATH"
    )
