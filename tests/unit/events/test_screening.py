"""Events in stored vectors: along diagonals, against the background, at most once."""

from itertools import pairwise

import numpy as np
import pytest

from soundalike.events.rereading import choose_stretches
from soundalike.events.screening import Found, screen
from soundalike.search.queries import EmbeddedQuery
from soundalike.store.base import SearchableWindows
from soundalike.types import FloatArray, IndexSpec, Recording, Window

DIMENSION = 32
RNG_SEED = 4


def unit(rows: FloatArray) -> FloatArray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def windows_of(rows: FloatArray) -> SearchableWindows:
    starts = 2.0 * np.arange(len(rows))
    recording = Recording("r", "/a.wav", 2.0 * len(rows) + 2.0)
    return SearchableWindows(recording, starts, starts + 4.0, rows.astype(np.float16))


def query_of(rows: FloatArray) -> EmbeddedQuery:
    windows = [Window(n, 2.0 * n, 2.0 * n + 4.0) for n in range(len(rows))]
    spec = IndexSpec("toy", "0", DIMENSION, 4.0, 2.0)
    return EmbeddedQuery("q", None, windows, rows, spec, 2.0 * len(rows) + 2.0)


@pytest.fixture
def background() -> FloatArray:
    """Windows that all resemble each other, as those of a noisy place do."""
    rng = np.random.default_rng(RNG_SEED)
    hum = unit(rng.standard_normal(DIMENSION))
    return unit(hum + 0.05 * rng.standard_normal((200, DIMENSION)))


@pytest.fixture
def sound() -> FloatArray:
    return unit(np.random.default_rng(9).standard_normal((3, DIMENSION)))


def test_planted_windows_are_found_at_their_place(background: FloatArray, sound: FloatArray):
    background[20:23] = unit(background[20:23] + sound)
    background[90:93] = unit(background[90:93] + sound)

    found = screen(windows_of(background), query_of(sound), 1, 0.6)
    assert sorted((one.start_s, one.end_s) for one in found) == [(40.0, 48.0), (180.0, 188.0)]
    assert all((one.query_start_s, one.query_end_s) == (0.0, 8.0) for one in found)


def test_the_background_of_a_recording_does_not_count(background: FloatArray, sound: FloatArray):
    # The query has the same hum, so every window resembles it; only one has its sound.
    query = unit(background[:3] + sound)
    background[50] = unit(background[50] + sound[1])

    found = screen(windows_of(background), query_of(query), 1, 0.6)
    assert [one.start_s for one in found] == [100.0]


def test_a_short_recording_is_not_its_own_background(sound: FloatArray):
    (found,) = screen(windows_of(sound), query_of(sound), 1, 0.9)
    assert (found.start_s, found.end_s) == (0.0, 8.0)
    (one,) = screen(windows_of(sound[:1]), query_of(sound), 1, 0.9)
    assert one.start_s == 0.0


def test_a_part_of_a_long_query_is_found_with_its_bounds(background: FloatArray):
    query = unit(np.random.default_rng(3).standard_normal((10, DIMENSION)))
    background[60:63] = unit(background[60:63] + 2 * query[4:7])

    best = max(screen(windows_of(background), query_of(query), 1, 0.5), key=lambda one: one.score)
    assert (best.start_s, best.end_s) == (120.0, 128.0)
    assert (best.query_start_s, best.query_end_s) == (8.0, 16.0)


def test_a_query_longer_than_the_recording_is_aligned_as_far_as_it_goes(background: FloatArray):
    query = unit(np.random.default_rng(3).standard_normal((10, DIMENSION)))
    rows = background[:8].copy()
    rows[2:4] = unit(rows[2:4] + 4 * query[:2])

    best = max(screen(windows_of(rows), query_of(query), 1, 0.3), key=lambda one: one.score)
    assert (best.start_s, best.end_s) == (4.0, 10.0)


def test_quiet_seconds_at_both_ends_are_cut_off():
    rng = np.random.default_rng(1)
    hum = rng.standard_normal(8)
    seconds = np.tile(hum, (42, 1)) + 0.05 * rng.standard_normal((42, 8))
    call = 4 * rng.standard_normal(8)
    seconds[20] += call
    rows = unit(np.stack([seconds[2 * n : 2 * n + 4].ravel() for n in range(20)]))
    query = unit(np.concatenate([call, 0.01 * rng.standard_normal(24)])[np.newaxis])

    best = max(screen(windows_of(rows), query_of(query), 4, 0.3), key=lambda one: one.score)
    assert (best.start_s, best.end_s) == (20.0, 21.0)


def test_parts_do_not_overlap(background: FloatArray, sound: FloatArray):
    found = sorted(screen(windows_of(background), query_of(sound), 1, -1.0), key=lambda f: f.start_s)
    assert len(found) > 10
    assert all(a.end_s <= b.start_s for a, b in pairwise(found))


def test_the_best_candidates_are_read_again_first():
    parts = [Found(100.0, 104.0, 0, 4, 0.5), Found(300.0, 304.0, 0, 4, 0.9)]
    assert choose_stretches([(1000.0, parts), (1000.0, [])], 30.0) == [[(290.0, 314.0)], []]


def test_stretches_that_touch_are_one_and_count_once():
    parts = [Found(100.0, 104.0, 0, 4, 0.5), Found(110.0, 114.0, 0, 4, 0.4)]
    assert choose_stretches([(1000.0, parts)], 40.0) == [[(90.0, 124.0)]]
