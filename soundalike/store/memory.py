"""An exact store in memory, the reference for other stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, tzinfo

import numpy as np

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.filters import Filters
from soundalike.ranges import Layout, check_count, check_layout, check_top_k
from soundalike.scores.event_model import EventModel, Step
from soundalike.scores.fitting import MIN_RECORDINGS
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
    check_collection_name,
    check_embeddings,
    check_entry,
    check_filters,
    check_page,
    check_recording,
    check_spec,
    checked_id,
    checked_ids,
    folder_prefix,
    is_under,
    not_indexed,
    start_source,
    starts_by_trust,
)
from soundalike.store.memory_annotations import MemoryAnnotations
from soundalike.store.memory_collection import MemoryCollection
from soundalike.store.memory_normal import MemoryNormal
from soundalike.store.memory_searches import MemorySearches
from soundalike.store.memory_speakers import MemorySpeakers
from soundalike.store.null_models import NullModels, Sample
from soundalike.store.protocol import Store
from soundalike.types import BucketWidth, FloatArray, IndexSpec, Recording, Timeline


class MemoryStore(MemorySpeakers, MemoryNormal, MemorySearches, MemoryAnnotations, Store):
    """Exact search over arrays in memory. A `soundalike.store.Store`."""

    def __init__(self) -> None:
        super().__init__()
        self._collections: dict[str, MemoryCollection] = {}
        self._null_models = NullModels[MemoryCollection](
            lambda found: found.null_model,
            lambda found, model: found.put_null_model(model),
            lambda found: found.sample(),
            lambda found: len(found.contents),
        )

    def _find(self, name: str) -> MemoryCollection | None:
        check_collection_name(name)
        return self._collections.get(name)

    def _existing(self, name: str) -> MemoryCollection:
        found = self._find(name)
        if found is None:
            raise not_indexed(name)
        return found

    def _ensure(self, name: str, spec: IndexSpec) -> MemoryCollection:
        found = self._find(name) or self._collections.setdefault(name, MemoryCollection(spec))
        check_spec(found.spec, spec)
        return found

    def add_many(
        self, entries: Sequence[Entry], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Outcome]:
        """Store several recordings; see `soundalike.store.Store.add_many`."""
        for entry in entries:
            check_entry(entry, spec)
        target = self._ensure(collection, spec)
        return [target.add(entry) for entry in entries]

    def link(
        self,
        recording: Recording,
        spec: IndexSpec,
        *,
        renew: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome | None:
        """Store a path of known audio; see `soundalike.store.Store.link`."""
        check_recording(recording, has_length=False)
        found = self._find(collection)
        if found is None:
            return None
        check_spec(found.spec, spec)
        return found.link(recording, renew=renew)

    def known_lengths(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, float]:
        """Return the stored ids among these, with the lengths of the recordings in seconds."""
        found = self._find(collection)
        known = found.contents.keys() & set(recording_ids) if found else set()
        return {key: found.contents[key].recording.duration_s for key in known} if found else {}

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield all stored paths with their recordings, sorted."""
        found = self._find(collection)
        begin = "" if under is None else folder_prefix(under)
        uris = sorted(uri for uri in found.paths if uri.startswith(begin)) if found else []
        yield from [found.described(uri) for uri in uris] if found else []

    def outdated_files(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Recording]:
        """Yield the paths of recordings from an earlier decoder, sorted."""
        found = self._find(collection)
        yield from found.outdated() if found else []

    def known_files(
        self, uris: Sequence[str], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, Recording]:
        """Return the stored paths among these, with their recordings."""
        found = self._find(collection)
        if found is None:
            return {}
        check_spec(found.spec, spec)
        return {uri: found.described(uri) for uri in uris if uri in found.paths}

    def contents(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Content]:
        """Yield all recordings with their paths and windows, sorted by id."""
        found = self._find(collection)
        if found is not None:
            yield from (found.content(key) for key in sorted(found.contents))

    def content(
        self,
        recording_id: str,
        excerpt: Excerpt = WHOLE,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Content | None:
        """Return a recording and windows of it; see `soundalike.store.Store.content`."""
        key = checked_id(recording_id)
        found = self._find(collection)
        if found is None or key not in found.contents:
            return None
        whole = found.content(key)
        rows = [window.index for window in excerpt.windows_of(whole.windows)]
        return Content(
            whole.files, [whole.windows[row] for row in rows], np.take(whole.embeddings, rows, axis=0)
        )

    def page_of_files(
        self,
        filters: Filters,
        *,
        after: str = "",
        limit: int = 100,
        collection: str = DEFAULT_COLLECTION,
    ) -> list[StoredFile]:
        """Return the next paths; see `soundalike.store.Store.page_of_files`."""
        check_page(limit, after)
        check_filters(filters)
        found = self._find(collection)
        uris = sorted(uri for uri in found.passing(filters) if uri > after) if found else []
        return [found.stored_file(uri) for uri in uris[:limit]] if found else []

    def files_named(
        self, keys: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, StoredFile]:
        """Return stored recordings; see `soundalike.store.Store.files_named`."""
        found = self._find(collection)
        if found is None:
            return {}
        first = {file.recording_id: uri for uri, file in sorted(found.paths.items(), reverse=True)}
        paths = {key: key if key in found.paths else first.get(key.lower()) for key in keys}
        return {key: found.stored_file(uri) for key, uri in paths.items() if uri is not None}

    def labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels with their number of paths, most frequent first; all without a limit."""
        check_page(MAX_PAGE if limit is None else limit, "")
        found = self._find(collection)
        counts = Counter(file.label for file in found.paths.values()) if found else Counter()
        known = [(label, count) for label, count in counts.items() if label is not None]
        return sorted(known, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def folders(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return the folders of stored paths with their number of paths, sorted."""
        check_page(limit, "")
        found = self._find(collection)
        uris = found.paths if found else []
        return sorted(Counter(uri.rpartition("/")[0] or "/" for uri in uris if "/" in uri).items())[
            :limit
        ]

    def summaries(self, *, count: bool = True) -> list[CollectionSummary]:
        """Return all collections, with counts if `count` is set."""
        found = []
        for name, spec in self.collections().items():
            held = self.status(collection=name)
            counts = (held.recordings, held.files, held.windows) if count else ()
            found.append(CollectionSummary(name, spec, *counts))
        return found

    def search(
        self,
        vectors: FloatArray,
        spec: IndexSpec,
        *,
        top_k: int,
        filters: Filters,
        collection: str = DEFAULT_COLLECTION,
    ) -> SearchResult:
        """Compare with every window; see `soundalike.store.Store.search`."""
        check_top_k(top_k)
        check_filters(filters)
        found = self._existing(collection)
        check_spec(found.spec, spec)
        check_embeddings(vectors, None, spec)
        return found.search(vectors, top_k, filters)

    def searchable_windows(
        self,
        filters: Filters,
        *,
        recording_id: str | Sequence[str] | None = None,
        collection: str = DEFAULT_COLLECTION,
    ) -> Iterator[SearchableWindows]:
        """Yield the windows that can be found; see `soundalike.store.Store.searchable_windows`."""
        check_filters(filters)
        keys = checked_ids(recording_id)
        yield from self._existing(collection).searchable_windows(filters, keys)

    def window_vectors(
        self, windows: Sequence[tuple[str, int]], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[tuple[str, int], FloatArray]:
        """Return the vectors of windows; see `soundalike.store.Store.window_vectors`."""
        found = self._find(collection)
        return found.window_vectors(windows) if found else {}

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
        """Count by wall-clock time; see `soundalike.store.timeline.count_by_time`."""
        check_count(min_score, bucket)
        check_filters(filters)
        found = self._existing(collection)
        check_spec(found.spec, spec)
        check_embeddings(vectors, None, spec)
        return found.count_by_time(vectors, min_score, bucket, zone, filters)

    def delete(self, key: str, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete by path, folder or recording id."""
        found = self._find(collection)
        if found is None:
            return 0
        return found.delete(
            [
                uri
                for uri, recording in found.paths.items()
                if is_under(uri, key) or recording.recording_id == key
            ]
        )

    def delete_files(self, uris: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> list[str]:
        """Delete these paths; return the ones that were stored."""
        found = self._find(collection)
        gone = [uri for uri in dict.fromkeys(uris) if found is not None and uri in found.paths]
        if found is not None:
            found.delete(gone)
        return gone

    def finish_batch(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Renew the scores of unrelated recordings; a store in memory has no index."""
        found = self._find(collection)
        if found is not None:
            self._null_models.look_for_growth(found)

    def null_model(self, *, collection: str = DEFAULT_COLLECTION) -> NullModel | None:
        """Return the scores of unrelated recordings, made now if missing; None if there are too few."""
        found = self._find(collection)
        return self._null_models.current(found) if found else None

    def sample(self, count: int, *, collection: str = DEFAULT_COLLECTION) -> Sample:
        """Return windows of random recordings; empty if there are fewer than 20."""
        found = self._find(collection)
        sample = found.sample(max(count, MIN_RECORDINGS)) if found else Sample([], 0)
        return sample if len(sample.recordings) >= MIN_RECORDINGS else Sample([], sample.collection_size)

    def event_models(self, *, collection: str = DEFAULT_COLLECTION) -> dict[Step, EventModel]:
        """Return the models of events."""
        found = self._find(collection)
        return dict(found.event_models) if found else {}

    def save_event_models(
        self, models: Mapping[Step, EventModel], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Keep models of events; nothing happens without a null model."""
        found = self._find(collection)
        if found is not None and found.null_model is not None:
            found.event_models |= models

    def map_layout(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bytes | None:
        """Return the layout of a map; None if there is none."""
        found = self._find(collection)
        return found.map_layouts.get(name) if found else None

    def save_map_layout(self, name: str, layout: bytes, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Store the layout of a map in place of an earlier one."""
        if found := self._find(collection):
            found.map_layouts[name] = layout

    def drop_index(self, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Return False: a store in memory has no index."""
        del collection
        return False

    def optimize(self, *, collection: str = DEFAULT_COLLECTION, layout: Layout | None = None) -> None:
        """Renew the scores of unrelated recordings; a store in memory has no index."""
        check_layout(layout)
        self._null_models.renew(self._existing(collection))

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return the status of a collection."""
        found = self._find(collection)
        if found is None:
            return StoreStatus("memory", None, 0, 0, 0)
        n_windows = sum(len(content.windows) for content in found.contents.values())
        recordings = [content.recording for content in found.contents.values()]
        known = [known.recorded_at.astimezone(UTC) for known in recordings if known.recorded_at]
        return StoreStatus(
            "memory",
            found.spec,
            len(recordings),
            len(found.paths),
            n_windows,
            starts=starts_by_trust(Counter(map(start_source, recordings))),
            earliest_start=min(known, default=None),
            latest_start=max(known, default=None),
            earlier_decoder=len({file.recording_id for file in found.outdated()}),
            unsearchable=sum(not content.n_searchable for content in found.contents.values()),
            null_model=found.null_model,
            event_models=found.event_models,
        )

    def collections(self) -> dict[str, IndexSpec]:
        """Return the specifications of all collections by name."""
        return {name: self._collections[name].spec for name in sorted(self._collections)}

    def create_collection(self, name: str, spec: IndexSpec, *, like: str | None = None) -> None:
        """Create an empty collection; an existing one must have the same specification."""
        del like
        self._ensure(name, spec)

    def drop_collection(self, name: str) -> bool:
        """Delete a collection with its content; return whether it existed."""
        check_collection_name(name)
        return self._collections.pop(name, None) is not None

    def rename_collection(self, name: str, new_name: str) -> None:
        """Rename a collection; the new name must be free."""
        self._existing(name)
        if self._find(new_name) is not None:
            raise ParameterError(f"there is a collection {new_name!r} already; choose another name")
        self._collections[new_name] = self._collections.pop(name)

    def replace_collection(self, name: str, successor: str, *, without: Set[str] = frozenset()) -> bool:
        """Replace a collection with another one; see `soundalike.store.Store`."""
        old, new = self._existing(name), self._existing(successor)
        if old.paths.keys() - new.paths.keys() - without:
            return False
        new.delete(list(new.paths.keys() - old.paths.keys()))
        new.annotate(old.annotations)
        new.searches = old.searches
        self._collections[name] = self._collections.pop(successor)
        return True

    def reset(self) -> None:
        """Delete everything."""
        self._collections.clear()
        self.forget_speakers()
        self.forget_normal_models()

    def close(self) -> None:
        """Do nothing: a store in memory has no connections."""
