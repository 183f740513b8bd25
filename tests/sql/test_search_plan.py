"""The HNSW index is built when it is worth it, is used, and finds what an exact search finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest

from soundalike.filters import Filters
from soundalike.store import MemoryStore, PostgresStore
from soundalike.store.connection import Database
from soundalike.types import FloatArray

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

Sql = Callable[..., Any]
N_RECORDINGS, N_WINDOWS, N_CLUSTERS = 800, 5, 60
N_RARE = N_RECORDINGS // 100


class RecordingCursor(psycopg2.extensions.cursor):
    """Remembers what it has executed, with the values in it."""

    executed: list[str] = []  # noqa: RUF012 - shared on purpose: the store makes the cursors

    def execute(self, query: Any, values: Any = None) -> None:
        """Execute and remember."""
        super().execute(query, values)
        self.executed.append(self.query.decode())


def _clustered(rng: np.random.Generator) -> list[FloatArray]:
    """Return the windows of each recording: around a centre, as sounds of a kind are."""
    centres = rng.standard_normal((N_CLUSTERS, 16))
    rows = centres[np.arange(N_RECORDINGS) % N_CLUSTERS][:, np.newaxis]
    rows = rows + 0.4 * rng.standard_normal((N_RECORDINGS, N_WINDOWS, 16))
    return list((rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32))


def _fill(collection: Collection, recordings: list[FloatArray]) -> None:
    for number, rows in enumerate(recordings):
        label = "rare" if number % (N_RECORDINGS // N_RARE) == 0 else "common"
        collection.add(f"/a/{number:04}.wav", rows, label=label)


@pytest.fixture(scope="module")
def recordings() -> list[FloatArray]:
    return _clustered(np.random.default_rng(7))


@pytest.fixture(scope="module")
def filled_url(
    database_server: DatabaseServer,
    recordings: list[FloatArray],
    collection_of: Callable[..., Collection],
) -> Iterator[str]:
    """Fill a database with some thousand windows and their index, to be read only."""
    with database_server.database() as url:
        store = PostgresStore(Database(lambda: psycopg2.connect(url), "test"), exact_below=1000)
        _fill(collection_of(store, np.random.default_rng(8)), recordings)
        assert store.status().index == "exact"
        store.finish_batch()
        store.close()
        yield url


#: Leave the planner nothing but the vector index to sort by distance.
_INDEX_ONLY = "-c enable_sort=off -c enable_seqscan=off -c enable_incremental_sort=off"


@pytest.fixture
def open_filled(
    filled_url: str, rng: np.random.Generator, collection_of: Callable[..., Collection]
) -> Iterator[Callable[[str], Collection]]:
    """Open the filled database with these settings of the planner."""
    stores: list[PostgresStore] = []
    RecordingCursor.executed.clear()

    def connect(options: str = "") -> Collection:
        def open_connection() -> Any:
            return psycopg2.connect(filled_url, options=options, cursor_factory=RecordingCursor)

        stores.append(PostgresStore(Database(open_connection, "test")))
        return collection_of(stores[-1], rng)

    yield connect
    for store in stores:
        store.close()


@pytest.fixture
def filled(open_filled: Callable[..., Collection]) -> Collection:
    return open_filled()


@pytest.fixture(scope="module")
def exact(recordings: list[FloatArray], collection_of: Callable[..., Collection]) -> Collection:
    """Keep the same recordings in memory."""
    collection = collection_of(MemoryStore(), np.random.default_rng(8))
    _fill(collection, recordings)
    return collection


def _plan_of_last_search(url: str, options: str = "") -> str:
    message = next(
        text for text in reversed(RecordingCursor.executed) if "<=>" in text and "+ 0" not in text
    )
    *settings, search = (text for text in message.split(";") if text.strip())
    connection = psycopg2.connect(url, options=options)
    try:
        with connection.cursor() as cursor:
            for setting in settings:
                cursor.execute(setting)
            cursor.execute("EXPLAIN " + search)
            return "\n".join(line for (line,) in cursor.fetchall())
    finally:
        connection.close()


def test_the_index_is_built_once_there_are_enough_windows(
    collection: Collection, connect_store: Callable[..., PostgresStore]
):
    collection.store = connect_store(exact_below=8)
    collection.store.finish_batch()
    collection.add("/a/one.wav")
    collection.store.finish_batch()
    assert collection.store.status().index == "exact"

    collection.add("/a/two.wav")
    collection.store.finish_batch()
    assert collection.store.status().index == "hnsw"
    collection.store.finish_batch()


class CrampedCursor(psycopg2.extensions.cursor):
    """Of a server whose shared memory is too small for several processes that build an index."""

    def execute(self, query: Any, values: Any = None) -> None:
        """Execute, or fail as PostgreSQL does in a container with 64 MB of it."""
        if "USING hnsw" in str(query):
            super().execute("SHOW max_parallel_maintenance_workers")
            if self.fetchone() != ("0",):
                super().execute("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$")
        super().execute(query, values)


def test_the_index_is_built_by_one_process_where_shared_memory_is_short(
    collection: Collection, database_url: str
):
    cramped = Database(lambda: psycopg2.connect(database_url, cursor_factory=CrampedCursor), "test")
    collection.store = PostgresStore(cramped, exact_below=4)
    collection.add("/a/one.wav")
    collection.store.finish_batch()

    assert collection.store.status().index == "hnsw"
    assert list(collection.found()) == ["/a/one.wav"]
    collection.store.close()


def test_windows_that_come_after_the_index_are_found(
    collection: Collection, connect_store: Callable[..., PostgresStore]
):
    collection.store = connect_store(exact_below=4)
    collection.add("/a/one.wav")
    collection.store.finish_batch()
    rows = collection.vectors(4)
    collection.add("/a/two.wav", rows, silent=[3])

    assert collection.hits(rows[0])[0].score > 0.999
    assert len(collection.hits(rows[0])) == 7


@pytest.mark.parametrize("n_query_windows", [1, 4])
def test_the_index_serves_the_search(filled: Collection, filled_url: str, n_query_windows: int):
    assert filled.store.status().index == "hnsw"
    filled.hits(filled.vectors(n_query_windows), top_k=10)

    plan = _plan_of_last_search(filled_url)
    assert "Index Scan using" in plan
    assert "windows_1_embedding" in plan
    assert "Order By: (embedding <=>" in plan


def test_the_recall_at_10_is_close_to_an_exact_search(
    filled: Collection, exact: Collection, recordings: list[FloatArray]
):
    recalls = []
    for rows in recordings[::20]:
        query = rows[0] + 0.1 * filled.vectors(1)[0]
        found = _best_recordings(filled, query, 10)
        recalls.append(len(found & _best_recordings(exact, query, 10)) / 10)

    assert np.mean(recalls) >= 0.95


def _best_recordings(collection: Collection, query: FloatArray, count: int) -> set[str]:
    best: dict[str, None] = {}
    for hit in collection.hits(query, top_k=count):
        best.setdefault(hit.recording_id)
    return set(list(best)[:count])


@pytest.mark.parametrize("options", ["", _INDEX_ONLY], ids=["the planner's way", "by the index"])
@pytest.mark.parametrize("top_k", [5, N_RARE])
def test_a_filter_that_few_pass_still_gives_top_k_recordings(
    open_filled: Callable[[str], Collection],
    exact: Collection,
    filled_url: str,
    top_k: int,
    options: str,
):
    """An index by itself gives its nearest rows, of which hardly one passes."""
    rare = Filters(labels=("rare",))
    filled = open_filled(options)
    query = filled.vectors(2)
    found = filled.store.search(query, filled.spec, top_k=top_k, filters=rare)

    assert len(found.recordings) >= top_k
    assert {recording.label for recording in found.recordings.values()} == {"rare"}
    expected = exact.store.search(query, exact.spec, top_k=top_k, filters=rare)
    best = {hit.recording_id: hit.score for hit in sorted(expected.hits, key=lambda h: h.score)}
    wanted = sorted(best, key=lambda key: -best[key])[:top_k]
    assert set(wanted) <= found.recordings.keys()
    if options:
        assert "windows_1_embedding" in _plan_of_last_search(filled_url, options)


def test_excluding_the_best_recording_brings_the_next(
    filled: Collection, exact: Collection, recordings: list[FloatArray]
):
    query = recordings[123][0]
    own = filled.recording("/a/0123.wav").recording_id
    assert filled.hits(query)[0].recording_id == own

    hits = filled.hits(query, exclude_recording_id=own)
    assert own not in {hit.recording_id for hit in hits}
    assert hits[0].score == pytest.approx(exact.hits(query, exclude_recording_id=own)[0].score, abs=2e-3)


def test_many_recordings_can_be_asked_for(filled: Collection):
    found = filled.store.search(filled.vectors(1), filled.spec, top_k=N_RECORDINGS, filters=Filters())
    assert len(found.recordings) == N_RECORDINGS


def test_two_processes_may_finish_their_batches_at_once(
    collection: Collection, connect_store: Callable[..., PostgresStore]
):
    """Both find that there is no index, and both begin to build it."""
    collection.add("/a/long.wav", collection.vectors(4000), duration_s=8002.0)
    stores = [connect_store(exact_below=100) for _ in range(3)]
    barrier = Barrier(len(stores))

    def finish(store: PostgresStore) -> None:
        store.status()
        barrier.wait()
        store.finish_batch()

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(finish, stores))
    assert stores[0].status().index == "hnsw"
