"""A store in memory that compares with every window: the truth that other stores are measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from soundalike.errors import IndexEmpty
from soundalike.store.base import (
    Outcome,
    SearchResult,
    StoreStatus,
    check_embeddings,
    check_filters,
    check_recording,
    check_spec,
    check_top_k,
    first_limit,
    is_under,
)
from soundalike.types import Filters, FloatArray, Hit, IndexSpec, Recording, Window


@dataclass(slots=True)
class _Content:
    recording: Recording
    windows: list[Window]
    embeddings: FloatArray


class MemoryStore:
    """Exact search over arrays; nothing outlives the process. A `soundalike.store.Store`."""

    def __init__(self) -> None:
        self._spec: IndexSpec | None = None
        self._contents: dict[str, _Content] = {}
        self._files: dict[str, Recording] = {}

    def add(
        self,
        recording: Recording,
        windows: Sequence[Window],
        embeddings: FloatArray,
        spec: IndexSpec,
    ) -> Outcome:
        """Store a recording; see `soundalike.store.Store.add`."""
        check_recording(recording, has_length=True)
        check_embeddings(embeddings, len(windows), spec)
        self._agree(spec)
        known = self._contents.get(recording.recording_id)
        if known is None or _start_differs(known.recording, recording):
            content = _Content(recording, list(windows), embeddings.copy())
            self._contents[recording.recording_id] = content
        return self._put_file(recording, is_new=known is None)

    def link(self, recording: Recording, spec: IndexSpec) -> Outcome | None:
        """Store a path of known audio; see `soundalike.store.Store.link`."""
        check_recording(recording, has_length=False)
        known = self._contents.get(recording.recording_id)
        if known is None or _start_differs(known.recording, recording):
            return None
        self._agree(spec)
        return self._put_file(replace(recording, duration_s=known.recording.duration_s), is_new=False)

    def known_ids(self, recording_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are stored."""
        return self._contents.keys() & set(recording_ids)

    def _put_file(self, recording: Recording, *, is_new: bool) -> Outcome:
        before = self._files.get(recording.uri)
        start = recording.recorded_at or self._contents[recording.recording_id].recording.recorded_at
        recording = replace(recording, recorded_at=start)
        self._files[recording.uri] = recording
        if before is None:
            return "added" if is_new else "linked"
        if before.recording_id != recording.recording_id:
            self._drop_orphans()
            return "replaced"
        same = (before.label, before.tags) == (recording.label, recording.tags)
        return "unchanged" if same and not _start_differs(before, recording) else "updated"

    def search(
        self, vectors: FloatArray, spec: IndexSpec, *, top_k: int, filters: Filters
    ) -> SearchResult:
        """Compare with every window; see `soundalike.store.Store.search`."""
        check_top_k(top_k)
        check_filters(filters)
        if self._spec is None:
            raise IndexEmpty("nothing has been indexed yet; run: soundalike index PATH")
        check_spec(self._spec, spec)
        check_embeddings(vectors, None, spec)
        allowed = self._allowed(filters)
        limit = first_limit(top_k)
        hits = [hit for n, vector in enumerate(vectors) for hit in self._scan(n, vector, allowed)]
        while True:
            kept = _best_of_each_window(hits, limit)
            found = {hit.recording_id for hit in kept}
            if len(found) >= top_k or len(kept) == len(hits):
                return SearchResult(kept, {key: allowed[key] for key in found})
            limit *= 4

    def _scan(self, n: int, vector: FloatArray, allowed: dict[str, Recording]) -> list[Hit]:
        hits = []
        for key in allowed:
            content = self._contents[key]
            lengths = np.linalg.norm(content.embeddings, axis=1) * np.linalg.norm(vector)
            for window, dot, length in zip(
                content.windows, content.embeddings @ vector, lengths, strict=True
            ):
                if not window.is_silent and length > 0:
                    score = float(dot / length)
                    hits.append(Hit(n, key, window.index, window.start_s, window.end_s, score))
        return hits

    def _allowed(self, filters: Filters) -> dict[str, Recording]:
        allowed: dict[str, Recording] = {}
        for uri in sorted(self._files):
            recording = self._files[uri]
            if (
                recording.recording_id != filters.exclude_recording_id
                and (not filters.labels or recording.label in filters.labels)
                and filters.tags.items() <= dict(recording.tags).items()
                and uri.startswith(filters.uri_prefix)
            ):
                allowed.setdefault(recording.recording_id, recording)
        return allowed

    def delete(self, key: str) -> int:
        """Delete by path, folder or recording id."""
        gone = [
            uri
            for uri, recording in self._files.items()
            if is_under(uri, key) or recording.recording_id == key
        ]
        for uri in gone:
            del self._files[uri]
        self._drop_orphans()
        return len(gone)

    def _drop_orphans(self) -> None:
        used = {recording.recording_id for recording in self._files.values()}
        for key in self._contents.keys() - used:
            del self._contents[key]

    def finish_batch(self) -> None:
        """Nothing to do: there is no index."""

    def status(self) -> StoreStatus:
        """Return what is stored."""
        n_windows = sum(len(content.windows) for content in self._contents.values())
        return StoreStatus("memory", self._spec, len(self._contents), len(self._files), n_windows)

    def reset(self) -> None:
        """Delete everything."""
        self.__init__()  # type: ignore[misc]

    def close(self) -> None:
        """Nothing to give back."""

    def _agree(self, spec: IndexSpec) -> None:
        if self._spec is None:
            self._spec = spec
        check_spec(self._spec, spec)


def _start_differs(stored: Recording, given: Recording) -> bool:
    """Tell whether `given` brings another start time; where nobody said, the stored one stays."""
    return given.recorded_at is not None and given.recorded_at != stored.recorded_at


def _best_of_each_window(hits: list[Hit], limit: int) -> list[Hit]:
    kept: list[Hit] = []
    taken: dict[int, int] = {}
    for hit in sorted(hits, key=lambda h: -h.score):
        if taken.get(hit.query_window, 0) < limit:
            taken[hit.query_window] = taken.get(hit.query_window, 0) + 1
            kept.append(hit)
    return kept
