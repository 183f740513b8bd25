"""Filters of time: chunks are left out, an index loses nothing, PostgreSQL and memory agree."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from soundalike.clock.start_time import zone_named
from soundalike.filters import Filters
from soundalike.store import MemoryStore, PostgresStore
from soundalike.store.connection import Database

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

Sql = Callable[..., Any]
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "+02:00",
    "-03:30",
)


class _Explaining(psycopg2.extensions.cursor):
    """Has the plan of a search explained before it is run."""

    plans: list[str] = []  # noqa: RUF012 - shared on purpose: the store makes the cursors

    def execute(self, query: Any, values: Any = None) -> None:
        if "<=>" in query:
            *settings, search = query.rstrip(";").split(";")
            super().execute(";".join(settings))
            super().execute("EXPLAIN " + search, values)
            self.plans.append("\n".join(line for (line,) in self.fetchall()))
        super().execute(query, values)


@pytest.fixture
def explained(database_url: str) -> Callable[..., tuple[PostgresStore, list[str]]]:
    """Open the test's database; what is searched for is explained."""
    _Explaining.plans.clear()

    def open_store(options: str = "") -> tuple[PostgresStore, list[str]]:
        def connect() -> Any:
            return psycopg2.connect(database_url, cursor_factory=_Explaining, options=options)

        return PostgresStore(Database(connect, "test")), _Explaining.plans

    return open_store


def _fill_years(collection: Collection, rows_a_year: int = 3) -> None:
    for year in (*range(1925, 2015, 10), 2019, 2020):
        for number in range(rows_a_year):
            at = datetime(year, 6, 1, number % 24, tzinfo=UTC)
            collection.add(f"/{year}/{number}.wav", recorded_at=at)
    collection.add("/unknown.wav")


@pytest.mark.parametrize("is_indexed", [False, True])
def test_only_the_chunks_of_the_range_are_looked_at(
    collection: Collection,
    explained: Callable[..., Any],
    database_server: DatabaseServer,
    connect_store: Callable[..., PostgresStore],
    sql: Sql,
    is_indexed: bool,
):
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    _fill_years(collection)
    if is_indexed:
        connect_store(exact_below=1).finish_batch()
    store, plans = explained()
    collection.store = store
    found = collection.found(
        since=datetime(2019, 5, 1, tzinfo=UTC),
        until=datetime(2020, 7, 1, tzinfo=UTC),
        time_of_day=(time(22), time(4)),
        time_zone=zone_named("Europe/Berlin"),
    )
    store.close()

    assert set(found) == {f"/{year}/{number}.wav" for year in (2019, 2020) for number in (0, 1)}
    chunks = sql(
        "SELECT chunk_name FROM timescaledb_information.chunks WHERE hypertable_name = 'windows_1' "
        "AND range_end > '2019-05-01' AND range_start < '2020-07-01'"
    )
    (total,) = sql("SELECT count(*) FROM timescaledb_information.chunks")[0]
    # Left out when the statement is planned, not when it runs.
    assert set(re.findall(r"_hyper_\d+_\d+_chunk(?!_)", plans[-1])) == {name for (name,) in chunks}
    assert len(chunks) < total / 3
    assert "Chunks excluded during startup" not in plans[-1]


def test_an_index_of_times_serves_a_range(
    collection: Collection, explained: Callable[..., Any], sql: Sql
):
    begin = datetime(2025, 5, 1, tzinfo=UTC)
    for hour in range(0, 24, 6):
        at = begin + timedelta(hours=hour)
        rows = collection.vectors(6 * 1800)
        collection.add(f"/{hour}.wav", rows, duration_s=21_602.0, recorded_at=at)
    sql("ANALYZE soundalike.windows_1")
    store, plans = explained()
    wanted = Filters(since=begin + timedelta(hours=9), until=begin + timedelta(hours=9, minutes=1))
    for filters, n_recordings in ((wanted, 1), (Filters(), 4)):
        found = store.search(collection.vectors(1), collection.spec, top_k=5, filters=filters)
        assert len(found.recordings) == n_recordings
        assert ("windows_1_time" in plans[-1]) == (filters == wanted), plans[-1]
    store.close()


#: Leave the planner nothing but the vector index to sort by distance, and let that give up soon.
_INDEX_ONLY = "-c enable_sort=off -c enable_seqscan=off -c enable_incremental_sort=off"
_IMPATIENT = f"{_INDEX_ONLY} -c hnsw.max_scan_tuples=30"


@pytest.mark.parametrize("options", ["", _INDEX_ONLY, _IMPATIENT])
def test_the_vector_index_loses_no_row_that_passes(
    collection: Collection,
    collection_of: Callable[..., Collection],
    explained: Callable[..., Any],
    connect_store: Callable[..., PostgresStore],
    options: str,
):
    """By itself the index gives its nearest rows, of which none passes, or stops looking for more."""
    query = collection.vectors(1)
    memory = collection_of(MemoryStore(), collection.rng)
    for number in range(300):
        rows = query + 0.01 * collection.vectors(4)
        for each in (collection, memory):
            each.add(f"/near/{number}.wav", rows, recorded_at=datetime(2025, 1, 1, tzinfo=UTC))
    for number in range(7):
        rows = collection.vectors(4) - query
        at = datetime(2025, 1, 2, number, tzinfo=UTC)
        for each in (collection, memory):
            each.add(f"/far/{number}.wav", rows, recorded_at=at)
    connect_store(exact_below=1).finish_batch()
    store, plans = explained(options)
    collection.store = store

    wanted = Filters(since=datetime(2025, 1, 2, tzinfo=UTC), until=datetime(2025, 1, 3, tzinfo=UTC))
    for top_k in (3, 7, 100):
        found = store.search(query, collection.spec, top_k=top_k, filters=wanted)
        expected = memory.store.search(query, collection.spec, top_k=top_k, filters=wanted)
        best = sorted(expected.hits, key=lambda hit: -hit.score)[:top_k]
        assert len(found.recordings) == min(top_k, 7)
        assert {(hit.recording_id, hit.window_index) for hit in best} <= {
            (hit.recording_id, hit.window_index) for hit in found.hits
        }
    if options:
        assert any("windows_1_embedding" in plan for plan in plans)
    store.close()


def test_postgresql_and_memory_agree(collection: Collection, collection_of: Callable[..., Collection]):
    """Around changes of the clock, in zones of all kinds."""
    rng = collection.rng
    memory = collection_of(MemoryStore(), rng)
    changes = (
        datetime(2024, 3, 10),
        datetime(2024, 11, 3),
        datetime(2024, 4, 6),
        datetime(2024, 10, 27),
    )
    for number in range(120):
        change = changes[number % len(changes)].replace(tzinfo=UTC)
        at = change + timedelta(minutes=int(rng.integers(-1500, 1500)), microseconds=number)
        rows = collection.vectors(3)
        for each in (collection, memory):
            each.add(f"/{number:03}.wav", rows, recorded_at=None if number % 10 == 0 else at)

    query, tried = collection.vectors(1), set()
    for zone in ZONES:
        for _ in range(6):
            begin, end = (time(int(h), int(m)) for h, m in rng.integers((24, 60), size=(2, 2)))
            since = changes[int(rng.integers(4))].replace(tzinfo=UTC) - timedelta(hours=9)
            wanted = Filters(
                time_of_day=(begin, end),
                time_zone=zone_named(zone),
                since=since if rng.random() < 0.3 else None,
                until=since + timedelta(days=2) if rng.random() < 0.3 else None,
            )
            found, expected = (
                {
                    (hit.recording_id, hit.window_index)
                    for hit in each.store.search(query, collection.spec, top_k=1000, filters=wanted).hits
                }
                for each in (collection, memory)
            )
            assert found == expected, wanted
            tried.add(len(found))
    assert len(tried) > 5
