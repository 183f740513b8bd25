"""Both layouts of the vector index give the same best hits, and one replaces the other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest

from soundalike.archive.exporting import export_collection
from soundalike.archive.importing import import_collection
from soundalike.archive.reading import open_archive
from soundalike.errors import ParameterError, StoreError
from soundalike.filters import Filters
from soundalike.store import MemoryStore, PostgresStore, collections, searching
from soundalike.store import sql as statements
from soundalike.store.base import Entry
from soundalike.store.connection import Database
from soundalike.types import FloatArray, IndexSpec
from tests.fixtures.collections import Collection

Sql = Callable[..., Any]
START = datetime(2025, 5, 1, tzinfo=UTC)
#: Nearly all numbers are positive, as those of real vectors: without a centre, their bits say little.
OFFSET = 2.0
INDEX_ONLY = "-c enable_seqscan=off -c enable_sort=off -c enable_incremental_sort=off"
CENTRE = "SELECT centre::text FROM soundalike.collections"
INDEX = "SELECT indexdef FROM pg_indexes WHERE indexname = 'windows_1_embedding'"


def _vectors(rng: np.random.Generator, count: int) -> FloatArray:
    rows = rng.standard_normal((count, 16)) + OFFSET
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _fill(collection: Collection, rng: np.random.Generator, n_recordings: int = 80) -> list[FloatArray]:
    stored = [_vectors(rng, 5) for _ in range(n_recordings)]
    recordings = [
        collection.recording(
            f"/a/{number:02}.wav",
            label="rare" if number % 10 == 0 else "common",
            recorded_at=START + timedelta(days=number),
        )
        for number in range(n_recordings)
    ]
    windows = collection.windows(5)
    entries = [Entry(each, windows, rows) for each, rows in zip(recordings, stored, strict=True)]
    collection.store.add_many(entries, collection.spec)
    return stored


@pytest.fixture(params=["halfvec", "bit"])
def layout(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def indexed(
    collection_of: Callable[..., Collection], database_url: str, rng: Any
) -> Iterator[Collection]:
    """Give a collection of a store that indexes any number of windows, and searches only by index."""
    database = Database(lambda: psycopg2.connect(database_url, options=INDEX_ONLY), "test")
    store = PostgresStore(database, exact_below=1)
    yield collection_of(store, rng)
    store.close()


@pytest.mark.db
def test_the_best_hits_are_those_of_an_exact_search(
    indexed: Collection, collection_of: Callable[..., Collection], rng: Any, layout: Any, sql: Sql
):
    exact = collection_of(MemoryStore(), rng)
    stored = _fill(indexed, np.random.default_rng(1))
    _fill(exact, np.random.default_rng(1))
    indexed.store.optimize(layout=layout)
    ((definition,),) = sql(INDEX)
    assert ("bit_hamming_ops" in definition) == (layout == "bit")
    assert indexed.store.status().layout == layout
    assert [each.layout for each in indexed.store.summaries()] == [layout]

    for filters in ({}, {"labels": ("rare",)}, {"since": START + timedelta(days=40)}):
        for rows in (stored[40][:1] * 7, stored[50], _vectors(rng, 1)):
            here, there = (each.hits(rows, top_k=3, **filters) for each in (indexed, exact))
            assert here[0].recording_id == there[0].recording_id
            assert np.isclose(here[0].score, there[0].score, atol=2e-3)
            assert len({hit.recording_id for hit in here}) == 3


@pytest.mark.db
def test_many_hits_come_as_from_an_exact_search(indexed: Collection, rng: Any, layout: Any):
    _fill(indexed, rng)
    indexed.store.optimize(layout=layout)

    assert len(indexed.found()) == 80
    assert len(indexed.found(labels=("rare",))) == 8
    assert len(indexed.found(until=START + timedelta(days=3))) == 3


@pytest.mark.db
def test_additions_after_the_build_are_found(indexed: Collection, rng: Any, layout: Any):
    _fill(indexed, rng)
    indexed.store.optimize(layout=layout)
    rows = _vectors(rng, 4)
    indexed.add("/a/new.wav", rows, silent=[3])

    best = indexed.hits(rows[0])[0]
    assert best.score > 0.999
    assert indexed.store.delete("/a/new.wav") == 1
    assert indexed.hits(rows[0])[0].recording_id != best.recording_id


@pytest.mark.db
def test_the_search_reads_the_index(indexed: Collection, rng: Any, layout: Any):
    _fill(indexed, rng)
    indexed.store.optimize(layout=layout)

    def explain(cursor: Any, found: Any) -> str:
        return json.dumps(searching.explain(cursor, found, _vectors(rng, 2), 8))

    plan = indexed.store._run_in_existing("default", explain)
    assert "embedding" in plan.partition('"Index Name": ')[2].partition(",")[0]
    assert ("<~>" in plan) == (layout == "bit")


@pytest.mark.db
def test_a_search_of_bits_ranks_more_windows_of_a_larger_collection(
    indexed: Collection, rng: Any, sql: Sql
):
    stored = _fill(indexed, rng)
    indexed.store.optimize(layout="bit")

    def statement(cursor: Any, found: Any) -> str:
        return searching._form(found, "", 8)[1]

    for n_windows, expected in ((0, 24), (900_000, 24), (3_900_000, 48)):
        sql("UPDATE pg_class SET reltuples = %s WHERE relname = 'windows_1'", (n_windows,))
        assert f"LIMIT {expected}\n" in indexed.store._run_in_existing("default", statement)
        assert indexed.hits(stored[3][0])[0].score > 0.999


def test_filters_do_not_make_a_search_of_bits_rank_more_windows():
    spec = IndexSpec("toy", "f00d", 4, 4.0, 2.0)
    found = collections.Collection(1, "default", spec, START, layout="bit", centre="[0, 0, 0, 0]")
    for narrowed, limit in (("", 32), ("AND true", 48)):
        settings, statement = searching._form(found, narrowed, limit)
        assert "LIMIT 96\n" in statement
        assert "hnsw.ef_search = 96;" in settings


@pytest.mark.db
def test_the_centre_belongs_to_the_index(indexed: Collection, rng: Any, sql: Sql):
    indexed.add("/a/one.wav", _vectors(rng, 4))
    indexed.store.optimize(layout="bit")
    ((before,),) = sql(CENTRE)
    assert indexed.store.drop_index()
    assert sql(CENTRE) == [(None,)]
    stored = _fill(indexed, rng)
    assert indexed.hits(stored[3][0])[0].score > 0.999

    indexed.store.finish_batch()
    ((after,),) = sql(CENTRE)
    assert after != before
    assert after in sql(INDEX)[0][0]
    assert np.allclose(json.loads(after), np.concatenate(stored).mean(axis=0), atol=0.02)
    assert indexed.hits(stored[3][0])[0].score > 0.999


@pytest.mark.db
def test_back_and_forth_while_another_process_searches(
    indexed: Collection, connect_store: Callable[..., PostgresStore], rng: Any, sql: Sql
):
    """The other process learns of the change after some seconds; until then its hits are right too."""
    stored = _fill(indexed, rng)
    other = Collection(connect_store(), rng)
    for layout in ("bit", "halfvec", "bit", "auto"):
        assert other.hits(stored[7][2])[0].score > 0.999
        indexed.store.optimize(layout=layout)
        for each in (other, indexed):
            assert each.hits(stored[7][2])[0].score > 0.999
    assert indexed.store.status().layout == "halfvec"
    assert sql(CENTRE) == [(None,)]
    assert "halfvec_cosine_ops" in sql(INDEX)[0][0]


@pytest.mark.db
def test_a_small_collection_keeps_its_layout_for_later(
    collection_of: Callable[..., Collection],
    connect_store: Callable[..., PostgresStore],
    rng: Any,
    sql: Sql,
):
    small = collection_of(connect_store(exact_below=8), rng)
    small.add("/a/one.wav")
    small.store.optimize(layout="bit")
    assert (small.store.status().index, small.store.status().layout) == ("exact", "bit")
    small.store.optimize()
    small.add("/a/two.wav")
    small.store.finish_batch()
    assert "bit_hamming_ops" in sql(INDEX)[0][0]
    assert small.store.status().layout == "bit"


@pytest.mark.db
def test_silent_windows_alone_have_an_index_of_bits(indexed: Collection, rng: Any):
    """They have no mean; a later vector is found all the same."""
    indexed.add("/a/silent.wav", _vectors(rng, 2), silent=[0, 1])
    indexed.store.optimize(layout="bit")
    rows = _vectors(rng, 2)
    indexed.add("/a/one.wav", rows)
    assert [hit.window_index for hit in indexed.hits(rows[1])] == [1, 0]


@pytest.mark.db
def test_another_name_and_a_successor_keep_the_layout(indexed: Collection, rng: Any, sql: Sql):
    rows = _fill(indexed, rng, 9)[4]
    store = indexed.store
    store.optimize(layout="bit")
    store.rename_collection("default", "birds")
    store.create_collection("next", indexed.spec, like="birds")
    assert store.status(collection="next").layout == "bit"
    store.rename_collection("birds", "default")
    assert indexed.hits(rows[1])[0].score > 0.999

    for content in store.contents():
        vectors = content.embeddings.astype(np.float32)
        store.add(content.files[0], content.windows, vectors, indexed.spec, collection="next")
    store.finish_batch(collection="next")
    assert store.replace_collection("default", "next")
    assert store.status().layout == "bit"
    assert indexed.hits(rows[1])[0].score > 0.999


@pytest.mark.db
def test_an_archive_has_no_layout(indexed: Collection, rng: Any, tmp_path: Path):
    rows = _fill(indexed, rng, 9)[4]
    indexed.store.optimize(layout="bit")
    file = tmp_path / "all.soundalike.zip"
    export_collection(indexed.store, file)
    with open_archive(file) as archive:
        import_collection(indexed.store, archive, collection="copy")
    assert indexed.store.status(collection="copy").layout == "halfvec"
    found = indexed.store.search(rows[:1], indexed.spec, top_k=1, filters=Filters(), collection="copy")
    assert max(hit.score for hit in found.hits) > 0.999


@pytest.mark.db
def test_a_change_that_fails_leaves_the_old_index(
    indexed: Collection, rng: Any, sql: Sql, monkeypatch: pytest.MonkeyPatch
):
    stored = _fill(indexed, rng, 9)
    indexed.store.optimize(layout="bit")
    before = sql(INDEX), sql(CENTRE)
    broken = dict(statements.queries(), analyze="SELECT 1 / 0")
    monkeypatch.setattr(statements, "queries", lambda: broken)
    with pytest.raises(StoreError):
        indexed.store.optimize(layout="halfvec")
    monkeypatch.undo()

    assert (sql(INDEX), sql(CENTRE)) == before
    assert indexed.store.status().layout == "bit"
    assert indexed.hits(stored[3][0])[0].score > 0.999


@pytest.mark.db
def test_a_large_index_is_built_in_as_much_memory_as_the_server_gives(
    indexed: Collection, rng: Any, sql: Sql, monkeypatch: pytest.MonkeyPatch
):
    """Two million windows of 512 numbers need 4183 MB, and get at least 2 GB."""
    _fill(indexed, rng, 9)
    windows = 2_000_000 * (512 * 2 + 970) // (16 * 2 + 970) + 1
    sql("CREATE TABLE seen (memory text)")
    for server in ("64MB", "3GB", "8GB"):
        large = dict(
            statements.queries(),
            count_rows=f"SELECT 0, 0, {windows}",
            memory_settings=f"SELECT 0, 0, pg_size_bytes('{server}')",
            analyze="INSERT INTO seen VALUES (current_setting('maintenance_work_mem'))",
        )
        monkeypatch.setattr(statements, "queries", lambda large=large: large)
        indexed.store.optimize(layout="halfvec")
    assert sql("SELECT memory FROM seen") == [("2GB",), ("3GB",), ("4183MB",)]


CHANGER = """
import sys
import psycopg2
from soundalike.store import PostgresStore
from soundalike.store.base import Entry
from soundalike.store.connection import Database
store = PostgresStore(Database(lambda: psycopg2.connect(sys.argv[1]), "test"), exact_below=1)
store.optimize(layout="halfvec")
"""
WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.mark.db
def test_a_process_that_is_killed_leaves_the_old_index(
    indexed: Collection, rng: Any, sql: Sql, database_url: str, wait_until: Callable[..., Any]
):
    stored = _fill(indexed, rng, 9)
    indexed.store.optimize(layout="bit")
    before = sql(INDEX), sql(CENTRE)
    with closing(psycopg2.connect(database_url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE soundalike.windows_1 IN ROW EXCLUSIVE MODE")
        changer = subprocess.Popen([sys.executable, "-c", CHANGER, database_url])
        try:
            wait_until(lambda: sql(WAITING), "the index is being built")
        finally:
            changer.kill()
            changer.wait(30)
        wait_until(lambda: not sql(WAITING), "the server has given up", 20)

    assert (sql(INDEX), sql(CENTRE)) == before
    assert indexed.hits(stored[3][0])[0].score > 0.999
    indexed.store.optimize(layout="halfvec")
    assert indexed.hits(stored[3][0])[0].score > 0.999


def test_unknown_layouts_are_refused(collection: Collection):
    collection.add("/a/one.wav")
    with pytest.raises(ParameterError, match="layout is 'bits'; choose one of halfvec, bit, auto"):
        collection.store.optimize(layout="bits")  # type: ignore[arg-type]


@pytest.mark.db
def test_auto_goes_by_size_and_memory(
    collection_of: Callable[..., Collection],
    connect_store: Callable[..., PostgresStore],
    rng: Any,
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
):
    long = collection_of(connect_store(exact_below=1), rng, IndexSpec("toy", "f00d", 256, 4.0, 2.0))
    short = collection_of(long.store, rng)
    for name, each, size in (("long", long, 256), ("short", short, 16)):
        rows = rng.standard_normal((4, size)).astype(np.float32)
        recording, windows = each.recording("/a/one.wav"), each.windows(4)
        each.store.add(recording, windows, rows, each.spec, collection=name)

    def chosen(name: str) -> str:
        long.store.optimize(collection=name, layout="auto")
        return long.store.status(collection=name).layout

    assert chosen("long") == "halfvec"
    little = dict(statements.queries(), memory_settings="SELECT 2000, 4000, 4000")
    monkeypatch.setattr(statements, "queries", lambda: little)
    assert [chosen("long"), chosen("short")] == ["bit", "halfvec"]
