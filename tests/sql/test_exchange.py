"""From one database into another: the same rows, the same answers, and little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.archive import export_collection, import_collection, open_archive
from soundalike.config import Settings
from soundalike.errors import ModelMismatch
from soundalike.filters import Filters
from soundalike.store import PostgresStore, open_store
from soundalike.types import FileStat

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

NOON = datetime(2025, 5, 1, 12, 0, 0, 250_001, tzinfo=UTC)
#: All but numbers of collections and times of indexing.
TABLES = {
    "collections": "name, encoder, fingerprint, dimension, window_s, stride_s",
    "recordings": "recording_id, duration_s, recorded_at, recorded_at_source, n_windows",
    "files": "uri, recording_id, label, tags, size_bytes, mtime_ns",
    "windows_1": "recording_id, window_index, window_time, start_s, end_s, quality, embedding::text",
}


def _dump(server: DatabaseServer, url: str) -> dict[str, list[Any]]:
    return {
        table: server.sql(f"SELECT {columns} FROM soundalike.{table} ORDER BY 1, 2", url=url)
        for table, columns in TABLES.items()
    }


def test_another_database_holds_the_same_rows_and_gives_the_same_answers(
    collection: Collection, database_server: DatabaseServer, database_url: str, tmp_path: Path
):
    for number in range(30):
        collection.add(
            f"/a/{number}.wav",
            label=None if number % 3 else f"kind {number}",
            tags={"n": number / 7, "deep": {"list": [1, None, "ä"]}},
            silent=[number % 6],
            recorded_at=None if number % 4 else NOON - timedelta(days=200 * number),
            recorded_at_source=None if number % 4 else "metadata",
            duration_s=10.0 + number / 3,
            stat=FileStat(number, 10**18 + number) if number % 2 else None,
        )
    collection.link("/b/copy.wav", "/a/3.wav", label="copy")
    export_collection(collection.store, tmp_path / "x.zip")

    with database_server.database() as url:
        other = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
        try:
            with open_archive(tmp_path / "x.zip") as archive:
                import_collection(other, archive)
            assert _dump(database_server, url) == _dump(database_server, database_url)

            for top_k in (1, 5, 100):
                query = collection.vectors(3)
                here, there = (
                    store.search(query, collection.spec, top_k=top_k, filters=Filters())
                    for store in (collection.store, other)
                )
                assert sorted(map(repr, here.hits)) == sorted(map(repr, there.hits))
                assert here.recordings == there.recordings
        finally:
            other.close()


def test_what_is_imported_gets_its_index(
    collection: Collection, connect_store: Callable[..., PostgresStore], tmp_path: Path
):
    collection.add("/a/one.wav", collection.vectors(60), duration_s=122.0)
    store = connect_store(exact_below=50)
    export_collection(store, tmp_path / "x.zip")
    with open_archive(tmp_path / "x.zip") as archive:
        import_collection(store, archive, collection="twin")

    assert store.status(collection="twin").index == "hnsw"


def test_a_large_collection_stays_out_of_memory(
    collection: Collection,
    connect_store: Callable[..., PostgresStore],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("soundalike.archive.exporting.PART_WINDOWS", 1000)
    collection.spec = replace(collection.spec, dimension=512)
    rows = np.tile(np.eye(512, dtype=np.float32), (2, 1))
    for number in range(25):
        collection.add(f"/a/{number}.wav", rows, duration_s=2050.0)
    store = connect_store(exact_below=10**6)
    path = tmp_path / "x.zip"
    tracemalloc.start()
    try:
        export_collection(store, path)
        with open_archive(path) as archive:
            import_collection(store, archive, collection="twin")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert store.status(collection="twin").windows == 25_600
    assert path.stat().st_size > 26e6
    assert peak < 13e6


def test_a_collection_that_is_replaced_while_it_is_read(
    collection: Collection, connect_store: Callable[..., PostgresStore], tmp_path: Path
):
    for number in range(4):
        collection.add(f"/a/{number}.wav", collection.vectors(1500), duration_s=3002.0)

    def put_another(done: int) -> None:
        if done == 1:
            other = connect_store()
            other.drop_collection("default")
            other.create_collection("default", collection.spec)

    with pytest.raises(ModelMismatch, match="was replaced while it was being read"):
        export_collection(collection.store, tmp_path / "x.zip", on_progress=put_another)
    assert not list(tmp_path.iterdir())
