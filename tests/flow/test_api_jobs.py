"""Plain HTTP: folders and uploads are indexed by jobs that can be watched and cancelled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.fixtures.films import write_mute_film

if TYPE_CHECKING:
    from tests.fixtures.service import Service

COUNTS = ("total", "done", "added", "replaced", "unchanged", "failed", "pruned")


@pytest.fixture
def folder(tmp_path: Path, toy_data: Path) -> Path:
    """Copy two recordings, with a broken one and a text beside them."""
    place = tmp_path / "field"
    (place / "rain").mkdir(parents=True)
    shutil.copy(toy_data / "siren" / "siren_1.mp3", place / "one.mp3")
    shutil.copy(toy_data / "rain" / "rain_1.mp3", place / "rain" / "two.mp3")
    (place / "broken.wav").write_bytes(b"no sound")
    (place / "notes.txt").write_text("nothing to hear")
    return place


def _counts(job: dict[str, Any]) -> dict[str, int]:
    return {name: job[name] for name in COUNTS if job[name]}


@pytest.fixture
def finish(service: Service, wait_until: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Wait until the job that an answer names is finished; return it."""

    def wait(answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 202, answer.text
        address = service.url + answer.headers["location"]
        assert address.endswith(f"/api/jobs/{answer.json()['id']}")

        def finished() -> dict[str, Any] | None:
            job: dict[str, Any] = requests.get(address, timeout=60).json()
            return job if job["finished_at"] else None

        found: dict[str, Any] = wait_until(finished, "the job is finished")
        return found

    return wait


def _sync(service: Service, folder: Path, **more: Any) -> requests.Response:
    return requests.post(f"{service.url}/api/jobs", json={"folder": str(folder), **more}, timeout=60)


def _upload(service: Service, *paths: Path, **fields: Any) -> requests.Response:
    files = [("files", (path.name, path.read_bytes())) for path in paths]
    return requests.post(f"{service.url}/api/recordings", data=fields, files=files, timeout=60)


def _recordings(service: Service) -> list[dict[str, Any]]:
    found = requests.get(f"{service.url}/api/recordings", timeout=60).json()["recordings"]
    return list(found)


def test_a_folder_is_kept_in_step(service: Service, folder: Path, finish: Callable[..., dict[str, Any]]):
    first = finish(_sync(service, folder))
    assert (first["state"], first["kind"], first["folder"]) == ("done", "folder", str(folder))
    assert _counts(first) == {"total": 3, "done": 3, "added": 2, "failed": 1}
    (error,) = first["errors"]
    assert (error["uri"], error["code"]) == (str(folder / "broken.wav"), "audio.unreadable")
    assert {found["label"] for found in _recordings(service)} == {"field", "rain"}

    assert _counts(finish(_sync(service, folder))) == {
        "total": 3,
        "done": 3,
        "unchanged": 2,
        "failed": 1,
    }

    (folder / "broken.wav").unlink()
    shutil.copy(folder / "rain" / "two.mp3", folder / "one.mp3")
    (folder / "rain" / "two.mp3").unlink()
    assert _counts(finish(_sync(service, folder))) == {"total": 1, "done": 1, "replaced": 1}
    assert len(_recordings(service)) == 2
    assert _counts(finish(_sync(service, folder, prune=True))) == {
        **{"total": 1, "done": 1, "unchanged": 1, "pruned": 1},
    }
    assert [Path(found["uri"]).name for found in _recordings(service)] == ["one.mp3"]


def test_what_is_no_sound_is_left_out_and_named(
    service: Service, folder: Path, finish: Callable[..., dict[str, Any]]
):
    (folder / "broken.wav").unlink()
    (folder / "notes.txt").write_text("no sound")
    write_mute_film(folder / "film.mkv")
    for _ in range(2):
        job = finish(_sync(service, folder))
        assert (job["total"], job["done"], job["failed"], job["errors"]) == (3, 3, 0, [])
        assert (job["skipped"], job["left_out"]) == (1, 1)
        assert [Path(file["uri"]).name for file in job["left_out_files"]] == ["notes.txt", "film.mkv"]
        assert job["left_out_files"][0]["reason"].startswith("neither its name nor its content")
        assert job["left_out_files"][1]["reason"].startswith("a film without sound")


def test_a_folder_may_be_named_in_a_roundabout_way(
    service: Service, folder: Path, finish: Callable[..., dict[str, Any]]
):
    finish(_sync(service, folder))
    (folder / "one.mp3").unlink()
    job = finish(_sync(service, folder / "rain" / "..", prune=True))
    assert (job["folder"], job["pruned"]) == (str(folder), 1)


def test_another_label_is_written(service: Service, folder: Path, finish: Callable[..., dict[str, Any]]):
    finish(_sync(service, folder))
    again = finish(_sync(service, folder, label="outdoors"))
    assert _counts(again) == {"total": 3, "done": 3, "replaced": 2, "failed": 1}
    assert {found["label"] for found in _recordings(service)} == {"outdoors"}


def test_an_empty_folder_takes_nothing_out(
    service: Service, folder: Path, finish: Callable[..., dict[str, Any]]
):
    finish(_sync(service, folder))
    shutil.rmtree(folder)
    folder.mkdir()
    job = finish(_sync(service, folder, prune=True))
    assert job["state"] == "failed"
    assert job["errors"][-1]["code"] == "audio.not_found"
    assert "mounted" in job["errors"][-1]["detail"]
    assert len(_recordings(service)) == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"folder": "/no/such/folder"}, 404, "audio.not_found"),
        ({"folder": __file__}, 404, "audio.not_found"),
        ({"folder": ""}, 422, "parameter.invalid"),
        ({}, 422, "parameter.invalid"),
        ({"folder": "/tmp", "prunes": True}, 422, "parameter.unknown"),
        ({"folder": "/tmp", "collection": "A B"}, 422, "parameter.invalid"),
        ({"folder": "/tmp", "label": "\0"}, 422, "parameter.invalid"),
    ],
)
def test_folders_that_cannot_be_indexed(service: Service, body: dict[str, Any], status: int, code: str):
    answer = requests.post(f"{service.url}/api/jobs", json=body, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_uploads_are_kept_under_names_of_ours(
    service: Service, toy_data: Path, uploads: Path, finish: Callable[..., dict[str, Any]]
):
    siren = toy_data / "siren" / "siren_1.mp3"
    files = [
        ("files", (name, siren.read_bytes()))
        for name in ("../../../etc/20250501_063000.mp3", "/etc/passwd", "..", "C:\\x\\again.MP3")
    ]
    answer = requests.post(f"{service.url}/api/recordings", files=files, timeout=60)
    job = finish(answer)
    assert _counts(job) == {"total": 4, "done": 4, "added": 1, "replaced": 3}
    (found,) = _recordings(service)
    kept = _files(uploads)
    assert kept == [uploads / f"{found['recording_id']}.mp3"]
    assert kept[0].read_bytes() == siren.read_bytes()
    assert (found["uri"], found["label"]) == (str(kept[0]), None)
    assert found["tags"] == {"filename": "again.MP3"}
    assert (
        requests.get(f"{service.url}/api/recordings/{found['recording_id']}/audio", timeout=60).content
        == siren.read_bytes()
    )


@pytest.mark.parametrize("is_browser", [True, False])
def test_what_a_browser_escapes_in_a_name_is_as_it_was(
    service: Service, toy_data: Path, uploads: Path, finish: Callable[..., Any], is_browser: bool
):
    siren = (toy_data / "siren" / "siren_1.mp3").read_bytes()
    sent, meant = "a%22b%0D%0Ac%25%20.mp3", 'a"b\r\nc%25%20.mp3'
    wanted = meant if is_browser else sent
    # As browsers and curl write it; requests would escape it once more.
    head = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="' + sent.encode()
    body = head + b'"\r\n\r\n' + siren + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    if is_browser:
        headers["Origin"] = service.url
    address = f"{service.url}/api/recordings"
    finish(requests.post(address, body.replace(b"%s", b"files", 1), headers=headers, timeout=60))
    (found,) = _recordings(service)
    assert found["tags"] == {"filename": wanted}
    bad = body.replace(b"%s", b"file", 1).replace(siren, b"no sound")
    refused = requests.post(f"{service.url}/api/search", bad, headers=headers, timeout=60)
    assert repr(wanted) in refused.json()["detail"]


def test_an_upload_keeps_its_name_its_label_and_its_start(
    service: Service,
    toy_data: Path,
    tmp_path: Path,
    uploads: Path,
    finish: Callable[..., dict[str, Any]],
):
    path = tmp_path / "20250501_063000.mp3"
    shutil.copy(toy_data / "siren" / "siren_1.mp3", path)
    finish(_upload(service, path, label="alarm"))
    (found,) = _recordings(service)
    assert (found["label"], found["tags"]) == ("alarm", {"filename": path.name})
    assert (found["recorded_at"], found["recorded_at_source"]) == (
        "2025-05-01T06:30:00+00:00",
        "filename",
    )


def test_what_is_no_recording_is_not_kept(
    service: Service, toy_data: Path, uploads: Path, finish: Callable[..., dict[str, Any]]
):
    job = finish(_upload(service, toy_data / "README.md", toy_data / "rain" / "rain_1.mp3"))
    assert _counts(job) == {"total": 2, "done": 2, "added": 1, "failed": 1}
    (error,) = job["errors"]
    assert (error["uri"], error["code"]) == ("README.md", "audio.unreadable")
    assert str(uploads) not in error["detail"]
    assert len(_files(uploads)) == 1


def test_a_deleted_upload_is_gone_from_the_disk(
    service: Service, toy_data: Path, uploads: Path, finish: Callable[..., dict[str, Any]]
):
    rain = toy_data / "rain" / "rain_1.mp3"
    finish(_upload(service, rain))
    finish(_upload(service, rain, collection="other"))
    (found,) = _recordings(service)
    address = f"{service.url}/api/recordings/{found['recording_id']}"
    assert requests.delete(address, timeout=60).json() == {"deleted": 1}
    assert Path(found["uri"]).is_file(), "the other collection has it still"
    assert requests.delete(f"{address}?collection=other", timeout=60).json() == {"deleted": 1}
    assert not Path(found["uri"]).exists()


@pytest.fixture
def busy(service: Service, small_files: Callable[[int], list[Path]]) -> Iterator[str]:
    """Keep the jobs busy until the end of the test; return the id of the one that runs."""
    (folder,) = {path.parent for path in small_files(200)}
    job_id = str(_sync(service, folder, collection="busy").json()["id"])
    yield job_id
    _cancel(service, job_id)


def _cancel(service: Service, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = requests.delete(f"{service.url}/api/jobs/{job_id}", timeout=60).json()
    return job


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_uploads_that_are_never_indexed_are_not_kept(
    service: Service, toy_data: Path, uploads: Path, busy: str
):
    job = _upload(service, toy_data / "rain" / "rain_1.mp3").json()
    assert len(_files(uploads)) == 1
    assert _cancel(service, job["id"])["state"] == "cancelled"
    assert _files(uploads) == []


def test_an_upload_that_waits_is_there_when_its_turn_comes(
    service: Service,
    toy_data: Path,
    uploads: Path,
    finish: Callable[..., dict[str, Any]],
    small_files: Callable[[int], list[Path]],
):
    """Deleting the same content from another collection does not take it away."""
    rain = toy_data / "rain" / "rain_1.mp3"
    finish(_upload(service, rain))
    (found,) = _recordings(service)
    (folder,) = {path.parent for path in small_files(200)}
    busy = _sync(service, folder, collection="busy").json()["id"]
    waiting = _upload(service, rain, collection="other")
    requests.delete(f"{service.url}/api/recordings/{found['recording_id']}", timeout=60)
    _cancel(service, busy)
    assert _counts(finish(waiting)) == {"total": 1, "done": 1, "added": 1}
    assert _files(uploads) == [Path(found["uri"])]


def test_an_upload_goes_with_its_recording_whatever_its_other_paths(
    service: Service, toy_data: Path, uploads: Path, finish: Callable[..., dict[str, Any]]
):
    # A path that stands before that of the upload.
    rain = Path(shutil.copy(toy_data / "rain" / "rain_1.mp3", uploads.parent / "0.mp3"))
    finish(_upload(service, rain))
    (doc,) = service.post("/index", {"uri": str(rain)}).json["data"]
    assert len(_recordings(service)) == 2
    requests.delete(f"{service.url}/api/recordings/{doc['recording_id']}", timeout=60)
    assert _files(uploads) == []
    assert rain.is_file()


def test_uploads_go_with_their_collection(
    service: Service, toy_data: Path, uploads: Path, finish: Callable[..., dict[str, Any]]
):
    for name in ("rain_1.mp3", "rain_2.mp3"):
        finish(_upload(service, toy_data / "rain" / name, collection="other"))
    finish(_upload(service, toy_data / "rain" / "rain_1.mp3"))
    gone = requests.delete(f"{service.url}/api/collections/other", timeout=60)
    assert gone.json() == {"dropped": "other"}
    (found,) = _recordings(service)
    assert _files(uploads) == [Path(found["uri"])]


@pytest.mark.parametrize(
    "fields",
    [{"collection": "A B"}, {"label": "\0"}, {"labels": "rain"}],
    ids=lambda one: next(iter(one)),
)
def test_fields_that_no_upload_can_have(
    service: Service, toy_data: Path, uploads: Path, fields: dict[str, str]
):
    answer = _upload(service, toy_data / "rain" / "rain_1.mp3", **fields)
    code = "parameter.unknown" if "labels" in fields else "parameter.invalid"
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert next(iter(fields)) in answer.json()["detail"]
    assert _files(uploads) == []


@pytest.mark.parametrize(
    ("path", "name"), [("/api/recordings", "files"), ("/api/search", "file"), ("/api/waveform", "file")]
)
def test_text_in_place_of_a_file_is_said(service: Service, path: str, name: str):
    form = {name: (None, "siren.mp3")}
    answer = requests.post(service.url + path, files=form, timeout=60)
    assert answer.status_code == 422
    assert name in answer.json()["detail"]
    assert "=@siren.mp3" in answer.json()["detail"]


@pytest.mark.parametrize("recorded_at", ["yesterday", "2025-05-01T06:30:00"])
def test_a_start_that_cannot_be_read(service: Service, toy_data: Path, uploads: Path, recorded_at: str):
    answer = _upload(service, toy_data / "rain" / "rain_1.mp3", recorded_at=recorded_at)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")
    assert _files(uploads) == []


def _events(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_job_is_watched_until_its_end(service: Service, small_files: Callable[[int], list[Path]]):
    (folder,) = {path.parent for path in small_files(40)}
    job = _sync(service, folder).json()
    with requests.get(f"{service.url}/api/jobs/{job['id']}/events", stream=True, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = list(_events(answer))
    *progress, (name, last) = events
    assert {found for found, _ in progress} == {"progress"}
    assert name == "end"
    assert (last["state"], last["done"], last["added"]) == ("done", 40, 40)
    done = [state["done"] for _, state in progress]
    assert done == sorted(done)
    listed = requests.get(f"{service.url}/api/jobs", timeout=60).json()["jobs"]
    assert listed[0] == last
    again = requests.get(f"{service.url}/api/jobs/{job['id']}/events", timeout=60)
    assert list(_events(again)) == [("progress", last), ("end", last)]


def test_a_job_is_cancelled(service: Service, small_files: Callable[[int], list[Path]]):
    (folder,) = {path.parent for path in small_files(200)}
    first, second = (_sync(service, folder).json()["id"] for _ in range(2))
    for job_id in (second, first):
        job = requests.delete(f"{service.url}/api/jobs/{job_id}", timeout=60).json()
        assert job["state"] == "cancelled"
        assert job["finished_at"]
    assert job["done"] < 200
    again = requests.delete(f"{service.url}/api/jobs/{first}", timeout=60)
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")


@pytest.mark.parametrize("path", ["/api/jobs/none", "/api/jobs/none/events"])
def test_a_job_that_is_not_there(service: Service, path: str):
    answer = requests.get(service.url + path, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (404, "service.job_not_found")


def test_tables_in_the_folder_are_read(service: Service, folder: Path, finish: Callable[..., Any]):
    table = folder / "metadata.csv"
    table.write_text("file_name,label,site\none.mp3,wail,roof\n")
    job = finish(_sync(service, folder, collection="tables"))
    assert job["metadata"] == [str(table)]
    listed = f"{service.url}/api/recordings"
    found = requests.get(listed, params={"collection": "tables"}, timeout=60).json()["recordings"]
    told = {Path(each["uri"]).name: (each["label"], each["tags"]) for each in found}
    assert told == {"one.mp3": ("wail", {"site": "roof"}), "two.mp3": ("rain", {})}

    assert _counts(finish(_sync(service, folder, collection="tables")))["unchanged"] == 2
    table.write_text("file_name,label,site\none.mp3,wail,cellar\n")
    assert _counts(finish(_sync(service, folder, collection="tables")))["replaced"] == 1
    without = finish(_sync(service, folder, collection="tables", metadata=False))
    assert (without["metadata"], without["replaced"]) == ([], 1)
