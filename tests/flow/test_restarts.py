"""Jobs survive a restart of the service, orderly or not; and a signal leaves nothing of it behind."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from executors.gateway.background.journal import FILE_NAME
from tests.fixtures.processes import is_alive

if TYPE_CHECKING:
    from tests.fixtures.service import Service

N_FILES = 200
_STOP_TIMEOUT_S = 60
#: asyncio closes its pipe for signals before it lets go of them, and Python notes one in between: Ctrl-C
#: reaches executors twice, from the terminal and as the launcher's SIGTERM.
_LATE_SIGNAL = re.compile(
    r"Exception ignored when trying to write to the signal wakeup fd:\nTraceback.*?"
    r"OSError: \[Errno 9\] Bad file descriptor\n",
    re.DOTALL,
)


class Restarts:
    """A service with a data folder of its own, which is stopped and started again."""

    def __init__(
        self, start: Callable[[], Service], wait_until: Callable[..., Any], uploads: Path
    ) -> None:
        self._start = start
        self._wait_until = wait_until
        self.uploads = uploads
        self.service = start()

    def end(self, how: str) -> list[psutil.Process]:
        """Stop the service: SIGTERM goes to the launcher alone, other signals to all its processes.

        Return the processes, which have ended or were given a minute for it.
        """
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
        return everybody

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


@pytest.fixture(scope="module")
def restarts_on(
    database_server: Any,
    start_launcher: Callable[..., Service],
    service_environ: dict[str, str],
    server_folder: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> Iterator[Callable[[str], Restarts]]:
    """Return the service on the ``own server`` or the ``embedded server``, the same each time.

    A start takes seconds.
    """
    found: dict[str, Restarts] = {}
    with server_folder() as folder, database_server.database() as url:

        def get(server: str) -> Restarts:
            if server not in found:
                data_dir = folder / server.split()[0]
                environ = {
                    **service_environ,
                    "SOUNDALIKE_DATABASE_URL": url if server == "own server" else "",
                    "SOUNDALIKE_DATA_DIR": str(data_dir),
                }
                start = partial(start_launcher, environ)
                found[server] = Restarts(start, wait_until, data_dir / "uploads")
            return found[server]

        yield get
        for one in found.values():
            if one.service.program.process.poll() is None:
                one.service.program.kill()


def _end_some(restarts: Restarts, folder: Path, toy_data: Path, gone: Path) -> list[str]:
    """Let jobs be done, fail and be cancelled; return their ids, the earliest first."""
    gone.mkdir()
    shutil.copy(toy_data / "rain" / "rain_1.mp3", gone)
    ids = [
        restarts.sync(gone),
        restarts.upload(toy_data / "README.md", toy_data / "guitar" / "guitar_1.mp3"),
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
    return ids


def _listed(restarts: Restarts, ids: list[str]) -> tuple[list[Any], Any]:
    """Return these jobs in the order of the list, and the files of the second one."""
    jobs = [job for job in restarts.get("/api/jobs")["jobs"] if job["id"] in ids]
    return jobs, restarts.get(f"/api/jobs/{ids[1]}/files")


def _check_resumed(restarts: Restarts, job_id: str, collection: str, *, was_killed: bool) -> None:
    """Check that a job on the small files went on where it was, to its end."""
    job = restarts.finished(job_id)
    assert (job["state"], job["failed"]) == ("done", 0)
    assert (job["total"], job["done"]) == (N_FILES, N_FILES)
    assert 0 < job["unchanged"] < N_FILES
    assert job["added"] + job["unchanged"] == N_FILES
    assert job["interrupted"] == was_killed
    collections = restarts.get("/api/collections")["collections"]
    assert {found["name"]: found["recordings"] for found in collections}[collection] == N_FILES
    labels = restarts.get(f"/api/labels?collection={collection}")["labels"]
    assert labels == [{"label": "noise", "files": N_FILES}]


def test_jobs_of_every_state_are_as_they_were_after_a_kill(
    restarts_on: Callable[[str], Restarts],
    small_files: Callable[[int], list[Path]],
    toy_data: Path,
    tmp_path: Path,
):
    """Each start takes seconds, so one kill comes upon all of them."""
    restarts = restarts_on("own server")
    (folder,) = {path.parent for path in small_files(N_FILES)}
    ended = _end_some(restarts, folder, toy_data, tmp_path / "gone")
    before = _listed(restarts, ended)
    assert [job["id"] for job in before[0]] == ended[::-1]
    running = restarts.sync(folder, label="noise", collection="killed")
    siren, rain = (toy_data / name / f"{name}_1.mp3" for name in ("siren", "rain"))
    kept, lost = restarts.upload(siren), restarts.upload(rain)
    restarts.begun(running)
    restarts.end("SIGKILL")
    uploads = restarts.uploads
    (path,) = [path for path in uploads.glob("*.mp3") if path.read_bytes() == rain.read_bytes()]
    path.unlink()
    restarts.begin()

    # What had ended is listed with its results.
    assert _listed(restarts, ended) == before
    names = {found["name"] for found in restarts.get("/api/collections")["collections"]}
    assert "listed" in names
    assert "never" not in names
    # What was at work goes on.
    assert restarts.get(f"/api/jobs/{running}")["folder"] == str(folder)
    _check_resumed(restarts, running, "killed", was_killed=True)
    # An upload that waited is resumed where its file is there.
    job = restarts.finished(lost)
    assert (job["state"], job["total"]) == ("failed", 1)
    assert [error["code"] for error in job["errors"]] == ["audio.not_found"]
    job = restarts.finished(kept)
    assert (job["state"], job["total"], job["added"]) == ("done", 1, 1)
    (file,) = restarts.get(f"/api/jobs/{kept}/files")["files"]
    assert (file["uri"], file["outcome"]) == (siren.name, "added")
    left = {path.read_bytes() for path in uploads.glob("*.mp3")}
    assert left == {siren.read_bytes(), (toy_data / "guitar" / "guitar_1.mp3").read_bytes()}
    assert (uploads / FILE_NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("server", "how"),
    [
        # As systemd ends a service that has a server, and a terminal one that has none.
        ("own server", "SIGTERM"),
        ("embedded server", "SIGKILL"),
        ("embedded server", "SIGINT"),
    ],
)
def test_a_folder_job_is_resumed(
    restarts_on: Callable[[str], Restarts],
    small_files: Callable[[int], list[Path]],
    server: str,
    how: str,
):
    restarts = restarts_on(server)
    (folder,) = {path.parent for path in small_files(N_FILES)}
    name = how.lower()
    job_id = restarts.sync(folder, label="noise", collection=name)
    restarts.begun(job_id)
    restarts.restart(how)

    assert restarts.get(f"/api/jobs/{job_id}")["folder"] == str(folder)
    _check_resumed(restarts, job_id, name, was_killed=how == "SIGKILL")


@pytest.mark.parametrize(("server", "how"), [("own server", "SIGTERM"), ("embedded server", "SIGINT")])
def test_a_signal_ends_everything(
    restarts_on: Callable[[str], Restarts],
    wait_until: Callable[..., Any],
    toy_data: Path,
    server: str,
    how: str,
):
    """The last one here: it leaves the services ended."""
    restarts = restarts_on(server)
    service = restarts.service
    # What cannot be passed on is answered, and is not waited for.
    for unsendable in (b'"\\ud800"', b'{"n": 1' + 400 * b"0" + b"}"):
        body = b'{"data": [{"uri": "a.wav", "tags": {"deep": [' + unsendable + b"]}}]}"
        assert service.request("/search", body).status == 422
    with ThreadPoolExecutor(1) as pool:
        if how == "SIGTERM":
            index = {"data": [{"uri": str(toy_data / "siren" / "siren_1.mp3")}]}
            connection, rest = _half_sent(service.port, json.dumps(index).encode())
            ending = pool.submit(restarts.end, how)
            wait_until(lambda: not _accepts(service.port), "it accepts no more", 10)
            connection.send(rest)
            assert connection.getresponse().status == 200
            connection.close()
        else:
            ending = pool.submit(restarts.end, how)
        everybody = ending.result()

    assert len(everybody) >= 6, "launcher, gateway and four executors"
    assert service.program.process.returncode == 0, service.program.said
    assert not [one for one in everybody if is_alive(one)]
    said = _LATE_SIGNAL.sub("", service.program.said)
    assert "Traceback" not in said
    assert "still open" not in said


def _half_sent(port: int, body: bytes) -> tuple[http.client.HTTPConnection, bytes]:
    """Begin a request; return its connection, and what is left to be sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STOP_TIMEOUT_S)
    connection.putrequest("POST", "/index")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    return connection, body[10:]


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
