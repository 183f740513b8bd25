"""Search several databases as one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from soundalike.config import DEFAULT_COLLECTION
from soundalike.filters import Filters
from soundalike.ranges import check_count, check_top_k
from soundalike.runtime.stages import stage
from soundalike.store.base import (
    SearchableWindows,
    SearchResult,
    check_embeddings,
    check_filters,
    checked_ids,
)
from soundalike.store.merging import best_hits
from soundalike.store.searching import starting_limit, usable_windows
from soundalike.store.sharded.sampling import ShardedSampling
from soundalike.store.timeline import filled
from soundalike.types import BucketWidth, FloatArray, Hit, IndexSpec, Recording, Timeline

_NEVER = datetime.max.replace(tzinfo=UTC)


class ShardedSearcher(ShardedSampling):
    """The part of `ShardedStore` that searches."""

    def search(
        self,
        vectors: FloatArray,
        spec: IndexSpec,
        *,
        top_k: int,
        filters: Filters,
        collection: str = DEFAULT_COLLECTION,
    ) -> SearchResult:
        """Return the hits of the `top_k` best recordings; see `soundalike.store.Store.search`.

        The nearest windows of all databases are merged before a recording is dropped, so the result is
        that of one database.
        """
        check_top_k(top_k)
        check_filters(filters)
        check_embeddings(vectors, None, spec)

        def ask(wanted: Sequence[int], limit: int) -> list[Hit]:
            found = self._shards.each(
                lambda store: store.nearest(
                    vectors, spec, wanted=wanted, limit=limit, filters=filters, collection=collection
                )
            )
            return _nearest([hit for hits in found.values() for hit in hits], limit)

        usable = usable_windows(vectors)
        with stage("ann"):
            if not usable:
                # The collection is checked all the same.
                return SearchResult(ask([], 1), {})
            hits = best_hits(ask, usable, starting_limit(top_k, filters), top_k)
            recordings, n_windows = self._described(hits, filters, collection)
            if hits and not recordings:
                # The collection may have been renamed within the last seconds.
                self._shards.each_reachable(lambda store: store.current(collection, is_fresh=True))
                hits = best_hits(ask, usable, starting_limit(top_k, filters), top_k)
                recordings, n_windows = self._described(hits, filters, collection)
        return SearchResult(
            [hit for hit in hits if hit.recording_id in recordings], recordings, n_windows
        )

    def _described(
        self, hits: Sequence[Hit], filters: Filters, collection: str
    ) -> tuple[dict[str, Recording], dict[str, int]]:
        """Return the recordings of hits, and their numbers of windows."""
        ids = list({hit.recording_id for hit in hits})
        found = self._shards.each_of(
            self._shards.owned(ids, lambda key: key),
            lambda store, some: store.describe(some, filters, collection=collection),
        )
        recordings: dict[str, Recording] = {}
        n_windows: dict[str, int] = {}
        for some, counts in found.values():
            recordings |= some
            n_windows |= counts
        return recordings, n_windows

    def searchable_windows(
        self,
        filters: Filters,
        *,
        recording_id: str | Sequence[str] | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[SearchableWindows]:
        """Yield the windows that can be found; see `soundalike.store.Store.searchable_windows`."""
        check_filters(filters)
        ids = checked_ids(recording_id)
        # Without an id all databases are asked whether they have the collection.
        owned = self._shards.owned(ids, lambda key: key) if ids else None
        return self._shards.merged(
            lambda store: store.searchable_windows(filters, recording_id=ids, collection=collection),
            lambda found: (found.recording.recorded_at or _NEVER, found.recording.uri),
            owned,
        )

    def window_vectors(
        self, windows: Sequence[tuple[str, int]], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[tuple[str, int], FloatArray]:
        """Return the vectors of windows by recording id and number; windows without one are left out."""
        found = self._shards.each_of(
            self._shards.owned(windows, lambda window: window[0]),
            lambda store, some: store.window_vectors(some, collection=collection),
        )
        return {window: vector for vectors in found.values() for window, vector in vectors.items()}

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
        """Count windows similar to any of the vectors by wall-clock time."""
        check_count(min_score, bucket)
        check_filters(filters)
        check_embeddings(vectors, None, spec)
        found = self._shards.each(
            lambda store: store.count_by_time(
                vectors,
                spec,
                min_score=min_score,
                bucket=bucket,
                zone=zone,
                filters=filters,
                collection=collection,
            )
        )
        counts: Counter[datetime] = Counter()
        for part in found.values():
            counts.update({one.start.astimezone(UTC): one.count for one in part.buckets if one.count})
        undated = sum(part.undated for part in found.values())
        return Timeline(filled(counts, bucket, zone), undated)


def _nearest(hits: Sequence[Hit], limit: int) -> list[Hit]:
    """Return the best hits of each query window; of equal ones those with the lowest ids."""
    by_window: dict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_window[hit.query_window].append(hit)
    return [
        hit
        for some in by_window.values()
        for hit in sorted(some, key=lambda one: (-one.score, one.recording_id, one.window_index))[:limit]
    ]
