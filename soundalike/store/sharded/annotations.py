"""Annotations, which lie beside their recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from soundalike.annotations.types import StoredAnnotation
from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.base import MAX_PAGE, check_annotations, check_page, checked_id
from soundalike.store.partial import whole_answers
from soundalike.store.postgres import PostgresStore
from soundalike.store.sharded.reading import most_frequent
from soundalike.store.sharded.sampling import ShardedSampling


class ShardedAnnotations(ShardedSampling):
    """The part of `ShardedStore` for annotations."""

    def annotate(
        self,
        annotations: Sequence[StoredAnnotation],
        *,
        at: datetime | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Store annotations, added at a time, now by default; see `soundalike.store.Store.annotate`."""
        check_annotations(annotations)
        owned = self._shards.owned(annotations, lambda one: one.recording_id)
        # Without annotations the collection is checked all the same.
        parts = owned or {number: [] for number in range(len(self._shards.stores))}
        with whole_answers():
            added = self._shards.each_of(
                parts, lambda store, some: store.annotate(some, at=at, collection=collection)
            )
        return sum(added.values())

    def annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[StoredAnnotation]:
        """Yield annotations by recording id and time."""
        key = recording_id and checked_id(recording_id)
        among = [self._shards.owner(key)] if key else None
        stores = self._shards.stores

        def begin(store: PostgresStore) -> Iterator[StoredAnnotation]:
            number = stores.index(store)
            for one in store.annotations(
                label=label, recording_id=key, source=source, collection=collection
            ):
                # Each database counts from 1.
                yield replace(one, annotation_id=one.annotation_id * len(stores) + number)

        return self._shards.merged(begin, lambda one: one.recording_id, among)

    def annotation_labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels of annotations with their number, most frequent first; all without a limit."""
        check_page(MAX_PAGE if limit is None else limit, "")
        found = self._shards.each(
            lambda store: store.annotation_labels(limit=None, collection=collection)
        )
        return most_frequent(found, limit)

    def remove_annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete annotations; return their number."""
        key = recording_id and checked_id(recording_id)
        among = [self._shards.owner(key)] if key else None
        if among is None:
            self._shards.require_all()
        removed = self._shards.each(
            lambda store: store.remove_annotations(
                label=label, recording_id=key, source=source, collection=collection
            ),
            among,
        )
        return sum(removed.values())
