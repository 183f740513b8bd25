"""Maps of any store: places that stay, clusters with names, samples, and small collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.anomalies.detector import Detector, stored_recordings
from soundalike.anomalies.requests import LearnRequest
from soundalike.errors import IndexEmpty, ModelMismatch, NormalModelNotFound, StoreError
from soundalike.filters import Filters
from soundalike.maps.build import make_map
from soundalike.maps.requests import MapRequest
from soundalike.maps.sound_map import SoundMap, rows_of
from tests.fixtures.collections import DIMENSION, Collection

if TYPE_CHECKING:
    from soundalike.store import Store

KINDS = ("frog", "owl", "rain")
TSNE = MapRequest(method="tsne", neighbours=8)
PCA = MapRequest(method="pca")


def fill(into: Collection, count: int, *, first: int = 0, **known: Any) -> None:
    """Add recordings of three kinds, whose windows are alike."""
    kinds = np.random.default_rng(5).standard_normal((len(KINDS), DIMENSION))
    for number in range(first, first + count):
        kind = number % len(KINDS)
        near = kinds[kind] + 0.2 * into.rng.standard_normal((2, DIMENSION))
        rows = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
        into.add(f"/clips/{KINDS[kind]}/{number}.wav", rows, label=KINDS[kind], **known)


def places(found: SoundMap) -> dict[str, tuple[float, float]]:
    keys = (recording.recording_id for recording in found.recordings)
    return {key: (x, y) for key, (x, y) in zip(keys, found.xy.tolist(), strict=True)}


@pytest.mark.parametrize("request_", [TSNE, PCA], ids=["tsne", "pca"])
def test_places_stay_when_recordings_are_added_and_refit_changes_them(
    collection: Collection, request_: MapRequest
):
    fill(collection, 36)
    before = make_map(collection.store, request_)
    fill(collection, 9, first=36)
    after = make_map(collection.store, request_)
    kept = places(before).items()
    assert (len(before), len(after), after.n_placed) == (36, 45, 9)
    assert kept <= places(after).items()
    assert any("9 of 45 points were added" in note for note in after.notes)
    # New ones lie in the clusters of their kind.
    assert set(after.cluster_names) == set(KINDS)
    for recording, cluster in zip(after.recordings, after.clusters, strict=True):
        assert after.name_of(cluster) in (None, recording.label)
    new = [number for number, one in enumerate(after.recordings) if one.recording_id not in dict(kept)]
    assert (after.clusters[new] >= 0).sum() >= 8
    anew = make_map(collection.store, MapRequest(**{**_given(request_), "refit": True}))
    assert anew.n_placed == 0
    assert not kept <= places(anew).items()
    assert places(make_map(collection.store, request_)) == places(anew)


def _given(request: MapRequest) -> dict[str, Any]:
    return {"method": request.method, "neighbours": request.neighbours}


def test_the_answer_has_a_value_of_each_field_for_each_point(collection: Collection):
    fill(collection, 24, tags={"mic": "AudioMoth", "n": 1.5, "far": ["no"]})
    data = make_map(collection.store, PCA).to_json()
    assert {len(column) for column in (*data["columns"].values(), *data["tags"].values())} == {24}
    assert data["tags"].keys() == {"mic", "n"}
    rows = list(rows_of(data))
    assert rows[0].keys() == {*("uri", "recording_id", "x", "y", "cluster", "label"), "cluster_name"}
    assert max(abs(row[axis]) for row in rows for axis in "xy") == 1
    assert {row["cluster_name"] for row in rows if row["cluster"] < 0} <= {None}
    windows = list(
        rows_of(make_map(collection.store, MapRequest(method="pca", points="windows")).to_json())
    )
    assert len(windows) == 48
    assert {(row["start_s"], row["end_s"]) for row in windows} == {(0.0, 4.0), (2.0, 6.0)}


def test_a_sample_says_so_and_stays_when_recordings_are_added(collection: Collection):
    fill(collection, 30)
    request = MapRequest(method="pca", max_points=10)
    before = make_map(collection.store, request)
    assert (len(before), before.total) == (10, 30)
    assert "a random sample of 10 of 30 points; see max_points" in before.notes
    fill(collection, 3, first=30)
    assert len(places(before).keys() & places(make_map(collection.store, request)).keys()) >= 7


def test_few_recordings_and_equal_ones_have_a_map_too(collection: Collection):
    with pytest.raises(IndexEmpty, match="nothing has been indexed"):
        make_map(collection.store)
    with pytest.raises(IndexEmpty, match="'birds'"):
        make_map(collection.store, MapRequest(collection="birds"))
    collection.add("/silent.wav", silent=range(4))
    with pytest.raises(IndexEmpty, match="no recording with sound"):
        make_map(collection.store)
    row = np.full((1, DIMENSION), DIMENSION**-0.5, np.float32)
    for number in range(20):
        collection.add(f"/{number}.wav", row)
        found = make_map(collection.store, TSNE)
        assert (len(found), found.method) == (number + 1, "pca")
        assert np.abs(found.xy).max() == 0
        assert list(found.clusters) == [-1] * (number + 1)
    assert "all points are alike, so they share one place" in found.notes
    # The method that was asked for is used as soon as there is something to lay out.
    fill(collection, 30)
    assert make_map(collection.store, TSNE).method == "tsne"


def test_points_are_scored_by_a_model_of_what_is_normal(collection: Collection):
    fill(collection, 24)
    store = collection.store
    filters = Filters(labels=("frog",))
    frogs = list(stored_recordings(store, "default", filters, LearnRequest()))
    Detector(store).learn("pond", frogs, collection.spec)
    found = make_map(store, MapRequest(method="pca", normal="pond"))
    assert found.scores is not None
    assert found.threshold is not None
    is_frog = np.array([one.label == "frog" for one in found.recordings])
    assert found.scores[is_frog].max() < found.scores[~is_frog].min()
    assert next(rows_of(found.to_json()))["score"] == pytest.approx(found.scores[0], abs=1e-4)
    with pytest.raises(NormalModelNotFound):
        make_map(store, MapRequest(normal="lake"))
    collection.store.add(
        collection.recording("/other.wav"),
        collection.windows(1),
        np.eye(1, 8, dtype=np.float32),
        type(collection.spec)("other", "f00d", 8, 4.0, 2.0),
        collection="other",
    )
    with pytest.raises(ModelMismatch):
        make_map(store, MapRequest(collection="other", normal="pond"))


def test_a_layout_is_kept_with_its_collection(store: Store, collection: Collection):
    assert store.map_layout("a") is None
    store.save_map_layout("a", b"none")
    assert store.map_layout("a") is None
    collection.add("/1.wav")
    for content in (b"\x00one", b"two"):
        store.save_map_layout("a", content)
        assert store.map_layout("a") == content
    assert store.map_layout("b") is None
    store.rename_collection("default", "birds")
    assert store.map_layout("a", collection="birds") == b"two"
    store.drop_collection("birds")
    collection.add("/1.wav")
    assert store.map_layout("a") is None


def test_a_damaged_layout_is_an_error_that_names_the_remedy(collection: Collection):
    fill(collection, 20)
    collection.store.save_map_layout(PCA.layout_key("pca"), b"PK damaged")
    with pytest.raises(StoreError, match="--refit"):
        make_map(collection.store, PCA)
    assert len(make_map(collection.store, MapRequest(method="pca", refit=True))) == 20
