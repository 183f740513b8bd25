"""Make the map of a collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.anomalies.detector import Detector, check_same
from soundalike.anomalies.results import NormalRecording
from soundalike.errors import IndexEmpty, StoreError
from soundalike.maps.clusters import find_clusters, name_clusters
from soundalike.maps.layout import Layout, fit_layout, is_umap_installed, place
from soundalike.maps.packing import pack, unpack
from soundalike.maps.points import Points, Scorer, read_points
from soundalike.maps.requests import MapRequest
from soundalike.maps.sound_map import SoundMap
from soundalike.store.base import SearchableWindows, check_collection_name, not_indexed
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec

#: Called with the name of a stage and how many recordings or points it has done.
OnProgress = Callable[[str, int], None]


class _Found(NamedTuple):
    layout: Layout
    is_new: bool
    notes: list[str]


def make_map(
    store: Store,
    request: MapRequest | None = None,
    *,
    on_progress: OnProgress = lambda stage, done: None,
) -> SoundMap:
    """Return the map of a collection.

    The first map of a collection computes a layout, which the store keeps. Later maps show known points
    at the same places, and place new ones among them.

    Parameters
    ----------
    store : Store
    request : MapRequest, optional
    on_progress : callable, optional
        Called with ``reading`` and the number of recordings, ``layout`` and ``clusters`` and the number
        of points.

    Raises
    ------
    IndexEmpty
        The collection does not exist, or has no searchable recording.
    NormalModelNotFound, ModelMismatch
        There is no such model of what is normal, or it belongs to another encoder.
    ParameterError
        The method needs umap-learn, which is not installed.

    Examples
    --------
    >>> from soundalike.store import MemoryStore
    >>> make_map(MemoryStore())
    Traceback (most recent call last):
    soundalike.errors.IndexEmpty: nothing has been indexed yet; run: soundalike index PATH
    """
    asked = request or MapRequest()
    check_collection_name(asked.collection)
    spec = store.collections().get(asked.collection)
    if spec is None:
        raise not_indexed(asked.collection)
    scorer, threshold = _scorer(store, asked.normal, spec)
    points = read_points(store, asked, scorer=scorer, on_read=lambda done: on_progress("reading", done))
    if not len(points.keys):
        raise IndexEmpty(
            f"the collection {asked.collection!r} has no recording with sound; run: soundalike index "
            "PATH"
        )
    on_progress("layout", len(points.keys))
    found = _layout_of(store, asked, points)
    xy, rows = place(found.layout, points.keys, points.vectors)
    on_progress("clusters", len(points.keys))
    of_layout = find_clusters(found.layout.xy, asked.min_cluster)
    clusters = of_layout[np.where(rows < 0, -1 - rows, rows)]
    n_placed = int((rows < 0).sum())
    return SoundMap(
        collection=asked.collection,
        encoder=spec.encoder,
        points=asked.points,
        method=found.layout.method,
        seed=asked.seed,
        total=points.total,
        n_placed=n_placed,
        made_at=found.layout.made_at,
        notes=(*found.notes, *_notes(points, found, n_placed)),
        recordings=points.recordings,
        spans_s=points.spans_s,
        xy=xy,
        clusters=clusters,
        cluster_names=name_clusters(clusters, points.recordings),
        scores=points.scores,
        threshold=threshold,
    )


def _scorer(store: Store, name: str | None, spec: IndexSpec) -> tuple[Scorer | None, float | None]:
    """Return what scores the windows of a recording with a model of what is normal."""
    if name is None:
        return None, None
    model = Detector(store).model(name)
    check_same(name, model.spec, spec)

    def score(found: SearchableWindows) -> tuple[float, npt.NDArray[np.float64]]:
        spans = list(zip(found.starts_s.tolist(), found.ends_s.tolist(), strict=True))
        recording = found.recording
        vectors = found.embeddings.astype(np.float32)
        scored = model.score(NormalRecording(recording.recording_id, recording.uri, spans, vectors))
        return scored.score, np.array([window.score for window in scored.windows])

    return score, model.calibration.threshold


def _layout_of(store: Store, request: MapRequest, points: Points) -> _Found:
    """Return the kept layout, or a new one, which is kept."""
    methods = ("umap", "pca") if request.method == "auto" else (request.method,)
    if not request.refit:
        for method in methods:
            if method == "pca" and request.method == "auto" and is_umap_installed():
                break
            content = store.map_layout(request.layout_key(method), collection=request.collection)
            layout = unpack(content) if content else None
            if layout is not None and len(layout.mean) == points.vectors.shape[1]:
                return _Found(layout, False, _without_umap(request, method))
    method = request.method
    if method == "auto":
        method = "umap" if is_umap_installed() else "pca"
    layout = fit_layout(points.keys, points.vectors, request, method)
    layout = replace(layout, made_at=datetime.now(UTC).isoformat(timespec="seconds"))
    notes = _without_umap(request, method)
    if layout.method != method:
        # It is not kept: the method is possible as soon as there are more recordings.
        notes.append(f"laid out by {layout.method}, because few of the points differ")
        return _Found(layout, True, notes)
    try:
        key = request.layout_key(method)
        store.save_map_layout(key, pack(layout), collection=request.collection)
    except StoreError as exc:
        notes.append(f"the layout could not be kept, so the next map may look different: {exc}")
    return _Found(layout, True, notes)


def _without_umap(request: MapRequest, method: str) -> list[str]:
    if request.method == "auto" and method == "pca":
        return ["laid out by pca, because umap-learn is missing: pip install 'soundalike[map]'"]
    return []


def _notes(points: Points, found: _Found, n_placed: int) -> list[str]:
    count = len(points.keys)
    notes = []
    if count < points.total:
        notes.append(f"a random sample of {count} of {points.total} points; see max_points")
    if n_placed:
        notes.append(
            f"{n_placed} of {count} points were added after the layout was made; refit lays out all"
        )
    if count > 1 and float(np.ptp(points.vectors, axis=0).max()) < 1e-4:
        notes.append("all points are alike, so they share one place")
    return notes
