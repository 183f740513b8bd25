"""``soundalike index`` finds out when recordings began, and ``status`` says how."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def dated(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    """Make a folder of recordings whose starts are told in different ways."""
    folder = tmp_path / "dated"
    write_tone(folder / "20250501_063000.wav", 200.0)
    write_tone(folder / "pond 02-05-25 06.30.00.wav", 300.0)
    changed = write_tone(folder / "changed.wav", 400.0, 10.0)
    os.utime(changed, (1_700_000_000, 1_700_000_000))
    return folder


def test_starts_are_found_out_and_counted(cli: Cli, rows_of: Callable[..., Any], dated: Path):
    pattern = ("--time-pattern", "%d-%m-%y %H.%M.%S")
    cli("index", dated, "--time-zone", "Europe/Berlin", *pattern)
    (status,) = rows_of(cli("status", "--json", SOUNDALIKE_TIME_ZONE="+02:00"))

    assert status["starts"] == {"filename": 2, "mtime": 1}
    assert status["earliest_start"] == "2023-11-15T00:13:10+02:00"
    assert status["latest_start"] == "2025-05-02T06:30:00+02:00"
    told = cli("status").stdout
    assert "filename 2, mtime 1" in told
    assert "2025-05-02T04:30:00+00:00" in told


def test_a_start_that_is_given_replaces_one_that_was_found_out(
    cli: Cli, rows_of: Callable[..., Any], dated: Path
):
    cli("index", dated)
    options = {"SOUNDALIKE_TIME_ZONE": "Europe/Berlin"}
    again = cli("index", "--json", dated / "changed.wav", "--recorded-at", "2020-02-29 12:00", **options)
    (status,) = rows_of(cli("status", "--json"))

    assert [row["outcome"] for row in rows_of(again)] == ["updated"]
    assert status["starts"] == {"given": 1, "filename": 1, "mtime": 1}
    assert status["earliest_start"] == "2020-02-29T11:00:00+00:00"


def test_copying_an_archive_changes_no_start(cli: Cli, rows_of: Callable[..., Any], dated: Path):
    cli("index", dated)
    before = rows_of(cli("status", "--json"))[0]
    shutil.copytree(dated, dated.parent / "copy", copy_function=shutil.copyfile)
    again = cli("index", "--json", dated.parent / "copy")

    assert {row["outcome"] for row in rows_of(again)} == {"linked"}
    after = rows_of(cli("status", "--json"))[0]
    for name in ("starts", "earliest_start", "latest_start"):
        assert after[name] == before[name]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--time-zone", "Mars/Olympus"], "time zone 'Mars/Olympus' is unknown"),
        (["--time-pattern", "%y%m%d"], "name pattern '%y%m%d' lacks %H %M"),
        (["--recorded-at", "noon"], "--recorded-at is 'noon'; give a date or"),
    ],
)
def test_nonsense_is_refused_before_anything_is_indexed(
    cli: Cli, dated: Path, options: list[str], said: str
):
    done = cli("index", dated, *options)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "[parameter.invalid]" in done.stderr
    assert cli("search", dated / "changed.wav").returncode == 5
