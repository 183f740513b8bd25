"""The store in PostgreSQL, with pgvector, and hypertables if TimescaleDB is installed."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import tzinfo
from typing import Any, TypeVar

from soundalike.config import DEFAULT_COLLECTION
from soundalike.filters import Filters
from soundalike.ranges import Layout, check_count, check_layout, check_top_k
from soundalike.runtime.stages import stage
from soundalike.store import collections, indexing, searching, writing
from soundalike.store.annotations import PostgresAnnotations
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
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor, Database
from soundalike.store.postgres_events import PostgresEvents
from soundalike.store.postgres_maps import PostgresMaps
from soundalike.store.postgres_normal import PostgresNormal
from soundalike.store.postgres_parts import PostgresParts
from soundalike.store.postgres_searches import PostgresSearches
from soundalike.store.postgres_speakers import PostgresSpeakers
from soundalike.store.protocol import Store
from soundalike.store.schema import lock_schema
from soundalike.store.timeline import count_by_time
from soundalike.types import BucketWidth, FloatArray, IndexSpec, Recording, Timeline

#: Number of windows from which an HNSW index is built; searches of smaller collections are exact.
EXACT_BELOW_WINDOWS = 10_000
_Result = TypeVar("_Result")


class PostgresStore(
    PostgresAnnotations,
    PostgresSpeakers,
    PostgresNormal,
    PostgresSearches,
    PostgresEvents,
    PostgresMaps,
    PostgresParts,
    Store,
):
    """Recordings and windows in PostgreSQL. A thread-safe `soundalike.store.Store`.

    Parameters
    ----------
    database : Database
    on_close : callable, optional
        Called after closing the store.
    exact_below : int
        Number of windows from which an HNSW index is built.
    is_shard : bool
        Whether the database is one of several of an index; otherwise such a one is refused.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_close: Any = None,
        exact_below: int = EXACT_BELOW_WINDOWS,
        is_shard: bool = False,
    ) -> None:
        super().__init__(database, is_shard=is_shard)
        self._on_close = on_close
        self._exact_below = exact_below

    def add_many(
        self, entries: Sequence[Entry], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Outcome]:
        """Store all recordings or none, with the results of `add`.

        Several times faster than single calls: the recordings share a transaction and a COPY.
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
        """Store a path of audio that is stored already; None if it is not.

        With `renew`, also None if an earlier decoder decoded it. This saves decoding and embedding known
        audio; `recording.duration_s` is not used.
        """
        check_recording(recording, has_length=False)

        def work(cursor: Cursor, target: Collection) -> Outcome | None:
            check_spec(target.spec, spec)
            return writing.link(cursor, target, recording, renew=renew)

        return self._run_in(collection, work, None)

    def search(
        self,
        vectors: FloatArray,
        spec: IndexSpec,
        *,
        top_k: int,
        filters: Filters,
        collection: str = DEFAULT_COLLECTION,
    ) -> SearchResult:
        """Return the hits of the `top_k` best recordings, or of all if there are fewer.

        Parameters
        ----------
        vectors : (n_query_windows, spec.dimension) float32
            Windows of the query; one statement sends all of them.
        spec : IndexSpec
            Specification of the vectors.
        top_k : int
            1 to 1000.
        filters : Filters
            Filters of the recordings.
        collection : str

        Raises
        ------
        IndexEmpty
            The collection does not exist.
        ModelMismatch, DimensionMismatch, ParameterError, StoreError
            The vectors do not fit the collection, a parameter is invalid, or the database failed.
        """
        check_top_k(top_k)
        check_filters(filters)
        check_embeddings(vectors, None, spec)

        def work(cursor: Cursor, *, found: Collection) -> SearchResult | None:
            with stage("ann"):
                return searching.search(cursor, found, vectors, top_k, filters)

        return self._read_current(collection, spec, work)

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
        """Count by wall-clock time; see `soundalike.store.timeline.count_by_time`."""
        check_count(min_score, bucket)
        check_filters(filters)
        check_embeddings(vectors, None, spec)

        def work(cursor: Cursor, found: Collection) -> Timeline:
            check_spec(found.spec, spec)
            return count_by_time(cursor, found, vectors, min_score, bucket, zone, filters)

        return self._run_in_existing(collection, work, reads=True)

    def delete(self, key: str, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete a path, all paths in a folder, or a recording by id; return the number of paths.

        The windows of a recording are deleted with its last path.
        """
        if not is_storable(key):
            return 0
        return self._run_in(collection, lambda cursor, found: writing.delete(cursor, found, key), 0)

    def delete_files(self, uris: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> list[str]:
        """Delete these paths in one transaction; return the ones that were stored."""
        storable = [uri for uri in uris if is_storable(uri)]
        return self._run_in(
            collection, lambda cursor, found: writing.delete_files(cursor, found, storable), []
        )

    def finish_batch(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Build a missing HNSW index if the collection has enough windows, and renew the null model."""
        self.build_index(collection)
        found = self._current(collection, is_fresh=True)
        if found is not None:
            self._null_models.look_for_growth(found.unchunked())

    def build_index(self, collection: str) -> None:
        """Build a missing HNSW index if the collection has enough windows."""
        self._run_in(
            collection,
            lambda cursor, found: indexing.build_if_missing(cursor, found, self._exact_below),
            None,
        )

    def drop_index(self, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Drop the HNSW index before many additions; see `soundalike.store.Store`."""
        return self._run_in(collection, indexing.drop, False)

    def optimize(self, *, collection: str = DEFAULT_COLLECTION, layout: Layout | None = None) -> None:
        """Rebuild the HNSW index, or drop it from a small collection, and renew the null model.

        Searches use the old index until the new one is complete; additions wait. See
        `soundalike.store.Store` for layouts.
        """
        self.rebuild_index(collection, layout)
        found = self._current(collection, is_fresh=True)
        if found is not None:
            self._null_models.renew(found.unchunked())

    def rebuild_index(self, collection: str, layout: Layout | None) -> None:
        """Rebuild the HNSW index, or drop it from a small collection."""
        check_layout(layout)
        self._run_in_existing(
            collection, lambda cursor, found: indexing.rebuild(cursor, found, self._exact_below, layout)
        )

    def create_collection(self, name: str, spec: IndexSpec, *, like: str | None = None) -> None:
        """Create an empty collection; an existing one must have the same specification.

        A new one takes the layout of the collection `like`.
        """
        self._run(lambda cursor: collections.ensure(cursor, name, spec, like=like))

    def drop_collection(self, name: str) -> bool:
        """Delete a collection with its content; return whether it existed."""

        def work(cursor: Cursor, found: Collection) -> bool:
            collections.drop(cursor, found)
            return True

        return self._run_in(name, work, missing=False)

    def rename_collection(self, name: str, new_name: str) -> None:
        """Rename a collection.

        Raises
        ------
        IndexEmpty
            The collection does not exist.
        ParameterError
            The new name is in use.
        """
        self._run_in_existing(name, lambda cursor, found: collections.rename(cursor, found, new_name))

    def replace_collection(self, name: str, successor: str, *, without: Set[str] = frozenset()) -> bool:
        """Replace a collection with another one under its name.

        Returns False without a change if the successor lacks paths that are not in `without`. Paths that
        were deleted meanwhile are deleted from the successor too.
        """

        def work(cursor: Cursor) -> bool:
            old, new = self._find(cursor, name), self._find(cursor, successor)
            if old is None or new is None:
                raise not_indexed(successor if old else name)
            return collections.replace(cursor, old, new, without)

        return self._run(work)

    def reset(self) -> None:
        """Delete all data of Soundalike in this database."""

        def work(cursor: Cursor) -> None:
            lock_schema(cursor)
            cursor.execute(self._sql["drop_schema"])

        self._identify()
        self._has_schema = False
        self._db.run(work)

    def close(self) -> None:
        """Close the connections; an unused embedded server stops."""
        self._db.close()
        if self._on_close is not None:
            self._on_close()
