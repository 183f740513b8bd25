"""The benchmarks of layouts know the exact answers, though they keep no vectors."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from benchmarks.hamming import Order
from benchmarks.layouts import _Streamed
from benchmarks.vectors import Archive

WINDOWS, DIMENSION = 5, 512


def test_the_exact_answers_are_those_of_a_comparison_with_all():
    archive = _Streamed(cast(Any, None), 1.0)
    source = Archive(windows=WINDOWS)
    made = [source.recordings(40) for _ in range(3)]
    rng = np.random.default_rng(3)
    for each in made:
        archive.starts += rng.uniform(0, 365 * 86_400, len(each)).tolist()
        archive._remember(each)

    rows = np.concatenate(made)
    pairs = archive.clips.reshape(-1, DIMENSION) @ rows.reshape(-1, DIMENSION).T
    by_window = pairs.reshape(len(archive.clips), WINDOWS, len(rows), WINDOWS)
    starts = np.array(archive.starts)[:, np.newaxis] + 2.0 * np.arange(WINDOWS)
    inside = (starts >= archive.period_s[0]) & (starts < archive.period_s[1])
    for kind, scores in (
        ("vector", by_window[:, 0].reshape(len(archive.clips), -1)),
        ("clip", by_window.max(axis=(1, 3))),
        ("period", by_window[:, 0][:, inside]),
    ):
        tenth = np.sort(scores, axis=1)[:, -10]
        assert np.allclose(archive.tenth_best(kind), tenth, atol=1e-4), kind


def test_the_recall_of_bits_is_that_of_their_exact_order():
    rows = Archive(windows=WINDOWS).recordings(400).reshape(-1, DIMENSION)
    queries = Archive(windows=WINDOWS, seed=5).recordings(8)[:, 0]
    centre = rows.mean(axis=0)
    order = Order(queries, centre)
    for begin in range(0, len(rows), 500):
        order.add(rows[begin : begin + 500])

    recall = order.recall()
    differing = ((queries > centre)[:, np.newaxis] != (rows > centre)).sum(axis=2)
    best = np.argsort(-(queries @ rows.T), axis=1)[:, :10]
    # The tenth best is among so many by bits if fewer windows differ less; ties may fall either way.
    for count in (32, 96, 384):
        nearest = np.sort(differing, axis=1)[:, count - 1]
        reached = np.take_along_axis(differing, best, axis=1)
        surely = (reached < nearest[:, np.newaxis]).mean()
        perhaps = (reached <= nearest[:, np.newaxis]).mean()
        assert round(surely, 4) <= recall[count] <= round(perhaps, 4)
    assert recall[32] < recall[768]
