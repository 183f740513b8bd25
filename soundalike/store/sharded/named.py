"""Named searches, which the first database keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from soundalike.annotations.types import StoredAnnotation
from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.named_searches import (
    SearchMark,
    SearchStore,
    SearchSummary,
    Undone,
    check_acceptance,
    checked_search_name,
)
from soundalike.store.sharded.annotations import ShardedAnnotations
from soundalike.store.sharded.sampling import HOME


class ShardedNamedSearches(ShardedAnnotations, SearchStore):
    """The part of `ShardedStore` for named searches."""

    def named_searches(self, *, collection: str = DEFAULT_COLLECTION) -> list[SearchSummary]:
        """Return all named searches of a collection without their vectors, sorted by name."""
        return self._shards.at(HOME, lambda home: home.named_searches(collection=collection))

    def named_search(
        self, name: str, *, collection: str = DEFAULT_COLLECTION
    ) -> tuple[SearchSummary, bytes]:
        """Return a named search and its vectors."""
        return self._shards.at(HOME, lambda home: home.named_search(name, collection=collection))

    def save_named_search(
        self,
        name: str,
        definition: Mapping[str, Any],
        vectors: bytes,
        *,
        replace: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> None:
        """Save a named search; with `replace`, an existing one is changed and keeps its marks."""
        self._shards.at(
            HOME,
            lambda home: home.save_named_search(
                name, definition, vectors, replace=replace, collection=collection
            ),
        )

    def remove_named_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Delete a named search with its marks; return whether it existed."""
        return self._shards.at(HOME, lambda home: home.remove_named_search(name, collection=collection))

    def put_search_marks(
        self, name: str, marks: Sequence[SearchMark], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Store decisions in their order; a mark without a verdict clears that of its place."""
        self._shards.at(HOME, lambda home: home.put_search_marks(name, marks, collection=collection))

    def search_marks(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> list[SearchMark]:
        """Return the marks that count, in the order of marking."""
        return self._shards.at(HOME, lambda home: home.search_marks(name, collection=collection))

    def accept_search(
        self,
        name: str,
        annotations: Sequence[StoredAnnotation],
        *,
        by: str = "",
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Store annotations of one label, so that `undo_search` removes them.

        The annotations come first: a failure before the note leaves them, and accepting again adds none.
        """
        checked_search_name(name)
        check_acceptance(annotations, by)
        # Raises the error of a search that does not exist.
        self.put_search_marks(name, [], collection=collection)
        self._shards.require_all()
        at = datetime.now(UTC)
        added = self.annotate(annotations, at=at, collection=collection)
        if added:
            label = annotations[0].annotation.label
            self._shards.at(
                HOME, lambda home: home.note_acceptance(name, label, by, at, collection=collection)
            )
        return added

    def undo_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> Undone | None:
        """Take back the latest mark, clearing or acceptance; return None if there is none."""
        checked_search_name(name)
        self._shards.require_all()
        undone, at = self._shards.at(HOME, lambda home: home.undo_decision(name, collection=collection))
        if undone is None or (label := undone.label) is None:
            return undone
        removed = self._shards.each(
            lambda store: store.delete_accepted(name, label, at, collection=collection)
        )
        return replace(undone, annotations=sum(removed.values()))
