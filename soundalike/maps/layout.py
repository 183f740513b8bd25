"""Lay points out in a plane, and place new points in a layout that exists.

A layout keeps the points that it was made from with their places, so that a place never changes. A new
point of UMAP or t-SNE is placed between its nearest neighbours; PCA has an exact projection.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.errors import ParameterError
from soundalike.maps.points import Keys
from soundalike.maps.requests import MapRequest
from soundalike.types import FloatArray

Clusters = npt.NDArray[np.int32]
#: Fewer different vectors than this are laid out by PCA.
MIN_DIFFERENT = 16
#: Dimensions that layouts are computed in; more make them slower, and hardly other.
_DIMENSIONS = 32
#: Neighbours that a new point is placed between.
_PLACED_BETWEEN = 10
#: New points that are placed together.
_BLOCK = 4096
#: Points that PCA is fitted to.
_PCA_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout and the points that it was made from.

    Attributes
    ----------
    method : str
        ``umap``, ``tsne`` or ``pca``.
    mean : (dimension,) float32
    axes : (dimension, k) float32
        Principal axes.
    keys : (n,) uint64
        Of the points that the layout was made from, increasing.
    reduced : (n, k) float16
        These points on the principal axes.
    xy : (n, 2) float32
        Their places, within -1 and 1.
    centre : (2,) float32
    scale : float
        The place of a point was ``(raw - centre) * scale``.
    made_at : str
        ISO 8601.
    """

    method: str
    mean: FloatArray
    axes: FloatArray
    keys: Keys
    reduced: npt.NDArray[np.float16]
    xy: FloatArray
    centre: FloatArray
    scale: float
    made_at: str = ""


def is_umap_installed() -> bool:
    """Return whether umap-learn can be imported; it is not imported."""
    return importlib.util.find_spec("umap") is not None


def fit_layout(keys: Keys, vectors: FloatArray, request: MapRequest, method: str) -> Layout:
    """Lay points out; few different ones by PCA, whatever the method.

    Parameters
    ----------
    keys : (n,) uint64
    vectors : (n, dimension) float32
        At least one.
    request : MapRequest
    method : str
        ``umap``, ``tsne`` or ``pca``.

    Raises
    ------
    ParameterError
        umap-learn is missing.
    """
    mean, axes = _principal_axes(vectors)
    reduced = ((vectors - mean) @ axes).astype(np.float32)
    if not has_structure(reduced):
        method = "pca"
    if method == "umap":
        raw = _umap(reduced, request)
    elif method == "tsne":
        raw = _tsne(reduced, request)
    else:
        raw = _first_two(reduced)
    lowest, highest = raw.min(axis=0), raw.max(axis=0)
    extent = float((highest - lowest).max())
    centre = ((lowest + highest) / 2).astype(np.float32)
    scale = 2 / extent if extent > 1e-6 else 1.0
    xy = ((raw - centre) * scale).astype(np.float32)
    return Layout(method, mean, axes, keys, reduced.astype(np.float16), xy, centre, scale)


def has_structure(reduced: FloatArray) -> bool:
    """Return whether there are enough different vectors for more than PCA."""
    some = np.unique(reduced[:4096].round(4), axis=0)
    return len(some) >= MIN_DIFFERENT


def place(layout: Layout, keys: Keys, vectors: FloatArray) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return the places of points, and the row of the layout that each point is, or is nearest to.

    Parameters
    ----------
    layout : Layout
    keys : (n,) uint64
    vectors : (n, dimension) float32

    Returns
    -------
    xy : (n, 2) float32
    rows : (n,) int64
        ``-1 - row`` for new points.
    """
    at = np.searchsorted(layout.keys, keys).clip(max=len(layout.keys) - 1)
    is_known = layout.keys[at] == keys
    xy, rows = layout.xy[at].copy(), at.astype(np.int64)
    new = np.flatnonzero(~is_known)
    for begin in range(0, len(new), _BLOCK):
        some = new[begin : begin + _BLOCK]
        reduced = ((vectors[some] - layout.mean) @ layout.axes).astype(np.float32)
        between, nearest = _between_neighbours(layout, reduced)
        if layout.method == "pca":
            between = (_first_two(reduced) - layout.centre) * np.float32(layout.scale)
        xy[some], rows[some] = between, -1 - nearest
    return xy, rows


def _between_neighbours(layout: Layout, reduced: FloatArray) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return places between the nearest points of the layout, and the row of the nearest one.

    Neighbours that lie far from the nearest one in the plane are left out: a place in the gap between
    two groups would belong to none.
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(_PLACED_BETWEEN, len(layout.keys))
    finder = NearestNeighbors(n_neighbors=count, algorithm="brute")
    distances, rows = finder.fit(layout.reduced.astype(np.float32)).kneighbors(reduced)
    beyond = distances - distances[:, :1]
    weights = np.exp(-beyond / np.maximum(beyond.mean(axis=1, keepdims=True), 1e-6))
    places = layout.xy[rows]
    apart = np.linalg.norm(places - np.median(places, axis=1, keepdims=True), axis=2)
    # The half that lies nearest to the middle one always remains.
    weights[apart > 3 * np.median(apart, axis=1, keepdims=True) + 1e-6] = 0
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    xy = np.einsum("nk,nkd->nd", weights, places).astype(np.float32)
    return xy, rows[:, 0].astype(np.int64)


def _principal_axes(vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and principal axes; as many as there can be, at least two."""
    some = vectors[:_PCA_ROWS].astype(np.float64)
    mean = some.mean(axis=0)
    centred = some - mean
    values, directions = np.linalg.eigh(centred.T @ centred)
    count = max(2, min(_DIMENSIONS, vectors.shape[1], len(some)))
    axes = directions[:, np.argsort(values)[::-1][:count]]
    # The sign is arbitrary; this one is the same on every machine.
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1, 1)
    return mean.astype(np.float32), axes.astype(np.float32)


def _first_two(reduced: FloatArray) -> FloatArray:
    if reduced.shape[1] >= 2:
        return reduced[:, :2]
    return np.pad(reduced, ((0, 0), (0, 2 - reduced.shape[1])))


def _umap(reduced: FloatArray, request: MapRequest) -> FloatArray:
    if not is_umap_installed():
        raise ParameterError(
            "method is umap, and umap-learn is not installed; run: pip install 'soundalike[map]', or "
            "choose tsne or pca"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: Any = _import_umap().UMAP(
            n_neighbors=min(request.neighbours, len(reduced) - 1),
            init="pca",
            random_state=request.seed,
            # More than one needs a layout that is different each time.
            n_jobs=1,
        )
        found: FloatArray = made.fit_transform(reduced).astype(np.float32)
    return found


def _import_umap() -> Any:
    """Return UMAP's module, imported without TensorFlow, of which it would offer a variant.

    Numba compiles for seconds, so nothing else imports it.
    """
    is_hidden = "umap" not in sys.modules and "tensorflow" not in sys.modules
    if is_hidden:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("umap")
    finally:
        if is_hidden:
            del sys.modules["tensorflow"]


def _tsne(reduced: FloatArray, request: MapRequest) -> FloatArray:
    from sklearn.manifold import TSNE

    perplexity = min(2.0 * request.neighbours, (len(reduced) - 1) / 3)
    made = TSNE(perplexity=perplexity, init="pca", random_state=request.seed, n_jobs=2)
    found: FloatArray = made.fit_transform(reduced).astype(np.float32)
    return found
