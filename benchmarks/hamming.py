"""How many windows the layout ``bit`` must rank by their vectors, by the number of windows stored.

``python -m benchmarks.hamming --rows 2000000`` ranks made vectors by the exact order of their bits,
without a database. That is the recall that an index of bits reaches at best. It prints a line for
each of some sizes.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from benchmarks.store import SPEC, WINDOWS, _clips
from benchmarks.vectors import Archive
from soundalike.types import FloatArray

_CANDIDATES = (32, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768)
_TOP_K = 10
_BATCH = 4000


class Order:
    """The nearest windows of each query by bits, and by vectors.

    Parameters
    ----------
    queries : (n, dimension) float32
    centre : (dimension,) float32
        Bits tell whether a number is above its.
    """

    def __init__(self, queries: FloatArray, centre: FloatArray) -> None:
        self._queries, self._centre = queries, centre
        self._signs = self._signs_of(queries)
        #: By bits: agreement and score.
        self._by_bits = np.full((2, len(queries), _CANDIDATES[-1]), -1e4, np.float32)
        self._best = np.full((len(queries), _TOP_K), -1e4, np.float32)

    def _signs_of(self, rows: FloatArray) -> FloatArray:
        signs: FloatArray = np.where(rows > self._centre, np.float32(1), np.float32(-1))
        return signs

    def add(self, rows: FloatArray) -> None:
        """Compare further windows with the queries."""
        scores = self._queries @ rows.T
        agreement = self._signs @ self._signs_of(rows).T
        both = np.concatenate([self._by_bits, np.stack([agreement, scores])], axis=2)
        kept = np.argpartition(-both[0], _CANDIDATES[-1] - 1, axis=1)[:, : _CANDIDATES[-1]]
        self._by_bits = np.take_along_axis(both, kept[np.newaxis], axis=2)
        together = np.concatenate([self._best, scores], axis=1)
        self._best = -np.partition(-together, _TOP_K - 1, axis=1)[:, :_TOP_K]

    def recall(self) -> dict[int, float]:
        """Return the share of the ten best windows among so many by bits."""
        order = np.argsort(-self._by_bits[0], axis=1, kind="stable")
        scores = np.take_along_axis(self._by_bits[1], order, axis=1)
        is_best = scores >= self._best.min(axis=1, keepdims=True)
        return {
            count: round(float(is_best[:, :count].sum(axis=1).mean()) / _TOP_K, 4)
            for count in _CANDIDATES
        }


def main() -> None:
    """Print the recall at some sizes up to the one that is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.hamming", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    arguments = parser.parse_args()
    sizes = [size for size in (20_000, 65_000, 200_000, 650_000, 2_000_000) if size < arguments.rows]
    source = Archive(windows=len(WINDOWS))
    made = source.recordings(_BATCH).reshape(-1, SPEC.dimension)
    order, rows = Order(_clips()[:, 0], made.mean(axis=0)), 0
    for size in [*sizes, arguments.rows]:
        while rows < size:
            order.add(made)
            rows += len(made)
            made = source.recordings(_BATCH).reshape(-1, SPEC.dimension)
        print(json.dumps({"rows": rows, "recall_at_10": order.recall()}), flush=True)


if __name__ == "__main__":
    main()
