"""What the commands say of files that lie in folders and are no sounds."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from soundalike.cli import opening
from soundalike.cli.main import main
from soundalike.store import MemoryStore
from soundalike.types import FloatArray
from tests.fixtures.films import write_mute_film

Capture = pytest.CaptureFixture[str]
NO_SOUND = "neither its name nor its content looks like sound"
FILM = "a film without sound, or a container of something else"


@pytest.fixture
def folder(
    tmp_path: Path,
    tone: Callable[..., FloatArray],
    write_wav: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Make a folder of four sounds, a film without sound, and notes; and keep the store in memory."""
    for name, hertz in (("low/a", 300), ("low/b", 330), ("high/c", 4000), ("high/d", 4100)):
        write_wav(tmp_path / f"{name}.wav", tone(hertz, 2.0))
    write_mute_film(tmp_path / "low" / "film.mp4")
    (tmp_path / "low" / "notes.txt").write_text("no sound")
    kept = MemoryStore()

    @contextmanager
    def opened(settings: object) -> Iterator[MemoryStore]:
        yield kept

    monkeypatch.setattr(opening, "opened_store", opened)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: Capture) -> Callable[..., tuple[int, list[dict[str, Any]], list[str]]]:
    """Return ``run(*argv)``: the status, the rows on stdout, and the lines on stderr."""

    def command(*argv: str | Path) -> tuple[int, list[dict[str, Any]], list[str]]:
        capsys.readouterr()
        status = main([str(part) for part in argv])
        written = capsys.readouterr()
        return status, [json.loads(line) for line in written.out.splitlines()], written.err.splitlines()

    return command


Run = Callable[..., tuple[int, list[dict[str, Any]], list[str]]]
COMMANDS = [("index",), ("embed", "--per", "file"), ("evaluate",)]


def with_json(command: tuple[str, ...], *paths: str) -> tuple[str, ...]:
    return (command[0], *paths, *command[1:], "--json")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_film_without_sound_in_a_folder_is_no_failure(
    command: tuple[str, ...], run: Run, folder: Path
):
    status, _, said = run(*with_json(command, "."))
    assert status == 0
    assert "2 files that are not sounds were left out; --list-skipped names them" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_left_out_is_listed_for_programs(command: tuple[str, ...], run: Run, folder: Path):
    status, _, said = run(*with_json(command, "."), "--list-skipped")
    assert status == 0
    listed = [json.loads(line) for line in said if line.startswith('{"left_out"')]
    assert listed == [
        {"left_out": str(folder / "low" / "notes.txt"), "reason": NO_SOUND},
        {"left_out": str(folder / "low" / "film.mp4"), "reason": FILM},
    ]
    assert "2 files that are not sounds were left out" in said


def test_what_is_left_out_is_listed_for_people(run: Run, folder: Path):
    _, _, said = run("index", ".", "--list-skipped")
    assert f"left out: low/notes.txt: {NO_SOUND}" in said
    assert f"left out: low/film.mp4: {FILM}" in said


def test_a_film_in_a_folder_has_a_row_and_a_count(run: Run, folder: Path):
    _, rows, said = run("index", ".", "--json")
    (film,) = [row for row in rows if row["uri"].endswith("film.mp4")]
    assert (film["outcome"], film["error_code"]) == ("skipped", "audio.no_track")
    (summary,) = [json.loads(line)["summary"] for line in said if line.startswith('{"summary"')]
    assert {name: summary[name] for name in ("files", "added", "skipped", "failed", "left_out")} == {
        **{"files": 5, "added": 4, "skipped": 1, "failed": 0, "left_out": 1}
    }
    assert summary["failures"] == {}


@pytest.mark.parametrize("command", COMMANDS[:2])
def test_a_film_without_sound_that_is_named_is_a_failure(
    command: tuple[str, ...], run: Run, folder: Path
):
    status, _, said = run(*with_json(command, "low/film.mp4", "."))
    assert status == 3
    assert any("has no audio track" in line and "[audio.no_track]" in line for line in said)
    assert "1 file that is not a sound was left out; --list-skipped names it" in said


def test_a_sound_by_name_that_holds_none_is_a_failure(run: Run, folder: Path):
    (folder / "low" / "film.mp4").rename(folder / "low" / "film.m4a")
    status, _, said = run("index", ".")
    assert status == 3
    assert any("[audio.no_track]" in line for line in said)


def test_a_list_of_sounds_that_is_named_says_what_to_name(run: Run, folder: Path):
    (folder / "list.m3u").write_text("#EXTM3U\nlow/a.wav\n")
    status, _, said = run("embed", "list.m3u")
    assert status == 3
    assert any("is a playlist and contains no sound itself; name the files" in line for line in said)
    status, rows, _ = run("index", "list.m3u", "low/a.wav", "--json")
    assert [row["outcome"] for row in rows] == ["failed", "added"]


def test_a_folder_of_nothing_else(run: Run, folder: Path, tmp_path: Path):
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_text("no sound")
    status, _, said = run("embed", "notes", "--list-skipped")
    assert status == 3
    assert f"left out: notes/a.txt: {NO_SOUND}" in said
