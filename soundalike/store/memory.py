"""A store in memory that compares with every window: the truth that other stores are measured by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import IndexEmpty, ParameterError
from soundalike.store.base import (
    Content,
    Entry,
    Outcome,
    SearchResult,
    StoreStatus,
    check_collection_name,
    check_embeddings,
    check_entry,
    check_filters,
    check_recording,
    check_spec,
    check_top_k,
    first_limit,
    folder_prefix,
    is_under,
    of_the_best,
    start_differs,
    start_source,
    starts_by_trust,
)
from soundalike.store.merging import is_settled
from soundalike.store.timeline import begins, bucket_start, check_count, filled, scores
from soundalike.store.times import is_within, time_of_window
from soundalike.types import (
    BucketWidth,
    Filters,
    FloatArray,
    Hit,
    IndexSpec,
    Recording,
    Timeline,
    Window,
)


@dataclass(slots=True)
class _Content:
    recording: Recording
    windows: list[Window]
    embeddings: FloatArray


class _Collection:
    """The recordings and windows of one collection."""

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        self.contents: dict[str, _Content] = {}
        self.paths: dict[str, Recording] = {}

    def add(self, recording: Recording, windows: Sequence[Window], embeddings: FloatArray) -> Outcome:
        known = self.contents.get(recording.recording_id)
        moved = known is not None and start_differs(known.recording, recording)
        if known is None or moved:
            content = _Content(recording, list(windows), embeddings.copy())
            self.contents[recording.recording_id] = content
        outcome = self._put_file(recording, is_new=known is None)
        return "updated" if moved and outcome == "unchanged" else outcome

    def link(self, recording: Recording) -> Outcome | None:
        known = self.contents.get(recording.recording_id)
        if known is None or start_differs(known.recording, recording):
            return None
        return self._put_file(recording, is_new=False)

    def _put_file(self, recording: Recording, *, is_new: bool) -> Outcome:
        before = self.paths.get(recording.uri)
        self.paths[recording.uri] = recording
        if before is None:
            return "added" if is_new else "linked"
        if before.recording_id != recording.recording_id:
            self.drop_orphans()
            return "replaced"
        same = (before.label, before.tags) == (recording.label, recording.tags)
        return "unchanged" if same else "updated"

    def described(self, uri: str) -> Recording:
        """Return a path with what is known of its content."""
        file = self.paths[uri]
        content = self.contents[file.recording_id].recording
        return replace(
            file,
            duration_s=content.duration_s,
            recorded_at=content.recorded_at,
            recorded_at_source=start_source(content),
        )

    def content(self, recording_id: str) -> Content:
        """Return a recording as a database keeps it: without vectors of what is silent."""
        content = self.contents[recording_id]
        windows = [
            _as_stored(window, vector)
            for window, vector in zip(content.windows, content.embeddings, strict=True)
        ]
        heard = np.array([window.quality == "ok" for window in windows], dtype=bool)
        embeddings = np.where(heard[:, np.newaxis], content.embeddings, 0).astype(np.float16)
        uris = sorted(uri for uri, file in self.paths.items() if file.recording_id == recording_id)
        return Content([self.described(uri) for uri in uris], windows, embeddings)

    def search(self, vectors: FloatArray, top_k: int, filters: Filters) -> SearchResult:
        allowed = self._allowed(filters)
        limit = first_limit(top_k)
        hits = [
            hit for n, vector in enumerate(vectors) for hit in self._scan(n, vector, allowed, filters)
        ]
        while True:
            kept = _best_of_each_window(hits, limit)
            if is_settled(kept, limit, top_k):
                best = of_the_best(kept, top_k)
                return SearchResult(best, {hit.recording_id: allowed[hit.recording_id] for hit in best})
            limit *= 4

    def _scan(
        self, n: int, vector: FloatArray, allowed: dict[str, Recording], filters: Filters
    ) -> list[Hit]:
        hits = []
        for key in allowed:
            content = self.contents[key]
            lengths = np.linalg.norm(content.embeddings, axis=1) * np.linalg.norm(vector)
            for window, dot, length in zip(
                content.windows, content.embeddings @ vector, lengths, strict=True
            ):
                is_timely = is_within(filters, content.recording.recorded_at, window.start_s)
                if is_timely and window.quality == "ok" and length > 0:
                    score = float(dot / length)
                    hits.append(Hit(n, key, window.index, window.start_s, window.end_s, score))
        return hits

    def count_by_time(
        self,
        vectors: FloatArray,
        min_score: float,
        bucket: BucketWidth,
        zone: tzinfo,
        filters: Filters,
    ) -> Timeline:
        counts: Counter[datetime] = Counter()
        undated = 0
        for key in self._allowed(filters):
            content = self.contents[key]
            began = content.recording.recorded_at
            alike = [
                window
                for window, score in zip(
                    content.windows, scores(content.embeddings, vectors), strict=True
                )
                if score >= min_score
                and window.quality == "ok"
                and is_within(filters, began, window.start_s)
            ]
            for first in begins(alike):
                at = time_of_window(began, first.start_s)
                undated += at is None
                counts.update([bucket_start(at, bucket, zone)] if at else [])
        return Timeline(filled(counts, bucket, zone), undated)

    def _allowed(self, filters: Filters) -> dict[str, Recording]:
        allowed: dict[str, Recording] = {}
        for uri in sorted(self.paths):
            recording = self.described(uri)
            if (
                recording.recording_id != filters.exclude_recording_id
                and (not filters.labels or recording.label in filters.labels)
                and filters.tags.items() <= dict(recording.tags).items()
                and uri.startswith(filters.uri_prefix)
                and all(condition.matches(recording.tags) for condition in filters.where)
            ):
                allowed.setdefault(recording.recording_id, recording)
        return allowed

    def delete(self, gone: Sequence[str]) -> int:
        for uri in gone:
            del self.paths[uri]
        self.drop_orphans()
        return len(gone)

    def drop_orphans(self) -> None:
        used = {recording.recording_id for recording in self.paths.values()}
        for key in self.contents.keys() - used:
            del self.contents[key]


class MemoryStore:
    """Exact search over arrays; nothing outlives the process. A `soundalike.store.Store`."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}

    def _find(self, name: str) -> _Collection | None:
        check_collection_name(name)
        return self._collections.get(name)

    def _ensure(self, name: str, spec: IndexSpec) -> _Collection:
        found = self._find(name) or self._collections.setdefault(name, _Collection(spec))
        check_spec(found.spec, spec)
        return found

    def add(
        self,
        recording: Recording,
        windows: Sequence[Window],
        embeddings: FloatArray,
        spec: IndexSpec,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome:
        """Store a recording; see `soundalike.store.Store.add`."""
        return self.add_many([Entry(recording, windows, embeddings)], spec, collection=collection)[0]

    def add_many(
        self, entries: Sequence[Entry], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Outcome]:
        """Store several recordings; see `soundalike.store.Store.add_many`."""
        for entry in entries:
            check_entry(entry, spec)
        target = self._ensure(collection, spec)
        return [target.add(*entry) for entry in entries]

    def link(
        self, recording: Recording, spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> Outcome | None:
        """Store a path of known audio; see `soundalike.store.Store.link`."""
        check_recording(recording, has_length=False)
        found = self._find(collection)
        if found is None:
            return None
        check_spec(found.spec, spec)
        return found.link(recording)

    def known_ids(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> set[str]:
        """Return those of the ids that are stored."""
        found = self._find(collection)
        return found.contents.keys() & set(recording_ids) if found else set()

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield every stored path with its recording, in the order of the paths."""
        found = self._find(collection)
        begin = "" if under is None else folder_prefix(under)
        uris = sorted(uri for uri in found.paths if uri.startswith(begin)) if found else []
        yield from [found.described(uri) for uri in uris] if found else []

    def known_files(
        self, uris: Sequence[str], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, Recording]:
        """Return those of the paths that are stored, with their recordings."""
        found = self._find(collection)
        if found is None:
            return {}
        check_spec(found.spec, spec)
        return {uri: found.described(uri) for uri in uris if uri in found.paths}

    def contents(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Content]:
        """Yield every recording with its paths and windows, in the order of the ids."""
        found = self._find(collection)
        if found is not None:
            yield from (found.content(key) for key in sorted(found.contents))

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
        found = self._find(collection)
        if found is None:
            raise IndexEmpty("nothing has been indexed yet; run: soundalike index PATH")
        check_spec(found.spec, spec)
        check_embeddings(vectors, None, spec)
        return found.search(vectors, top_k, filters)

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
        found = self._find(collection)
        if found is None:
            raise IndexEmpty("nothing has been indexed yet; run: soundalike index PATH")
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
        """Delete exactly these paths; return those that were stored."""
        found = self._find(collection)
        gone = [uri for uri in dict.fromkeys(uris) if found is not None and uri in found.paths]
        if found is not None:
            found.delete(gone)
        return gone

    def finish_batch(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Nothing to do: there is no index."""

    def optimize(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Nothing to do but to see that the collection is there."""
        if self._find(collection) is None:
            raise IndexEmpty(f"there is no collection {collection!r}")

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return what is stored."""
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
        )

    def collections(self) -> dict[str, IndexSpec]:
        """Return all collections by name, and what they were made with."""
        return {name: self._collections[name].spec for name in sorted(self._collections)}

    def create_collection(self, name: str, spec: IndexSpec) -> None:
        """Make an empty collection; one that is there already must fit."""
        self._ensure(name, spec)

    def drop_collection(self, name: str) -> bool:
        """Delete a collection with all it holds; tell whether there was one."""
        check_collection_name(name)
        return self._collections.pop(name, None) is not None

    def rename_collection(self, name: str, new_name: str) -> None:
        """Give a collection a name that is still free."""
        if self._find(name) is None:
            raise IndexEmpty(f"there is no collection {name!r}")
        if self._find(new_name) is not None:
            raise ParameterError(f"there is a collection {new_name!r} already; choose another name")
        self._collections[new_name] = self._collections.pop(name)

    def replace_collection(self, name: str, successor: str, *, without: Set[str] = frozenset()) -> bool:
        """Let another collection take the place of this one; see `soundalike.store.Store`."""
        old, new = self._find(name), self._find(successor)
        if old is None or new is None:
            raise IndexEmpty(f"there is no collection {successor if old else name!r}")
        if old.paths.keys() - new.paths.keys() - without:
            return False
        new.delete(list(new.paths.keys() - old.paths.keys()))
        self._collections[name] = self._collections.pop(successor)
        return True

    def reset(self) -> None:
        """Delete everything."""
        self._collections.clear()

    def close(self) -> None:
        """Nothing to give back."""


def _best_of_each_window(hits: list[Hit], limit: int) -> list[Hit]:
    kept: list[Hit] = []
    taken: dict[int, int] = {}
    for hit in sorted(hits, key=lambda h: -h.score):
        if taken.get(hit.query_window, 0) < limit:
            taken[hit.query_window] = taken.get(hit.query_window, 0) + 1
            kept.append(hit)
    return kept


def _as_stored(window: Window, vector: FloatArray) -> Window:
    """Return a window with the quality under which a database keeps it."""
    quality = window.quality if window.quality != "ok" or vector.any() else "silent"
    return replace(window, is_silent=quality == "silent", is_clipped=quality == "clipped")
