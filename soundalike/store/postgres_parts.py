"""Parts of operations, which a store of several databases combines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from soundalike.config import DEFAULT_COLLECTION
from soundalike.filters import Filters
from soundalike.scores.fitting import SampledRecording
from soundalike.scores.null_model import NullModel
from soundalike.store import sampling, searching
from soundalike.store.blocks import Block
from soundalike.store.collections import Collection, paths_among
from soundalike.store.connection import Cursor
from soundalike.store.reading import PostgresReader
from soundalike.types import FloatArray, Hit, IndexSpec, Recording

#: Recordings by id, and their numbers of searchable windows.
Described = tuple[dict[str, Recording], dict[str, int]]


class PostgresParts(PostgresReader):
    """The part of `soundalike.store.PostgresStore` for a store of several databases; thread-safe."""

    def nearest(
        self,
        vectors: FloatArray,
        spec: IndexSpec,
        *,
        wanted: Sequence[int],
        limit: int,
        filters: Filters,
        collection: str = DEFAULT_COLLECTION,
    ) -> list[Hit]:
        """Return the `limit` nearest windows of each vector whose number is `wanted`.

        Raises
        ------
        IndexEmpty, ModelMismatch, StoreError
            As for `soundalike.store.Store.search`.
        """

        def work(cursor: Cursor, *, found: Collection) -> list[Hit] | None:
            return searching.nearest_passing(cursor, found, vectors, limit, filters, wanted)

        return self._read_current(collection, spec, work)

    def describe(
        self, recording_ids: Sequence[str], filters: Filters, *, collection: str = DEFAULT_COLLECTION
    ) -> Described:
        """Return recordings under their first paths that pass the filters; deleted ones are left out."""

        def work(cursor: Cursor, found: Collection) -> Described:
            return searching.describe(cursor, found, list(recording_ids), filters)

        nothing: Described = ({}, {})
        return self._run_in(collection, work, nothing, reads=True)

    def current(self, collection: str, *, is_fresh: bool = False) -> Collection | None:
        """Return a collection without what changes with its content, from a cache unless `is_fresh`."""
        found = self._current(collection, is_fresh=is_fresh)
        return found.unchunked() if found else None

    def stored_among(
        self, uris: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, str]:
        """Return the recording ids of the stored paths among these, as the primary has them."""

        def work(cursor: Cursor, found: Collection) -> dict[str, str]:
            return paths_among(cursor, found, uris)

        return self._run_in(collection, work, {})

    def load_null_model(self, *, collection: str = DEFAULT_COLLECTION) -> NullModel | None:
        """Return the stored null model."""
        return self._run_in(collection, sampling.load, None, reads=True)

    def save_null_model(self, model: NullModel, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Store a null model in place of an earlier one."""
        self._run_in(collection, lambda cursor, found: sampling.save(cursor, found, model), None)

    def count_recordings(self, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Return the number of recordings."""
        return self._run_in(collection, sampling.count, 0, reads=True)

    def first_recordings(
        self, limit: int, *, collection: str = DEFAULT_COLLECTION
    ) -> list[sampling.FirstRecording]:
        """Return the first searchable recordings by id, with number of windows and labels."""

        def work(cursor: Cursor, found: Collection) -> list[sampling.FirstRecording]:
            return sampling.first_recordings(cursor, found, limit)

        return self._run_in(collection, work, [], reads=True)

    def sample_blocks(
        self,
        blocks: Sequence[Block],
        labels: Mapping[str, frozenset[str]],
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> list[SampledRecording]:
        """Return the vectors of adjacent windows, with the labels of their recordings."""

        def work(cursor: Cursor, found: Collection) -> list[SampledRecording]:
            return sampling.read_blocks(cursor, found, blocks, labels)

        return self._run_in(collection, work, [], reads=True)
