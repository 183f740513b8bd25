"""Read the points of a map from a store: a bounded sample of recordings or windows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.filters import Filters
from soundalike.maps.requests import MapRequest
from soundalike.store.base import SearchableWindows
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, Recording

Keys = npt.NDArray[np.uint64]
#: Returns the score of a recording, and of each of its windows.
Scorer = Callable[[SearchableWindows], tuple[float, npt.NDArray[np.float64]]]
#: Called with the number of recordings that were read.
OnRead = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a map, in order of their keys.

    Attributes
    ----------
    keys : (n,) uint64
        Stable names of the points, evenly distributed.
    recordings : list of Recording
        Of each point.
    spans_s : (n, 2) float64
        Begin and end of each window in its recording; of recordings, 0 and the length.
    vectors : (n, dimension) float32
        Of length 1.
    scores : (n,) float64 or None
        Anomaly scores.
    total : int
        Points of the collection, of which these may be a sample.
    """

    keys: Keys
    recordings: list[Recording]
    spans_s: npt.NDArray[np.float64]
    vectors: FloatArray
    scores: npt.NDArray[np.float64] | None
    total: int


@dataclass(slots=True)
class _Batch:
    keys: Keys
    owners: list[Recording]
    spans_s: npt.NDArray[np.float64]
    vectors: FloatArray
    scores: npt.NDArray[np.float64]


def read_points(
    store: Store,
    request: MapRequest,
    *,
    scorer: Scorer | None = None,
    on_read: OnRead = lambda done: None,
) -> Points:
    """Return the points of a collection; of more than `max_points`, those with the smallest keys.

    Adding recordings therefore changes little of a sample.

    Parameters
    ----------
    store : Store
    request : MapRequest
    scorer : callable, optional
    on_read : callable, optional
    """
    kept: list[_Batch] = []
    n_kept = total = 0
    for done, found in enumerate(_read(store, request), start=1):
        batch = _points_of(found, request, scorer)
        total += len(batch.keys)
        n_kept += len(batch.keys)
        kept.append(batch)
        if n_kept > 2 * request.max_points:
            kept = [_smallest(kept, request.max_points)]
            n_kept = request.max_points
        on_read(done)
    if not kept:
        none = np.zeros((0, 2))
        return Points(np.zeros(0, np.uint64), [], none, none.astype(np.float32), None, 0)
    whole = _smallest(kept, request.max_points)
    scores = whole.scores if scorer else None
    return Points(whole.keys, whole.owners, whole.spans_s, whole.vectors, scores, total)


def _read(store: Store, request: MapRequest) -> Iterator[SearchableWindows]:
    return iter(store.searchable_windows(Filters(), collection=request.collection))


def _points_of(found: SearchableWindows, request: MapRequest, scorer: Scorer | None) -> _Batch:
    recording, vectors = found.recording, _unit(found.embeddings.astype(np.float32))
    whole, each = scorer(found) if scorer else (np.nan, np.full(len(vectors), np.nan))
    if request.points == "windows":
        keys = [_key(f"{recording.recording_id} {start:.3f}") for start in found.starts_s.tolist()]
        spans_s, scores = np.stack((found.starts_s, found.ends_s), axis=1), each
    else:
        keys = [_key(recording.recording_id)]
        spans_s, scores = np.array([[0.0, recording.duration_s]]), np.array([whole])
        vectors = _unit(vectors.mean(axis=0, keepdims=True))
    return _Batch(np.array(keys, np.uint64), [recording] * len(keys), spans_s, vectors, scores)


def _smallest(batches: list[_Batch], most: int) -> _Batch:
    """Return the points with the smallest keys, in their order."""
    keys = np.concatenate([batch.keys for batch in batches])
    chosen = np.argsort(keys, kind="stable")[:most]
    owners = [owner for batch in batches for owner in batch.owners]
    return _Batch(
        keys[chosen],
        [owners[row] for row in chosen],
        np.concatenate([batch.spans_s for batch in batches])[chosen],
        np.concatenate([batch.vectors for batch in batches])[chosen],
        np.concatenate([batch.scores for batch in batches])[chosen],
    )


def _key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit
