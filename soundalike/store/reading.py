"""Read-only operations of the PostgreSQL store, except search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import StoreError
from soundalike.filters import Filters
from soundalike.scores.null_model import NullModel
from soundalike.store import contents, listing, sampling, windows
from soundalike.store.base import (
    MAX_PAGE,
    CollectionSummary,
    Content,
    SearchableWindows,
    StoredFile,
    StoreStatus,
    check_filters,
    check_page,
    check_spec,
    checked_id,
    checked_ids,
    folder_prefix,
    is_storable,
    not_indexed,
    starts_by_trust,
)
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor, Database
from soundalike.store.null_models import NullModels
from soundalike.store.running import PostgresRunner
from soundalike.store.schema import (
    exists,
    extensions,
    has_schema,
)
from soundalike.store.windows import read_vectors
from soundalike.types import FloatArray, IndexSpec, Recording

_Result = TypeVar("_Result")
#: Returns a page of a collection after a path; called with `after` by name.
_NextPage = Callable[..., list[StoredFile]]


class PostgresReader(PostgresRunner):
    """The read-only part of `PostgresStore`; thread-safe.

    Parameters
    ----------
    database : Database
    is_shard : bool
        As for `PostgresRunner`.
    """

    def __init__(self, database: Database, *, is_shard: bool = False) -> None:
        super().__init__(database, is_shard=is_shard)
        self._null_models = NullModels[Collection](
            lambda key: self._each(lambda cursor: sampling.load(cursor, key)),
            lambda key, model: self._db.run(lambda cursor: sampling.save(cursor, key, model)),
            lambda key: self._each(lambda cursor: sampling.sample(cursor, key)),
            lambda key: self._each(lambda cursor: sampling.count(cursor, key)),
        )

    def null_model(self, *, collection: str = DEFAULT_COLLECTION) -> NullModel | None:
        """Return the scores of unrelated recordings of a collection.

        Made, and stored if this role may write, at the first call. None if the collection does not exist
        or has fewer than 20 searchable recordings.
        """
        found = self._current(collection, is_fresh=False)
        return self._null_models.current(found.unchunked()) if found else None

    def known_lengths(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, float]:
        """Return the stored ids among these, with the lengths of the recordings in seconds."""

        def work(cursor: Cursor, found: Collection) -> dict[str, float]:
            keys = {"collection": found.collection_id, "recording_ids": list(recording_ids)}
            cursor.execute(self._sql["known_lengths"], keys)
            return dict(cursor.fetchall())

        return self._run_in(collection, work, {})

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield all stored paths with their recordings, sorted; with `under`, those in this folder."""
        if under is not None and not is_storable(under):
            return
        filters = Filters(uri_prefix="" if under is None else folder_prefix(under))

        next_page = partial(listing.page, limit=MAX_PAGE, filters=filters)
        yield from self._paged(next_page, collection)

    def outdated_files(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Recording]:
        """Yield the paths of recordings from an earlier decoder, sorted.

        Paths that are updated meanwhile may be included or not.
        """
        yield from self._paged(partial(listing.outdated, limit=MAX_PAGE), collection)

    def _paged(self, next_page: _NextPage, collection: str) -> Iterator[Recording]:
        """Yield the recordings of consecutive pages, each read in its own transaction."""
        after = ""
        none: list[StoredFile] = []
        while page := self._run_in(collection, partial(next_page, after=after), none):
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
        """Return the next paths that pass the filters of label, tags and path, sorted.

        Parameters
        ----------
        filters : Filters
            Time filters and `exclude_recording_id` are ignored.
        after : str
            Last path of the previous page; empty for the first page.
        limit : int
            1 to 1000.
        collection : str

        Raises
        ------
        ParameterError
            `limit` is out of range, or a filter is invalid.
        """
        check_page(limit, after)
        check_filters(filters)
        return self._run_in(
            collection,
            lambda cursor, found: listing.page(cursor, found, after, limit, filters),
            [],
            reads=True,
        )

    def files_named(
        self, keys: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, StoredFile]:
        """Return the stored recordings by path or recording id; by id with the first path."""
        storable = [key for key in keys if is_storable(key)]
        return self._run_in(
            collection, lambda cursor, found: listing.named(cursor, found, storable), {}, reads=True
        )

    def labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels with their number of paths, most frequent first; all without a limit."""
        return self._counts(self._sql["count_labels"], limit, collection)

    def folders(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return the folders of stored paths with their number of paths, sorted.

        Paths in subfolders do not count.
        """
        return self._counts(self._sql["count_folders"], limit, collection)

    def _counts(self, statement: str, limit: int | None, collection: str) -> list[tuple[str, int]]:
        check_page(MAX_PAGE if limit is None else limit, "")
        return self._run_in(
            collection,
            lambda cursor, found: listing.counts(cursor, found, statement, limit),
            [],
            reads=True,
        )

    def known_files(
        self, uris: Sequence[str], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, Recording]:
        """Return the stored paths among these, with their recordings, in one query.

        Raises
        ------
        ModelMismatch
            The collection has another specification.
        """
        storable = [uri for uri in uris if is_storable(uri)]

        def work(cursor: Cursor, found: Collection) -> dict[str, Recording]:
            check_spec(found.spec, spec)
            files = listing.at_paths(cursor, found, storable)
            return {uri: file.recording for uri, file in files.items()}

        return self._run_in(collection, work, {})

    def contents(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Content]:
        """Yield all recordings with their paths and windows, sorted by id.

        Each recording is consistent; recordings added or deleted meanwhile may be included or not.

        Raises
        ------
        ModelMismatch
            The collection was replaced meanwhile.
        """
        return contents.read_all(self._run, lambda cursor: self._find(cursor, collection))

    def content(
        self,
        recording_id: str,
        excerpt: Excerpt = WHOLE,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Content | None:
        """Return a recording with its paths and the windows of an excerpt.

        Parameters
        ----------
        recording_id : str
        excerpt : Excerpt
            Selects windows; only their vectors are read.
        collection : str

        Returns
        -------
        content : Content or None
            None if the recording or the collection does not exist.

        Raises
        ------
        ParameterError
            The id is not a UUID, or the recording ends before the excerpt begins.
        """
        key = checked_id(recording_id)
        return self._run_in(
            collection,
            lambda cursor, found: contents.read_one(cursor, found, key, excerpt),
            None,
            reads=True,
        )

    def searchable_windows(
        self,
        filters: Filters,
        *,
        recording_id: str | Sequence[str] | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[SearchableWindows]:
        """Yield the windows that can be found, recording by recording, in order of time.

        Memory stays bounded by a batch of windows and the longest recording. Recordings that are deleted
        meanwhile are left out.

        Raises
        ------
        IndexEmpty
            The collection does not exist.
        ParameterError
            A filter is invalid, or the id is not a UUID.
        StoreError
            The database failed, or the collection was replaced meanwhile.
        """
        check_filters(filters)
        keys = checked_ids(recording_id)
        found = self._current(collection, is_fresh=True)
        if found is None:
            raise not_indexed(collection)
        batches = self._read(lambda cursor: windows.recordings_in_time(cursor, found, filters, keys))

        def read(recording_ids: Sequence[str]) -> list[SearchableWindows]:
            result = self._read(
                lambda cursor: windows.read_windows(cursor, found, recording_ids, filters)
            )
            if result is None:
                raise StoreError(
                    f"the collection {collection!r} was replaced while it was being read; try again"
                )
            return result

        yield from windows.read_batches(batches or [], read)

    def window_vectors(
        self, windows: Sequence[tuple[str, int]], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[tuple[str, int], FloatArray]:
        """Return the vectors of windows; see `soundalike.store.Store.window_vectors`."""

        def work(cursor: Cursor, found: Collection) -> dict[tuple[str, int], FloatArray]:
            return read_vectors(cursor, found, windows)

        return self._run_in(collection, work, {}, reads=True)

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return the status of a collection; works on an empty database too."""

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
                null_model=sampling.load(cursor, found) if found else None,
                event_models=sampling.load_event_models(cursor, found) if found else {},
                layout=found.layout if found else "halfvec",
            )

        return self._run(work, reads=True)

    def collections(self) -> dict[str, IndexSpec]:
        """Return the specifications of all collections by name."""

        def work(cursor: Cursor) -> dict[str, IndexSpec]:
            if not has_schema(cursor):
                return {}
            cursor.execute(self._sql["list_collections"])
            return {name: IndexSpec(*spec) for _, name, _, *spec in cursor.fetchall()}

        return self._run(work, reads=True)

    def summaries(self, *, count: bool = True) -> list[CollectionSummary]:
        """Return all collections sorted by name, with counts if `count` is set.

        Counting reads a row per recording.
        """

        def work(cursor: Cursor) -> list[CollectionSummary]:
            if not has_schema(cursor):
                return []
            cursor.execute(self._sql["list_collections"])
            found = []
            for number, name, layout, *spec in cursor.fetchall():
                counts = (0, 0, 0)
                if count:
                    cursor.execute(self._sql["count_rows"], {"collection": number})
                    recordings, files, windows = cursor.fetchone() or counts
                    counts = (int(recordings), int(files), int(windows))
                found.append(CollectionSummary(name, IndexSpec(*spec), *counts, layout=layout))
            return found

        return self._run(work, reads=True)
