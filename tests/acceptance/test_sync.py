"""``soundalike index`` again: what has changed, moved or gone, and what would happen."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]


def _outcomes(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {Path(row["uri"]).name: row["outcome"] for row in rows}


def _summary(done: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])["summary"]
    return found


@pytest.fixture
def changed(cli: Cli, sounds: Path, write_tone: Callable[..., Path]) -> Path:
    """Index, then move a file, change one, add two of which one is no sound."""
    assert cli("index", sounds).returncode == 0
    (sounds / "low" / "a.wav").rename(sounds / "low" / "moved.wav")
    write_tone(sounds / "low" / "b.wav", 500.0, 6.0)
    write_tone(sounds / "high" / "new.wav", 4000.0)
    (sounds / "high" / "text.wav").write_text("no sound")
    return sounds


def test_prune_takes_out_what_is_gone_and_a_moved_file_is_not_decoded_again(
    cli: Cli, rows_of: Rows, changed: Path
):
    done = cli("index", changed, "--prune", "--json")

    rows = rows_of(done)
    assert done.returncode == 3
    assert _outcomes(rows) == {
        **{"c.wav": "unchanged", "new.wav": "added", "text.wav": "failed", "b.wav": "replaced"},
        **{"moved.wav": "linked", "a.wav": "pruned"},
    }
    assert rows[-1]["uri"] == str(changed / "low" / "a.wav")
    assert len({tuple(row) for row in rows}) == 1
    assert "1 added, 1 replaced, 1 linked, 1 unchanged, 1 pruned, 1 failed" in done.stderr
    assert rows_of(cli("status", "--json"))[0]["files"] == 4

    again = cli("index", changed, "--prune")
    assert "4 unchanged, 1 failed" in again.stderr


def test_without_prune_what_is_gone_stays(cli: Cli, rows_of: Rows, changed: Path):
    done = cli("index", changed, "--json")

    assert "pruned" not in _outcomes(rows_of(done)).values()
    assert rows_of(cli("status", "--json"))[0]["files"] == 5


def test_prune_leaves_other_folders_alone(cli: Cli, rows_of: Rows, changed: Path):
    (changed / "high" / "deep" / "c.wav").unlink()
    done = cli("index", changed / "low", "--prune", "--json")

    assert _outcomes(rows_of(done)) == {"moved.wav": "linked", "b.wav": "replaced", "a.wav": "pruned"}
    assert rows_of(cli("status", "--json"))[0]["files"] == 3


def test_a_file_that_is_gone_can_be_pruned_by_its_name(cli: Cli, rows_of: Rows, changed: Path):
    gone = changed / "low" / "a.wav"
    done = cli("index", gone, "--prune", "--json")

    assert done.returncode == 0, done.stderr
    assert _outcomes(rows_of(done)) == {"a.wav": "pruned"}
    again = cli("index", gone, "--prune")
    assert (again.returncode, "[audio.not_found]" in again.stderr) == (3, True)


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_a_disk_that_is_not_mounted_does_not_empty_the_index(
    cli: Cli, rows_of: Rows, sounds: Path, state: str
):
    cli("index", sounds)
    shutil.rmtree(sounds)
    if state == "empty":
        sounds.mkdir()
    done = cli("index", sounds, "--prune", "--json")

    assert (done.returncode, done.stdout) == (3, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("soundalike:")]
    assert "[audio.not_found]" in line
    assert f"soundalike delete {sounds}" in line
    assert rows_of(cli("status", "--json"))[0]["files"] == 3


def test_a_dry_run_says_what_would_happen_and_does_nothing(
    cli: Cli, rows_of: Rows, changed: Path, sql: Callable[..., Any]
):
    before = sql("SELECT f.*, f.xmin FROM soundalike.files AS f ORDER BY uri")
    done = cli("index", changed, "--prune", "--dry-run", "--json")

    assert done.returncode == 0, done.stderr
    assert _outcomes(rows_of(done)) == {
        **{"c.wav": "unchanged", "new.wav": "added", "text.wav": "added", "b.wav": "replaced"},
        **{"moved.wav": "linked", "a.wav": "pruned"},
    }
    assert {row["n_windows"] for row in rows_of(done)} == {0}
    # Only what is stored has a length yet.
    known = {row["outcome"] for row in rows_of(done) if row["duration_s"]}
    assert known == {"unchanged", "linked"}
    assert "would be 2 added, 1 replaced, 1 linked, 1 unchanged, 1 pruned" in done.stderr
    assert "nothing was changed" in done.stderr
    assert sql("SELECT f.*, f.xmin FROM soundalike.files AS f ORDER BY uri") == before
    real = cli("index", changed, "--prune", "--json")
    ids = {row["uri"]: row["recording_id"] for row in rows_of(done)}
    for row in rows_of(real):
        assert row["recording_id"] in (ids[row["uri"]], None)


def test_a_dry_run_makes_no_tables(cli: Cli, rows_of: Rows, sounds: Path, sql: Callable[..., Any]):
    done = cli("index", sounds, "--dry-run", "--json")

    assert [row["outcome"] for row in rows_of(done)] == ["added"] * 3
    assert sql("SELECT to_regnamespace('soundalike') IS NULL") == [(True,)]


def test_a_dry_run_makes_no_embedded_server(
    soundalike: Cli, rows_of: Rows, sounds: Path, data_dir: Path
):
    done = soundalike("index", sounds, "--dry-run", "--prune", "--json")

    assert done.returncode == 0, done.stderr
    assert [row["outcome"] for row in rows_of(done)] == ["added"] * 3
    assert not data_dir.exists()


def test_failures_are_told_at_the_end_by_kind(cli: Cli, sounds: Path):
    for number in range(7):
        (sounds / "low" / f"text{number}.wav").write_text(f"no sound {number}")
    (sounds / "low" / "empty.mp3").touch()
    done = cli("index", sounds, "--json")

    lines = done.stderr.splitlines()
    start = next(n for n, line in enumerate(lines) if "3 added, 8 failed" in line)
    assert lines[start + 1].startswith("7 x audio.unreadable: ")
    assert [line.startswith("  failed: ") for line in lines[start + 2 : start + 7]] == [True] * 5
    assert lines[start + 7] == "  and 2 more; --json lists all"
    assert lines[start + 8].startswith("1 x audio.empty: ")
    assert "delete them" in lines[start + 8]
    summary = _summary(done)
    assert (summary["files"], summary["added"], summary["failed"]) == (11, 3, 8)
    assert summary["failures"]["audio.unreadable"]["count"] == 7
    assert summary["failures"]["audio.empty"]["remedy"]
    assert len(done.stdout.splitlines()) == 11


def test_a_dry_run_tells_of_an_index_of_other_windows(cli: Cli, sounds: Path):
    cli("index", sounds)
    done = cli("index", sounds, "--dry-run", "--stride", "1")

    assert (done.returncode, done.stdout) == (5, "")
    assert "[store.model_mismatch]" in done.stderr


def test_what_has_just_changed_is_read_again(cli: Cli, rows_of: Rows, sounds: Path):
    """Its size and time alone are no proof: a coarse clock gives two changes the same time."""
    one, other = sounds / "low" / "a.wav", sounds / "low" / "b.wav"
    one.touch()
    cli("index", one)
    changed = one.stat()
    one.write_bytes(other.read_bytes())
    os.utime(one, ns=(changed.st_atime_ns, changed.st_mtime_ns))

    assert [row["outcome"] for row in rows_of(cli("index", one, "--json"))] == ["replaced"]
