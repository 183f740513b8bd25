"""The other commands, wrong usage, and what every command has in common."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
PASSWORD = "Geheimnis"


def test_the_status_of_nothing_and_of_something(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path, database_server: Any
):
    (empty,) = rows_of(cli("status", "--json"))
    cli("index", sounds)
    (full,) = rows_of(cli("status", "--json"))

    promised = {"encoder", "encoder_level", "recordings", "windows", "database", "extensions"}
    assert promised <= empty.keys() == full.keys()
    assert (empty["encoder"], empty["recordings"], empty["windows"]) == ("logmel-modulation", 0, 0)
    assert (full["recordings"], full["files"], full["windows"], full["dimension"]) == (3, 3, 12, 512)
    expected = {"vector"} | ({"timescaledb"} if database_server.has_timescaledb else set())
    assert full["extensions"].keys() == expected
    shown = cli("status").stdout
    assert "recordings" in shown
    assert full["database"] in shown


def test_deleting_by_file_folder_and_id(cli: Cli, rows_of: Callable[..., Any], sounds: Path):
    stored = {row["uri"]: row for row in rows_of(cli("index", sounds, "--json"))}
    by_id = stored[str(sounds / "low" / "b.wav")]["recording_id"]
    done = cli("delete", "low/a.wav", by_id, "high", "--json", cwd=sounds)

    assert done.returncode == 0, done.stderr
    assert rows_of(done) == [
        {"key": str(sounds / "low" / "a.wav"), "deleted": 1},
        {"key": by_id, "deleted": 1},
        {"key": str(sounds / "high"), "deleted": 1},
    ]
    assert rows_of(cli("status", "--json"))[0]["recordings"] == 0


def test_deleting_what_is_not_indexed_is_a_failure_in_part(
    cli: Cli, rows_of: Callable[..., Any], sounds: Path
):
    cli("index", sounds)
    done = cli("delete", sounds / "low" / "a.wav", sounds / "lo", "--json")

    assert done.returncode == 3
    assert [row["deleted"] for row in rows_of(done)] == [1, 0]
    assert "1 of 2 were not in the index" in done.stderr


def test_reset_asks_first(cli: Cli, rows_of: Callable[..., Any], sounds: Path):
    cli("index", sounds)
    refused = cli("reset")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--yes" in refused.stderr
    assert rows_of(cli("status", "--json"))[0]["recordings"] == 3

    done = cli("reset", "--yes", "--json")
    assert (done.returncode, rows_of(done)) == (0, [{"reset": True}])
    assert rows_of(cli("status", "--json"))[0]["recordings"] == 0


def test_the_status_of_a_collection_that_is_not_there(cli: Cli, sounds: Path):
    for _ in range(2):
        done = cli("status", "--collection", "tpyo", "--json")
        assert (done.returncode, done.stdout) == (5, "")
        assert "'tpyo'" in done.stderr
        assert done.stderr.endswith("[store.index_empty]\n")
        cli("index", sounds)


def test_models_status_says_what_is_missing_and_how_to_get_it(
    soundalike: Cli, rows_of: Callable[..., Any]
):
    done = soundalike("models", "status", "--json")

    assert done.returncode == 0
    rows = rows_of(done)
    assert {row["file"]: row["state"] for row in rows} == {
        "vggish_model.ckpt": "missing",
        "vggish_pca_params.npz": "missing",
    }
    assert all(row["url"].startswith("https://storage.googleapis.com/") for row in rows)
    assert "soundalike models download" in done.stderr


def test_models_status_finds_a_wrong_file(soundalike: Cli, rows_of: Callable[..., Any], tmp_path: Path):
    (tmp_path / "vggish_model.ckpt").write_text("not the published file")
    done = soundalike("models", "status", "--json", SOUNDALIKE_WEIGHTS_DIR=str(tmp_path))

    assert done.returncode == 4
    assert rows_of(done)[0]["state"] == "corrupt"


def test_a_download_without_network_fails_in_one_line(
    soundalike: Cli, free_port: Callable[[], int], tmp_path: Path
):
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = soundalike(
        *("models", "download"),
        SOUNDALIKE_WEIGHTS_DIR=str(tmp_path),
        **dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy"), nowhere),
        no_proxy="",
    )

    assert (done.returncode, done.stdout) == (4, "")
    last = done.stderr.splitlines()[-1]
    assert "https://storage.googleapis.com/audioset/vggish_model.ckpt" in last
    assert last.endswith("[model.download_failed]")
    assert str(tmp_path) in last
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.ckpt"))


def test_the_version_is_printed(soundalike: Cli):
    done = soundalike("--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("soundalike ")


def test_the_installed_program_is_the_same(command_environ: dict[str, str]):
    program = Path(sys.executable).with_name("soundalike")
    done = subprocess.run(
        [program, "--version"], env=command_environ, capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("soundalike ")


#: Command lines and the status that they end with.
WRONG = {
    "": 2,
    "nonsense": 2,
    "search TONE --top-k 0": 2,
    "search TONE --tag pond": 2,
    "index TONE --window-size nan": 2,
    "index TONE --model resnet": 2,
    "index TONE --model vggish": 4,
    "index TONE --checkpoint missing.ckpt": 4,
    "index missing.wav": 3,
    "embed missing.wav": 3,
    "evaluate missing": 3,
    "evaluate FOLDER --fold-pattern (": 2,
    "delete missing.wav": 3,
    "serve --flow missing.yml": 2,
    "models nonsense": 2,
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage_ends_with_its_status_and_a_sentence(cli: Cli, sounds: Path, line: str):
    places = {"TONE": str(sounds / "low" / "a.wav"), "FOLDER": str(sounds)}
    done = cli(*(places.get(word, word) for word in line.split()), cwd=sounds)

    assert done.returncode == WRONG[line], done.stderr
    assert done.stdout == ""
    assert done.stderr.strip()


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"postgresql://ann:{PASSWORD}@127.0.0.1:1/sounds", 5),
        (f"postgresql://ann:{PASSWORD}@host.invalid/sounds", 5),
        (f"mysql://ann:{PASSWORD}@127.0.0.1/sounds", 2),
    ],
)
@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_wrong_database_is_said_without_the_password(
    soundalike: Cli, sounds: Path, url: str, status: int, how: str
):
    if how == "option":
        done = soundalike("index", sounds, "--json", "--database-url", url)
    else:
        done = soundalike("status", "--json", SOUNDALIKE_DATABASE_URL=url)

    assert (done.returncode, done.stdout) == (status, "")
    assert PASSWORD not in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_debugging_does_not_show_the_password(soundalike: Cli):
    url = f"postgresql://ann:{PASSWORD}@127.0.0.1:1/sounds"
    done = soundalike("status", SOUNDALIKE_DATABASE_URL=url, SOUNDALIKE_DEBUG="1")

    assert done.returncode == 5
    assert PASSWORD not in done.stderr


def test_a_model_that_does_not_exist_is_said(soundalike: Cli):
    done = soundalike("status", SOUNDALIKE_MODEL="resnet")

    assert done.returncode == 2
    assert "SOUNDALIKE_MODEL" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--version"], ["status"], ["models", "status"], ["search", "TONE"]]
)
def test_short_commands_load_neither_tensorflow_nor_jina(cli: Cli, sounds: Path, arguments: list[str]):
    places = {"TONE": str(sounds / "low" / "a.wav")}
    done = cli(*(places.get(part, part) for part in arguments), PYTHONPROFILEIMPORTTIME="1")

    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "soundalike.cli.parser" in loaded
    assert not {"tensorflow", "jina", "docarray", "librosa"} & loaded


def test_a_reader_that_goes_away_is_no_error(sounds: Path, command_environ: dict[str, str]):
    """As `soundalike embed ... | head -1` does."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "soundalike", "embed", sounds / "low" / "a.wav"],
            env=command_environ,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
