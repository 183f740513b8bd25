"""What every store does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import tzinfo
from typing import Protocol

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.base import (
    MAX_PAGE,
    CollectionSummary,
    Content,
    Entry,
    Outcome,
    SearchResult,
    StoredFile,
    StoreStatus,
)
from soundalike.types import BucketWidth, Filters, FloatArray, IndexSpec, Recording, Timeline, Window


class Store(Protocol):
    """Keeps recordings and their windows, in named collections; every call is one transaction."""

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

        What an earlier decoder has made of it is replaced.
        """
        ...

    def add_many(
        self, entries: Sequence[Entry], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Outcome]:
        """Store all of these recordings or none, as `add` would one after the other."""
        ...

    def known_lengths(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, float]:
        """Return those of the ids that are stored, with the lengths of their recordings in seconds."""
        ...

    def link(
        self,
        recording: Recording,
        spec: IndexSpec,
        *,
        renew: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome | None:
        """Store a path of audio that is stored already; None where it is not.

        None too where an earlier decoder has decoded it and that is to be renewed.
        """
        ...

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield every stored path with its recording, in the order of the paths.

        With `under`, only those that lie below this folder.
        """
        ...

    def outdated_files(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Recording]:
        """Yield the paths of what an earlier decoder has decoded, in their order."""
        ...

    def known_files(
        self, uris: Sequence[str], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, Recording]:
        """Return those of the paths that are stored, with their recordings."""
        ...

    def contents(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Content]:
        """Yield every recording with its paths and windows, in the order of the ids."""
        ...

    def content(
        self,
        recording_id: str,
        excerpt: Excerpt = WHOLE,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Content | None:
        """Return a recording with its paths, and the windows of a part of it; None where it is not."""
        ...

    def page_of_files(
        self,
        filters: Filters,
        *,
        after: str = "",
        limit: int = 100,
        collection: str = DEFAULT_COLLECTION,
    ) -> list[StoredFile]:
        """Return the next paths behind `after` that pass the filters of label, tags and path."""
        ...

    def files_named(
        self, keys: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, StoredFile]:
        """Return what is stored under paths, and under recording ids the first path of each."""
        ...

    def labels(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels with how many paths have them, most frequent first."""
        ...

    def folders(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return the folders in which there are stored paths, and how many, in their order."""
        ...

    def summaries(self, *, count: bool = True) -> list[CollectionSummary]:
        """Return all collections, and what they hold unless told not to count."""
        ...

    def search(
        self,
        vectors: FloatArray,
        spec: IndexSpec,
        *,
        top_k: int,
        filters: Filters,
        collection: str = DEFAULT_COLLECTION,
    ) -> SearchResult:
        """Return the hits of the `top_k` best recordings, where there are that many."""
        ...

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
        """Count by wall-clock time what resembles any of the vectors."""
        ...

    def delete(self, key: str, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete a path, every path below a folder, or a recording; return how many paths went."""
        ...

    def delete_files(self, uris: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> list[str]:
        """Delete exactly these paths, together; return those that were stored."""
        ...

    def finish_batch(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Do what is better done once after many additions."""
        ...

    def optimize(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Build what makes searching fast anew, where there is enough to be worth it."""
        ...

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return what is stored."""
        ...

    def collections(self) -> dict[str, IndexSpec]:
        """Return all collections, and what they were made with."""
        ...

    def create_collection(self, name: str, spec: IndexSpec) -> None:
        """Make an empty collection; one that is there already must fit."""
        ...

    def drop_collection(self, name: str) -> bool:
        """Delete a collection with all it holds; tell whether there was one."""
        ...

    def rename_collection(self, name: str, new_name: str) -> None:
        """Give a collection a name that is still free."""
        ...

    def replace_collection(self, name: str, successor: str, *, without: Set[str] = frozenset()) -> bool:
        """Let another collection take the place and name of this one.

        Only where it has every path of this one but those in `without`; tell whether it was so.
        """
        ...

    def reset(self) -> None:
        """Delete everything."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...
