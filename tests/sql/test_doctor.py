"""The doctor finds an installation healthy, and each sickness, and is content after the remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest
import soundfile

from soundalike.audio.sources import recording_id_of
from soundalike.cli.main import main
from soundalike.config import Settings
from soundalike.doctor import examine, exit_status
from soundalike.encoders.modulation import Modulation
from soundalike.types import IndexSpec, Recording

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer
    from tests.fixtures.doctor import Doctor

pytestmark = pytest.mark.new_database
Sql = Callable[..., Any]
SPEC = IndexSpec(Modulation.name, Modulation().fingerprint, 16, 4.0, 2.0)
DATABASE_CHECKS = (
    *("server", "pgvector", "timescaledb", "tables", "collections", "encoder", "decoder", "quality"),
    *("scores", "event scores", "integrity", "chunks", "index", "plan", "recall", "memory"),
)


@pytest.fixture
def filled(collection: Collection) -> Collection:
    """Fill the database with so many windows that there is an index."""
    collection.spec = SPEC
    for number in range(20):
        collection.add(f"/a/{number}.wav", collection.vectors(500), duration_s=1002.0)
    collection.store.finish_batch()
    return collection


@pytest.fixture
def small(collection: Collection) -> Collection:
    """Put three recordings into the database."""
    collection.spec = SPEC
    for number in range(3):
        collection.add(f"/a/{number}.wav")
    return collection


def test_a_healthy_installation(filled: Collection, doctor: Doctor):
    found = doctor.examine()

    assert {check.state for check in found.values()} == {"ok"}
    assert tuple(found)[-len(DATABASE_CHECKS) :] == DATABASE_CHECKS
    assert found["plan"].message == "searches use the index"
    assert "hnsw" in found["index"].message
    assert "of 50 stored windows" in found["recall"].message
    assert not [check.remedy for check in found.values() if check.remedy]


def test_a_small_one_and_an_empty_one(doctor: Doctor, small: Collection):
    doctor.healthy()
    small.store.reset()
    assert list(doctor.examine())[-1] == "tables"
    doctor.healthy()
    small.store.create_collection("default", SPEC)
    doctor.healthy()


def test_nothing_is_made_by_looking(doctor: Doctor, sql: Sql, clean_environ: Path):
    doctor.healthy()

    assert sql("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'") == []
    assert not clean_environ.exists()


def test_before_the_embedded_server_was_ever_started(clean_environ: Path):
    *_, last = examine(Settings.from_env())

    assert (last.name, last.state) == ("server", "ok")
    assert "soundalike index PATH" in last.message
    assert not clean_environ.exists()


# The vector index.


def test_a_dropped_index(filled: Collection, doctor: Doctor, sql: Sql):
    sql("DROP INDEX soundalike.windows_1_embedding")
    check = doctor.sick("index", "warn")
    assert check.remedy == "soundalike collections optimize default"

    doctor.mend(check)


def test_an_index_that_was_not_built_to_its_end(
    filled: Collection, doctor: Doctor, sql: Sql, database_server: DatabaseServer, database_url: str
):
    if database_server.has_timescaledb:
        # There an index cannot be built without locking, and so cannot be interrupted half-way.
        sql(
            "UPDATE pg_index SET indisvalid = false FROM pg_class AS c "
            "WHERE c.oid = indexrelid AND c.relname LIKE '%windows_1_embedding'"
        )
    else:
        sql("DROP INDEX soundalike.windows_1_embedding")
        interrupted = psycopg2.connect(database_url, options="-c statement_timeout=150")
        interrupted.autocommit = True
        with interrupted.cursor() as cursor, pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute(
                "CREATE INDEX CONCURRENTLY windows_1_embedding ON soundalike.windows_1 "
                "USING hnsw (embedding halfvec_cosine_ops)"
            )
        interrupted.close()
    check = doctor.sick("index", "warn")
    assert "is incomplete" in check.message

    doctor.mend(check)


def test_an_index_that_is_not_used(filled: Collection, doctor: Doctor, sql: Sql):
    ((name,),) = sql("SELECT current_database()")
    sql(f"ALTER DATABASE {name} SET enable_indexscan = off")
    check = doctor.sick("plan", "warn")
    assert "enable_indexscan is off (database)" in check.message

    doctor.mend(check)


def test_an_index_that_misses_what_it_should_find(filled: Collection, doctor: Doctor, sql: Sql):
    sql("DROP INDEX soundalike.windows_1_embedding")
    sql(
        "CREATE INDEX windows_1_embedding ON soundalike.windows_1 "
        "USING hnsw (embedding halfvec_cosine_ops) WITH (m = 2, ef_construction = 4)"
    )
    check = doctor.sick("recall", "warn")
    assert check.message.startswith("only 0.")

    doctor.mend(check)


# What is in the collection.


def test_another_encoder(
    collection: Collection,
    doctor: Doctor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    """The remedy embeds the files anew."""
    for number in range(2):
        path = tmp_path / f"{number}.wav"
        samples = 0.3 * np.sin(np.arange(80_000) * (0.1 + 0.1 * number))
        soundfile.write(path, samples, 16_000)
        recording = Recording(recording_id_of(path), str(path), 5.0)
        spec = replace(collection.spec, encoder="vggish", fingerprint="beef")
        collection.store.add(recording, collection.windows(2), collection.vectors(2), spec)
    check = doctor.sick("encoder", "fail")
    assert check.code == "store.model_mismatch"
    assert "SOUNDALIKE_MODEL=vggish" in check.message
    assert exit_status([check]) == 5

    doctor.mend(check)


def test_the_same_encoder_with_other_weights(small: Collection, doctor: Doctor, sql: Sql):
    sql("UPDATE soundalike.collections SET fingerprint = 'beef' || fingerprint")
    check = doctor.sick("encoder", "fail")
    assert check.remedy == "soundalike reindex"


def test_many_silent_windows(small: Collection, doctor: Doctor):
    small.add("/quiet/night one.wav", small.vectors(10), silent=range(10))
    small.add("/quiet/two.wav", small.vectors(10), silent=range(2, 10))
    check = doctor.sick("quality", "warn")
    assert "56.2% of 32 windows" in check.message

    assert check.remedy == "soundalike delete '/quiet/night one.wav' /quiet/two.wav"
    doctor.mend(check)
    assert small.counts() == (3, 3, 12)


def test_scores_of_a_collection_that_has_grown(filled: Collection, doctor: Doctor, sql: Sql):
    sql("UPDATE soundalike.null_models SET model = jsonb_set(model, '{collection_size}', '10')")
    check = doctor.sick("scores", "warn")
    assert check.message.startswith("half of 190 pairs of unrelated recordings score below")
    assert "with 10 recordings in place of 20" in check.message

    assert check.remedy == "soundalike collections optimize default"
    doctor.mend(check)
    doctor.healthy()


def test_scores_that_were_not_compared_yet(filled: Collection, doctor: Doctor, sql: Sql):
    sql("DELETE FROM soundalike.null_models")
    doctor.healthy()
    found = doctor.examine()["scores"]
    assert found.message == "the next search compares unrelated recordings"


def test_windows_that_are_missing(small: Collection, doctor: Doctor, sql: Sql):
    key = small.recording("/a/1.wav").recording_id
    sql("DELETE FROM soundalike.windows_1 WHERE recording_id = %s AND window_index > 1", (key,))
    check = doctor.sick("integrity", "warn")
    assert check.remedy == f"soundalike delete {key} && soundalike index /a/1.wav"

    assert main(["delete", key]) == 0
    doctor.healthy()


def test_recordings_without_a_path(small: Collection, doctor: Doctor, sql: Sql):
    sql("DELETE FROM soundalike.files WHERE uri <> '/a/1.wav'")
    check = doctor.sick("integrity", "warn")
    assert check.message == "2 recordings have no path"

    doctor.mend(check)
    assert small.counts() == (1, 1, 4)


def test_what_is_left_of_something_unfinished(small: Collection, doctor: Doctor):
    small.store.create_collection("default~rebuild", SPEC)
    check = doctor.sick("collections", "warn")
    assert check.remedy == "soundalike collections drop 'default~rebuild' --yes"

    doctor.mend(check)


def test_another_collection(small: Collection, doctor: Doctor):
    small.store.create_collection("birds", SPEC)
    doctor.healthy(collection="birds")
    check = doctor.sick("collections", "warn", collection="fish")
    assert "birds, default" in check.message
    assert check.remedy == "soundalike index --collection fish PATH"


def test_compressed_chunks(
    filled: Collection, doctor: Doctor, sql: Sql, database_server: DatabaseServer
):
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    sql("ALTER TABLE soundalike.windows_1 SET (timescaledb.compress)")
    sql("SELECT compress_chunk(c) FROM show_chunks('soundalike.windows_1') AS c")
    sql("SELECT add_compression_policy('soundalike.windows_1', INTERVAL '1 year')")
    found = doctor.examine()
    check = found["chunks"]
    assert (check.state, found["plan"].state) == ("warn", "warn")
    assert "1 of 1 are compressed, and a job compresses more" in check.message

    doctor.mend(check)


# The database.


def test_tables_of_a_later_version(small: Collection, doctor: Doctor, sql: Sql):
    sql("UPDATE soundalike.schema_version SET version = 99")
    check = doctor.sick("tables", "fail")
    assert check.code == "store.schema_mismatch"
    assert check.remedy == "soundalike reset --yes"

    doctor.mend(check)


def test_tables_of_an_older_version(doctor: Doctor, sql: Sql):
    sql("CREATE EXTENSION vector")
    sql((Path(__file__).parent / "old" / "schema_1.sql").read_text(encoding="utf-8"))
    check = doctor.sick("tables", "warn")
    assert check.message.startswith("version 1; the next command migrates them to")

    doctor.mend(check)


def test_pgvector_was_dropped(small: Collection, doctor: Doctor, sql: Sql):
    sql("DROP EXTENSION vector CASCADE")
    check = doctor.sick("pgvector", "fail")
    assert check.code == "store.extension_missing"

    doctor.mend(check)


def test_an_older_pgvector(small: Collection, doctor: Doctor, sql: Sql):
    """The library is the same; what is older is what the database notes of it."""
    sql("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    check = doctor.sick("pgvector", "fail")
    assert "0.7.4" in check.message
    sql("UPDATE pg_extension SET extversion = '0.8.0' WHERE extname = 'vector'")

    doctor.mend(check)
    assert sql("SELECT extversion <> '0.8.0' FROM pg_extension WHERE extname = 'vector'") == [(True,)]


def test_a_role_that_may_create_nothing(
    doctor: Doctor,
    database_server: DatabaseServer,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
):
    with database_server.role(database_url, "Geheimnis") as (name, url):
        monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", url)
        check = doctor.sick("pgvector", "fail")
        assert "CREATE EXTENSION vector" in (check.remedy or "")
        assert f"-U {name}" in (check.remedy or "")

        doctor.mend(check)


def test_a_role_that_may_not_read_the_tables(
    small: Collection,
    doctor: Doctor,
    database_server: DatabaseServer,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
):
    with database_server.role(database_url, "Geheimnis") as (_, url):
        monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", url)
        check = doctor.sick("tables", "fail")
        assert "denies permission" in check.message

        doctor.mend(check)


def test_one_check_that_breaks_leaves_the_others_alone(small: Collection, doctor: Doctor, sql: Sql):
    sql("DROP TABLE soundalike.files")
    found = doctor.examine()

    assert [name for name, check in found.items() if check.state == "fail"] == ["integrity"]
    assert found["integrity"].code == "store.error"
    assert tuple(found)[-len(DATABASE_CHECKS) :] == DATABASE_CHECKS


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch, clean_environ: Path):
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", "postgresql://ann:Geheimnis@127.0.0.1:1/sounds")
    found = list(examine(Settings.from_env()))

    assert [check.name for check in found if check.state != "ok"] == ["server"]
    assert found[-1].code == "store.unavailable"
    assert found[-1].remedy == "pg_isready -d postgresql://ann@127.0.0.1:1/sounds"
    assert exit_status(found) == 5
