"""A primary and a standby: where reads and writes go, and what a fail-over costs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg2
import pytest

from soundalike.config import Settings
from soundalike.errors import ConfigError, StoreUnavailable
from soundalike.store import PostgresStore
from soundalike.store.contents import begin_snapshot
from soundalike.store.stores import open_store
from soundalike.types import Recording
from tests.fixtures.collections import Collection
from tests.fixtures.replication import PackagedServer, url_of

Pair = tuple[PackagedServer, PackagedServer]
WHERE = "SELECT inet_server_port()"


def _open(url: str, **environ: str) -> PostgresStore:
    return open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url, **environ}))


def _sql(server: PackagedServer, statement: str) -> Any:
    connection = psycopg2.connect(server.url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def _port(cursor: Any) -> int:
    cursor.execute(WHERE)
    return int(cursor.fetchone()[0])


@contextmanager
def _paused(standby: PackagedServer) -> Iterator[None]:
    """Let a standby receive changes, and not show them."""
    _sql(standby, "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        _sql(standby, "SELECT pg_wal_replay_resume()")


def _expect_reads_see_own_writes(pair: Pair, rng: np.random.Generator) -> None:
    primary, standby = pair
    store = _open(url_of(standby, primary), SOUNDALIKE_REPLICA_WAIT_S="0.2")
    collection = Collection(store, rng)
    collection.add("/a/one.wav")
    assert store._db.run(_port) == primary.port
    assert store._db.read(_port) == standby.port
    assert set(collection.found()) == {"/a/one.wav"}

    with _paused(standby):
        collection.add("/a/two.wav")
        assert set(collection.found()) == {"/a/one.wav", "/a/two.wav"}, "read from the primary"
        other = Collection(_open(url_of(primary, standby)), rng)
        assert set(other.found()) == {"/a/one.wav"}, "it wrote nothing, so it need not wait"
        other.store.close()
        careless = Collection(_open(url_of(primary, standby), SOUNDALIKE_REPLICA_WAIT_S="none"), rng)
        careless.add("/a/three.wav")
        assert set(careless.found()) == {"/a/one.wav"}
        careless.store.close()

    collection.add("/a/four.wav")
    store._db.read(begin_snapshot)  # must be the first statement of its transaction
    store.close()


class Load:
    """Threads that add and search without a pause, and note what they were told."""

    def __init__(self, url: str, rng: np.random.Generator) -> None:
        self.acknowledged: list[str] = []
        self.searches = 0
        self.failed_searches: list[str] = []
        self.refused = 0
        self._writer, self._reader = Collection(_open(url), rng), Collection(_open(url), rng)
        self._query = rng.standard_normal((1, 16)).astype(np.float32)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._add, self._search)]

    def _add(self) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                self._writer.add(f"/load/{number}.wav")
            except StoreUnavailable:
                self.refused += 1
                continue
            self.acknowledged.append(f"/load/{number}.wav")
            number += 1

    def _search(self) -> None:
        while not self._stop.is_set():
            try:
                self._reader.hits(self._query)
            except Exception as exc:
                self.failed_searches.append(repr(exc))
            self.searches += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._writer.store.close()
        self._reader.store.close()


def _expect_nothing_is_lost(
    pair: Pair, rng: np.random.Generator, wait_until: Callable[..., Any]
) -> None:
    primary, standby = pair
    with Load(url_of(primary, standby), rng) as load:
        wait_until(lambda: len(load.acknowledged) > 20 and load.searches > 20, "load")
        primary.kill()
        searches = load.searches
        wait_until(lambda: load.searches > searches + 20, "searches without a primary")
        wait_until(lambda: load.refused > 0, "refused additions")
        late = Collection(_open(url_of(primary, standby)), rng)
        assert late.found(), "a new process searches without a primary"
        late.store.close()
        standby.promote()
        before = len(load.acknowledged)
        wait_until(lambda: len(load.acknowledged) > before + 20, "additions after the promotion")
    assert not load.failed_searches

    store = _open(url_of(primary, standby))
    stored: list[Recording] = list(store.files(under="/load"))
    assert {recording.uri for recording in stored} >= set(load.acknowledged)
    store.close()

    fresh = Collection(_open(url_of(primary, standby)), rng)
    assert len(fresh.found()) == min(1000, len(stored) + 4), "a new process finds the new primary"
    fresh.store.close()


@pytest.mark.slow
@pytest.mark.db
def test_reads_go_to_standbys_and_survive_the_primary(
    replicated: Pair, rng: np.random.Generator, wait_until: Callable[..., Any]
):
    _expect_reads_see_own_writes(replicated, rng)
    _expect_nothing_is_lost(replicated, rng, wait_until)


def test_an_unknown_target_is_refused():
    with pytest.raises(ConfigError, match=r"target_session_attrs.*'fastest'.*prefer-standby"):
        _open("postgresql://a,b/sounds?target_session_attrs=fastest")


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon", "3601"])
def test_a_wrong_wait_is_refused(seconds: str):
    with pytest.raises(ConfigError, match="SOUNDALIKE_REPLICA_WAIT_S"):
        Settings.from_env({"SOUNDALIKE_REPLICA_WAIT_S": seconds})
