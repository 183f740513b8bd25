"""Annotations are stored once, found by their label, and live as long as their recording."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.archive import export_collection, import_collection, open_archive
from soundalike.errors import IndexEmpty, ParameterError
from soundalike.store import MemoryStore
from soundalike.store import annotations as postgres_annotations
from soundalike.store.base import rebuild_name

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection

A, B = "/pond/a.wav", "/pond/b.wav"
OWL = Annotation(1.0, 2.5, "owl", 100.0, 900.0)
FOX = Annotation(0.25, 0.25, "fox 'x'; --", None, 900.0)


@pytest.fixture
def labelled(collection: Collection) -> Collection:
    collection.add(A)
    collection.add(B)
    new = [of(collection, A, OWL), of(collection, A, FOX), of(collection, B, OWL, "b.txt")]
    assert collection.store.annotate(new) == 3
    return collection


def of(collection: Collection, uri: str, span: Annotation, source: str = "a.txt") -> StoredAnnotation:
    return StoredAnnotation(0, collection.recording(uri).recording_id, "", span, source)


def told(store: Store, **chosen: Any) -> set[tuple[str, Annotation, str]]:
    return {(one.uri, one.annotation, one.source) for one in store.annotations(**chosen)}


def test_annotations_are_found_by_label_recording_and_source(labelled: Collection):
    store, first = labelled.store, labelled.recording(A).recording_id
    everything = {(A, OWL, "a.txt"), (A, FOX, "a.txt"), (B, OWL, "b.txt")}
    assert told(store) == everything
    assert told(store, label="owl") == {(A, OWL, "a.txt"), (B, OWL, "b.txt")}
    assert told(store, label="owl", recording_id=first) == {(A, OWL, "a.txt")}
    assert told(store, source="b.txt") == {(B, OWL, "b.txt")}
    assert (
        told(store, label="Owl") == told(store, label="\0") == told(store, collection="other") == set()
    )
    assert store.annotation_labels() == [("owl", 2), ("fox 'x'; --", 1)]
    assert store.annotation_labels(limit=1) == [("owl", 2)]


def test_they_come_by_recording_and_time_with_their_time_of_storing(labelled: Collection):
    found = list(labelled.store.annotations())
    order = [(one.recording_id, one.annotation.start_s) for one in found]
    assert order == sorted(order)
    assert all(isinstance(one.created_at, datetime) and one.created_at.tzinfo for one in found)
    assert len({one.annotation_id for one in found} - {0}) == 3


def test_the_same_annotation_is_stored_once(labelled: Collection):
    store = labelled.store
    again = replace(OWL, line=7, file="elsewhere")
    assert store.annotate([of(labelled, A, again, "other.txt"), of(labelled, A, FOX)]) == 0
    twice = of(labelled, A, replace(OWL, label="fox"))
    assert store.annotate([twice, twice]) == 1
    assert store.annotate([]) == 0


def test_annotations_of_unknown_recordings_change_nothing(labelled: Collection):
    assert labelled.store.annotate([of(labelled, "/none.wav", OWL)]) == 0


@pytest.mark.parametrize(
    "span",
    [
        replace(OWL, label=""),
        replace(OWL, label="a\0b"),
        replace(OWL, label="\ud800"),
        replace(OWL, label="o" * 501),
        replace(OWL, start_s=-1.0),
        replace(OWL, start_s=3.0),
        replace(OWL, end_s=float("inf")),
        replace(OWL, start_s=float("nan")),
        replace(OWL, low_hz=901.0),
        replace(OWL, high_hz=float("nan")),
    ],
)
def test_an_invalid_annotation_stores_nothing(labelled: Collection, span: Annotation):
    before = told(labelled.store)
    with pytest.raises(ParameterError):
        labelled.store.annotate([of(labelled, A, replace(OWL, label="new")), of(labelled, A, span)])
    assert told(labelled.store) == before


def test_a_collection_that_does_not_exist_cannot_be_annotated(labelled: Collection):
    with pytest.raises(IndexEmpty):
        labelled.store.annotate([of(labelled, A, OWL)], collection="none")


def test_long_labels_of_any_script_are_stored(labelled: Collection):
    long = replace(OWL, label="🦉" * 500)
    assert labelled.store.annotate([of(labelled, A, long)]) == 1
    assert told(labelled.store, label=long.label) == {(A, long, "a.txt")}


def test_they_go_with_the_last_path_of_their_recording(labelled: Collection):
    store = labelled.store
    labelled.link("/copy.wav", A)
    store.delete(A)
    assert told(store) == {("/copy.wav", OWL, "a.txt"), ("/copy.wav", FOX, "a.txt"), (B, OWL, "b.txt")}
    store.delete("/copy.wav")
    assert told(store) == {(B, OWL, "b.txt")}


def test_they_are_removed_by_label_recording_and_source(labelled: Collection):
    store = labelled.store
    assert store.remove_annotations(label="none") == store.remove_annotations(label="\0") == 0
    assert store.remove_annotations(label="owl", source="a.txt") == 1
    assert told(store) == {(A, FOX, "a.txt"), (B, OWL, "b.txt")}
    assert store.remove_annotations(recording_id=labelled.recording(B).recording_id) == 1
    assert store.remove_annotations() == 1
    assert told(store) == set()


def test_many_are_read_page_by_page(labelled: Collection, monkeypatch: pytest.MonkeyPatch):
    many = [replace(OWL, start_s=0.5, end_s=1 + number / 1000) for number in range(2500)]
    monkeypatch.setattr(postgres_annotations, "_READ_ROWS", 1000)
    assert labelled.store.annotate([of(labelled, A, span, "many") for span in many]) == 2500
    found = [one.annotation.end_s for one in labelled.store.annotations(source="many")]
    assert sorted(found) == [span.end_s for span in many]


def test_a_rebuilt_and_a_renamed_collection_keeps_them(labelled: Collection):
    store, successor = labelled.store, rebuild_name("default")
    store.create_collection(successor, labelled.spec)
    for uri in (A, B):
        recording = labelled.recording(uri)
        # The content of one file has changed meanwhile, so its times mean nothing.
        if uri == B:
            recording = replace(recording, recording_id=labelled.recording("/new.wav").recording_id)
        store.add(
            recording, labelled.windows(2), labelled.vectors(2), labelled.spec, collection=successor
        )
    assert store.replace_collection("default", successor)
    assert told(store) == {(A, OWL, "a.txt"), (A, FOX, "a.txt")}
    store.rename_collection("default", "pond")
    assert told(store) == set()
    assert told(store, collection="pond") == {(A, OWL, "a.txt"), (A, FOX, "a.txt")}


def test_an_exported_collection_has_them(labelled: Collection, tmp_path: Path):
    path = tmp_path / "pond.zip"
    export_collection(labelled.store, path)
    other = MemoryStore()
    with open_archive(path) as archive:
        import_collection(other, archive)
    assert told(other) == told(labelled.store)


def test_a_collection_without_them_is_exported_for_older_programs(
    collection: Collection, tmp_path: Path
):
    collection.add(A)
    paths = [tmp_path / "without.zip", tmp_path / "with.zip"]
    versions: list[int] = []
    for path in paths:
        export_collection(collection.store, path)
        collection.store.annotate([of(collection, A, OWL)])
        with open_archive(path) as archive:
            versions.append(archive.summary.version)
    assert versions == [1, 2]
