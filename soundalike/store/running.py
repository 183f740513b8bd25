"""Run functions in the database: with its tables, with a collection, on a standby."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from psycopg2 import errors as pg_errors

from soundalike.errors import StoreError
from soundalike.store import collections, sql
from soundalike.store.base import check_collection_name, check_spec, not_indexed
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor, Database
from soundalike.store.schema import SCHEMA_VERSION, has_schema, migrate_once, stored_version
from soundalike.store.shard_records import check_is_alone
from soundalike.types import IndexSpec

_Result = TypeVar("_Result")
_Found = TypeVar("_Found", covariant=True)
#: Lifetime of cached collections; they may have an outdated number of chunks. Each search verifies that
#: the collection still exists.
_CACHED_FOR_S = 10.0


class _Reads(Protocol[_Found]):
    """Reads a collection; returns None if it was deleted or replaced."""

    def __call__(self, cursor: Cursor, *, found: Collection) -> _Found | None: ...


class PostgresRunner:
    """Runs functions with a cursor, for `PostgresStore`; thread-safe.

    Parameters
    ----------
    database : Database
    is_shard : bool
        Whether the database is one of several of an index; otherwise such a one is refused.
    """

    def __init__(self, database: Database, *, is_shard: bool = False) -> None:
        self._db = database
        self._is_identified = is_shard
        self._sql = sql.queries()
        self._has_schema = False
        self._cache: dict[str, tuple[float, Collection]] = {}

    def _run(self, work: Callable[[Cursor], _Result], *, reads: bool = False) -> _Result:
        """Run a function in a transaction, after migrating the tables to this program's version.

        With `reads`, a standby may run it.
        """
        run = self._db.read if reads else self._db.run
        try:
            self._migrate()
            return run(work)
        except StoreError as exc:
            if not isinstance(exc.__cause__, pg_errors.UndefinedTable):
                raise
            # Another process has deleted or replaced the tables in between.
            self._has_schema = False
            self._migrate()
            return run(work)

    def _with_schema(
        self, work: Callable[[Cursor], _Result], missing: _Result, *, reads: bool = False
    ) -> _Result:
        """Run a function in a transaction; return `missing` without tables."""
        return self._run(lambda cursor: work(cursor) if has_schema(cursor) else missing, reads=reads)

    def _run_in(
        self,
        collection: str,
        work: Callable[[Cursor, Collection], _Result],
        missing: _Result,
        *,
        reads: bool = False,
    ) -> _Result:
        """Run a function with a collection in a transaction; return `missing` without the collection."""

        def run(cursor: Cursor) -> _Result:
            found = self._find(cursor, collection)
            return work(cursor, found) if found else missing

        return self._run(run, reads=reads)

    def _run_in_existing(
        self, collection: str, work: Callable[[Cursor, Collection], _Result], *, reads: bool = False
    ) -> _Result:
        """Run a function with a collection in a transaction; raise `IndexEmpty` without it."""

        def run(cursor: Cursor) -> _Result:
            found = self._find(cursor, collection)
            if found is None:
                raise not_indexed(collection)
            return work(cursor, found)

        return self._run(run, reads=reads)

    def _migrate(self) -> None:
        """Migrate older tables, unless they are known to be up to date."""
        self._identify()
        if self._has_schema or (
            self._db.has_standbys and self._db.read(stored_version) == SCHEMA_VERSION
        ):
            return
        while self._db.run(migrate_once):
            pass

    def _identify(self) -> None:
        """Refuse a database that is one of several of an index."""
        if not self._is_identified:
            self._db.read(lambda cursor: check_is_alone(cursor, self.description))
            self._is_identified = True

    @property
    def description(self) -> str:
        """Name of the database, without a password."""
        return self._db.description

    def transact(self, work: Callable[[Cursor], _Result], *, reads: bool = False) -> _Result:
        """Run a function in a transaction, after migrating the tables; with `reads` on a standby too."""
        return self._run(work, reads=reads)

    def _find(self, cursor: Cursor, name: str) -> Collection | None:
        """Return a collection; one statement once the schema is known to exist."""
        if not self._has_schema and not has_schema(cursor):
            check_collection_name(name)
            return None
        self._has_schema = True
        return collections.find(cursor, name)

    def _current(self, name: str, *, is_fresh: bool) -> Collection | None:
        """Return a collection, from a cache of some seconds unless `is_fresh`."""
        cached_at, found = self._cache.get(name, (0.0, None))
        if is_fresh or found is None or time.monotonic() - cached_at > _CACHED_FOR_S:
            found = self._run(lambda cursor: self._find(cursor, name), reads=True)
            if found is None:
                self._cache.pop(name, None)
            else:
                self._cache[name] = (time.monotonic(), found)
        return found

    def _read_current(self, collection: str, spec: IndexSpec, work: _Reads[_Result]) -> _Result:
        """Run a reading function, which returns None if the collection was deleted or replaced.

        Raises
        ------
        IndexEmpty, ModelMismatch
            The collection does not exist, or has another specification.
        StoreError
            The database failed, or the collection is being replaced repeatedly.
        """
        for is_fresh in (False, True, True):
            found = self._current(collection, is_fresh=is_fresh)
            if found is None or found.spec != spec:
                continue
            result = self._read(partial(work, found=found))
            if result is not None:
                return result
        if found is None:
            raise not_indexed(collection)
        check_spec(found.spec, spec)
        raise StoreError(f"the collection {collection!r} is being replaced repeatedly; try again later")

    def _read(self, work: Callable[[Cursor], _Result]) -> _Result | None:
        """Run a reading function outside a transaction; None if a table was deleted or replaced."""
        try:
            return self._db.read(work, in_transaction=False)
        except StoreError as exc:
            # After a reset another table, with vectors of another length, may have the name.
            if not isinstance(exc.__cause__, (pg_errors.UndefinedTable, pg_errors.DataException)):
                raise
            return None

    def _each(self, work: Callable[[Cursor], _Result]) -> _Result:
        """Run a reading function outside a transaction."""
        return self._db.read(work, in_transaction=False)
