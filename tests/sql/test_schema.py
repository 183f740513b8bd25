"""The tables: a hypertable where TimescaleDB is, the windows' times, and versions that do not fit."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from soundalike.errors import SchemaMismatch, StoreError
from soundalike.store import sql as statements
from soundalike.store.normal_models import WatchedFile, WatchEvent
from soundalike.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from soundalike.store import PostgresStore
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

pytestmark = pytest.mark.new_database
Sql = Callable[..., Any]
NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(1000, 1, 1, tzinfo=UTC)


def test_windows_and_events_lie_in_hypertables_exactly_where_timescaledb_is(
    collection: Collection, sql: Sql, database_server: DatabaseServer
):
    collection.add("/a/one.wav")

    installed = {name for (name,) in sql("SELECT extname FROM pg_extension")}
    assert ("timescaledb" in installed) == database_server.has_timescaledb
    assert "vector" in installed
    if not database_server.has_timescaledb:
        assert sql("SELECT relkind FROM pg_class WHERE oid = 'soundalike.windows_1'::regclass") == [
            ("r",)
        ]
        return
    found = sql(
        "SELECT hypertable_name, primary_dimension, compression_enabled "
        "FROM timescaledb_information.hypertables WHERE hypertable_schema = 'soundalike' ORDER BY 1"
    )
    assert found == [("watch_events", "occurred_at", False), ("windows_1", "window_time", False)]


def test_no_job_will_ever_compress_the_windows(
    collection: Collection, sql: Sql, database_server: DatabaseServer
):
    """Compressed chunks lose the vector index."""
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    collection.add("/a/one.wav")

    assert not sql(
        "SELECT proc_name FROM timescaledb_information.jobs WHERE hypertable_schema = 'soundalike'"
    )
    interval = sql(
        "SELECT time_interval FROM timescaledb_information.dimensions "
        "WHERE hypertable_name = 'windows_1'"
    )
    # The cost of a vector search grows with the number of chunks.
    assert interval[0][0] >= timedelta(days=360)


def test_events_move_into_a_hypertable_when_timescaledb_comes_later(
    collection: Collection, sql: Sql, database_server: DatabaseServer, store: PostgresStore
):
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    store.save_normal_model("pump", b"", {}, version=None)
    # As it is where the table was made by a server without TimescaleDB.
    sql("DROP TABLE soundalike.watch_events")
    (table,) = re.findall(
        r"(CREATE TABLE soundalike\.watch_events .*?;\nCREATE INDEX .*?;)",
        statements.schema(),
        re.DOTALL,
    )
    sql(table)
    known = [
        WatchEvent(
            str(uuid.uuid4()), "pump", WatchedFile(f"/{days}.wav", 1, 2), at, True, {"score": 2.0}
        )
        for days in (0, 40, 4000)
        for at in [NOON - timedelta(days=days)]
    ]
    for event in known:
        store.put_watch_event(event)
    assert store.untold_events("pump") == known[::-1]
    collection.add("/a/one.wav")

    ((chunks,),) = sql(
        "SELECT num_chunks FROM timescaledb_information.hypertables "
        "WHERE hypertable_name = 'watch_events'"
    )
    assert chunks == 3
    assert store.watch_events("pump") == known
    assert store.untold_events("pump") == known[::-1]
    assert store.watch_events("pump", since=NOON - timedelta(days=50)) == known[:2]
    assert store.remove_normal_model("pump")
    assert sql("SELECT count(*) FROM soundalike.watch_events") == [(0,)]


def test_chunks_hold_the_windows_of_their_year(
    collection: Collection, sql: Sql, database_server: DatabaseServer
):
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    collection.add("/a/unknown.wav")
    collection.add("/a/may.wav", recorded_at=NOON)
    collection.add("/a/june.wav", recorded_at=NOON + timedelta(days=30))
    collection.add("/a/long_ago.wav", recorded_at=NOON - timedelta(days=3000))

    ((chunks,),) = sql(
        "SELECT num_chunks FROM timescaledb_information.hypertables WHERE hypertable_name = 'windows_1'"
    )
    assert chunks == 3
    assert len(collection.hits(collection.vectors(1), top_k=100)) == 16


def _times(sql: Sql) -> list[datetime]:
    return [time for (time,) in sql("SELECT window_time FROM soundalike.windows_1 ORDER BY window_time")]


def test_a_windows_time_is_the_recordings_start_plus_its_offset(collection: Collection, sql: Sql):
    collection.add("/a/one.wav", recorded_at=NOON)

    assert _times(sql) == [NOON + timedelta(seconds=2 * n) for n in range(4)]


def test_an_unknown_start_is_long_ago_and_never_the_time_of_indexing(collection: Collection, sql: Sql):
    collection.add("/a/one.wav")

    assert _times(sql) == [LONG_AGO + timedelta(seconds=2 * n) for n in range(4)]


def test_another_start_moves_all_windows(collection: Collection, sql: Sql):
    collection.add("/a/one.wav")
    collection.add("/a/one.wav", recorded_at=NOON)

    assert _times(sql) == [NOON + timedelta(seconds=2 * n) for n in range(4)]


@pytest.mark.parametrize(
    "recorded_at", [datetime(1900, 1, 1, tzinfo=UTC), datetime(9997, 12, 31, tzinfo=UTC)]
)
def test_starts_far_away_are_kept(collection: Collection, recorded_at: datetime):
    assert collection.add("/a/one.wav", recorded_at=recorded_at) == "added"

    assert collection.found()["/a/one.wav"].recorded_at == recorded_at


def test_orphaned_windows_are_impossible(collection: Collection, sql: Sql):
    for number in range(3):
        collection.add(f"/a/{number}.wav")
    sql("DELETE FROM soundalike.recordings WHERE recording_id = %s", (_id(collection, 1),))

    assert sql("SELECT count(*) FROM soundalike.windows_1") == [(8,)]
    assert sql("SELECT count(*) FROM soundalike.files") == [(2,)]


def _id(collection: Collection, number: int) -> str:
    return collection.recording(f"/a/{number}.wav").recording_id


CALLS: dict[str, Callable[[Collection], Any]] = {
    "add": lambda collection: collection.add("/a/two.wav"),
    "link": lambda collection: collection.link("/b/copy.wav", "/a/one.wav"),
    "search": lambda collection: collection.found(),
    "delete": lambda collection: collection.store.delete("/a/one.wav"),
    "status": lambda collection: collection.store.status(),
    "known_lengths": lambda collection: collection.store.known_lengths([_id(collection, 1)]),
    "finish_batch": lambda collection: collection.store.finish_batch(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_schema_of_another_version_is_refused(
    collection: Collection, sql: Sql, call: Callable[[Collection], Any]
):
    collection.add("/a/one.wav")
    sql("UPDATE soundalike.schema_version SET version = 99")

    with pytest.raises(SchemaMismatch, match=r"99.*update Soundalike"):
        call(collection)
    assert sql("SELECT count(*) FROM soundalike.files") == [(1,)]


def test_a_schema_of_another_version_can_be_reset(collection: Collection, sql: Sql):
    collection.add("/a/one.wav")
    sql("UPDATE soundalike.schema_version SET version = 99")
    collection.store.reset()

    assert collection.add("/a/two.wav") == "added"


def test_there_is_one_version(collection: Collection, sql: Sql):
    collection.add("/a/one.wav")

    assert sql("SELECT version FROM soundalike.schema_version") == [(SCHEMA_VERSION,)]


def test_status_names_the_extensions_in_use(
    collection: Collection, store: PostgresStore, database_server: DatabaseServer
):
    assert store.status().extensions == {}
    collection.add("/a/one.wav")

    expected = {"vector"} | ({"timescaledb"} if database_server.has_timescaledb else set())
    assert store.status().extensions.keys() == expected


def test_more_dimensions_than_pgvector_indexes_are_refused(collection: Collection):
    from dataclasses import replace

    import numpy as np

    collection.spec = replace(collection.spec, dimension=4096, window_s=32.0)

    with pytest.raises(StoreError, match="4000"):
        collection.add("/a/one.wav", np.eye(1, 4096, dtype=np.float32))
    assert collection.counts() == (0, 0, 0)
