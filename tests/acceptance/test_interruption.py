"""Indexing that is stopped half way, or done twice at once, leaves an index that is whole."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.indexing.pipeline import BATCH_RECORDINGS

Cli = Callable[..., Any]
Sql = Callable[..., Any]
N_FILES = 48


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]) -> Path:
    """Make so many sounds that indexing them takes a while."""
    folder = tmp_path_factory.mktemp("many")
    noise = np.random.default_rng(3).standard_normal((N_FILES, 30 * 16_000)) / 10
    for number, wave in enumerate(noise):
        write_wav(folder / f"{number:02}.wav", wave, subtype="PCM_16")
    return folder


def _dump(sql: Sql) -> dict[str, Any]:
    """Return everything that is stored, but for the time of indexing."""
    return {
        "recordings": sql(
            "SELECT recording_id, duration_s, recorded_at, n_windows "
            "FROM soundalike.recordings ORDER BY 1"
        ),
        "files": sql("SELECT uri, recording_id, label, tags::text FROM soundalike.files ORDER BY 1"),
        "windows": sql(
            "SELECT recording_id, window_index, window_time, start_s, end_s, embedding::text "
            "FROM soundalike.windows_1 ORDER BY 1, 2"
        ),
    }


def _is_whole(sql: Sql) -> bool:
    """Tell whether each recording has its windows and a path, and nothing is without a recording."""
    (row,) = sql(
        """
        SELECT (SELECT count(*) FROM soundalike.recordings AS r
                WHERE r.n_windows <> (SELECT count(*) FROM soundalike.windows_1 AS w
                                      WHERE w.recording_id = r.recording_id)
                   OR NOT EXISTS (SELECT FROM soundalike.files AS f
                                  WHERE f.recording_id = r.recording_id)),
               (SELECT count(DISTINCT recording_id) FROM soundalike.windows_1),
               (SELECT count(*) FROM soundalike.recordings)
        """
    )
    broken, with_windows, recordings = row
    return bool(broken == 0 and with_windows == recordings)


@pytest.fixture
def undisturbed(cli: Cli, many: Path, sql: Sql) -> dict[str, Any]:
    """Return what is stored after a run that nothing has disturbed, and begin anew."""
    done = cli("index", many)
    assert done.returncode == 0, done.stderr
    found = _dump(sql)
    assert cli("reset", "--yes").returncode == 0
    return found


def _after_first_rows(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_ctrl_c_keeps_what_was_finished(
    start: Callable[..., Any], cli: Cli, rows_of: Callable[..., Any], many: Path, sql: Sql
):
    process = start("index", many, "--json")
    rows = _after_first_rows(process, 3)
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)

    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "interrupted" in said
    told = [row for row in rows + rest.splitlines() if row.strip()]
    assert 3 <= len(told) < N_FILES
    assert _is_whole(sql)
    ((stored,),) = sql("SELECT count(*) FROM soundalike.files")
    # What is stored together may not have been told any more.
    assert len(told) <= stored <= len(told) + BATCH_RECORDINGS
    again = cli("index", many, "--json")
    outcomes = [row["outcome"] for row in rows_of(again)]
    assert outcomes.count("unchanged") == stored
    assert outcomes.count("added") == N_FILES - stored


def test_after_a_kill_the_next_run_gives_what_an_undisturbed_one_gives(
    undisturbed: dict[str, Any], start: Callable[..., Any], cli: Cli, many: Path, sql: Sql
):
    process = start("index", many, "--json")
    _after_first_rows(process, 20)
    process.kill()
    process.communicate(timeout=60)
    assert _is_whole(sql)
    ((stored,),) = sql("SELECT count(*) FROM soundalike.files")
    assert 20 <= stored < N_FILES

    assert cli("index", many).returncode == 0
    assert _dump(sql) == undisturbed


def test_two_at_once_give_what_one_gives(
    undisturbed: dict[str, Any], start: Callable[..., Any], many: Path, sql: Sql
):
    processes = [start("index", many, "--json"), start("index", many, "--json")]
    said = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0, 0], said
    assert _dump(sql) == undisturbed
