"""A store in which a search does not find places that were marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from soundalike.filters import Filters
from soundalike.search.marked import best_recordings
from soundalike.searches.places import RIGHT, WRONG, by_recording, verdicts
from soundalike.store.base import SearchableWindows, SearchResult
from soundalike.store.named_searches import SearchMark
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, Hit, IndexSpec

#: Windows of a recording with marks that take part in a ranking.
_HITS = 32


def without_places(store: Store, marks: Iterable[SearchMark], *, unmarked: bool = False) -> Store:
    """Return the store without the places that were marked wrong.

    Parameters
    ----------
    store : Store
    marks : iterable of SearchMark
        In the order of marking.
    unmarked : bool
        Leave out the places that were marked right, too.
    """
    known = {
        key: some
        for key, some in by_recording(marks).items()
        if unmarked or not all(mark.is_right for mark in some)
    }
    return cast(Store, _Reviewed(store, known, unmarked=unmarked)) if known else store


class _Reviewed:
    """Searches recordings without marks as the store does, and all windows of the others one by one.

    The nearest windows of a recording may all be marked, so the hits of the store are not enough.
    """

    def __init__(self, store: Store, marks: dict[str, list[SearchMark]], *, unmarked: bool) -> None:
        self._store = store
        self._marks = marks
        self._hidden = [WRONG, RIGHT] if unmarked else [WRONG]
        self._read: dict[tuple[str, int], FloatArray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def search(
        self, vectors: FloatArray, spec: IndexSpec, *, top_k: int, filters: Filters, collection: str
    ) -> SearchResult:
        """Return the hits of the best recordings; see `soundalike.store.Store.search`."""
        others = (*filters.without_recordings, *self._marks)
        found = self._store.search(
            vectors,
            spec,
            top_k=top_k,
            filters=replace(filters, without_recordings=others),
            collection=collection,
        )
        hits, recordings, counts = list(found.hits), dict(found.recordings), dict(found.n_windows)
        queries = _unit(vectors)
        for windows in self._store.searchable_windows(
            filters, recording_id=list(self._marks), collection=collection
        ):
            own = self._hits(windows, queries)
            if own:
                hits += own
                recordings[windows.recording.recording_id] = windows.recording
                counts[windows.recording.recording_id] = len(windows.starts_s)
        return best_recordings(replace(found, hits=hits, recordings=recordings, n_windows=counts), top_k)

    def window_vectors(
        self, windows: Sequence[tuple[str, int]], *, collection: str
    ) -> dict[tuple[str, int], FloatArray]:
        """Return the vectors of windows; those of recordings with marks have numbers of their own."""
        rest = [window for window in windows if window not in self._read]
        found = self._store.window_vectors(rest, collection=collection)
        return {**found, **{window: self._read[window] for window in windows if window in self._read}}

    def _hits(self, windows: SearchableWindows, queries: FloatArray) -> list[Hit]:
        """Return the best hits of a recording at places that are not hidden."""
        key = windows.recording.recording_id
        states = verdicts(windows.starts_s, windows.ends_s, self._marks[key])
        rows = np.flatnonzero(~np.isin(states, self._hidden))
        vectors = windows.embeddings[rows].astype(np.float32)
        usable = vectors.any(axis=1)
        rows, vectors = rows[usable], vectors[usable]
        if not len(rows):
            return []
        scores = _unit(vectors) @ queries.T
        best = scores.argmax(axis=1)
        order = np.argsort(-scores.max(axis=1), kind="stable")[:_HITS]
        self._read.update({(key, int(rows[at])): vectors[at] for at in order})
        return [
            Hit(
                int(best[at]),
                key,
                int(rows[at]),
                float(windows.starts_s[rows[at]]),
                float(windows.ends_s[rows[at]]),
                float(scores[at, best[at]]),
            )
            for at in order
        ]


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit: FloatArray = rows / lengths
    return unit
