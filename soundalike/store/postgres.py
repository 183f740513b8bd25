"""The store on PostgreSQL: pgvector for the search, a hypertable where TimescaleDB is there."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import tzinfo
from functools import partial
from typing import Any, TypeVar

from soundalike.config import DEFAULT_COLLECTION, Settings
from soundalike.errors import StoreError
from soundalike.ranges import check_count, check_top_k
from soundalike.store import collections, indexing, searching, writing
from soundalike.store.base import (
    Entry,
    Outcome,
    SearchResult,
    check_embeddings,
    check_entry,
    check_filters,
    check_recording,
    check_spec,
    is_storable,
    not_indexed,
)
from soundalike.store.connection import Cursor, Database
from soundalike.store.opening import open_database
from soundalike.store.reading import PostgresReader
from soundalike.store.schema import lock_schema
from soundalike.store.timeline import count_by_time
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


class PostgresStore(PostgresReader):
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
        super().__init__(database)
        self._on_close = on_close
        self._exact_below = exact_below

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

        What an earlier decoder has made of it is replaced, and a search finds either that or the new.

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
        self,
        recording: Recording,
        spec: IndexSpec,
        *,
        renew: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome | None:
        """Store a path of audio that is stored already; None where it is not.

        With `renew`, None too where an earlier decoder has decoded it. Spares the caller decoding and
        embedding what is known; `recording.duration_s` is not used.
        """
        check_recording(recording, has_length=False)

        def work(cursor: Cursor) -> Outcome | None:
            target = self._find(cursor, collection)
            if target is None:
                return None
            check_spec(target.spec, spec)
            return writing.link(cursor, target, recording, renew=renew)

        return self._run(work)

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
        for is_fresh in (False, True, True):
            found = self._current(collection, is_fresh=is_fresh)
            if found is None or found.spec != spec:
                continue
            search = partial(
                searching.search, collection=found, vectors=vectors, top_k=top_k, filters=filters
            )
            result = self._read(search)
            if result is not None:
                return result
        if found is None:
            raise not_indexed(collection)
        check_spec(found.spec, spec)
        raise StoreError(f"the collection {collection!r} is being replaced again and again; try later")

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
