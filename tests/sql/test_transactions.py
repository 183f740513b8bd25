"""A recording is in entirely or not at all, whatever happens in between and whoever else writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from psycopg2.extras import Json, execute_values

from soundalike.errors import StoreError, StoreUnavailable
from soundalike.store import Outcome, PostgresStore
from soundalike.store import sql as statements
from soundalike.types import Recording

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

Sql = Callable[..., Any]
N_WRITERS = 4


pytestmark = pytest.mark.new_database


def _tables(sql: Sql) -> tuple[int, ...]:
    """Return the rows of each table, orphans included."""
    names = "recordings", "files", "windows_1"
    return tuple(sql(f"SELECT count(*) FROM soundalike.{name}")[0][0] for name in names)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(N_WRITERS) as executor:
        yield executor


@pytest.fixture
def other(database_url: str) -> Iterator[Any]:
    """Open another writer's transaction; it is rolled back unless the test commits it."""
    connection = psycopg2.connect(database_url)
    yield connection
    connection.close()


def _blocked(sql: Sql) -> list[int]:
    """Return the backends of this database that wait for somebody's lock."""
    found = sql(
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return [pid for (pid,) in found]


BUILDER = """
import sys
import psycopg2
from soundalike.store import PostgresStore
from soundalike.store.connection import Database
PostgresStore(Database(lambda: psycopg2.connect(sys.argv[1]), "test"), exact_below=1).finish_batch()
"""


def test_an_index_is_not_built_on_for_a_process_that_was_killed(
    collection: Collection, other: Any, sql: Sql, database_url: str, wait_until: Callable[..., Any]
):
    collection.add("/a/one.wav")
    with other.cursor() as cursor:
        cursor.execute("LOCK TABLE soundalike.windows_1 IN ROW EXCLUSIVE MODE")
    builder = subprocess.Popen([sys.executable, "-c", BUILDER, database_url])
    try:
        wait_until(lambda: _blocked(sql), "the index is being built")
    finally:
        builder.kill()
        builder.wait(30)

    wait_until(lambda: not _blocked(sql), "the server has given up", 20)


def test_an_index_is_built_on_servers_that_cannot_look_after_the_program(
    collection: Collection, connect_store: Callable[..., PostgresStore], monkeypatch: pytest.MonkeyPatch
):
    collection.add("/a/one.wav")
    # Refused with the same code as any interval by a server on Windows.
    refused = "SELECT set_config('client_connection_check_interval', '-2s', true)"
    monkeypatch.setitem(statements.queries(), "stop_if_alone", refused)

    connect_store(exact_below=1).finish_batch()
    assert collection.store.status().index == "hnsw"


def test_a_vector_that_the_server_refuses_leaves_nothing(collection: Collection, sql: Sql):
    collection.add("/a/one.wav")
    rows = collection.vectors(4)
    rows[3, 0] = 1e6  # more than half precision can hold

    with pytest.raises(StoreError, match="halfvec"):
        collection.add("/a/two.wav", rows)
    assert _tables(sql) == (1, 1, 4)
    assert collection.add("/a/two.wav") == "added"


def test_a_first_recording_that_is_refused_leaves_no_schema(collection: Collection, sql: Sql):
    rows = collection.vectors(4)
    rows[3, 0] = 1e6

    with pytest.raises(StoreError):
        collection.add("/a/one.wav", rows)
    assert sql("SELECT to_regnamespace('soundalike') IS NULL") == [(True,)]
    assert collection.store.status().spec is None


def test_a_replacement_that_is_refused_keeps_the_old_audio(collection: Collection, sql: Sql):
    old = collection.vectors(4)
    collection.add("/a/one.wav", old, content="old", label="dog")
    rows = collection.vectors(4)
    rows[3, 0] = 1e6

    with pytest.raises(StoreError):
        collection.add("/a/one.wav", rows, content="new", label="cat")
    assert _tables(sql) == (1, 1, 4)
    assert collection.hits(old[0])[0].score > 0.999
    assert collection.found()["/a/one.wav"].label == "dog"


def test_a_backend_that_dies_in_mid_transaction_leaves_nothing(
    collection: Collection,
    sql: Sql,
    other: Any,
    pool: ThreadPoolExecutor,
    wait_until: Callable[..., Any],
):
    collection.add("/a/known.wav")
    with other.cursor() as cursor:
        # Another writer is at the same path, so the store stops at its last statement, when
        # recording and windows are written.
        known = collection.recording("/a/known.wav").recording_id
        execute_values(cursor, statements.queries()["put_files"], [_file("/a/new.wav", known)])
    adding = pool.submit(collection.add, "/a/new.wav")
    (backend,) = wait_until(lambda: _blocked(sql), "the store waits for the other writer")
    sql("SELECT pg_terminate_backend(%s)", (backend,))
    # It is done once more; then whoever asked is told.
    (again,) = wait_until(lambda: set(_blocked(sql)) - {backend}, "the store tries again")
    sql("SELECT pg_terminate_backend(%s)", (again,))

    with pytest.raises(StoreUnavailable):
        adding.result(timeout=60)
    other.rollback()
    assert _tables(sql) == (1, 1, 4)
    assert collection.add("/a/new.wav") == "added"
    assert _tables(sql) == (2, 2, 8)


def test_a_backend_that_dies_once_is_not_noticed(
    collection: Collection,
    sql: Sql,
    other: Any,
    pool: ThreadPoolExecutor,
    wait_until: Callable[..., Any],
):
    collection.add("/a/known.wav")
    with other.cursor() as cursor:
        known = collection.recording("/a/known.wav").recording_id
        execute_values(cursor, statements.queries()["put_files"], [_file("/a/new.wav", known)])
    adding = pool.submit(collection.add, "/a/new.wav")
    (backend,) = wait_until(lambda: _blocked(sql), "the store waits for the other writer")
    sql("SELECT pg_terminate_backend(%s)", (backend,))
    wait_until(lambda: set(_blocked(sql)) - {backend}, "the store tries again")
    other.rollback()

    assert adding.result(timeout=60) == "added"
    assert _tables(sql) == (2, 2, 8)


def _file(uri: str, recording_id: str) -> tuple[Any, ...]:
    """Return a row of ``put_files`` in the first collection."""
    return (1, uri, recording_id, None, Json({}), None, None)


def _at_once(
    pool: ThreadPoolExecutor,
    stores: Sequence[PostgresStore],
    add: Callable[[PostgresStore, int], Outcome],
) -> list[Outcome]:
    barrier = Barrier(len(stores))

    def run(number: int) -> Outcome:
        barrier.wait()
        return add(stores[number], number)

    return list(pool.map(run, range(len(stores))))


@pytest.fixture
def writers(connect_store: Callable[..., PostgresStore]) -> list[PostgresStore]:
    """Open stores with a connection each."""
    return [connect_store() for _ in range(N_WRITERS)]


@pytest.fixture
def add_to(collection: Collection) -> Callable[[PostgresStore, Recording], Outcome]:
    """Add a recording with the same four vectors through whichever store."""
    rows, windows = collection.vectors(4), collection.windows(4)
    return lambda store, recording: store.add(recording, windows, rows, collection.spec)


@pytest.fixture(params=["an empty database", "a database in use"])
def rounds(request: pytest.FixtureRequest, collection: Collection) -> list[str]:
    """Name the rounds in which all write at once.

    On an empty database they all want to create the schema, which keeps them apart; afterwards they
    meet at recordings and paths, and several rounds make it likely that they do.
    """
    if request.param == "an empty database":
        return ["first"]
    collection.add("/before.wav")
    collection.store.delete("/before.wav")
    return [f"round {number}" for number in range(8)]


def test_the_same_recording_at_once_is_added_once(
    collection: Collection,
    writers: list[PostgresStore],
    pool: ThreadPoolExecutor,
    add_to: Callable[..., Outcome],
    rounds: list[str],
    sql: Sql,
):
    for name in rounds:
        recording = collection.recording(f"/a/{name}.wav")
        outcomes = _at_once(pool, writers, lambda store, _, new=recording: add_to(store, new))
        assert sorted(outcomes) == ["added", *["unchanged"] * (N_WRITERS - 1)]

    assert _tables(sql) == (len(rounds), len(rounds), 4 * len(rounds))


def test_the_same_audio_under_several_paths_at_once_is_stored_once(
    collection: Collection,
    writers: list[PostgresStore],
    pool: ThreadPoolExecutor,
    add_to: Callable[..., Outcome],
    rounds: list[str],
    sql: Sql,
):
    for name in rounds:
        paths = [collection.recording(f"/{name}/{n}.wav", name) for n in range(N_WRITERS)]
        outcomes = _at_once(pool, writers, lambda store, n, new=paths: add_to(store, new[n]))
        assert sorted(outcomes) == ["added", *["linked"] * (N_WRITERS - 1)]

    assert _tables(sql) == (len(rounds), N_WRITERS * len(rounds), 4 * len(rounds))


def test_other_audio_at_one_path_at_once_leaves_one_recording(
    collection: Collection,
    writers: list[PostgresStore],
    pool: ThreadPoolExecutor,
    add_to: Callable[..., Outcome],
    rounds: list[str],
    sql: Sql,
):
    for name in rounds:
        takes = [collection.recording(f"/a/{name}.wav", f"{name} {n}") for n in range(N_WRITERS)]
        outcomes = _at_once(pool, writers, lambda store, n, new=takes: add_to(store, new[n]))
        assert sorted(outcomes) == ["added", *["replaced"] * (N_WRITERS - 1)]

    assert _tables(sql) == (len(rounds), len(rounds), 4 * len(rounds))


def _linked_meanwhile(
    collection: Collection, other: Any, sql: Sql, change: Future[Any], wait_until: Callable[..., Any]
) -> None:
    """Commit the other writer's link once `change` waits for it, or is done."""
    wait_until(lambda: _blocked(sql) or change.done(), "the change waits or is done")
    other.commit()
    change.result(timeout=60)


@pytest.fixture
def link_uncommitted(collection: Collection, other: Any) -> None:
    """Link ``/b/copy.wav`` to the audio of ``/a/one.wav`` as a store does, up to the commit."""
    collection.add("/a/one.wav", content="song")
    recording_id = collection.recording("/a/one.wav", "song").recording_id
    values = _file("/b/copy.wav", recording_id)
    with other.cursor() as cursor:
        keys = {"collection": 1, "keys": [recording_id, "/b/copy.wav"]}
        cursor.execute(statements.queries()["lock_recordings"], keys)
        execute_values(cursor, statements.queries()["put_files"], [values])


@pytest.mark.usefixtures("link_uncommitted")
def test_deleting_the_last_path_does_not_take_one_that_is_just_being_linked(
    collection: Collection,
    other: Any,
    pool: ThreadPoolExecutor,
    sql: Sql,
    wait_until: Callable[..., Any],
):
    """Who linked the path was told that it is stored."""
    deleting = pool.submit(collection.store.delete, "/a/one.wav")
    _linked_meanwhile(collection, other, sql, deleting, wait_until)

    assert list(collection.found()) == ["/b/copy.wav"]
    assert _tables(sql) == (1, 1, 4)


@pytest.mark.usefixtures("link_uncommitted")
def test_replacing_the_last_path_does_not_take_one_that_is_just_being_linked(
    collection: Collection,
    other: Any,
    pool: ThreadPoolExecutor,
    sql: Sql,
    wait_until: Callable[..., Any],
):
    replacing = pool.submit(collection.add, "/a/one.wav", content="other")
    _linked_meanwhile(collection, other, sql, replacing, wait_until)

    assert set(collection.found()) == {"/a/one.wav", "/b/copy.wav"}
    assert _tables(sql) == (2, 2, 8)


def test_another_process_may_reset_in_between(
    collection: Collection, connect_store: Callable[..., PostgresStore]
):
    collection.add("/a/one.wav")
    connect_store().reset()

    assert collection.counts() == (0, 0, 0)
    assert collection.add("/a/one.wav") == "added"
