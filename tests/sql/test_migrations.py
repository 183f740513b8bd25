"""An older schema is brought up to date with all it holds, and is then like a new one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.config import Settings
from soundalike.errors import SchemaMismatch, StoreError
from soundalike.store import PostgresStore
from soundalike.store import sql as statements
from soundalike.store.schema import SCHEMA_VERSION
from soundalike.store.stores import open_store
from tests.fixtures.collections import DIMENSION

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

Sql = Callable[..., Any]
pytestmark = pytest.mark.new_database
OLD = Path(__file__).parent / "old"
NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
_HYPERTABLE = """
SELECT create_hypertable('soundalike.windows', by_range('window_time', INTERVAL '1 year'),
                         create_default_indexes => false)
"""
#: All that a dump would show of the tables, but the order of their columns.
_COLUMNS = """
SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity
FROM information_schema.columns WHERE table_schema = 'soundalike' ORDER BY 1, 2
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'soundalike'::regnamespace AND contype <> 'n' ORDER BY 1, 2
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'soundalike' ORDER BY 1"


@pytest.fixture
def first_version(sql: Sql, database_server: DatabaseServer, collection: Collection) -> Collection:
    """Make a database as version 1 did: two recordings, one with a silent window and no start."""
    sql("CREATE EXTENSION vector")
    sql((OLD / "schema_1.sql").read_text(encoding="utf-8"))
    if database_server.has_timescaledb:
        sql("CREATE EXTENSION timescaledb")
        sql(_HYPERTABLE)
    spec = collection.spec
    sql(
        "INSERT INTO soundalike.index_spec (encoder, fingerprint, dimension, window_s, stride_s) "
        "VALUES (%s, %s, %s, %s, %s)",
        (spec.encoder, spec.fingerprint, spec.dimension, spec.window_s, spec.stride_s),
    )
    for uri, start in (("/a/old.wav", None), ("/a/noon.wav", NOON)):
        key = collection.recording(uri).recording_id
        sql(
            "INSERT INTO soundalike.recordings (recording_id, duration_s, recorded_at, n_windows) "
            "VALUES (%s, 10, %s, 2)",
            (key, start),
        )
        sql("INSERT INTO soundalike.files VALUES (%s, %s, 'dog', '{\"n\": 1}')", (uri, key))
        for n in range(2):
            sql(
                "INSERT INTO soundalike.windows VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    *(key, n, (start or datetime(1970, 1, 1, tzinfo=UTC)) + timedelta(seconds=2 * n)),
                    *(2.0 * n, 2.0 * n + 4, None if start is None and n else _vector(n)),
                ),
            )
    return collection


def _vector(n: int) -> str:
    return str([float(n == m) for m in range(DIMENSION)])


def _shape(sql: Sql) -> list[Any]:
    return [sql(statement) for statement in (_COLUMNS, _CONSTRAINTS, _INDEXES)]


def test_the_last_script_leads_to_the_version_of_the_schema():
    versions = list(statements.migrations())
    assert versions == list(range(2, SCHEMA_VERSION + 1))


def test_what_was_stored_is_found_after_the_migration(first_version: Collection, sql: Sql):
    assert first_version.counts() == (2, 2, 4)

    found = first_version.found(labels=("dog",), tags={"n": 1})
    assert {uri: recording.recorded_at for uri, recording in found.items()} == {
        "/a/old.wav": None,
        "/a/noon.wav": NOON,
    }
    assert len(first_version.hits(first_version.vectors(1))) == 3
    assert sql("SELECT version FROM soundalike.schema_version") == [(SCHEMA_VERSION,)]
    rows = sql("SELECT window_time, quality FROM soundalike.windows_1 ORDER BY window_time")
    long_ago = datetime(1000, 1, 1, tzinfo=UTC)
    assert rows == [
        (long_ago, "ok"),
        (long_ago + timedelta(seconds=2), "silent"),
        (NOON, "ok"),
        (NOON + timedelta(seconds=2), "ok"),
    ]


def test_the_result_is_what_a_new_database_has(
    first_version: Collection, sql: Sql, database_server: DatabaseServer
):
    first_version.counts()
    migrated = _shape(sql)
    first_version.store.reset()
    first_version.add("/a/new.wav")

    assert migrated == _shape(sql)


def test_a_migrated_database_goes_on_like_any_other(first_version: Collection):
    store = first_version.store
    assert first_version.add("/a/new.wav") == "added"
    assert first_version.add("/a/old.wav", recorded_at=NOON) == "updated"
    assert store.delete("/a/noon.wav") == 1
    assert first_version.counts() == (2, 2, 8)
    store.create_collection("other", first_version.spec)
    assert list(store.collections()) == ["default", "other"]


def test_a_migration_that_fails_leaves_everything_as_it_was(first_version: Collection, sql: Sql):
    sql("CREATE TABLE soundalike.collections (taken integer)")

    with pytest.raises(StoreError, match="collections"):
        first_version.counts()
    assert sql("SELECT version FROM soundalike.schema_version") == [(1,)]
    assert sql("SELECT count(*) FROM soundalike.windows") == [(4,)]
    sql("DROP TABLE soundalike.collections")
    assert first_version.counts() == (2, 2, 4)


def test_a_view_that_a_migration_cannot_change_is_named(first_version: Collection, sql: Sql):
    sql("CREATE VIEW favourites AS SELECT uri FROM soundalike.files")

    with pytest.raises(SchemaMismatch, match=r"favourites.*drop views.*soundalike status"):
        first_version.counts()
    sql("DROP VIEW favourites")
    assert first_version.counts() == (2, 2, 4)


def test_a_role_that_does_not_own_the_tables_is_told_who_can_migrate(
    first_version: Collection, sql: Sql, database_url: str, database_server: DatabaseServer
):
    with database_server.role(database_url, "secret") as (name, url):
        sql(f"GRANT USAGE, CREATE ON SCHEMA soundalike TO {name}")
        sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA soundalike TO {name}")
        store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
        with pytest.raises(SchemaMismatch, match=r"must be owner.*the role that owns them"):
            store.status()
        store.close()
    assert first_version.counts() == (2, 2, 4)


def test_recordings_of_an_older_version_can_be_annotated(first_version: Collection):
    key = first_version.recording("/a/old.wav").recording_id
    span = StoredAnnotation(0, key, "", Annotation(1.0, 2.0, "owl"), "a.txt")
    assert first_version.store.annotate([span, span]) == 1
    assert [one.uri for one in first_version.store.annotations(label="owl")] == ["/a/old.wav"]
    first_version.store.delete("/a/old.wav")
    assert list(first_version.store.annotations()) == []


def test_several_processes_migrate_once(
    first_version: Collection, connect_store: Callable[..., PostgresStore]
):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        stores = [connect_store() for _ in range(4)]
        statuses = list(pool.map(lambda store: store.status(), stores))
    assert {(status.recordings, status.windows) for status in statuses} == {(2, 4)}


@pytest.fixture
def third_version(sql: Sql, database_server: DatabaseServer, collection: Collection) -> Collection:
    """Make a database as version 3 did, with two collections."""
    sql("CREATE EXTENSION vector")
    script = (OLD / "schema_3.sql").read_text(encoding="utf-8")
    begin = script.index("CREATE TABLE soundalike.windows_1")
    sql(script)
    second = script[begin:].replace("windows_1", "windows_2")
    sql(second.replace("DEFAULT 1 CHECK (collection_id = 1)", "DEFAULT 2 CHECK (collection_id = 2)"))
    if database_server.has_timescaledb:
        sql("CREATE EXTENSION timescaledb")
        sql(_HYPERTABLE.replace("soundalike.windows", "soundalike.windows_1"))
    spec = collection.spec
    for name in ("default", "other"):
        sql(
            "INSERT INTO soundalike.collections (name, encoder, fingerprint, dimension, window_s, "
            "stride_s) VALUES (%s, %s, %s, %s, %s, %s)",
            (name, spec.encoder, spec.fingerprint, spec.dimension, spec.window_s, spec.stride_s),
        )
    for number, silent in ((1, ()), (1, (0, 1, 2)), (1, (1,)), (2, (0,))):
        _put(sql, collection, number, f"/{number}/{silent}.wav", silent)
    return collection


def _put(execute: Sql, collection: Collection, number: int, uri: str, silent: Sequence[int]) -> None:
    """Store a recording of three windows as version 3 did."""
    key = collection.recording(uri).recording_id
    execute(
        "INSERT INTO soundalike.recordings (collection_id, recording_id, duration_s, recorded_at, "
        "n_windows) VALUES (%s, %s, 8, %s, 3)",
        (number, key, NOON),
    )
    execute(
        "INSERT INTO soundalike.files (collection_id, uri, recording_id) VALUES (%s, %s, %s)",
        (number, uri, key),
    )
    for n in range(3):
        quality, vector = ("silent", None) if n in silent else ("ok", _vector(n))
        start_s = 2.0 * n
        execute(
            f"INSERT INTO soundalike.windows_{number} (recording_id, window_index, window_time, "
            "start_s, end_s, quality, embedding) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (key, n, NOON + timedelta(seconds=start_s), start_s, start_s + 4, quality, vector),
        )


def _searchable(sql: Sql) -> dict[str, tuple[int, int]]:
    rows = sql(
        "SELECT uri, n_searchable, decoder_version FROM soundalike.recordings JOIN soundalike.files "
        "USING (collection_id, recording_id)"
    )
    return {uri: (count, version) for uri, count, version in rows}


def test_what_was_stored_was_decoded_by_the_first_decoder(third_version: Collection, sql: Sql):
    status = third_version.store.status()

    assert (status.recordings, status.earlier_decoder, status.unsearchable) == (3, 3, 1)
    assert third_version.store.status(collection="other").earlier_decoder == 1
    assert _searchable(sql) == {
        **{"/1/().wav": (3, 1), "/1/(0, 1, 2).wav": (0, 1), "/1/(1,).wav": (2, 1)},
        "/2/(0,).wav": (2, 1),
    }
    assert third_version.add("/1/().wav") == "updated"
    assert third_version.store.status().earlier_decoder == 2


def test_what_is_added_while_windows_are_counted_is_counted_too(
    third_version: Collection, sql: Sql, database_url: str
):
    """Counting keeps nobody out; what was written meanwhile is counted behind it."""
    from concurrent.futures import ThreadPoolExecutor

    writer = psycopg2.connect(database_url)
    with ThreadPoolExecutor(1) as pool:
        with writer, writer.cursor() as cursor:
            _put(cursor.execute, third_version, 1, "/1/late.wav", (2,))
            counting = pool.submit(third_version.store.status)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
            while sql(waiting) == [(0,)]:
                assert not counting.done()
                time.sleep(0.01)
        assert counting.result().recordings == 4
    writer.close()
    assert _searchable(sql)["/1/late.wav"] == (2, 1)
