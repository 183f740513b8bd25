"""``soundalike index``: which files it takes, what it says of each, and that a bad one stops nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cli = Callable[..., Any]
RESULT = {
    *("uri", "outcome", "recording_id", "n_windows", "n_searchable", "duration_s"),
    *("warnings", "error_code", "error"),
}


@pytest.fixture
def status(cli: Cli, rows_of: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    """Ask what is indexed."""
    return lambda: rows_of(cli("status", "--json"))[0]


def test_a_folder_is_indexed_with_all_below_it(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, status: Callable[..., Any]
):
    (sounds / "notes.txt").write_text("no sound")
    (sounds / ".hidden").mkdir()
    shutil.copy(sounds / "low" / "a.wav", sounds / ".hidden" / "x.wav")
    done = cli("index", sounds, "--json")

    assert done.returncode == 0, done.stderr
    rows = rows_of(done)
    assert all(row.keys() == RESULT for row in rows)
    expected = [sounds / "high" / "deep" / "c.wav", sounds / "low" / "a.wav", sounds / "low" / "b.wav"]
    assert [row["uri"] for row in rows] == [str(path) for path in expected]
    assert {(row["outcome"], row["n_windows"], row["duration_s"]) for row in rows} == {
        ("added", 4, 10.0)
    }
    assert "1 file that is not a sound was left out; --list-skipped names it" in done.stderr
    assert "3 files in" in done.stderr
    assert "3 added" in done.stderr
    assert (status()["recordings"], status()["windows"]) == (3, 12)


def test_without_json_nothing_is_on_stdout(cli: Cli, sounds: Path):
    done = cli("index", sounds)

    assert (done.returncode, done.stdout) == (0, "")
    assert "3 added" in done.stderr
    assert "encoder: logmel-modulation" in done.stderr


def test_indexing_again_changes_nothing(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, status: Callable[..., Any]
):
    cli("index", sounds)
    before = status()
    again = cli("index", sounds, "--json")

    assert again.returncode == 0
    assert [(row["outcome"], row["n_windows"]) for row in rows_of(again)] == [("unchanged", 0)] * 3
    assert status() == before


@pytest.mark.parametrize(
    ("patterns", "count"),
    [(["low/*.wav"], 2), (["**/*.wav"], 3), (["low/a.wav"], 1), (["low/?.wav", "low"], 2), (["."], 3)],
)
def test_files_folders_and_patterns_name_sounds(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, patterns: list[str], count: int
):
    """The shell leaves a pattern alone where it is quoted."""
    done = cli("index", *patterns, "--json", cwd=sounds)

    assert done.returncode == 0, done.stderr
    assert len(rows_of(done)) == count
    assert all(row["uri"].startswith(f"{sounds}/") for row in rows_of(done))


def test_a_changed_file_replaces_its_old_windows(
    cli: Cli,
    rows_of: Callable[..., Any],
    sounds: Path,
    write_tone: Callable[..., Path],
    status: Callable[..., Any],
):
    cli("index", sounds)
    write_tone(sounds / "low" / "a.wav", 500.0, 6.0)
    done = cli("index", sounds, "--json")

    outcomes = {Path(row["uri"]).name: (row["outcome"], row["n_windows"]) for row in rows_of(done)}
    assert outcomes == {"a.wav": ("replaced", 2), "b.wav": ("unchanged", 0), "c.wav": ("unchanged", 0)}
    assert (status()["recordings"], status()["files"], status()["windows"]) == (3, 3, 10)


def test_a_file_of_the_same_size_and_time_is_read_only_when_asked_to(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path
):
    one, other = sounds / "low" / "a.wav", sounds / "low" / "b.wav"
    os.utime(one, (1e9, 1e9))
    cli("index", one)
    one.write_bytes(other.read_bytes())
    os.utime(one, (1e9, 1e9))

    (row,) = rows_of(cli("index", one, "--json"))
    assert row["outcome"] == "unchanged"
    (row,) = rows_of(cli("index", one, "--json", "--checksum"))
    assert row["outcome"] == "replaced"


def test_the_same_audio_under_a_second_path_is_recognised(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, status: Callable[..., Any]
):
    cli("index", sounds)
    (sounds / "copies").mkdir()
    copy = shutil.copy(sounds / "low" / "a.wav", sounds / "copies" / "z.wav")
    (row,) = rows_of(cli("index", copy, "--json"))

    assert row["outcome"] == "linked"
    assert (status()["recordings"], status()["files"], status()["windows"]) == (3, 4, 12)


def test_label_and_tags_can_be_given_and_changed(cli: Cli, rows_of: Callable[..., Any], sounds: Path):
    one = sounds / "low" / "a.wav"
    cli("index", one, "--label", "hum", "--tag", "site=pond", "--tag", "depth_m=1.5", "--tag", "x=[1]")
    (match,) = rows_of(cli("search", one, "--json"))
    assert (match["label"], match["tags"]) == ("hum", {"site": "pond", "depth_m": 1.5, "x": [1]})

    (row,) = rows_of(cli("index", one, "--json"))
    assert row["outcome"] == "updated"
    (match,) = rows_of(cli("search", one, "--json"))
    assert (match["label"], match["tags"]) == ("low", {})


def test_a_bad_file_among_good_ones_stops_nothing(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, status: Callable[..., Any]
):
    (sounds / "a_broken.wav").write_bytes(b"RIFF????WAVEno more")
    (sounds / "low" / "empty.mp3").touch()
    (sounds / "low" / "text.flac").write_text("this is no sound\n" * 50)
    done = cli("index", sounds, "--json")

    assert done.returncode == 3
    rows = {Path(row["uri"]).name: row for row in rows_of(done)}
    failed = {name: row["error_code"] for name, row in rows.items() if row["outcome"] == "failed"}
    assert failed == {
        "a_broken.wav": "audio.unreadable",
        "empty.mp3": "audio.empty",
        "text.flac": "audio.unreadable",
    }
    assert Counter(row["outcome"] for row in rows.values()) == {"added": 3, "failed": 3}
    assert done.stderr.count("failed: ") == 3
    assert "3 added, 3 failed" in done.stderr
    assert status()["files"] == 3


@pytest.mark.parametrize("name", [b"low/caf\xe9.wav", b"caf\xe9/a.wav"])
def test_a_name_that_is_no_utf8_stops_nothing(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, status: Callable[..., Any], name: bytes
):
    strange = os.path.join(os.fsencode(sounds), name)
    os.makedirs(os.path.dirname(strange), exist_ok=True)
    shutil.copy(os.fsencode(sounds / "low" / "a.wav"), strange)
    done = cli("index", sounds, "--json")

    assert done.returncode in (0, 3), done.stderr
    assert len(rows_of(done)) == 4
    assert status()["recordings"] == 3


def test_a_truncated_file_is_stored_with_a_warning(
    cli: Cli, rows_of: Callable[..., Any], tmp_path: Path, toy_data: Path
):
    whole = (toy_data / "bird_song" / "bird_song_3.flac").read_bytes()
    part = tmp_path / "part.flac"
    part.write_bytes(whole[: len(whole) // 2])
    done = cli("index", part, "--json")

    (row,) = rows_of(done)
    assert (done.returncode, row["outcome"]) == (0, "added")
    assert row["warnings"]
    assert "warning: " in done.stderr


def test_what_no_search_finds_is_told_and_counted(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, write_wav: Callable[..., Path], status: Any
):
    write_wav(sounds / "quiet.wav", np.zeros(160_000))
    write_wav(sounds / "raw.wav", np.full(160_000, 20_000.0), subtype="FLOAT")
    loud = np.sign(np.sin(np.arange(160_000) / 10))
    write_wav(sounds / "loud.wav", loud, subtype="FLOAT")
    write_wav(sounds / "scale.wav", 32_767 * loud, subtype="FLOAT")
    done = cli("index", sounds, "--json")

    assert done.returncode == 0
    told = {Path(row["uri"]).name: row for row in rows_of(done)}
    assert {name for name, row in told.items() if not row["n_searchable"]} == {
        *("quiet.wav", "raw.wav", "loud.wav", "scale.wav")
    }
    for name, words in (("quiet", "silent: all 4"), ("loud", "clipped: all 4"), ("scale", "unscaled: ")):
        (warning,) = told[f"{name}.wav"]["warnings"]
        assert warning.startswith(words)
        assert f"warning: {sounds / name}.wav: {warning}" in done.stderr.splitlines()
    assert told["a.wav"]["warnings"] == []
    assert "4 hold nothing that a search can find" in done.stderr.splitlines()
    assert json.loads(done.stderr.splitlines()[-1])["summary"]["unsearchable"] == 4
    assert status()["unsearchable"] == 4
    assert ["unsearchable", "4"] in [line.split() for line in cli("status").stdout.splitlines()]

    # What is known already was told of.
    again = cli("index", sounds)
    assert "nothing that a search can find" not in again.stderr
    embedded = cli("embed", sounds / "quiet.wav", "--json")
    assert "warning: " in embedded.stderr
    assert "silent: all 4 windows are silent, and no search can find them" in embedded.stderr


def test_what_is_not_there_is_said_in_one_line(cli: Cli, tmp_path: Path):
    done = cli("index", tmp_path / "missing.wav", tmp_path / "no*.wav")

    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert "missing.wav" in line
    assert "no*.wav" in line
    assert "[audio.not_found]" in line


def test_an_empty_folder_is_nothing_to_do(cli: Cli, tmp_path: Path):
    done = cli("index", tmp_path)

    assert done.returncode == 0
    assert "nothing to do" in done.stderr


def test_other_windows_than_the_indexs_are_refused_with_what_to_do(cli: Cli, sounds: Path):
    cli("index", sounds / "low")
    done = cli("index", sounds / "high", "--window-size", "2")

    assert (done.returncode, done.stdout) == (5, "")
    assert "soundalike reindex" in done.stderr
    assert "[store.model_mismatch]" in done.stderr


def test_the_indexs_own_windows_are_used_without_saying(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, status: Callable[..., Any]
):
    cli("index", sounds / "low", "--window-size", "2", "--stride", "1")
    (row,) = rows_of(cli("index", sounds / "high", "--json"))

    assert row["n_windows"] == 9
    assert (status()["window_s"], status()["stride_s"], status()["dimension"]) == (2.0, 1.0, 256)


def test_the_embedded_server_is_used_where_none_is_named(
    soundalike: Cli, rows_of: Callable[..., Any], sounds: Path, data_dir: Path
):
    done = soundalike("index", sounds, "--json")
    assert done.returncode == 0, done.stderr
    (found,) = rows_of(soundalike("status", "--json"))

    assert found["database"] == f"embedded:{data_dir}"
    assert found["recordings"] == 3
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_another_data_folder_is_another_index(
    soundalike: Cli, rows_of: Callable[..., Any], sounds: Path, data_dir: Path
):
    other = data_dir.parent / "other"
    assert soundalike("index", sounds, "--data-dir", other).returncode == 0

    assert rows_of(soundalike("status", "--json", "--data-dir", other))[0]["recordings"] == 3
    assert not data_dir.exists()


def test_what_was_indexed_may_be_named_to_the_service(cli: Cli, sounds: Path, data_dir: Path):
    noted = data_dir / "roots.json"
    assert cli("index", sounds / "low", "--dry-run").returncode == 0
    assert not noted.exists()

    assert cli("index", sounds / "low", str(sounds / "hi*" / "deep" / "*.wav")).returncode == 0
    paths = [str(sounds / "high" / "deep" / "c.wav"), str(sounds / "low")]
    assert json.loads(noted.read_text()) == {"paths": paths}

    assert cli("reset", "--yes").returncode == 0
    assert not noted.exists()
