"""Named searches and their marks in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from soundalike.annotations.types import StoredAnnotation
from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.base import checked_id
from soundalike.store.memory_collection import MemoryCollection
from soundalike.store.named_searches import (
    SearchMark,
    SearchStore,
    SearchSummary,
    Undone,
    check_acceptance,
    check_definition,
    check_marks,
    checked_search_name,
    search_exists,
    search_not_found,
    search_source,
)


@dataclass(slots=True)
class _Acceptance:
    label: str
    at: datetime


@dataclass(slots=True)
class _Search:
    summary: SearchSummary
    vectors: bytes
    log: list[SearchMark | _Acceptance] = field(default_factory=list)


class MemorySearches(SearchStore):
    """The part of `soundalike.store.MemoryStore` that keeps named searches."""

    @abstractmethod
    def _find(self, name: str) -> MemoryCollection | None: ...

    @abstractmethod
    def _existing(self, name: str) -> MemoryCollection: ...

    def named_searches(self, *, collection: str = DEFAULT_COLLECTION) -> list[SearchSummary]:
        """Return all named searches of a collection without their vectors, sorted by name."""
        found = self._find(collection)
        searches: dict[str, _Search] = found.searches if found else {}
        return [searches[name].summary for name in sorted(searches)]

    def named_search(
        self, name: str, *, collection: str = DEFAULT_COLLECTION
    ) -> tuple[SearchSummary, bytes]:
        """Return a named search and its vectors."""
        search = self._search(name, collection)
        return search.summary, search.vectors

    def save_named_search(
        self,
        name: str,
        definition: Mapping[str, Any],
        vectors: bytes,
        *,
        replace: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> None:
        """Save a named search; see `soundalike.store.named_searches.SearchStore`."""
        checked_search_name(name)
        check_definition(definition, vectors)
        searches = self._existing(collection).searches
        now = datetime.now(UTC)
        new = _Search(SearchSummary(name, 1, dict(definition), now, now), vectors)
        known = searches.setdefault(name, new)
        if known is new:
            return
        if not replace:
            raise search_exists(name, collection)
        version, created_at = known.summary.version + 1, known.summary.created_at
        known.summary = SearchSummary(name, version, dict(definition), created_at, now)
        known.vectors = vectors

    def remove_named_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Delete a named search with its marks; return whether it existed."""
        checked_search_name(name)
        found = self._find(collection)
        return found is not None and found.searches.pop(name, None) is not None

    def put_search_marks(
        self, name: str, marks: Sequence[SearchMark], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Store decisions in their order; see `soundalike.store.named_searches.SearchStore`."""
        checked_search_name(name)
        check_marks(marks)
        self._existing(collection)
        now = datetime.now(UTC)
        self._search(name, collection).log += [
            replace(
                mark,
                recording_id=checked_id(mark.recording_id),
                marked_at=mark.marked_at.astimezone(UTC) if mark.marked_at else now,
            )
            for mark in marks
        ]

    def search_marks(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> list[SearchMark]:
        """Return the marks that count, in the order of marking."""
        latest: dict[tuple[str, float, float], SearchMark] = {}
        for mark in self._search(name, collection).log:
            if isinstance(mark, SearchMark):
                latest.pop(mark.place, None)
                latest[mark.place] = mark
        return [mark for mark in latest.values() if mark.is_right is not None]

    def accept_search(
        self,
        name: str,
        annotations: Sequence[StoredAnnotation],
        *,
        by: str = "",
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Store annotations of one label; see `soundalike.store.named_searches.SearchStore`."""
        checked_search_name(name)
        check_acceptance(annotations, by)
        found = self._existing(collection)
        search = self._search(name, collection)
        now = datetime.now(UTC)
        added = found.annotate([replace(one, created_at=now) for one in annotations])
        if added:
            search.log.append(_Acceptance(annotations[0].annotation.label, now))
        return added

    def undo_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> Undone | None:
        """Take back the latest mark, clearing or acceptance; return None if there is none."""
        checked_search_name(name)
        found = self._existing(collection)
        log = self._search(name, collection).log
        if not log:
            return None
        done = log.pop()
        if isinstance(done, SearchMark):
            return Undone("clear" if done.is_right is None else "mark", done)
        mine = (done.label, search_source(name), done.at)
        kept = [
            one
            for one in found.annotations
            if (one.annotation.label, one.source, one.created_at) != mine
        ]
        removed = len(found.annotations) - len(kept)
        found.annotations = kept
        return Undone("accept", label=done.label, annotations=removed)

    def _search(self, name: str, collection: str) -> _Search:
        checked_search_name(name)
        found = self._find(collection)
        search: _Search | None = found.searches.get(name) if found else None
        if search is None:
            raise search_not_found(name, collection)
        return search
