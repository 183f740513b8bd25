"""A folder with files that crash, hang and outgrow decoders is worked through to its end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fixtures.bad_files import CODES, GOOD

Cli = Callable[..., Any]


@pytest.fixture
def harmed(cli: Cli, harmful_environ: Mapping[str, str]) -> Cli:
    """Run a command where a decoder does harm."""
    return lambda *arguments: cli(*arguments, **harmful_environ)


def _codes(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    return {Path(row["uri"]).name: row["error_code"] for row in rows}


def test_all_good_files_are_indexed(
    harmed: Cli, bad_files: Path, rows_of: Callable[..., Any], check_alone: Callable[..., None]
):
    done = harmed("index", bad_files, "--json")
    assert done.returncode == 3, done.stderr
    check_alone(_codes(rows_of(done)))
    assert "f_fault.wav': unexpected NotADirectoryError" in done.stderr
    assert "possibly a pipe" not in done.stderr
    stored = harmed("status", "--json")
    assert rows_of(stored)[0]["files"] == len(GOOD)

    again = harmed("index", bad_files, "--json", "--dry-run")
    assert again.returncode == 0
    assert [row["outcome"] for row in rows_of(again)].count("added") == len(CODES)


def test_all_good_files_are_embedded(harmed: Cli, bad_files: Path, tmp_path: Path):
    for per in ("window", "file"):
        done = harmed("embed", bad_files, "--per", per, "--output", tmp_path / "vectors.csv")
        assert done.returncode == 3, done.stderr
        assert f"{len(GOOD)} rows, {len(CODES)} failed" in done.stderr
        for name, codes in CODES.items():
            assert any(f"[{code}]" in done.stderr for code in codes), name


def test_all_good_files_are_evaluated(harmed: Cli, bad_files: Path, rows_of: Callable[..., Any]):
    done = harmed("evaluate", bad_files, "--json")
    assert done.returncode == 3, done.stderr
    (row,) = rows_of(done)
    assert (row["n_clips"], row["failed"]) == (len(GOOD), len(CODES))


def test_reindexing_goes_on_behind_files_that_have_become_bad(
    harmed: Cli, bad_files: Path, tmp_path: Path, rows_of: Callable[..., Any]
):
    folder = tmp_path / "sounds"
    shutil.copytree(bad_files, folder)
    for name in CODES:
        shutil.copy(folder / GOOD[0], folder / name)
    assert harmed("index", folder).returncode == 0
    shutil.copytree(bad_files, folder, dirs_exist_ok=True)
    done = harmed("reindex", "--window-size", "1", "--stride", "1", "--json", "--without-failed")
    assert done.returncode == 3, done.stderr
    failed = {Path(row["uri"]).name for row in rows_of(done) if row["error_code"]}
    assert failed == set(CODES)


def test_linked_and_unchanged_files_tell_their_length(
    cli: Cli, bad_files: Path, tmp_path: Path, rows_of: Callable[..., Any]
):
    first, second = tmp_path / "a.wav", tmp_path / "b.wav"
    for number, path in enumerate((first, second)):
        shutil.copy(bad_files / GOOD[0], path)
        (row,) = rows_of(cli("index", path, "--json"))
        assert (row["outcome"], row["duration_s"]) == (("added", "linked")[number], 2.0)
    (row,) = rows_of(cli("index", first, "--json"))
    assert (row["outcome"], row["duration_s"]) == ("unchanged", 2.0)


@pytest.fixture
def hanging(
    bad_files: Path,
    tmp_path: Path,
    command_environ: dict[str, str],
    database_url: str,
    harmful_environ: Mapping[str, str],
    wait_until: Callable[..., Any],
    processes_of: Callable[..., Any],
) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start to index a file at which a decoder hangs; return the command and the processes below it."""
    folder = tmp_path / "hanging"
    folder.mkdir()
    shutil.copy(bad_files / "d_hangs.wav", folder)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "soundalike", "index", str(folder)],
        env={
            **command_environ,
            **harmful_environ,
            "SOUNDALIKE_DATABASE_URL": database_url,
            "SOUNDALIKE_DECODE_S": "500",
            "TMPDIR": str(scratch),
        },
        stderr=subprocess.PIPE,
        text=True,
    )

    def below() -> list[psutil.Process]:
        found = processes_of(process.pid)[1:]
        return found if any("sleep" in one.name() for one in found) else []

    return process, wait_until(below, "the decoder hangs")


@pytest.mark.parametrize(
    ("sent", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_command_that_is_stopped_leaves_nobody_behind(
    sent: signal.Signals,
    status: int,
    hanging: tuple[subprocess.Popen[str], list[psutil.Process]],
    tmp_path: Path,
    wait_until: Callable[..., Any],
):
    process, below = hanging
    assert len(below) >= 2
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == status
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []
    wait_until(lambda: not list((tmp_path / "scratch").iterdir()), "no temporary folder is left")
