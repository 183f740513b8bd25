"""A collection in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np

from soundalike.annotations.types import StoredAnnotation
from soundalike.clock.times import is_within, time_of_window
from soundalike.filters import Filters
from soundalike.scores.event_model import EventModel, Step
from soundalike.scores.fitting import SampledRecording
from soundalike.scores.null_model import NullModel
from soundalike.store.base import (
    Content,
    Entry,
    Outcome,
    SearchableWindows,
    SearchResult,
    StoredFile,
    first_limit,
    start_differs,
    start_source,
)
from soundalike.store.blocks import SAMPLE_RECORDINGS, choose_blocks
from soundalike.store.merging import TopRecordings
from soundalike.store.null_models import Sample
from soundalike.store.renewal import as_stored, count_searchable, is_same, renewed
from soundalike.store.timeline import bucket_start, filled, first_windows, scores
from soundalike.types import (
    DECODER_VERSION,
    BucketWidth,
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
    decoder_version: int

    @property
    def n_searchable(self) -> int:
        """Number of searchable windows."""
        return count_searchable(self.windows, self.embeddings)


class MemoryCollection:
    """The recordings and windows of one collection.

    Parameters
    ----------
    spec : IndexSpec
        Specification of its vectors.
    """

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        self.contents: dict[str, _Content] = {}
        self.paths: dict[str, Recording] = {}
        self.annotations: list[StoredAnnotation] = []
        #: Named searches, which `soundalike.store.memory_searches` keeps.
        self.searches: dict[str, Any] = {}
        self._last_annotation = 0
        self.null_model: NullModel | None = None
        self.event_models: dict[Step, EventModel] = {}
        self.map_layouts: dict[str, bytes] = {}

    def put_null_model(self, model: NullModel) -> None:
        """Keep a null model; events are compared again too."""
        self.null_model, self.event_models = model, {}

    def add(self, entry: Entry) -> Outcome:
        """Store a recording."""
        recording = entry.recording
        known = self.contents.get(recording.recording_id)
        moved = known is not None and self._is_replaced(known, entry)
        if known is None or moved:
            self.contents[recording.recording_id] = _Content(
                recording if known is None else renewed(known.recording, recording),
                list(entry.windows),
                entry.embeddings.copy(),
                entry.decoder_version,
            )
        outcome = self._put_file(recording, is_new=known is None)
        return "updated" if moved and outcome == "unchanged" else outcome

    def _is_replaced(self, known: _Content, entry: Entry) -> bool:
        """Return whether an entry replaces a known recording; record a newer decoder if not."""
        if start_differs(known.recording, entry.recording):
            return True
        if entry.decoder_version <= known.decoder_version:
            return False
        known.decoder_version = entry.decoder_version
        return not is_same(self.content(entry.recording.recording_id), entry)

    def link(self, recording: Recording, *, renew: bool) -> Outcome | None:
        """Store a path of known audio; None if it is unknown or must be decoded again."""
        known = self.contents.get(recording.recording_id)
        if known is None or start_differs(known.recording, recording):
            return None
        if renew and known.decoder_version < DECODER_VERSION:
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
        """Return a path with the metadata of its content."""
        file = self.paths[uri]
        content = self.contents[file.recording_id].recording
        return replace(
            file,
            duration_s=content.duration_s,
            recorded_at=content.recorded_at,
            recorded_at_source=start_source(content),
        )

    def content(self, recording_id: str) -> Content:
        """Return a recording in the form of a database: without vectors of silent windows."""
        content = self.contents[recording_id]
        windows, embeddings = as_stored(content.windows, content.embeddings)
        uris = sorted(uri for uri, file in self.paths.items() if file.recording_id == recording_id)
        files = [self.described(uri) for uri in uris]
        return Content(files, windows, embeddings, content.decoder_version)

    def sample(self, limit: int = SAMPLE_RECORDINGS) -> Sample:
        """Return a random sample of the recordings."""
        labels: dict[str, set[str]] = defaultdict(set)
        for file in self.paths.values():
            labels[file.recording_id].update([file.label] if file.label else [])
        searchable = [key for key in sorted(self.contents) if self.contents[key].n_searchable]
        chosen = searchable[:limit]
        counts = [(key, len(self.contents[key].windows)) for key in chosen]
        recordings = []
        for key, first, length in choose_blocks(counts, self.spec.dimension):
            content = self.contents[key]
            rows = as_stored(content.windows, content.embeddings)[1][first : first + length]
            recordings.append(
                SampledRecording(frozenset(labels[key]), rows[rows.any(axis=1)], key, first)
            )
        return Sample(recordings, len(self.contents))

    def outdated(self) -> list[Recording]:
        """Return the paths of recordings from an earlier decoder, sorted."""
        files = [self.described(uri) for uri in sorted(self.paths)]
        return [
            file for file in files if self.contents[file.recording_id].decoder_version < DECODER_VERSION
        ]

    def search(self, vectors: FloatArray, top_k: int, filters: Filters) -> SearchResult:
        """Compare with every window."""
        allowed = self._allowed(filters)
        limits = dict.fromkeys(range(len(vectors)), first_limit(top_k))
        hits = [
            hit for n, vector in enumerate(vectors) for hit in self._scan(n, vector, allowed, filters)
        ]
        while True:
            top = TopRecordings(_best_of_each_window(hits, limits))
            open_windows = top.open_windows(limits, top_k)
            if not open_windows:
                best = top.hits_of_best(top_k)
                found = {hit.recording_id: allowed[hit.recording_id] for hit in best}
                return SearchResult(best, found, {key: self.contents[key].n_searchable for key in found})
            limits |= {window: 4 * limits[window] for window in open_windows}

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
        """Count windows similar to any of the vectors by wall-clock time."""
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
            for first in first_windows(alike):
                at = time_of_window(began, first.start_s)
                undated += at is None
                counts.update([bucket_start(at, bucket, zone)] if at else [])
        return Timeline(filled(counts, bucket, zone), undated)

    def searchable_windows(
        self, filters: Filters, recording_ids: Sequence[str] | None
    ) -> Iterator[SearchableWindows]:
        """Yield the windows that can be found, recording by recording, in order of time."""
        never = datetime.max.replace(tzinfo=UTC)
        recordings = [
            recording
            for key, recording in self._allowed(filters).items()
            if recording_ids is None or key in recording_ids
        ]
        for recording in sorted(recordings, key=lambda one: (one.recorded_at or never, one.uri)):
            content = self.contents.get(recording.recording_id)
            if content is None:
                continue
            windows, embeddings = as_stored(content.windows, content.embeddings)
            rows = [
                row
                for row, window in enumerate(windows)
                if window.quality == "ok" and is_within(filters, recording.recorded_at, window.start_s)
            ]
            if rows:
                yield SearchableWindows(
                    recording,
                    np.array([windows[row].start_s for row in rows]),
                    np.array([windows[row].end_s for row in rows]),
                    embeddings[rows],
                )

    def window_vectors(self, windows: Sequence[tuple[str, int]]) -> dict[tuple[str, int], FloatArray]:
        """Return the vectors of windows by recording id and number."""
        found: dict[tuple[str, int], FloatArray] = {}
        for key, index in windows:
            content = self.contents.get(key)
            rows = [] if content is None else [one.index for one in content.windows]
            if content is not None and index in rows:
                found[key, index] = content.embeddings[rows.index(index)].astype(np.float32)
        return found

    def _allowed(self, filters: Filters) -> dict[str, Recording]:
        allowed: dict[str, Recording] = {}
        for uri in self.passing(filters):
            recording = self.described(uri)
            if recording.recording_id not in filters.excluded:
                allowed.setdefault(recording.recording_id, recording)
        return allowed

    def passing(self, filters: Filters) -> list[str]:
        """Return the paths that pass the filters of label, tags and path, sorted."""
        return [
            uri
            for uri, file in sorted(self.paths.items())
            if (not filters.labels or file.label in filters.labels)
            and (file.label is None or file.label not in filters.without_labels)
            and filters.tags.items() <= dict(file.tags).items()
            and uri.startswith(filters.uri_prefix)
            and all(condition.matches(file.tags) for condition in filters.where)
        ]

    def stored_file(self, uri: str) -> StoredFile:
        """Return a path with its recording and the recording's number of windows."""
        described = self.described(uri)
        return StoredFile(described, len(self.contents[described.recording_id].windows))

    def delete(self, gone: Sequence[str]) -> int:
        """Delete stored paths; return their number."""
        for uri in gone:
            del self.paths[uri]
        self.drop_orphans()
        return len(gone)

    def drop_orphans(self) -> None:
        """Delete content without a path."""
        used = {recording.recording_id for recording in self.paths.values()}
        for key in self.contents.keys() - used:
            del self.contents[key]
        self.annotations = [one for one in self.annotations if one.recording_id in self.contents]

    def annotate(self, annotations: Sequence[StoredAnnotation]) -> int:
        """Store annotations of known recordings; return the number of new ones."""
        known = {(one.recording_id, one.annotation) for one in self.annotations}
        before = len(self.annotations)
        for new in annotations:
            span = replace(new.annotation, file="", line=0)
            if new.recording_id not in self.contents or (new.recording_id, span) in known:
                continue
            known.add((new.recording_id, span))
            self._last_annotation += 1
            made = new.created_at or datetime.now(UTC)
            self.annotations.append(
                replace(
                    new, annotation_id=self._last_annotation, annotation=span, uri="", created_at=made
                )
            )
        return len(self.annotations) - before


def _best_of_each_window(hits: list[Hit], limits: Mapping[int, int]) -> list[Hit]:
    best: list[Hit] = []
    counts: Counter[int] = Counter()
    for hit in sorted(hits, key=lambda h: -h.score):
        if counts[hit.query_window] < limits[hit.query_window]:
            counts[hit.query_window] += 1
            best.append(hit)
    return best
