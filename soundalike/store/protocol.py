"""The interface of stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import tzinfo
from typing import Protocol

from soundalike.annotations.types import StoredAnnotation
from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.filters import Filters
from soundalike.ranges import Layout
from soundalike.scores.null_model import NullModel
from soundalike.store.base import (
    MAX_PAGE,
    CollectionSummary,
    Content,
    Entry,
    Outcome,
    SearchableWindows,
    SearchResult,
    StoredFile,
    StoreStatus,
)
from soundalike.store.event_models import EventModelStore
from soundalike.store.map_layouts import MapStore
from soundalike.store.named_searches import SearchStore
from soundalike.store.normal_models import NormalStore
from soundalike.store.voices import SpeakerStore
from soundalike.types import BucketWidth, FloatArray, IndexSpec, Recording, Timeline, Window


class Store(SpeakerStore, NormalStore, SearchStore, EventModelStore, MapStore, Protocol):
    """Stores recordings in named collections, searches, maps, speakers, and models of what is normal.

    Every call is one transaction.
    """

    def add(
        self,
        recording: Recording,
        windows: Sequence[Window],
        embeddings: FloatArray,
        spec: IndexSpec,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome:
        """Store a recording atomically; storing it again changes nothing.

        Content from an earlier decoder is replaced; a concurrent search finds the old or the new
        content.

        Parameters
        ----------
        recording : Recording
            A `recorded_at` of None keeps the stored start time.
        windows : sequence of Window
            Silent and clipped windows are stored, but searches skip them.
        embeddings : (n_windows, spec.dimension) float32
            One row per window.
        spec : IndexSpec
            Specification of the embeddings; the first recording creates the collection.
        collection : str

        Raises
        ------
        ModelMismatch, DimensionMismatch, InvalidSamples
            The embeddings do not fit the collection.
        StoreError
            The database rejected the recording or cannot be reached; nothing was stored.
        """
        return self.add_many([Entry(recording, windows, embeddings)], spec, collection=collection)[0]

    def add_many(
        self, entries: Sequence[Entry], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Outcome]:
        """Store all recordings or none, with the results of `add`."""
        ...

    def transactions(self, entries: Sequence[Entry]) -> list[list[int]]:
        """Return the positions of the entries that `add_many` stores together, or none of them."""
        return [list(range(len(entries)))]

    def known_lengths(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, float]:
        """Return the stored ids among these, with the lengths of the recordings in seconds."""
        ...

    def link(
        self,
        recording: Recording,
        spec: IndexSpec,
        *,
        renew: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome | None:
        """Store a path of audio that is stored already; None if it is not.

        With `renew`, also None if an earlier decoder decoded it.
        """
        ...

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield all stored paths with their recordings, sorted; with `under`, those in this folder."""
        ...

    def outdated_files(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Recording]:
        """Yield the paths of recordings from an earlier decoder, sorted."""
        ...

    def known_files(
        self, uris: Sequence[str], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, Recording]:
        """Return the stored paths among these, with their recordings."""
        ...

    def contents(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Content]:
        """Yield all recordings with their paths and windows, sorted by id."""
        ...

    def content(
        self,
        recording_id: str,
        excerpt: Excerpt = WHOLE,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Content | None:
        """Return a recording with its paths and the windows of an excerpt; None if it is not stored."""
        ...

    def page_of_files(
        self,
        filters: Filters,
        *,
        after: str = "",
        limit: int = 100,
        collection: str = DEFAULT_COLLECTION,
    ) -> list[StoredFile]:
        """Return the next paths after `after` that pass the filters of label, tags and path."""
        ...

    def files_named(
        self, keys: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, StoredFile]:
        """Return the stored recordings by path or recording id; by id with the first path."""
        ...

    def labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels with their number of paths, most frequent first; all without a limit."""
        ...

    def folders(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return the folders of stored paths with their number of paths, sorted."""
        ...

    def summaries(self, *, count: bool = True) -> list[CollectionSummary]:
        """Return all collections, with counts if `count` is set."""
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
        """Return the hits of the `top_k` best recordings, or of all if there are fewer."""
        ...

    def searchable_windows(
        self,
        filters: Filters,
        *,
        recording_id: str | Sequence[str] | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[SearchableWindows]:
        """Yield the windows that can be found, recording by recording, in order of time.

        With `recording_id`, only those of one recording, or of several.

        Recordings with the earliest known start come first, those without one last; equal ones by path.
        """
        ...

    def window_vectors(
        self, windows: Sequence[tuple[str, int]], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[tuple[str, int], FloatArray]:
        """Return the vectors of windows by recording id and number; windows without one are left out."""
        ...

    def null_model(self, *, collection: str = DEFAULT_COLLECTION) -> NullModel | None:
        """Return the scores of unrelated recordings, made now if missing; None if there are too few."""
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
        """Count windows similar to any of the vectors by wall-clock time."""
        ...

    def delete(self, key: str, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete a path, all paths in a folder, or a recording; return the number of paths."""
        ...

    def delete_files(self, uris: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> list[str]:
        """Delete these paths; return the ones that were stored."""
        ...

    def annotate(
        self, annotations: Sequence[StoredAnnotation], *, collection: str = DEFAULT_COLLECTION
    ) -> int:
        """Store annotations; return the number of new ones.

        Annotations that are stored already, and those of unknown recordings, change nothing.

        Raises
        ------
        ParameterError
            An annotation is invalid; nothing was stored.
        IndexEmpty
            The collection does not exist.
        """
        ...

    def annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[StoredAnnotation]:
        """Yield annotations by recording id and time."""
        ...

    def annotation_labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels of annotations with their number, most frequent first; all without a limit."""
        ...

    def remove_annotations(
        self,
        *,
        label: str | None = None,
        recording_id: str | None = None,
        source: str | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete annotations; return their number."""
        ...

    def finish_batch(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Finish many additions, for example by building an index."""
        ...

    def drop_index(self, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Drop the search index, so that many additions are faster; `finish_batch` builds it again.

        Searches are exact and slower until then.

        Returns
        -------
        was_there : bool
        """
        ...

    def optimize(self, *, collection: str = DEFAULT_COLLECTION, layout: Layout | None = None) -> None:
        """Rebuild the search index, if the collection is large enough.

        Parameters
        ----------
        collection : str
        layout : str, optional
            How the index keeps vectors from now on: ``halfvec`` in half precision, ``bit`` one bit for
            each number, in a quarter of the memory, or ``auto``, which chooses by size and memory. None
            keeps the collection's layout.
        """
        ...

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return the status of a collection."""
        ...

    def collections(self) -> dict[str, IndexSpec]:
        """Return the specifications of all collections by name."""
        ...

    def create_collection(self, name: str, spec: IndexSpec, *, like: str | None = None) -> None:
        """Create an empty collection; an existing one must have the same specification.

        A new one takes the layout of the vector index of the collection `like`.
        """
        ...

    def drop_collection(self, name: str) -> bool:
        """Delete a collection with its content; return whether it existed."""
        ...

    def rename_collection(self, name: str, new_name: str) -> None:
        """Rename a collection; the new name must be free."""
        ...

    def replace_collection(self, name: str, successor: str, *, without: Set[str] = frozenset()) -> bool:
        """Replace a collection with another one under its name.

        Returns False without a change if the successor lacks paths that are not in `without`.
        """
        ...

    def missing_shards(self) -> tuple[str, ...]:
        """Return the databases that cannot be reached, of an index over several ones.

        Raises
        ------
        StoreError
            None can be used.
        """
        self.collections()
        return ()

    def reset(self) -> None:
        """Delete everything."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
