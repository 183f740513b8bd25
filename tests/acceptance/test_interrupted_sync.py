"""``index --prune`` that is killed anywhere leaves a whole index, and the next run ends the work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cli = Callable[..., Any]
Sql = Callable[..., Any]
N_FILES = 36
#: Rows of the second run: every file that is there, and the four that are gone or have moved.
N_ROWS = N_FILES + 4 + 4
OUTCOMES = {"added": 6, "replaced": 5, "linked": 2, "unchanged": 27, "pruned": 4}
CHANGED_AT_S = 1_700_000_000


def _write(write_wav: Callable[..., Path], path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(12 * 16_000) / 10
    write_wav(path, noise, subtype="PCM_16")
    os.utime(path, (CHANGED_AT_S + seed, CHANGED_AT_S + seed))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]) -> Path:
    """Make the folder as it is indexed first."""
    folder = tmp_path_factory.mktemp("before")
    for number in range(N_FILES):
        _write(write_wav, folder / "kept" / f"{number:02}.wav", number)
    return folder


@pytest.fixture(scope="module")
def after(
    before: Path, tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]
) -> Path:
    """Make the folder as it is indexed then: files replaced, added, moved and removed."""
    folder = tmp_path_factory.mktemp("after") / "sounds"
    shutil.copytree(before, folder)
    for number in range(3, N_FILES, 7):
        _write(write_wav, folder / "kept" / f"{number:02}.wav", 100 + number)
    for number in range(6):
        _write(write_wav, folder / "kept" / f"{5 * number:02}_new.wav", 200 + number)
    for number in (5, 20):
        (folder / "kept" / f"{number:02}.wav").rename(folder / "kept" / f"{number:02}_moved.wav")
    for number in (1, 30):
        (folder / "kept" / f"{number:02}.wav").unlink()
    return folder


@pytest.fixture
def begin_anew(tmp_path: Path, before: Path, after: Path, cli: Cli) -> Callable[[], Path]:
    """Index the folder as it was before, and let it be as it is after."""
    folder = tmp_path / "sounds"

    def begin() -> Path:
        assert cli("reset", "--yes").returncode == 0
        for state in (before, after):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(state, folder)
            if state == before:
                done = cli("index", folder)
                assert done.returncode == 0, done.stderr
        return folder

    return begin


def _dump(sql: Sql) -> list[Any]:
    """Return everything that is stored, but for the time of indexing."""
    return [
        sql(
            "SELECT recording_id, duration_s, recorded_at, recorded_at_source, n_windows "
            "FROM soundalike.recordings ORDER BY 1"
        ),
        sql(
            "SELECT uri, recording_id, label, tags::text, size_bytes, mtime_ns "
            "FROM soundalike.files ORDER BY 1"
        ),
        sql(
            "SELECT recording_id, window_index, window_time, start_s, end_s, quality, embedding::text "
            "FROM soundalike.windows_1 ORDER BY 1, 2"
        ),
    ]


def _is_whole(sql: Sql) -> bool:
    """Tell whether each recording has all its windows and a path, and each path its recording."""
    ((broken, strays),) = sql(
        """
        SELECT (SELECT count(*) FROM soundalike.recordings AS r
                WHERE r.n_windows <> (SELECT count(*) FROM soundalike.windows_1 AS w
                                      WHERE w.recording_id = r.recording_id)
                   OR NOT EXISTS (SELECT FROM soundalike.files AS f
                                  WHERE f.recording_id = r.recording_id)),
               (SELECT count(*) FROM soundalike.windows_1 AS w
                WHERE NOT EXISTS (SELECT FROM soundalike.recordings AS r
                                  WHERE r.recording_id = w.recording_id))
        """
    )
    return bool(broken == 0 and strays == 0)


def _kill_somewhere(folder: Path, environ: dict[str, str], chance: random.Random) -> bool:
    """Start a sync and kill it; tell whether it was still at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "soundalike", "index", str(folder), "--prune", "--json"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(chance.choice([0, 1, *range(2, N_ROWS - 2, 3), N_ROWS - 6, N_ROWS - 5, N_ROWS - 3])):
        process.stdout.readline()
    time.sleep(chance.random() * 0.1)
    process.kill()
    process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


def test_a_sync_killed_anywhere_is_ended_by_the_next(
    cli: Cli,
    rows_of: Callable[..., Any],
    begin_anew: Callable[[], Path],
    command_environ: dict[str, str],
    database_url: str,
    sql: Sql,
):
    folder = begin_anew()
    undisturbed = rows_of(cli("index", folder, "--prune", "--json"))
    outcomes = [row["outcome"] for row in undisturbed]
    assert {outcome: outcomes.count(outcome) for outcome in outcomes} == OUTCOMES
    expected = _dump(sql)
    environ = {**command_environ, "SOUNDALIKE_DATABASE_URL": database_url}

    in_time = []
    for seed in range(4):
        chance = random.Random(seed)
        begin_anew()
        for _ in range(chance.choice([1, 1, 2])):
            in_time.append(_kill_somewhere(folder, environ, chance))
            assert _is_whole(sql), f"seed {seed}"
        done = cli("index", folder, "--prune")
        assert done.returncode == 0, done.stderr
        assert _dump(sql) == expected, f"seed {seed}"
    assert any(in_time), "every kill came too late"
