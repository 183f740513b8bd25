"""The retention of docs/backup.md: old windows go, and nothing takes them for missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest
import soundfile

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.archive import export_collection
from soundalike.audio.excerpt import WHOLE
from soundalike.cli.main import main
from soundalike.encoders.modulation import Modulation
from soundalike.errors import RecordingNotFound
from soundalike.search.queries import stored_query
from soundalike.types import IndexSpec

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer
    from tests.fixtures.doctor import Doctor

Sql = Callable[..., Any]
PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")
PROCEDURE, CALL, JOB, AGGREGATE, VIEW, BY_DAY = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
NOW = datetime.now(UTC)
RATE_HZ = 16_000


def _ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.fixture
def aged(collection: Collection, sql: Sql, database_server: DatabaseServer) -> Collection:
    """Store an old recording, one that is just too old, a new one, and one of an unknown time."""
    collection.spec = IndexSpec(Modulation.name, Modulation().fingerprint, 16, 4.0, 2.0)
    collection.store.create_collection("default", collection.spec)
    if database_server.has_timescaledb:
        sql(JOB.split("\n")[1])
    # Its last windows are later than the cutoff.
    ((over,),) = sql("SELECT now() - interval '2 years 1 second'")
    for uri, start in (
        ("/old.wav", _ago(days=1200)),
        ("/over.wav", over),
        ("/new.wav", _ago(days=20)),
        ("/undated.wav", None),
    ):
        collection.add(uri, recorded_at=start)
    key = collection.recording("/old.wav").recording_id
    collection.store.annotate(
        [StoredAnnotation(0, key, "/old.wav", Annotation(0.0, 1.0, "owl"), "me", NOW, 10.0)]
    )
    sql(PROCEDURE)
    return collection


def test_old_windows_go_and_the_rest_stays(aged: Collection, sql: Sql, doctor: Doctor, tmp_path: Path):
    doctor.healthy()
    sql(CALL)
    sql(CALL)

    doctor.healthy()
    assert set(aged.found()) == {"/new.wav", "/undated.wav"}
    assert sql("SELECT count(*) FROM soundalike.windows_1") == [(8,)]
    assert aged.counts() == (4, 4, 8)
    assert aged.store.status().unsearchable == 0
    assert [found.annotation.label for found in aged.store.annotations()] == ["owl"]
    assert {file.uri: file.recorded_at for file in aged.store.files()}["/old.wav"] == _ago(days=1200)

    key = aged.recording("/old.wav").recording_id
    with pytest.raises(RecordingNotFound):
        stored_query(aged.store, key, WHOLE, ["default"])
    assert export_collection(aged.store, tmp_path / "x.zip").recordings == 2
    sql("UPDATE soundalike.recordings SET decoder_version = 0")
    assert aged.store.status().earlier_decoder == 2
    assert {file.uri for file in aged.store.outdated_files()} == {"/new.wav", "/undated.wav"}


def test_a_job_of_timescaledb_drops_chunks(aged: Collection, sql: Sql, database_server: DatabaseServer):
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    chunks = "SELECT count(*) FROM show_chunks('soundalike.windows_1')"
    ((before,),) = sql(chunks)
    ((job,),) = sql(JOB.split("\n")[2])
    sql(f"CALL run_job({job})")
    sql(f"SELECT delete_job({job})")

    ((after,),) = sql(chunks)
    assert after < before
    assert set(aged.found()) == {"/new.wav", "/undated.wav"}


def test_a_collection_that_does_not_exist_is_refused(aged: Collection, sql: Sql):
    with pytest.raises(psycopg2.errors.RaiseException, match="name of a collection"):
        sql(CALL.replace("default", "defalut"))


@pytest.fixture
def watched(collection: Collection, sql: Sql) -> dict[datetime, int]:
    """Store events of two hours, one of which is older than a year; return their numbers."""
    collection.store.create_collection("default", collection.spec)
    hours = {_hour(days=500): 3, _hour(days=3): 2}
    for hour, number in hours.items():
        for minute in range(number):
            details = (
                {"score": 1.5 + minute, "threshold": 1.0} if minute else {"error_code": "audio.empty"}
            )
            sql(
                "INSERT INTO soundalike.watch_events "
                "VALUES (gen_random_uuid(), 'pump7', %s, 1, 1, %s, %s, %s)",
                (f"{minute}.wav", hour + timedelta(minutes=minute), minute == 1, json.dumps(details)),
            )
    return hours


def _hour(**ago: float) -> datetime:
    return _ago(**ago).replace(minute=0, second=0, microsecond=0)


HOURS = "SELECT hour, recordings, anomalous, failed, highest FROM soundalike.watched_hours ORDER BY hour"


def test_counts_outlive_dropped_events(
    watched: dict[datetime, int], sql: Sql, database_server: DatabaseServer
):
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    *statements, refreshed, kept = [text for text in AGGREGATE.split(";\n") if text.strip()]
    for statement in statements:
        sql(statement)
    policies = [sql(statement)[0][0] for statement in (refreshed, kept)]
    expected = _rows(watched)
    assert sql(HOURS) == expected

    for policy in (*policies[::-1], policies[0]):
        sql(f"CALL run_job({policy})")
    ((left,),) = sql("SELECT count(*) FROM soundalike.watch_events")
    assert left == 2
    assert sql(HOURS) == expected
    assert [row[1:] for row in sql(BY_DAY)] == [(2, 1, 2.5)]


def test_the_view_counts_the_same(watched: dict[datetime, int], sql: Sql):
    sql(VIEW)
    assert sql(HOURS) == _rows(watched)
    assert [row[1:] for row in sql(BY_DAY)] == [(2, 1, 2.5)]


def _rows(hours: dict[datetime, int]) -> list[tuple[Any, ...]]:
    return [(hour, number, 1, 1, number + 0.5) for hour, number in hours.items()]


def test_sync_does_not_index_expired_files_again(
    doctor: Doctor, sql: Sql, rng: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for start in (_ago(days=1200), _ago(days=20)):
        noise = rng.uniform(-0.1, 0.1, 5 * RATE_HZ).astype(np.float32)
        soundfile.write(folder / f"{start:%Y%m%d_%H%M%S}.wav", noise, RATE_HZ)
    index = ["index", str(folder), "--model", "logmel-modulation", "--json"]
    assert main(index) == 0
    sql(PROCEDURE)
    sql(CALL)
    capsys.readouterr()

    for options in ([], ["--prune"], ["--checksum"]):
        assert main([*index, *options]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["outcome"] for row in rows] == ["unchanged", "unchanged"]
    old, new = sorted(folder.iterdir())
    assert main(["search", str(old), "--model", "logmel-modulation", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["uri"] for row in rows] == [str(new)]
    doctor.healthy()
