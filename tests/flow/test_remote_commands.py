"""The commands on a running service say and print what they do on this machine's index."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from soundalike.cli.main import main

if TYPE_CHECKING:
    from tests.fixtures.service import Service

#: A command's status, its rows or lines, and what it has said.
Done = tuple[int, list[Any], str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command with --json unless told otherwise."""

    def run(*arguments: str | Path, as_json: bool = True) -> Done:
        capsys.readouterr()
        status = main([*map(str, arguments), *(["--json"] if as_json else [])])
        written = capsys.readouterr()
        lines = written.out.splitlines()
        return status, [json.loads(line) for line in lines] if as_json else lines, written.err

    return run


@pytest.fixture
def there(run: Callable[..., Done], service: Service, uploads: Path) -> Callable[..., Done]:
    """Run a command on the service."""
    return lambda *arguments, **options: run(*arguments, "--server", service.url, **options)


@pytest.fixture
def here(run: Callable[..., Done], service_database: str) -> Callable[..., Done]:
    """Run a command on the same index, without the service."""
    return lambda *arguments, **options: run(*arguments, "--database-url", service_database, **options)


@pytest.fixture
def folder(tmp_path: Path, toy_data: Path) -> Path:
    """Copy recordings of two labels, with a broken one and a text beside them."""
    for name in ("siren/siren_1.mp3", "siren/siren_2.m4a", "rain/rain_1.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(toy_data / name, tmp_path / name)
    (tmp_path / "rain" / "broken.wav").write_bytes(b"no sound")
    (tmp_path / "rain" / "notes.txt").write_text("nothing to hear")
    return tmp_path


def _recordings(service: Service, **parameters: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{service.url}/api/recordings", params=parameters, timeout=60)
    return list(answer.json()["recordings"])


def test_files_are_sent_with_what_is_said_of_them(
    there: Callable[..., Done], service: Service, uploads: Path, folder: Path
):
    options = ("--tag", "site=pond", "--recorded-at", "2025-05-01T08:00", "--time-zone", "+02:00")
    status, rows, said = there("index", folder, *options)

    assert status == 3
    outcomes = {Path(row["uri"]).name: row["outcome"] for row in rows}
    assert outcomes == {
        **{"siren_1.mp3": "added", "siren_2.m4a": "added", "rain_1.mp3": "added"},
        "broken.wav": "failed",
    }
    (broken,) = [row for row in rows if row["outcome"] == "failed"]
    assert (broken["uri"], broken["error_code"]) == (
        str(folder / "rain" / "broken.wav"),
        "audio.unreadable",
    )
    assert str(uploads) not in said
    assert "1 file that is not a sound was left out; --list-skipped names it" in said
    assert "4 files in" in said
    assert "3 added, 1 failed" in said
    stored = _recordings(service)
    assert {Path(found["uri"]).parent for found in stored} == {uploads}
    assert {found["tags"]["filename"]: found["label"] for found in stored} == {
        **{"siren_1.mp3": "siren", "siren_2.m4a": "siren", "rain_1.mp3": "rain"}
    }
    for found in stored:
        assert found["tags"]["site"] == "pond"
        assert found["recorded_at"] == "2025-05-01T06:00:00+00:00"
    ids = {row["recording_id"] for row in rows} - {None}
    assert ids == {found["recording_id"] for found in stored}


def test_the_rows_are_those_of_an_index_here(
    there: Callable[..., Done], here: Callable[..., Done], folder: Path
):
    _, sent, _ = there("index", folder)
    _, read, _ = here("index", folder, "--collection", "here")

    def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(rows, key=lambda row: str(row["uri"]))

    assert told(sent) == told(read)
    assert [set(row) for row in sent] == [set(row) for row in read]


def test_a_table_describes_each_file(there: Callable[..., Done], service: Service, folder: Path):
    table = folder / "clips.csv"
    table.write_text("file_name,label,depth\nsiren/siren_1.mp3,alarm,3\nsiren/siren_2.m4a,horn,4\n")
    status, _, _ = there("index", folder / "siren", "--metadata", table)

    assert status == 0
    stored = {found["label"]: found["tags"] for found in _recordings(service)}
    assert stored == {
        "alarm": {"depth": 3, "filename": "siren_1.mp3"},
        "horn": {"depth": 4, "filename": "siren_2.m4a"},
    }


def test_a_name_of_any_letters_arrives(there: Callable[..., Done], service: Service, folder: Path):
    path = folder / "Käuz 100% 鳥.mp3"
    (folder / "siren" / "siren_1.mp3").rename(path)
    assert there("index", path)[0] == 0
    (found,) = _recordings(service)
    assert found["tags"] == {"filename": path.name}


def test_what_is_sent_again_is_unchanged(
    there: Callable[..., Done], service: Service, uploads: Path, folder: Path
):
    there("index", folder / "siren")
    status, rows, said = there("index", folder / "siren")

    assert (status, {row["outcome"] for row in rows}) == (0, {"unchanged"})
    assert "2 files in" in said
    assert len(_recordings(service)) == 2


def test_a_folder_of_the_server_is_kept_in_step(
    there: Callable[..., Done], service: Service, folder: Path
):
    status, rows, said = there("index", folder, "--on-server")

    assert status == 3
    (broken,) = rows
    assert broken["uri"] == str(folder / "rain" / "broken.wav")
    assert "4 files in" in said
    assert "3 added, 1 failed" in said
    assert {found["uri"] for found in _recordings(service)} == {
        str(folder / name) for name in ("siren/siren_1.mp3", "siren/siren_2.m4a", "rain/rain_1.mp3")
    }
    (folder / "siren" / "siren_1.mp3").unlink()
    (folder / "rain" / "broken.wav").unlink()
    status, rows, said = there("index", folder, "--on-server", "--prune")
    assert (status, rows) == (0, [])
    assert "2 unchanged, 1 pruned" in said


def test_a_folder_that_is_not_there_on_the_server(there: Callable[..., Done]):
    status, rows, said = there("index", "/no/such/folder", "--on-server")
    assert (status, rows) == (3, [])
    assert said.endswith("[audio.not_found]\n")


READING = (
    "status",
    "status --collection none",
    "collections",
    "search QUERY",
    "search QUERY --collection default --collection other",
    "search QUERY --label nothing",
    "search QUERY --time-zone Europe/Berlin --under FOLDER/siren",
    "search QUERY --collection none",
    "search FOLDER/rain/broken.wav",
    "search FOLDER/gone.wav",
    "search FOLDER",
    "events QUERY --order score --limit 5",
    "events QUERY --under FOLDER/siren --reread 0 --min-score 0.1",
    "events QUERY --min-score 1",
    "events QUERY --collection none",
    "events FOLDER/gone.wav",
    "duplicates --under FOLDER",
    "duplicates --collection none",
    "motifs --min-count 2",
    "motifs --collection none",
    "timeline QUERY --min-score 0.2 --by hour",
    "timeline QUERY --min-score 0.999",
)
CHANGING = (
    "collections drop none --yes",
    "collections drop other --yes",
    "delete FOLDER/gone.wav",
    "delete 00000000-0000-0000-0000-000000000000",
    "delete FOLDER/siren/siren_1.mp3 FOLDER/gone.wav",
    "delete FOLDER",
)


@pytest.mark.parametrize("as_json", [True, False])
def test_both_print_the_same(
    there: Callable[..., Done],
    here: Callable[..., Done],
    service: Service,
    toy_data: Path,
    folder: Path,
    as_json: bool,
):
    def fill() -> None:
        paths = [str(path) for path in folder.rglob("*_*.m*")]
        clips = [{"uri": path, "recorded_at": "2025-05-01T06:00:00+00:00"} for path in paths]
        service.post("/index", *clips)
        service.post("/index", clips[0], collection="other")

    fill()
    query = str(toy_data / "queries" / "siren_query_1.mp3")
    for text in (*READING, *CHANGING):
        command = text.replace("FOLDER", str(folder)).replace("QUERY", query).split()
        answers = []
        for way in (here, there):
            if text in CHANGING:
                fill()
            status, rows, said = way(*command, as_json=as_json)
            # An encoder is loaded only here.
            notes = [line for line in said.splitlines() if not line.startswith("encoder: ")]
            answers.append((status, rows, notes))
        assert answers[1] == answers[0], text


def test_uploads_that_are_deleted_by_path_are_gone_from_the_disk(
    there: Callable[..., Done], service: Service, uploads: Path, folder: Path
):
    there("index", folder / "siren")
    first, second = (Path(found["uri"]) for found in _recordings(service))
    assert there("delete", first)[:2] == (0, [{"key": str(first), "deleted": 1}])
    assert (first.exists(), second.exists()) == (False, True)
    assert there("delete", uploads.parent)[0] == 0
    assert not second.exists()


def test_a_recording_is_deleted_by_its_id(there: Callable[..., Done], folder: Path):
    _, (row, _), _ = there("index", folder / "siren")
    key = row["recording_id"]
    assert there("delete", key)[:2] == (0, [{"key": key, "deleted": 1}])
    assert there("delete", key)[:2] == (3, [{"key": key, "deleted": 0}])


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"uri": "/no/such/file.wav"}, 404),
        ({"uri": ""}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_deleted_by_path(service: Service, parameters: dict[str, str], status: int):
    answer = requests.delete(f"{service.url}/api/recordings", params=parameters, timeout=60)
    assert answer.status_code == status


@pytest.mark.parametrize("tags", ["[1]", "{", "1"])
def test_tags_that_are_no_object(service: Service, toy_data: Path, tags: str):
    path = toy_data / "rain" / "rain_1.mp3"
    for address, field in (("/api/recordings", "files"), ("/api/search", "file")):
        answer = requests.post(
            service.url + address,
            data={"tags": tags},
            files={field: (path.name, path.read_bytes())},
            timeout=60,
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")
        assert "tags is" in answer.json()["detail"]


def test_only_the_files_of_uploads_are_told(there: Callable[..., Done], service: Service, folder: Path):
    there("index", folder / "siren")
    there("index", folder, "--on-server")
    of_folder, of_upload, *_ = requests.get(f"{service.url}/api/jobs", timeout=60).json()["jobs"]
    told = [
        requests.get(f"{service.url}/api/jobs/{job['id']}/files", timeout=60).json()["files"]
        for job in (of_folder, of_upload)
    ]
    assert told[0] == []
    assert [file["uri"] for file in told[1]] == ["siren_1.mp3", "siren_2.m4a"]
    assert requests.get(f"{service.url}/api/jobs/none/files", timeout=60).status_code == 404
