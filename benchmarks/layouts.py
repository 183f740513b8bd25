"""Layouts of the vector index, side by side on the same rows of one server.

``python -m benchmarks.layouts --rows 650000 --output bench-layouts.json`` builds each index, then asks
all of them in turns, so that other work on the machine disturbs them alike, and writes the report after
each step. ``--server`` names another server than the embedded one; its tables of Soundalike are dropped
first. DiskANN takes part if the server offers pgvectorscale.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.layout_forms import FORMS, Form, Statement, StoreSearch, insert_ms, processor_ms
from benchmarks.store import _QUERIES, _TOP_K, SPEC, START, WINDOWS, _clips, _Loaded
from soundalike.config import Settings
from soundalike.filters import Filters
from soundalike.store import PostgresStore, indexing, open_store
from soundalike.store.collections import Collection, find
from soundalike.store.sql import queries
from soundalike.types import FloatArray

#: Half precision changes a cosine of 512 numbers by a few hundred-thousandths.
_TOLERANCE = 2e-4
#: The tenth of the time of the filtered searches.
_PERIOD = (0.45, 0.55)
_EXTENSION = "SELECT FROM pg_available_extensions WHERE name = 'vectorscale'"
_SERVER = (
    "SELECT current_setting('server_version'), current_setting('shared_buffers'), "
    "(SELECT extversion FROM pg_extension WHERE extname = 'vector')"
)
_Ask = Statement | StoreSearch


class _Streamed(_Loaded):
    """A loaded store that knows the exact answers, and keeps no vectors."""

    def __init__(self, store: PostgresStore, years: float) -> None:
        super().__init__(store, years)
        whole_s = years * 365 * 86_400
        self.period_s = (_PERIOD[0] * whole_s, _PERIOD[1] * whole_s)
        self.clips = _clips()
        shape = (_QUERIES, _TOP_K)
        self._best = {kind: np.full(shape, -2.0, np.float32) for kind in ("vector", "clip", "period")}

    def _remember(self, made: FloatArray) -> None:
        rows = made.reshape(-1, SPEC.dimension).astype(np.float16).astype(np.float32)
        starts = np.array(self.starts[-len(made) :])[:, np.newaxis] + [each.start_s for each in WINDOWS]
        outside = ((starts < self.period_s[0]) | (starts >= self.period_s[1])).ravel()
        pairs = self.clips.reshape(-1, SPEC.dimension) @ rows.T
        by_window = pairs.reshape(_QUERIES, len(WINDOWS), -1, len(WINDOWS))
        self._keep("vector", by_window[:, 0].reshape(_QUERIES, -1))
        self._keep("clip", by_window.max(axis=(1, 3)))
        self._keep("period", np.where(outside, -2, by_window[:, 0].reshape(_QUERIES, -1)))

    def _keep(self, kind: str, scores: FloatArray) -> None:
        both = np.concatenate([self._best[kind], scores], axis=1)
        self._best[kind] = -np.partition(-both, _TOP_K - 1, axis=1)[:, :_TOP_K]

    def tenth_best(self, kind: str) -> FloatArray:
        """Return the exact tenth best score of each query."""
        lowest: FloatArray = self._best[kind].min(axis=1)
        return lowest


class Comparison:
    """The indexes of one table, and what asking them costs.

    Parameters
    ----------
    store : PostgresStore
    size : int
        Number of windows.
    save : callable
        Called with the report after each step.
    """

    def __init__(self, store: PostgresStore, size: int, save: Callable[[dict[str, Any]], None]) -> None:
        store.reset()
        self._store = store
        self._archive = _Streamed(store, 1.0)
        load_s, _ = self._archive.grow(size, build=False)
        self.report: dict[str, Any] = {"rows": size, "load_s": load_s, "layouts": {}, "searches": {}}
        self._save = save
        self._built: list[Form] = []
        self._collection = self._run(lambda cursor: find(cursor, "default"))
        self._centre = self._run(lambda cursor: indexing._centre(cursor, self._collection))
        version, buffers, pgvector = self._run(self._server)
        self.report |= {"server": version, "shared_buffers": buffers, "pgvector": pgvector}

    def _run(self, work: Callable[[Any], Any]) -> Any:
        return self._store._db.run(work, in_transaction=False)

    def _server(self, cursor: Any) -> Any:
        cursor.execute(_SERVER)
        return cursor.fetchone()

    def build(self, name: str) -> None:
        """Build an index beside those that there are."""
        form = FORMS[name]

        def work(cursor: Any) -> dict[str, Any]:
            if form.needs:
                cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {form.needs}")
            cursor.execute(queries()["memory_settings"])
            most_mb = max(cursor.fetchone()[-1] >> 20, 2048)
            memory_mb = indexing.build_memory_mb(self.report["rows"], form.numbers, most_mb=most_mb)
            cursor.execute(f"SET maintenance_work_mem = '{memory_mb}MB'")
            del cursor.connection.notices[:]
            began = time.perf_counter()
            cursor.execute(form.create(self._collection, self._centre))
            build_s = round(time.perf_counter() - began, 1)
            notices = " ".join(cursor.connection.notices)
            fitted = re.search(r"no longer fits .* after (\d+) tuples", notices)
            cursor.execute("RESET maintenance_work_mem")
            cursor.execute("ANALYZE soundalike.windows_1")
            cursor.execute("SELECT pg_relation_size(%s::regclass)", [f"soundalike.{form.index}"])
            index_mb = round(cursor.fetchone()[0] / 2**20, 1)
            return {
                "build_s": build_s,
                "in_memory_until": fitted and int(fitted.group(1)),
                "index_mb": index_mb,
            }

        self.report["layouts"][name] = self._run(work)
        self._built.append(form)
        self._told(name)

    def _told(self, name: str) -> None:
        print(json.dumps({name: self.report["layouts"][name]}), flush=True)
        self._save(self.report)

    def search(self, names: Sequence[str]) -> None:
        """Ask the indexes of these layouts in turns."""
        forms = [FORMS[name] for name in names]
        asks: dict[str, _Ask] = {}
        for form in forms:
            asks |= {ask.name: ask for ask in form.statements(self._collection, self._centre)}
            if form.is_offered:
                centre = self._centre if form.layout == "bit" else None
                offered: Collection = replace(
                    self._collection,
                    layout=form.layout,
                    centre=centre,
                    n_windows=self.report["rows"],
                )
                asks[f"{form.layout}, soundalike"] = StoreSearch(offered)
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        since, until = (START + timedelta(seconds=second) for second in self._archive.period_s)
        kinds = (
            ("vector", 1, Filters()),
            ("clip", len(WINDOWS), Filters()),
            ("period", 1, Filters(since=since, until=until)),
        )
        for kind, n_windows, filters in kinds:
            queries = self._archive.clips[:, :n_windows]
            in_turns = self._in_turns(asks, queries, filters, kind)
            for name, figures in self._run(in_turns).items():
                found[name][kind] = figures
                print(json.dumps({name: {kind: figures}}), flush=True)
        for form in forms:
            for statement in form.statements(self._collection, self._centre)[:1]:
                pages = self._run(lambda cursor, each=statement: each.pages(cursor, self._archive.clips))
                found[statement.name]["pages"] = pages
        self.report["searches"][" ".join(names)] = found
        self._save(self.report)

    def _in_turns(
        self, asks: dict[str, _Ask], queries: FloatArray, filters: Filters, kind: str
    ) -> Callable[[Any], dict[str, Any]]:
        tenth = self._archive.tenth_best(kind)
        order, rng = list(asks), np.random.default_rng(0)

        def work(cursor: Any) -> dict[str, Any]:
            right: dict[str, int] = defaultdict(int)
            short: dict[str, int] = defaultdict(int)
            spent: dict[str, list[float]] = defaultdict(list)
            worked: dict[str, list[float]] = defaultdict(list)
            processor = partial(processor_ms, cursor.connection.info.backend_pid)
            # The first round warms the caches.
            for is_timed in (False, True):
                for number, vectors in enumerate(queries):
                    # In another order each time: the next one finds warm rows and pages.
                    rng.shuffle(order)
                    for name in order:
                        work_before, began = processor(), time.perf_counter()
                        answer = asks[name].ask(cursor, vectors, filters)
                        if is_timed:
                            spent[name].append((time.perf_counter() - began) * 1e3)
                            worked[name].append(processor() - work_before)
                            continue
                        best = answer.best_recordings() if kind == "clip" else answer.best_windows()
                        right[name] += sum(score >= tenth[number] - _TOLERANCE for score in best)
                        short[name] += answer.is_short
            return {
                name: {
                    "recall": round(right[name] / (_TOP_K * len(queries)), 4),
                    "p50_ms": round(statistics.median(times), 2),
                    "p95_ms": round(statistics.quantiles(times, n=20)[-1], 2),
                    "processor_p50_ms": round(statistics.median(worked[name]), 3),
                    "processor_p95_ms": round(statistics.quantiles(worked[name], n=20)[-1], 3),
                    "short": short[name],
                }
                for name, times in sorted(spent.items())
            }

        return work

    def add(self, rounds: int = 3, count: int = 1000) -> None:
        """Measure adding windows with each index alone, and without one."""
        spent: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for form in [None, *self._built]:
                others = [each.index for each in self._built if each is not form]
                name = form.layout if form else "none"
                measure = partial(insert_ms, others=others, count=count)
                spent[name].append(self._store._db.run(measure))
        self.report["layouts"]["none"] = {}
        for name, times in spent.items():
            self.report["layouts"][name]["insert_ms"] = round(statistics.median(times) / count, 3)
            self._told(name)


def compare(
    settings: Settings,
    size: int,
    names: Sequence[str],
    save: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Return what each layout of the index costs on the same windows, and what it finds.

    Parameters
    ----------
    settings : Settings
        Its database's tables are dropped first.
    size : int
        Number of windows.
    names : sequence of str
        Layouts, of which ``halfvec`` is the first.
    save : callable, optional
        Called with the report after each step.
    """
    store = open_store(settings)
    try:
        comparison = Comparison(store, size, save)
        can_diskann = store._db.run(lambda cursor: (cursor.execute(_EXTENSION), cursor.rowcount)[1])
        early = [name for name in names if not FORMS[name].needs]
        late = [name for name in names if FORMS[name].needs and can_diskann]
        for name in early:
            comparison.build(name)
        comparison.search(early)
        comparison.add()
        # Its build takes longer than all others together.
        for name in late:
            comparison.build(name)
            comparison.search([*early[:1], name])
            comparison.add()
        return comparison.report
    finally:
        store.close()


def main() -> None:
    """Compare the layouts and write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks.layouts", description=__doc__)
    parser.add_argument("--rows", type=int, default=650_000)
    parser.add_argument("--output", type=Path, default=Path("bench-layouts.json"))
    parser.add_argument("--server", help="database URL; default: the embedded server")
    parser.add_argument("--layouts", nargs="+", choices=list(FORMS), default=list(FORMS))
    arguments = parser.parse_args()

    def save(report: dict[str, Any]) -> None:
        arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="soundalike-bench-"))
        environ = {"SOUNDALIKE_DATA_DIR": folder}
        if arguments.server:
            environ["SOUNDALIKE_DATABASE_URL"] = arguments.server
        compare(Settings.from_env(environ), arguments.rows, arguments.layouts, save)


if __name__ == "__main__":
    main()
