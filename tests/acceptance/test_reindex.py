"""An index made anew with other settings, while the old one serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cli = Callable[..., Any]
Rows = Callable[..., Any]
Sql = Callable[..., Any]
SHORT = ("--window-size", "1", "--stride", "1")
N_FILES = 40


@pytest.fixture
def indexed(cli: Cli, sounds: Path) -> Path:
    """Index the sounds with windows of 4 s."""
    done = cli("index", sounds, "--tag", "site=pond")
    assert done.returncode == 0, done.stderr
    return sounds


def _status(cli: Cli, rows_of: Rows) -> dict[str, Any]:
    (row,) = rows_of(cli("status", "--json"))
    found: dict[str, Any] = row
    return found


def _windows(sql: Sql) -> list[Any]:
    """Return all windows, whichever table they are in."""
    ((number,),) = sql("SELECT collection_id FROM soundalike.collections")
    found: list[Any] = sql(
        "SELECT recording_id, window_index, window_time, end_s, quality, embedding::text "
        f"FROM soundalike.windows_{number} ORDER BY 1, 2"
    )
    return found


def test_the_new_index_is_what_a_fresh_one_would_be(indexed: Path, cli: Cli, rows_of: Rows, sql: Sql):
    done = cli("reindex", *SHORT, "--json")
    assert done.returncode == 0, done.stderr
    assert {row["uri"] for row in rows_of(done)} == {str(p) for p in indexed.rglob("*.wav")}
    assert "has taken the old one's place" in done.stderr
    status = _status(cli, rows_of)
    assert (status["window_s"], status["dimension"], status["files"]) == (1.0, 128, 3)
    rebuilt = _windows(sql)
    files = sql("SELECT uri, label, tags FROM soundalike.files ORDER BY 1")
    assert {(label, tags["site"]) for _, label, tags in files} == {("low", "pond"), ("deep", "pond")}

    cli("reset", "--yes")
    cli("index", indexed, *SHORT)
    assert rebuilt == _windows(sql)


def test_an_index_that_is_as_wanted_is_left_alone(indexed: Path, cli: Cli, sql: Sql):
    before = _windows(sql)
    done = cli("reindex")

    assert done.returncode == 0
    assert "nothing to do" in done.stderr
    assert _windows(sql) == before


def test_a_file_that_is_gone_keeps_the_old_index_in_place(indexed: Path, cli: Cli, rows_of: Rows):
    (indexed / "low" / "a.wav").rename(indexed / "elsewhere.wav")
    done = cli("reindex", *SHORT, "--json")

    assert done.returncode == 3
    failed = [row for row in rows_of(done) if row["outcome"] == "failed"]
    assert [(row["uri"], row["error_code"]) for row in failed] == [
        (str(indexed / "low" / "a.wav"), "audio.not_found")
    ]
    assert "--without-failed" in done.stderr
    assert _status(cli, rows_of)["window_s"] == 4.0
    assert len(rows_of(cli("search", indexed / "low" / "b.wav", "--json"))) == 3

    (indexed / "elsewhere.wav").rename(indexed / "low" / "a.wav")
    again = cli("reindex", *SHORT, "--json")
    assert again.returncode == 0, again.stderr
    assert "going on where it stopped: 2 files are done" in again.stderr
    assert len(rows_of(again)) == 1
    assert _status(cli, rows_of)["files"] == 3


def test_files_that_are_gone_may_go(indexed: Path, cli: Cli, rows_of: Rows):
    (indexed / "low" / "a.wav").unlink()
    done = cli("reindex", *SHORT, "--without-failed")

    assert done.returncode == 3
    status = _status(cli, rows_of)
    assert (status["window_s"], status["files"]) == (1.0, 2)


def test_another_change_of_mind_begins_anew(indexed: Path, cli: Cli, rows_of: Rows):
    (indexed / "low" / "a.wav").rename(indexed / "low" / "a")
    assert cli("reindex", *SHORT).returncode == 3
    (indexed / "low" / "a").rename(indexed / "low" / "a.wav")
    done = cli("reindex", "--window-size", "2", "--stride", "2", "--json")

    assert done.returncode == 0, done.stderr
    assert len(rows_of(done)) == 3
    assert _status(cli, rows_of)["dimension"] == 256
    (listed,) = rows_of(cli("collections", "--json"))
    assert (listed["collection"], listed["window_s"]) == ("default", 2.0)


def test_nothing_to_rebuild(cli: Cli):
    done = cli("reindex", *SHORT)
    assert done.returncode == 5
    assert "store.index_empty" in done.stderr


@pytest.fixture
def many(tmp_path: Path, write_wav: Callable[..., Path], cli: Cli) -> Path:
    """Index so many sounds that embedding them takes a while."""
    noise = np.random.default_rng(3).standard_normal((N_FILES, 30 * 16_000)) / 10
    for number, wave in enumerate(noise):
        write_wav(tmp_path / "many" / f"{number:02}.wav", wave, subtype="PCM_16")
    assert cli("index", tmp_path / "many").returncode == 0
    return tmp_path / "many"


def test_the_old_index_serves_until_a_killed_run_has_been_finished(
    many: Path, cli: Cli, rows_of: Rows, sql: Sql, start: Callable[..., Any]
):
    process = start("reindex", *SHORT, "--json")
    for _ in range(17):
        assert process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)

    assert _status(cli, rows_of)["window_s"] == 4.0
    (best, *_) = rows_of(cli("search", many / "07.wav", "--json"))
    assert best["uri"] == str(many / "07.wav")
    # What changes in the meantime is not lost.
    (many / "07.wav").rename(many.parent / "new.wav")
    assert cli("index", many.parent / "new.wav", "--label", "new").returncode == 0
    assert cli("delete", many / "07.wav").returncode == 0

    again = cli("reindex", *SHORT, "--json")
    assert again.returncode == 0, again.stderr
    assert len(rows_of(again)) < N_FILES
    status = _status(cli, rows_of)
    assert (status["window_s"], status["files"], status["windows"]) == (1.0, N_FILES, N_FILES * 30)
    rebuilt = _windows(sql)
    cli("reset", "--yes")
    cli("index", many, many.parent / "new.wav", *SHORT)
    assert rebuilt == _windows(sql)


# What an earlier decoder has decoded.


@pytest.fixture
def cut(indexed: Path, sql: Sql) -> Path:
    """Let the index be that of an earlier decoder, which lost the last two seconds."""
    _cut(sql)
    return indexed


def _cut(sql: Sql) -> None:
    sql(
        "DELETE FROM soundalike.windows_1 AS w USING soundalike.recordings AS r "
        "WHERE w.recording_id = r.recording_id AND window_index = n_windows - 1"
    )
    sql(
        "UPDATE soundalike.recordings SET decoder_version = 1, duration_s = duration_s - 2, "
        "n_windows = n_windows - 1, n_searchable = n_searchable - 1, "
        "recorded_at = recorded_at + interval '2 seconds'"
    )


def _recordings(sql: Sql) -> list[Any]:
    found: list[Any] = sql(
        "SELECT recording_id, duration_s, recorded_at, n_windows, n_searchable, decoder_version "
        "FROM soundalike.recordings ORDER BY 1"
    )
    return found


def test_what_was_cut_is_made_whole_in_place(indexed: Path, cli: Cli, rows_of: Rows, sql: Sql):
    before = _windows(sql), _recordings(sql)
    _cut(sql)
    assert (_windows(sql), _recordings(sql)) != before
    done = cli("reindex", "--json")

    assert done.returncode == 0, done.stderr
    assert "3 recordings were decoded by an earlier version" in done.stderr
    assert "3 recordings in" in done.stderr
    assert "3 updated" in done.stderr
    assert {row["outcome"] for row in rows_of(done)} == {"updated"}
    assert (_windows(sql), _recordings(sql)) == before
    assert "nothing to do" in cli("reindex").stderr


def test_what_comes_out_the_same_only_gets_the_version(indexed: Path, cli: Cli, sql: Sql):
    before = _windows(sql), _recordings(sql)
    sql("UPDATE soundalike.recordings SET decoder_version = 1")
    places = sql("SELECT ctid FROM soundalike.windows_1 ORDER BY 1")
    done = cli("reindex")

    assert done.returncode == 0, done.stderr
    assert "3 unchanged" in done.stderr
    assert (_windows(sql), _recordings(sql)) == before
    assert sql("SELECT ctid FROM soundalike.windows_1 ORDER BY 1") == places


def test_every_night_tells_of_it_and_doctor_too(cut: Path, cli: Cli, rows_of: Rows):
    assert _status(cli, rows_of)["earlier_decoder"] == 3
    done = cli("index", cut, "--json")
    told = (
        "3 recordings were decoded by an earlier version, which cut or stretched some files; soundalike "
        "reindex decodes them again"
    )
    assert done.returncode == 0, done.stderr
    assert told in done.stderr.splitlines()
    assert json.loads(done.stderr.splitlines()[-1])["summary"]["earlier_decoder"] == 3
    assert told in cli("index", cut, "--dry-run").stderr.splitlines()
    (finding,) = (row for row in rows_of(cli("doctor", "--json")) if row["name"] == "decoder")
    assert (finding["state"], finding["remedy"]) == ("warn", "soundalike reindex")

    assert cli("reindex").returncode == 0
    assert "earlier version" not in cli("index", cut).stderr
    (finding,) = (row for row in rows_of(cli("doctor", "--json")) if row["name"] == "decoder")
    assert finding["state"] == "ok"
    assert _status(cli, rows_of)["earlier_decoder"] == 0


def test_another_collection_is_named_in_the_command(sounds: Path, cli: Cli, sql: Sql):
    assert cli("index", sounds, "--collection", "birds").returncode == 0
    sql("UPDATE soundalike.recordings SET decoder_version = 1")

    said = cli("index", sounds, "--collection", "birds").stderr
    assert "; soundalike reindex --collection birds decodes them again" in said
    assert cli("reindex", "--collection", "birds").returncode == 0


def test_a_file_that_is_gone_keeps_its_windows(cut: Path, cli: Cli, rows_of: Rows):
    (cut / "low" / "a.wav").rename(cut / "a.gone")
    done = cli("reindex", "--json")

    assert done.returncode == 3
    failed = [row for row in rows_of(done) if row["outcome"] == "failed"]
    assert [(row["uri"], row["error_code"]) for row in failed] == [
        (str(cut / "low" / "a.wav"), "audio.not_found")
    ]
    assert "1 failed, 2 updated" in done.stderr
    assert "what failed stays in the index as it was" in done.stderr
    status = _status(cli, rows_of)
    assert (status["files"], status["earlier_decoder"]) == (3, 1)

    (cut / "a.gone").rename(cut / "low" / "a.wav")
    again = cli("reindex", "--json")
    assert again.returncode == 0
    assert [row["uri"] for row in rows_of(again)] == [str(cut / "low" / "a.wav")]


def test_a_killed_run_goes_on_where_it_was(
    many: Path, cli: Cli, rows_of: Rows, sql: Sql, start: Callable[..., Any]
):
    before = _windows(sql), _recordings(sql)
    _cut(sql)
    process = start("reindex", "--json")
    for _ in range(17):
        assert process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    left = _status(cli, rows_of)["earlier_decoder"]
    assert 0 < left <= N_FILES - 17
    (best, *_) = rows_of(cli("search", many / "07.wav", "--json"))
    assert best["uri"] == str(many / "07.wav")

    again = cli("reindex", "--json")
    assert again.returncode == 0, again.stderr
    assert len(rows_of(again)) == left
    assert (_windows(sql), _recordings(sql)) == before


@pytest.mark.model
def test_from_the_weight_free_encoder_to_vggish(
    indexed: Path, cli: Cli, rows_of: Rows, v1_checkpoint: Path
):
    query = indexed / "low" / "a.wav"
    refused = cli("search", query, "--checkpoint", v1_checkpoint)
    assert refused.returncode == 5
    assert "soundalike reindex" in refused.stderr

    done = cli("reindex", "--checkpoint", v1_checkpoint)
    assert done.returncode == 0, done.stderr
    (best, *_) = rows_of(cli("search", query, "--json", "--checkpoint", v1_checkpoint))
    assert (best["uri"], best["encoder"]) == (str(query), "vggish")
