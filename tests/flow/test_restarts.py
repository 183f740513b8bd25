"""Jobs survive a restart of the service, orderly or not."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from executors.gateway.background.journal import FILE_NAME

if TYPE_CHECKING:
    from tests.fixtures.service import Service

N_FILES = 200
_STOP_TIMEOUT_S = 60


class Restarts:
    """A service with a data folder of its own, which is stopped and started again."""

    def __init__(
        self, start: Callable[[], Service], wait_until: Callable[..., Any], uploads: Path
    ) -> None:
        self._start = start
        self._wait_until = wait_until
        self.uploads = uploads
        self.service = start()

    def end(self, how: str) -> None:
        """Stop the service: SIGTERM goes to the launcher alone, other signals to all its processes."""
        everybody = self.service.program.everybody()
        if how == "SIGKILL":
            for one in everybody:
                one.kill()
        elif how == "SIGTERM":
            os.kill(self.service.program.process.pid, signal.SIGTERM)
        else:
            # As a terminal does: executors may stop before the gateway.
            os.killpg(self.service.program.process.pid, signal.SIGINT)
        self.service.program.process.wait(_STOP_TIMEOUT_S)
        psutil.wait_procs(everybody, _STOP_TIMEOUT_S)

    def begin(self) -> None:
        """Start the service."""
        self.service = self._start()

    def restart(self, how: str) -> None:
        """End the service and start it again."""
        self.end(how)
        self.begin()

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        return requests.get(self.service.url + path, timeout=60).json()

    def sync(self, folder: Path, **more: Any) -> str:
        """Start a folder job; return its id."""
        body = {"folder": str(folder), **more}
        return str(requests.post(f"{self.service.url}/api/jobs", json=body, timeout=60).json()["id"])

    def upload(self, *paths: Path) -> str:
        """Start a job of uploads; return its id."""
        files = [("files", (path.name, path.read_bytes())) for path in paths]
        address = f"{self.service.url}/api/recordings"
        return str(requests.post(address, files=files, timeout=60).json()["id"])

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel a job; return it."""
        answer = requests.delete(f"{self.service.url}/api/jobs/{job_id}", timeout=60)
        found: dict[str, Any] = answer.json()
        return found

    def begun(self, job_id: str) -> dict[str, Any]:
        """Wait until a job has indexed some files; return it."""

        def some() -> dict[str, Any] | None:
            job: dict[str, Any] = self.get(f"/api/jobs/{job_id}")
            return job if job["added"] else None

        found: dict[str, Any] = self._wait_until(some, "some files are indexed")
        assert found["state"] == "running"
        return found

    def finished(self, job_id: str) -> dict[str, Any]:
        """Wait until a job is finished; return it."""

        def over() -> dict[str, Any] | None:
            job: dict[str, Any] = self.get(f"/api/jobs/{job_id}")
            return job if job["finished_at"] else None

        found: dict[str, Any] = self._wait_until(over, "the job is finished", 120)
        return found


@pytest.fixture(scope="module", params=["own server", "embedded server"])
def restarts(
    request: pytest.FixtureRequest,
    database_server: Any,
    start_launcher: Callable[..., Service],
    service_environ: dict[str, str],
    server_folder: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> Iterator[Restarts]:
    """Start a service for all tests of a database: each start takes seconds."""
    with server_folder() as folder, database_server.database() as url:
        environ = {
            **service_environ,
            "SOUNDALIKE_DATABASE_URL": url if request.param == "own server" else "",
            "SOUNDALIKE_DATA_DIR": str(folder / "data"),
        }
        found = Restarts(lambda: start_launcher(environ), wait_until, folder / "data" / "uploads")
        yield found
        found.end("SIGTERM")


@pytest.mark.parametrize("restarts", ["own server"], indirect=True)
def test_an_upload_is_resumed_where_its_files_are_there(
    restarts: Restarts, small_files: Callable[[int], list[Path]], toy_data: Path
):
    (folder,) = {path.parent for path in small_files(N_FILES)}
    running = restarts.sync(folder, collection="running")
    siren, rain = (toy_data / name / f"{name}_1.mp3" for name in ("siren", "rain"))
    kept, lost = restarts.upload(siren), restarts.upload(rain)
    restarts.begun(running)
    restarts.end("SIGKILL")
    uploads = restarts.uploads
    (path,) = [path for path in uploads.glob("*.mp3") if path.read_bytes() == rain.read_bytes()]
    path.unlink()
    restarts.begin()

    job = restarts.finished(lost)
    assert (job["state"], job["total"]) == ("failed", 1)
    assert [error["code"] for error in job["errors"]] == ["audio.not_found"]
    job = restarts.finished(kept)
    assert (job["state"], job["total"], job["added"]) == ("done", 1, 1)
    (file,) = restarts.get(f"/api/jobs/{kept}/files")["files"]
    assert (file["uri"], file["outcome"]) == (siren.name, "added")
    assert [path.read_bytes() for path in uploads.glob("*.mp3")] == [siren.read_bytes()]
    assert (uploads / FILE_NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("restarts", ["own server"], indirect=True)
def test_finished_jobs_are_listed_with_their_results(
    restarts: Restarts, small_files: Callable[[int], list[Path]], toy_data: Path, tmp_path: Path
):
    (folder,) = {path.parent for path in small_files(N_FILES)}
    gone = tmp_path / "gone"
    gone.mkdir()
    shutil.copy(toy_data / "rain" / "rain_1.mp3", gone)
    ids = [
        restarts.sync(gone),
        restarts.upload(toy_data / "README.md", toy_data / "siren" / "siren_1.mp3"),
    ]
    for job_id in ids:
        restarts.finished(job_id)
    (gone / "rain_1.mp3").unlink()
    ids.append(restarts.sync(gone, prune=True))
    assert restarts.finished(ids[-1])["state"] == "failed"
    ids.append(restarts.sync(folder, collection="listed"))
    restarts.begun(ids[-1])
    ids.append(restarts.sync(folder, collection="never"))
    for job_id in ids[-2:]:
        assert restarts.cancel(job_id)["state"] == "cancelled"

    before = restarts.get("/api/jobs"), restarts.get(f"/api/jobs/{ids[1]}/files")
    assert [job["id"] for job in before[0]["jobs"]][: len(ids)] == ids[::-1]
    restarts.restart("SIGKILL")
    assert (restarts.get("/api/jobs"), restarts.get(f"/api/jobs/{ids[1]}/files")) == before
    names = {found["name"] for found in restarts.get("/api/collections")["collections"]}
    assert "listed" in names
    assert "never" not in names


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_folder_job_is_resumed(restarts: Restarts, small_files: Callable[[int], list[Path]], how: str):
    (folder,) = {path.parent for path in small_files(N_FILES)}
    name = how.lower()
    job_id = restarts.sync(folder, label="noise", collection=name)
    restarts.begun(job_id)
    restarts.restart(how)

    job = restarts.finished(job_id)
    assert (job["state"], job["folder"], job["failed"]) == ("done", str(folder), 0)
    assert (job["total"], job["done"]) == (N_FILES, N_FILES)
    assert 0 < job["unchanged"] < N_FILES
    assert job["added"] + job["unchanged"] == N_FILES
    assert job["interrupted"] == (how == "SIGKILL")
    collections = restarts.get("/api/collections")["collections"]
    assert {found["name"]: found["recordings"] for found in collections}[name] == N_FILES
    labels = restarts.get(f"/api/labels?collection={name}")["labels"]
    assert labels == [{"label": "noise", "files": N_FILES}]
