"""Annotations in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from soundalike.annotations.types import StoredAnnotation
from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.base import (
    MAX_PAGE,
    check_annotations,
    check_page,
    checked_id,
)
from soundalike.store.memory_collection import MemoryCollection


class MemoryAnnotations(ABC):
    """The part of `MemoryStore` for annotations."""

    @abstractmethod
    def _find(self, name: str) -> MemoryCollection | None: ...

    @abstractmethod
    def _existing(self, name: str) -> MemoryCollection: ...

    def annotate(
        self, annotations: Sequence[StoredAnnotation], *, collection: str = DEFAULT_COLLECTION
    ) -> int:
        """Store annotations; see `soundalike.store.Store.annotate`."""
        check_annotations(annotations)
        return self._existing(collection).annotate(annotations)

    def annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[StoredAnnotation]:
        """Yield annotations by recording id and time."""
        found = self._find(collection)
        chosen = _chosen(found, label, recording_id, source) if found else []
        for one in sorted(
            chosen, key=lambda one: (one.recording_id, one.annotation.start_s, one.annotation_id)
        ):
            assert found is not None
            first = found.content(one.recording_id).files[0]
            yield replace(one, uri=first.uri, duration_s=first.duration_s)

    def annotation_labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels of annotations with their number, most frequent first; all without a limit."""
        check_page(MAX_PAGE if limit is None else limit, "")
        found = self._find(collection)
        counts = Counter(one.annotation.label for one in found.annotations) if found else Counter()
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]

    def remove_annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete annotations; return their number."""
        found = self._find(collection)
        if found is None:
            return 0
        gone = {one.annotation_id for one in _chosen(found, label, recording_id, source)}
        found.annotations = [one for one in found.annotations if one.annotation_id not in gone]
        return len(gone)


def _chosen(
    found: MemoryCollection, label: str | None, recording_id: str | None, source: str | None
) -> list[StoredAnnotation]:
    key = recording_id and checked_id(recording_id)
    return [
        one
        for one in found.annotations
        if label in (None, one.annotation.label)
        and key in (None, one.recording_id)
        and source in (None, one.source)
    ]
