"""The store at the size of an archive: loading, searching, and what it costs as it grows.

``python -m benchmarks.store --rows 650000 --output bench-store.json`` measures alone, with ``--server``
on another server, whose tables of Soundalike are dropped first. ``make bench`` takes a tenth of it.
``--layouts`` compares the layouts of the vector index instead, as `benchmarks.layouts` does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.vectors import Archive
from soundalike.config import Settings
from soundalike.filters import Filters
from soundalike.search.ranking import rank_collections
from soundalike.store import PostgresStore, open_store, searching
from soundalike.store.base import Entry
from soundalike.types import FloatArray, IndexSpec, Recording, Window

SPEC = IndexSpec("bench", "bench", 512, 4.0, 2.0)
WINDOWS = [Window(n, 2.0 * n, 2.0 * n + 4.0) for n in range(5)]
DURATION_S = 12.0
START = datetime(2020, 1, 1, tzinfo=UTC)
_BATCH = 16
_QUERIES = 200
_TOP_K = 10


def measure(settings: Settings, sizes: Sequence[int], years: float) -> list[dict[str, Any]]:
    """Return what loading and searching cost at each size; recordings are spread over `years`."""
    report = []
    store = open_store(settings)
    try:
        for size in sizes:
            store.reset()
            archive = _Loaded(store, years)
            load_s, build_s = archive.grow(size)
            found = {"rows": size, "years": years, "load_s": load_s, "build_s": build_s}
            report.append(
                {**found, "pgvector_alone": _alone(store), **_search(store, archive), **_space(store)}
            )
            print(json.dumps(report[-1]), flush=True)
    finally:
        store.close()
    return report


class _Loaded:
    """A store that grows, and the vectors that it holds."""

    def __init__(self, store: PostgresStore, years: float) -> None:
        self._store = store
        self._source = Archive(windows=len(WINDOWS))
        self._rng = np.random.default_rng(2)
        self.years = years
        self.vectors: list[FloatArray] = []
        self.starts: list[float] = []
        self.rows = 0

    def grow(self, size: int, *, build: bool = True) -> tuple[float, float]:
        """Load up to so many windows; return the seconds of loading and of building the index."""
        spent = 0.0
        while self.rows < size:
            count = min(1600, -(-(size - self.rows) // len(WINDOWS)))
            made = self._source.recordings(count)
            entries = [self._entry(rows) for rows in made]
            began = time.perf_counter()
            for begin in range(0, count, _BATCH):
                self._store.add_many(entries[begin : begin + _BATCH], SPEC)
            spent += time.perf_counter() - began
            self._remember(made)
            self.rows += count * len(WINDOWS)
        began = time.perf_counter()
        if build:
            self._store.finish_batch()
        return round(spent, 1), round(time.perf_counter() - began, 1)

    def _remember(self, made: FloatArray) -> None:
        self.vectors.append(made.reshape(-1, SPEC.dimension).astype(np.float16))

    def _entry(self, rows: FloatArray) -> Entry:
        key = str(uuid.UUID(bytes=self._rng.bytes(16)))
        offset_s = float(self._rng.uniform(0, self.years * 365 * 86_400))
        self.starts.append(offset_s)
        at = START + timedelta(seconds=offset_s)
        recording = Recording(key, f"/archive/{key}.wav", DURATION_S, "kind", recorded_at=at)
        return Entry(recording, WINDOWS, rows)

    def best_scores(self, queries: FloatArray, allowed: Any = None) -> FloatArray:
        """Return the exact tenth best score of each query, by brute force."""

        def scores() -> Iterator[FloatArray]:
            first = 0
            for part in self.vectors:
                found = queries @ part.astype(np.float32).T
                if allowed is not None:
                    found[:, ~allowed[first : first + len(part)]] = -2
                first += len(part)
                yield found

        return _tenth_best(scores())

    def best_clip_scores(self, clips: FloatArray) -> FloatArray:
        """Return the exact score of the tenth best recording for each clip, by brute force."""
        n_windows = len(WINDOWS)

        def scores() -> Iterator[FloatArray]:
            for part in self.vectors:
                pairs = clips.reshape(-1, SPEC.dimension) @ part.astype(np.float32).T
                yield pairs.reshape(len(clips), n_windows, -1, n_windows).max(axis=(1, 3))

        return _tenth_best(scores())


def _tenth_best(parts: Iterable[FloatArray]) -> FloatArray:
    """Return the tenth highest number of each row, of rows that come in parts."""
    best: FloatArray | None = None
    for part in parts:
        together = part if best is None else np.concatenate([best, part], axis=1)
        best = -np.sort(-together, axis=1)[:, :_TOP_K]
    assert best is not None
    return best[:, -1]


def _search(store: PostgresStore, archive: _Loaded) -> dict[str, Any]:
    clips = _clips()
    singles = clips[:, 0]
    plain = Filters()
    times = np.array(archive.starts).repeat(len(WINDOWS)) + np.tile(
        [window.start_s for window in WINDOWS], len(archive.starts)
    )
    whole_s = archive.years * 365 * 86_400
    report = {
        "one_vector": _timed(
            lambda n: store.search(singles[n : n + 1], SPEC, top_k=_TOP_K, filters=plain)
        ),
        "clip": _timed(lambda n: _clip(store, clips[n])),
        "recall_at_10": _recall(store, archive, singles, plain),
        "clip_recall_at_10": _clip_recall(store, archive, clips),
    }
    begin_s, end_s = 0.45 * whole_s, 0.55 * whole_s
    since, until = (START + timedelta(seconds=second) for second in (begin_s, end_s))
    tenth = Filters(since=since, until=until)
    allowed = (times >= begin_s) & (times < end_s)
    report["one_vector_in_a_tenth_of_the_time"] = _timed(
        lambda n: store.search(singles[n : n + 1], SPEC, top_k=_TOP_K, filters=tenth)
    )
    report["recall_at_10_in_a_tenth_of_the_time"] = _recall(store, archive, singles, tenth, allowed)
    return report


def _clips() -> FloatArray:
    """Return the windows of the clips to search for."""
    return Archive(windows=len(WINDOWS), seed=99).recordings(_QUERIES)


def _alone(store: PostgresStore) -> dict[str, float]:
    """Return what a bare statement for the ten nearest windows costs, prepared, on one connection."""
    texts = searching.vector_texts(_clips()[:, 0])

    def work(cursor: Any) -> dict[str, float]:
        cursor.execute(
            "SET LOCAL hnsw.ef_search = 40; SET LOCAL plan_cache_mode = force_generic_plan; "
            "PREPARE alone (halfvec) AS SELECT recording_id, window_index, embedding <=> $1 "
            "FROM soundalike.windows_1 WHERE embedding IS NOT NULL ORDER BY embedding <=> $1 LIMIT 10"
        )

        def search(number: int) -> None:
            cursor.execute("EXECUTE alone (%s)", [texts[number]])
            cursor.fetchall()

        taken = _timed(search)
        cursor.execute("DEALLOCATE alone")
        return taken

    return store._run(work)


def _clip(store: PostgresStore, vectors: FloatArray) -> Any:
    found = store.search(vectors, SPEC, top_k=_TOP_K, filters=Filters())
    return rank_collections({"default": found}, WINDOWS, top_k=_TOP_K)


def _timed(search: Callable[[int], Any]) -> dict[str, float]:
    for number in range(_QUERIES):
        search(number)
    spent = []
    for number in range(_QUERIES):
        began = time.perf_counter()
        search(number)
        spent.append((time.perf_counter() - began) * 1e3)
    p95 = statistics.quantiles(spent, n=20)[-1]
    return {"p50_ms": round(statistics.median(spent), 2), "p95_ms": round(p95, 2)}


def _recall(
    store: PostgresStore, archive: _Loaded, queries: FloatArray, filters: Filters, allowed: Any = None
) -> float:
    """Return the share of the ten exactly nearest windows that a search finds."""
    tenth = archive.best_scores(queries, allowed)
    found = 0
    for number, query in enumerate(queries):
        hits = store.search(query[np.newaxis], SPEC, top_k=_TOP_K, filters=filters).hits
        # Half precision on both sides.
        found += min(_TOP_K, sum(hit.score >= tenth[number] - 1e-3 for hit in hits))
    return round(found / (_TOP_K * len(queries)), 4)


def _clip_recall(store: PostgresStore, archive: _Loaded, clips: FloatArray) -> float:
    """Return the share of the ten exactly best recordings that a clip's search finds."""
    tenth = archive.best_clip_scores(clips)
    found = sum(
        sum(match.score >= tenth[number] - 1e-3 for match in _clip(store, clip))
        for number, clip in enumerate(clips)
    )
    return round(found / (_TOP_K * len(clips)), 4)


def _space(store: PostgresStore) -> dict[str, Any]:
    def work(cursor: Any) -> dict[str, Any]:
        cursor.execute(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class AS c "
            "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE n.nspname IN ('soundalike', '_timescaledb_internal') AND c.relkind = 'r'"
        )
        disk_mb = round(cursor.fetchone()[0] / 2**20)
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '%chunk_windows%embedding'")
        return {"disk_mb": disk_mb, "chunks": cursor.fetchone()[0]}

    return store._run(work)


def main() -> None:
    """Measure the embedded server and the one that is named, and write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks.store", description=__doc__)
    parser.add_argument("--rows", type=int, default=650_000)
    parser.add_argument("--years", type=float, default=1.0, help="recordings are spread over them")
    parser.add_argument("--output", type=Path, default=Path("bench-store.json"))
    parser.add_argument("--server", help="database URL; default: the embedded server")
    parser.add_argument("--layouts", action="store_true", help="compare the layouts of the index")
    arguments = parser.parse_args()
    # That module imports this one.
    from benchmarks import layouts

    sizes = [size for size in (10_000, 50_000, 200_000) if size < arguments.rows] + [arguments.rows]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="soundalike-bench-"))
        environ = {"SOUNDALIKE_DATA_DIR": folder}
        if arguments.server:
            environ["SOUNDALIKE_DATABASE_URL"] = arguments.server
        settings = Settings.from_env(environ)
        report: Any
        if arguments.layouts:
            report = layouts.compare(settings, arguments.rows, ("halfvec", "bit"))
        else:
            report = measure(settings, sizes, arguments.years)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
