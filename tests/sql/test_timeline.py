"""Counting by time: PostgreSQL, with TimescaleDB and without, counts what memory counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest

from soundalike.clock.start_time import zone_named
from soundalike.filters import Filters
from soundalike.store import MemoryStore, PostgresStore
from soundalike.store.connection import Database

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

ZONES = (
    *("UTC", "Europe/Berlin", "CET", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata"),
    *("Pacific/Apia", "+02:00", "-03:30"),
)
#: Around changes of clocks, and a day that Apia left out.
CHANGES = ("2024-03-10", "2024-11-03", "2024-04-06", "2024-10-27", "2024-03-31", "2011-12-30")


@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
def test_all_stores_count_alike(
    collection: Collection, collection_of: Callable[..., Collection], bucket: Any
):
    rng, memory = collection.rng, collection_of(MemoryStore(), collection.rng)
    for number in range(150):
        change = datetime.fromisoformat(CHANGES[number % len(CHANGES)]).replace(tzinfo=UTC)
        at = change + timedelta(minutes=int(rng.integers(-2000, 2000)), microseconds=number)
        rows = collection.vectors(int(rng.integers(1, 9)))
        for each in (collection, memory):
            each.add(f"/{number:03}.wav", rows, silent=[5], recorded_at=None if number % 25 == 0 else at)

    recent = datetime(2024, 1, 1, tzinfo=UTC)
    for zone in map(zone_named, ZONES):
        query = collection.vectors(3)
        for narrowed in ({"since": recent}, {"time_of_day": (time(22), time(5)), "time_zone": zone}, {}):
            if bucket == "hour" and "since" not in narrowed:
                narrowed = {**narrowed, "since": recent}
            found, expected = (
                each.store.count_by_time(
                    query,
                    collection.spec,
                    min_score=0.2,
                    bucket=bucket,
                    zone=zone,
                    filters=Filters(**narrowed),
                )
                for each in (collection, memory)
            )
            assert found == expected, (zone, narrowed)
            assert sum(bucket.count for bucket in found.buckets) > 10
            starts = [(bucket.start, bucket.start.utcoffset()) for bucket in found.buckets]
            assert len(set(starts)) == len(starts)


def test_timescaledb_makes_its_own_buckets(
    collection: Collection, database_url: str, database_server: DatabaseServer
):
    executed: list[str] = []

    class Recording(psycopg2.extensions.cursor):
        def execute(self, query: Any, values: Any = None) -> None:
            super().execute(query, values)
            executed.append(self.query.decode())

    collection.add("/a.wav", recorded_at=datetime(2025, 5, 1, tzinfo=UTC))
    store = PostgresStore(
        Database(lambda: psycopg2.connect(database_url, cursor_factory=Recording), "test")
    )
    store.count_by_time(
        np.ones((1, 16), np.float32),
        collection.spec,
        min_score=-1,
        bucket="day",
        zone=UTC,
        filters=Filters(),
    )
    store.close()

    assert ("time_bucket(" in executed[-1]) == database_server.has_timescaledb
    assert ("date_trunc(" in executed[-1]) != database_server.has_timescaledb
