"""A peer beside the store: perch-hoplite, which keeps vectors in SQLite and a usearch index in process.

It is no dependency of Soundalike; install it into an environment of its own, and run this there:
``PYTHONPATH=. python -m benchmarks.hoplite --rows 100000``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.vectors import Archive

_DIMENSION = 512
_WINDOWS = 5
_QUERIES = 200
_TOP_K = 10


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Return what loading and searching the same vectors as `benchmarks.store` does costs there."""
    from perch_hoplite.db import sqlite_usearch_impl as impl

    config = impl.get_default_usearch_config(_DIMENSION)
    store = impl.SQLiteUSearchDB.create(str(folder / "hoplite"), config)
    vectors, spent = [], 0.0
    source = Archive(dimension=_DIMENSION, windows=_WINDOWS)
    for begin in range(0, rows // _WINDOWS, 1600):
        made = source.recordings(min(1600, rows // _WINDOWS - begin))
        vectors.append(made.reshape(-1, _DIMENSION))
        began = time.perf_counter()
        _add(store, made, begin)
        store.commit()
        spent += time.perf_counter() - began
    queries = Archive(windows=_WINDOWS, seed=99).recordings(_QUERIES)[:, 0]
    return {
        "rows": rows,
        "load_and_build_s": round(spent, 1),
        "one_vector": _timed(store, queries),
        "recall_at_10": _recall(store, queries, np.concatenate(vectors)),
        "disk_mb": round(sum(path.stat().st_size for path in folder.rglob("*.*")) / 2**20),
    }


def _add(store: Any, made: Any, begin: int) -> None:
    for number, rows in enumerate(made, start=begin):
        recording = store.insert_recording(f"/archive/{number}.wav")
        batch = [
            {"recording_id": recording, "offsets": [2.0 * n, 2.0 * n + 4.0]} for n in range(len(rows))
        ]
        store.insert_windows_batch(batch, rows, handle_duplicates="allow")


def _timed(store: Any, queries: Any) -> dict[str, float]:
    spent = []
    for query in [*queries, *queries]:
        began = time.perf_counter()
        found = list(store.search(query, _TOP_K))
        # What a person is shown: the recording and the second of each hit.
        for hit in found:
            window = store.get_window(hit.window_id)
            store.get_recording(window.recording_id)
        spent.append((time.perf_counter() - began) * 1e3)
    second = spent[len(queries) :]
    p95 = statistics.quantiles(second, n=20)[-1]
    return {"p50_ms": round(statistics.median(second), 2), "p95_ms": round(p95, 2)}


def _recall(store: Any, queries: Any, vectors: Any) -> float:
    tenth = -np.sort(-(queries @ vectors.T), axis=1)[:, _TOP_K - 1]
    found = sum(
        sum(hit.sort_score >= tenth[number] - 1e-3 for hit in store.search(query, _TOP_K))
        for number, query in enumerate(queries)
    )
    return round(found / (_TOP_K * len(queries)), 4)


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(prog="benchmarks.hoplite", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    with tempfile.TemporaryDirectory(prefix="soundalike-bench-") as folder:
        print(json.dumps(measure(Path(folder), parser.parse_args().rows)))


if __name__ == "__main__":
    main()
