"""Scores are exact, over-fetching finds enough recordings, and filters let through what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.errors import ParameterError
from soundalike.filters import Filters, parse_conditions
from soundalike.types import Window

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

#: A half-precision number has 11 bits, so a component of a unit vector is off by up to 2**-12.
HALF_PRECISION = 2e-3


def test_scores_are_cosines(collection: Collection):
    stored = {f"/a/{n}.wav": collection.vectors(5) for n in range(20)}
    for uri, rows in stored.items():
        collection.add(uri, rows)
    queries = collection.vectors(3)

    hits = collection.hits(queries, top_k=1000)
    assert len(hits) == 3 * 20 * 5
    ids = {collection.recording(uri).recording_id: rows for uri, rows in stored.items()}
    for hit in hits:
        cosine = float(ids[hit.recording_id][hit.window_index] @ queries[hit.query_window])
        assert hit.score == pytest.approx(cosine, abs=HALF_PRECISION)


def test_the_length_of_a_query_does_not_matter(collection: Collection):
    rows = collection.vectors(1)
    collection.add("/a/one.wav", rows)

    assert collection.hits(7.5 * rows)[0].score == pytest.approx(1, abs=HALF_PRECISION)


def test_the_opposite_scores_minus_one_and_the_same_one(collection: Collection):
    row = collection.vectors(1)
    collection.add("/a/one.wav", np.concatenate([row, -row]))

    scores = [hit.score for hit in collection.hits(row)]
    assert scores == pytest.approx([1, -1], abs=HALF_PRECISION)
    assert max(scores) <= 1 + 1e-6
    assert min(scores) >= -1 - 1e-6


def test_a_hit_carries_the_times_of_its_window(collection: Collection):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows)

    best = collection.hits(rows[3])[0]
    assert (best.window_index, best.start_s, best.end_s) == (3, 6.0, 10.0)
    assert best.query_window == 0


def test_several_query_windows_are_told_apart(collection: Collection):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows)

    pairs = {(hit.query_window, hit.window_index) for hit in collection.hits(rows) if hit.score > 0.999}
    assert pairs == {(0, 0), (1, 1), (2, 2), (3, 3)}


def test_silent_windows_are_never_found(collection: Collection):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows, silent=[1, 2])

    assert {hit.window_index for hit in collection.hits(rows, top_k=1000)} == {0, 3}
    assert collection.counts() == (1, 1, 4)


def test_a_recording_of_silence_is_stored_and_never_found(collection: Collection):
    collection.add("/a/silence.wav", silent=range(4))
    collection.add("/a/sound.wav")

    assert list(collection.found()) == ["/a/sound.wav"]
    assert collection.counts() == (2, 2, 8)


def test_zero_vectors_are_never_found(collection: Collection):
    rows = collection.vectors(4)
    rows[1] = 0
    collection.add("/a/one.wav", rows)

    hits = collection.hits(collection.vectors(2), top_k=1000)
    assert {hit.window_index for hit in hits} == {0, 2, 3}
    assert all(np.isfinite(hit.score) for hit in hits)


def test_a_query_window_of_zeros_finds_nothing(collection: Collection):
    """Its cosine with anything is undefined; a NaN among the hits would spoil the ranking."""
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows)
    query = np.stack([np.zeros_like(rows[0]), rows[0]])

    hits = collection.hits(query)
    assert {hit.query_window for hit in hits} == {1}
    assert hits[0].score == pytest.approx(1, abs=HALF_PRECISION)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_query_of_nothing_but_zeros_finds_nothing(collection: Collection, count: int):
    collection.add("/a/one.wav")
    query = np.zeros((count, collection.spec.dimension), dtype=np.float32)

    found = collection.store.search(query, collection.spec, top_k=5, filters=Filters())
    assert (found.hits, found.recordings) == ([], {})


@pytest.mark.parametrize("crowd", [500, 1500])
def test_a_recording_of_many_alike_windows_does_not_crowd_out_others(collection: Collection, crowd: int):
    query = collection.vectors(1)
    near = query + 0.001 * collection.vectors(crowd)
    collection.add("/a/hum.wav", near / np.linalg.norm(near, axis=1, keepdims=True))
    for number in range(12):
        collection.add(f"/b/{number:02}.wav")

    assert len({hit.recording_id for hit in collection.hits(query, top_k=10)}) >= 10
    assert len({hit.recording_id for hit in collection.hits(query, top_k=100)}) == 13


def test_the_best_recordings_are_among_the_hits_of_a_crowded_search(collection: Collection):
    query = collection.vectors(1)
    near = query + 0.001 * collection.vectors(500)
    collection.add("/a/hum.wav", near / np.linalg.norm(near, axis=1, keepdims=True))
    closeness = {}
    for number in range(30):
        rows = collection.vectors(2)
        collection.add(f"/b/{number:02}.wav", rows)
        closeness[collection.recording(f"/b/{number:02}.wav").recording_id] = float(
            (rows @ query[0]).max()
        )

    expected = sorted(closeness, key=lambda key: -closeness[key])[:4]
    found = {hit.recording_id for hit in collection.hits(query, top_k=5)}
    assert set(expected) <= found


def test_what_crowds_one_window_of_a_query_hides_nothing_that_another_window_does_not_find(
    collection: Collection,
):
    hum, bark = np.eye(collection.spec.dimension, dtype=np.float32)[:2]
    collection.add("/a/hum.wav", np.tile(hum, (100, 1)))
    for number in range(8):
        collection.add(f"/b/{number}.wav", np.atleast_2d(0.9 * hum + 0.4 * collection.vectors(1)[0]))
    for number in range(30):
        collection.add(f"/c/{number}.wav", np.atleast_2d(0.3 * bark - hum))

    hits = collection.hits(np.stack([hum, bark]), top_k=5)
    named = {f"/b/{n}.wav": collection.recording(f"/b/{n}.wav").recording_id for n in range(8)}
    found = list(dict.fromkeys(hit.recording_id for hit in hits))[:5]
    assert found[0] == collection.recording("/a/hum.wav").recording_id
    assert set(found[1:]) <= set(named.values())


def _filled(collection: Collection) -> None:
    collection.add("/a/b/dog.wav", label="dog", tags={"site": "pond", "n": 1})
    collection.add("/a/b/cat.wav", label="cat", tags={"site": "pond", "n": 2})
    collection.add("/a/bc/dog.wav", label="dog", tags={"site": "lake", "n": 1.5})
    collection.add("/x/plain.wav")
    collection.add("/x/deep.wav", label="owl", tags={"gps": {"lat": 1.5, "list": [1, "two", None]}})
    collection.add("/x/quoted.wav", label='it\'s "it"', tags={"k'e\"y": "va'l\"ue", "ü": "🦤"})


FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "no filter": (
        {},
        {
            "/a/b/dog.wav",
            "/a/b/cat.wav",
            "/a/bc/dog.wav",
            "/x/plain.wav",
            "/x/deep.wav",
            "/x/quoted.wav",
        },
    ),
    "a label": ({"labels": ("dog",)}, {"/a/b/dog.wav", "/a/bc/dog.wav"}),
    "one of two labels": ({"labels": ("cat", "owl")}, {"/a/b/cat.wav", "/x/deep.wav"}),
    "an unknown label": ({"labels": ("cow",)}, set()),
    "part of a label": ({"labels": ("do",)}, set()),
    "a quoted label": ({"labels": ('it\'s "it"',)}, {"/x/quoted.wav"}),
    "a tag": ({"tags": {"site": "pond"}}, {"/a/b/dog.wav", "/a/b/cat.wav"}),
    "all of two tags": ({"tags": {"site": "pond", "n": 2}}, {"/a/b/cat.wav"}),
    "a tag's value of another type": ({"tags": {"n": "1"}}, set()),
    "a number as float": ({"tags": {"n": 1.0}}, {"/a/b/dog.wav"}),
    "an unknown tag": ({"tags": {"nothing": None}}, set()),
    "nested tags": ({"tags": {"gps": {"lat": 1.5, "list": [1, "two", None]}}}, {"/x/deep.wav"}),
    "nested tags that differ": ({"tags": {"gps": {"lat": 1.5, "list": [1, "two", 0]}}}, set()),
    "part of nested tags": ({"tags": {"gps": {"lat": 1.5}}}, set()),
    "quoted tags": ({"tags": {"k'e\"y": "va'l\"ue"}}, {"/x/quoted.wav"}),
    "a tag beyond ASCII": ({"tags": {"ü": "🦤"}}, {"/x/quoted.wav"}),
    "a path's beginning": ({"uri_prefix": "/a/b/"}, {"/a/b/dog.wav", "/a/b/cat.wav"}),
    "a beginning is no folder": (
        {"uri_prefix": "/a/b"},
        {"/a/b/dog.wav", "/a/b/cat.wav", "/a/bc/dog.wav"},
    ),
    "a beginning is no pattern": ({"uri_prefix": "/a/_/"}, set()),
    "no wildcard": ({"uri_prefix": "%"}, set()),
    "label and path": ({"labels": ("dog",), "uri_prefix": "/a/b/"}, {"/a/b/dog.wav"}),
    "label and tag that exclude each other": ({"labels": ("cat",), "tags": {"n": 1}}, set()),
}


@pytest.mark.parametrize(("filters", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_filters_let_through_what_they_name(
    collection: Collection, filters: dict[str, Any], expected: set[str]
):
    _filled(collection)

    assert set(collection.found(**filters)) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["n>=1.5"], {"/a/b/cat.wav", "/a/bc/dog.wav"}),
        (["n>1", "n<2"], {"/a/bc/dog.wav"}),
        (["n=1"], {"/a/b/dog.wav"}),
        (['n="1"'], set()),
        (["site in lake,sea"], {"/a/bc/dog.wav"}),
        (["site!=lake"], {"/a/b/dog.wav", "/a/b/cat.wav"}),
        (["nothing!=1"], set()),
        (["gps.lat<2"], {"/x/deep.wav"}),
        (["gps.list=1"], set()),
        (['"k\'e\\"y"="va\'l\\"ue"'], {"/x/quoted.wav"}),
        (["ü=🦤"], {"/x/quoted.wav"}),
        (["site=x'); DROP SCHEMA soundalike CASCADE; --"], set()),
        (['site="\\" || true"'], set()),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_conditions_let_through_what_meets_all_of_them(
    collection: Collection, texts: list[str], expected: set[str]
):
    _filled(collection)

    assert set(collection.found(where=parse_conditions(texts))) == expected
    assert collection.counts()[1] == 6


def test_conditions_look_at_the_same_path_as_the_other_filters(collection: Collection):
    collection.add("/a/one.wav", content="song", label="dog", tags={"n": 1})
    collection.add("/b/copy.wav", content="song", label="cat", tags={"n": 2})

    assert collection.found(labels=("dog",), where=parse_conditions(["n>1"])) == {}
    assert list(collection.found(where=parse_conditions(["n>1"]))) == ["/b/copy.wav"]


def test_a_condition_with_what_cannot_be_stored_is_refused(collection: Collection):
    collection.add("/a/one.wav")
    for text in ("a=\0", "a=\ud800", "\ud800=1"):
        with pytest.raises(ParameterError, match="condition"):
            collection.found(where=parse_conditions([text]))


INJECTION = "x'); DROP SCHEMA soundalike CASCADE; --"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"labels": (INJECTION,)}, {f"{INJECTION}.wav"}),
        ({"tags": {INJECTION: INJECTION}}, {f"{INJECTION}.wav"}),
        ({"uri_prefix": INJECTION}, {f"{INJECTION}.wav"}),
        ({"labels": ('"},{"',)}, set()),
        ({"labels": ("%(limit)s", "{filters}", "%s")}, set()),
        ({"uri_prefix": "%(limit)s{filters}%s"}, set()),
    ],
)
def test_an_injection_is_only_text(collection: Collection, filters: dict[str, Any], expected: set[str]):
    _filled(collection)
    collection.add(f"{INJECTION}.wav", label=INJECTION, tags={INJECTION: INJECTION})

    assert set(collection.found(**filters)) == expected
    assert collection.counts()[1] == 7


def test_a_recording_can_be_excluded(collection: Collection):
    collection.add("/a/one.wav", content="song")
    collection.add("/b/copy.wav", content="song")
    collection.add("/c/other.wav")

    excluded = collection.recording("/a/one.wav", "song").recording_id
    assert list(collection.found(exclude_recording_id=excluded)) == ["/c/other.wav"]


def test_a_filter_looks_at_one_path_at_a_time(collection: Collection):
    """Label of one path and tag of the other do not make a match."""
    collection.add("/a/one.wav", content="song", label="dog", tags={"n": 1})
    collection.add("/b/copy.wav", content="song", label="cat", tags={"n": 2})

    assert collection.found(labels=("dog",), tags={"n": 2}) == {}
    assert list(collection.found(labels=("cat",), tags={"n": 2})) == ["/b/copy.wav"]


def test_filters_narrow_before_the_limit_is_applied(collection: Collection):
    query = collection.vectors(1)
    near = query + 0.001 * collection.vectors(300)
    collection.add("/a/near.wav", near, label="common")
    for number in range(5):
        collection.add(f"/b/{number}.wav", -query, label="rare")

    found = collection.store.search(query, collection.spec, top_k=5, filters=Filters(labels=("rare",)))
    assert len(found.recordings) == 5


def test_clipped_windows_are_stored_but_never_found(collection: Collection):
    rows = collection.vectors(3)
    windows = [Window(n, 2.0 * n, 2.0 * n + 4.0, is_clipped=n == 1) for n in range(3)]
    collection.store.add(collection.recording("/a/one.wav"), windows, rows, collection.spec)

    assert collection.counts() == (1, 1, 3)
    assert {hit.window_index for hit in collection.hits(rows[1])} == {0, 2}


@pytest.mark.parametrize("top_k", [1, 10])
def test_a_vector_too_small_to_be_kept_does_no_harm(collection: Collection, top_k: int):
    collection.add("/a.wav", collection.vectors(1))
    collection.add("/b.wav", collection.vectors(1))
    collection.add("/faint.wav", 1e-9 * collection.vectors(1))

    hits = collection.hits(collection.vectors(1), top_k)
    assert hits
    assert all(np.isfinite(hit.score) for hit in hits)
