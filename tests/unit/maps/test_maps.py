"""Layouts, clusters and pages of maps."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from soundalike.errors import ParameterError
from soundalike.maps import layout as layouts
from soundalike.maps.build import make_map
from soundalike.maps.clusters import find_clusters, name_clusters
from soundalike.maps.layout import fit_layout, place
from soundalike.maps.packing import pack, unpack
from soundalike.maps.page import render
from soundalike.maps.requests import MapRequest
from soundalike.store import MemoryStore
from soundalike.types import IndexSpec, Recording, Window

HOSTILE = "</script><img src=x onerror=alert(1)>{{data}}.wav"


def blobs(count: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Return keys, unit vectors and kinds of three groups."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 3
    rows = np.random.default_rng(7).standard_normal((3, 16))[kinds] + 0.15 * rng.standard_normal(
        (count, 16)
    )
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    keys = np.sort(rng.integers(2**63, size=count).astype(np.uint64))
    return keys, rows.astype(np.float32), kinds


@pytest.mark.slow
def test_umap_separates_kinds_repeats_itself_and_places_new_points_with_their_kind():
    pytest.importorskip("umap")
    keys, vectors, kinds = blobs(60)
    request = MapRequest(method="umap", neighbours=8)
    made = fit_layout(keys, vectors, request, "umap")
    assert made.method == "umap"
    assert np.array_equal(made.xy, fit_layout(keys, vectors, request, "umap").xy)
    new_keys, new, new_kinds = blobs(12, seed=1)
    at, rows = place(unpack(pack(made)), new_keys, new)
    assert (rows < 0).all()
    middles = np.array([made.xy[kinds == kind].mean(axis=0) for kind in range(3)])
    far = np.linalg.norm(at[:, None] - middles, axis=2)
    assert np.array_equal(far.argmin(axis=1), new_kinds)


def test_without_umap_the_layout_is_pca_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("soundalike.maps.build.is_umap_installed", lambda: False)
    monkeypatch.setattr(layouts, "is_umap_installed", lambda: False)
    store = filled({})
    found = make_map(store)
    assert found.method == "pca"
    assert "umap-learn is missing" in found.notes[0]
    # The kept layout is used again, and says so again.
    assert make_map(store).notes == found.notes
    with pytest.raises(ParameterError, match=r"soundalike\[map\]"):
        make_map(store, MapRequest(method="umap"))


def filled(tags: dict[str, Any], uri: str = "/clips/{kind}/{number}.wav") -> MemoryStore:
    store = MemoryStore()
    _, vectors, kinds = blobs(30)
    for number, (row, kind) in enumerate(zip(vectors, kinds, strict=True)):
        recording = Recording(
            f"00000000-0000-4000-8000-{number:012}",
            uri.replace("{kind}", str(kind)).replace("{number}", str(number)),
            4.0,
            label=f"<b>{kind}</b>",
            tags=tags,
        )
        spec = IndexSpec("toy", "f00d", 16, 4.0, 2.0)
        store.add(recording, [Window(0, 0.0, 4.0)], row[None], spec)
    return store


def test_clusters_are_named_by_what_distinguishes_them():
    groups = np.repeat([[0.0, 0.0], [1.0, 1.0], [0.5, 0.0]], [20, 10, 8], axis=0)
    xy = (groups + 0.01 * np.random.default_rng(1).standard_normal(groups.shape)).astype(np.float32)
    clusters = find_clusters(xy, None)
    assert clusters.tolist() == [0] * 20 + [1] * 10 + [2] * 8
    labels = ["frog"] * 20 + [None] * 10 + [f"n{number}" for number in range(8)]
    recordings = [
        Recording(
            "", f"/clips/{'pond' if number < 30 else 'sea'}/{number}.wav", 1.0, label, {"mic": "A"}
        )
        for number, label in enumerate(labels)
    ]
    # Words that all have distinguish nothing.
    assert name_clusters(clusters, recordings) == ["frog", "cluster 2", "sea"]
    assert name_clusters(clusters, [Recording("", "/a.wav", 1.0)] * 38) == [
        *("cluster 1", "cluster 2", "cluster 3"),
    ]
    assert find_clusters(xy, 15).max() <= 0
    assert find_clusters(xy[:1], None).tolist() == [-1]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"points": "files"}, "points is 'files'"),
        ({"method": "som"}, "method is 'som'"),
        ({"neighbours": 1}, "neighbours is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"max_points": 200_001}, "max_points is 200001"),
        ({"min_cluster": 1}, "min_cluster is 1"),
    ],
)
def test_what_is_out_of_range_is_refused(given: dict[str, Any], reason: str):
    with pytest.raises(ParameterError, match=reason):
        MapRequest(**given)


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: dict[str, str] = {}
        self.current = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.current = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self.current] = self.texts.get(self.current, "") + data


def test_no_name_becomes_markup_and_nothing_is_loaded():
    store = filled({"site": HOSTILE}, f"/clips/{{number}}{HOSTILE}")
    page = render(make_map(store, MapRequest(method="pca")).to_json(), f"Map of {HOSTILE}")
    found = _Elements()
    found.feed(page)
    assert found.tags.count("script") == 2
    assert not {"img", "b"} & set(found.tags)
    # Nothing in the data can end its element, in any browser.
    assert not set("<>&") & set(found.texts["map-data"])
    data = json.loads(found.texts["map-data"])
    assert all(uri.endswith(HOSTILE) for uri in data["columns"]["uri"])
    assert HOSTILE in found.texts["title"]
    # Nothing may be loaded, and only these two texts may be run and applied.
    assert "default-src &#x27;none&#x27;" in page
    assert "import " not in found.texts["script"]
    assert "http" not in page.replace(HOSTILE, "").replace("http-equiv", "")
