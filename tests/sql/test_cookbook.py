"""Every statement of the cookbook runs, gives what it says, and uses the index where it says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

if TYPE_CHECKING:
    from soundalike.store import PostgresStore
    from soundalike.types import FloatArray
    from tests.fixtures.collections import Collection

COOKBOOK = Path(__file__).parents[2] / "docs" / "sql-cookbook.md"
RECIPES = re.findall(r"## ([^\n]+)\n(?:(?!\n## ).)*?```sql\n(.*?)```", COOKBOOK.read_text(), re.DOTALL)
BLOCKS = re.findall(r"```sql\n(.*?)```", COOKBOOK.read_text(), re.DOTALL)
MAY = datetime(2025, 5, 1, tzinfo=UTC)
JUNE = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def query(collection: Collection, connect_store: Callable[..., PostgresStore]) -> FloatArray:
    """Fill and index a collection; return the vector of the second window of ``/a/may.wav``."""
    rows = collection.vectors(4)
    collection.add("/a/may.wav", rows, recorded_at=MAY, label="dog")
    collection.add("/a/june.wav", rows[::-1].copy(), recorded_at=JUNE)
    for number in range(100):
        collection.add(f"/b/{number}.wav")
    connect_store(exact_below=1).finish_batch()
    return rows[1]


@pytest.fixture
def run(database_url: str, query: FloatArray) -> Callable[..., Any]:
    """Run a block, and return the rows of its SELECT by column; or only its plan."""

    def run(block: str, *, plan: bool = False) -> Any:
        # Not the cast ``::vector``.
        text = re.sub("(?<!:):vector", f"'{query.tolist()}'", block).replace(":uri", "'/a/may.wav'")
        text = text.replace("512", "16")
        connection = psycopg2.connect(database_url, options="-c enable_seqscan=off -c enable_sort=on")
        try:
            with connection, connection.cursor() as cursor:
                rows: list[dict[str, Any]] = []
                for statement in re.sub(r"--[^\n]*", "", text).split(";"):
                    if not statement.strip() or statement.strip() in ("BEGIN", "COMMIT"):
                        continue
                    is_select = statement.lstrip().startswith("SELECT")
                    cursor.execute(("EXPLAIN " if plan and is_select else "") + statement)
                    if cursor.description and is_select:
                        names = [column.name for column in cursor.description]
                        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
                return rows
        finally:
            connection.close()

    return run


def _recipe(title: str) -> str:
    (found,) = [block for name, block in RECIPES if name == title]
    return str(found)


def _recipes(title: str) -> list[str]:
    (section,) = re.findall(rf"## {title}\n(.*?)(?=\n## |\Z)", COOKBOOK.read_text(), re.DOTALL)
    return re.findall(r"```sql\n(.*?)```", section, re.DOTALL)


def _uses_the_index(plan: list[dict[str, Any]]) -> bool:
    return any("windows_1_embedding" in line for row in plan for line in row.values())


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_runs(block: str, run: Callable[..., Any], sql: Callable[..., Any]):
    needed = re.search(r"-- needs: (\w+)", block)
    if needed:
        _ensure_extension(needed.group(1), sql)
    run(block)


def _ensure_extension(name: str, sql: Callable[..., Any]) -> None:
    if sql("SELECT 1 FROM pg_extension WHERE extname = %s", (name,)):
        return
    # TimescaleDB is installed by the store, or not preloaded.
    if name == "timescaledb" or not sql(
        "SELECT 1 FROM pg_available_extensions WHERE name = %s", (name,)
    ):
        pytest.skip(f"the server has no {name}")
    sql(f"CREATE EXTENSION {name}")


def test_similar_to_a_vector(run: Callable[..., Any]):
    block = _recipe("Windows similar to a vector")
    rows = run(block)
    assert len(rows) == 10
    assert {row["uri"] for row in rows[:2]} == {"/a/may.wav", "/a/june.wav"}
    assert [round(row["score"], 2) for row in rows[:2]] == [1.0, 1.0]
    assert _uses_the_index(run(block, plan=True))


def test_similar_to_a_stored_window(run: Callable[..., Any], collection: Collection):
    block = _recipe("Windows similar to a stored window")
    rows = run(block)
    assert len(rows) == 11
    may, june = (collection.recording(f"/a/{name}.wav").recording_id for name in ("may", "june"))
    assert {(row["recording_id"], row["window_index"]) for row in rows[:2]} == {(may, 1), (june, 2)}
    assert _uses_the_index(run(block, plan=True))


def test_in_a_stretch_of_time(run: Callable[..., Any]):
    rows = run(_recipe("Windows in a period"))
    assert len(rows) == 4
    assert all(MAY <= row["window_time"] < JUNE for row in rows)


def test_what_is_known_of_each_window(run: Callable[..., Any]):
    rows = run(_recipe("All data of each window"))
    assert len(rows) == 4 * 102
    (second,) = [row for row in rows if row["audio_file"] == "/a/may.wav" and row["segment_id"] == 1]
    assert (second["segment_duration_s"], second["segment_start_time_s"]) == (4.0, 2.0)
    assert (second["embedding_dimension"], second["sample_rate"], second["label"]) == (16, 16_000, "dog")


def test_diskann_finds_what_the_other_index_finds(run: Callable[..., Any], sql: Callable[..., Any]):
    _ensure_extension("vectorscale", sql)
    make, search = _recipes("DiskANN")
    run(make)
    rows = run(search)
    assert len(rows) == 10
    assert [round(row["score"], 2) for row in rows[:2]] == [1.0, 1.0]
    plan = run(search, plan=True)
    assert any("windows_1_diskann" in line for row in plan for line in row.values())
