"""A folder with files that crash, hang and outgrow decoders, at every door of a running service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip, Indexed
from soundalike.cli.main import main
from tests.fixtures.bad_files import CODES, GOOD

if TYPE_CHECKING:
    from tests.fixtures.service import Service

Check = Callable[[Mapping[str, str | None]], None]


@pytest.fixture(scope="module")
def harmed(
    start_launcher: Callable[..., Service],
    service_environ: dict[str, str],
    harmful_environ: Mapping[str, str],
) -> Iterator[Service]:
    """Start a Flow of which a decoder does harm."""
    service = start_launcher({**service_environ, **harmful_environ})
    yield service
    assert service.program.process.poll() is None, service.program.said
    service.program.kill()


@pytest.fixture
def empty(harmed: Service, database_server: Any, service_database: str) -> Service:
    """Give that Flow with an empty index."""
    database_server.sql("DROP SCHEMA IF EXISTS soundalike CASCADE", url=service_database)
    return harmed


def _paths(bad_files: Path) -> list[Path]:
    return sorted(bad_files.iterdir())


def test_over_http(empty: Service, bad_files: Path, check_alone: Check):
    answer = empty.post("/index", *({"uri": str(path)} for path in _paths(bad_files)))
    assert answer.status == 200, answer.text
    rows = answer.json["data"]
    check_alone({Path(row["uri"]).name: row["error_code"] for row in rows})
    assert {row["duration_s"] for row in rows if not row["error_code"]} == {2.0}
    found = empty.post("/search", *({"uri": str(path)} for path in _paths(bad_files)))
    assert found.status == 200, found.text
    check_alone({Path(row["uri"]).name: row["error_code"] for row in found.json["data"]})


def test_over_grpc(empty: Service, bad_files: Path, check_alone: Check):
    client = Client(host="127.0.0.1", port=empty.grpc_port, protocol="grpc")
    clips = DocList[Clip](Clip(uri=str(path)) for path in _paths(bad_files))
    stored = client.post("/index", clips, return_type=DocList[Indexed])
    check_alone({Path(str(doc.uri)).name: doc.error_code for doc in stored})
    good = DocList[Clip](Clip(uri=doc.uri) for doc in stored if not doc.error_code)
    again = client.post("/index", good, return_type=DocList[Indexed])
    for outcome, docs in (("added", stored), ("unchanged", again)):
        assert {(doc.outcome, doc.duration_s) for doc in docs if not doc.error_code} == {(outcome, 2.0)}


def test_a_folder_of_the_service(
    empty: Service, bad_files: Path, finish: Callable[..., dict[str, Any]], check_alone: Check
):
    job = finish(requests.post(f"{empty.url}/api/jobs", json={"folder": str(bad_files)}, timeout=60))
    assert (job["state"], job["added"], job["failed"]) == ("done", len(GOOD), len(CODES))
    codes = {Path(error["uri"]).name: error["code"] for error in job["errors"]}
    check_alone({**dict.fromkeys(GOOD), **codes})


def test_uploads(
    empty: Service, bad_files: Path, finish: Callable[..., dict[str, Any]], check_alone: Check
):
    files = [("files", (path.name, path.read_bytes())) for path in _paths(bad_files)]
    job = finish(requests.post(f"{empty.url}/api/recordings", files=files, timeout=60))
    assert (job["state"], job["added"], job["failed"]) == ("done", len(GOOD), len(CODES))
    told = requests.get(f"{empty.url}/api/jobs/{job['id']}/files", timeout=60).json()["files"]
    check_alone({row["uri"]: row["error_code"] for row in told})


def test_files_that_the_command_line_sends(
    empty: Service, bad_files: Path, check_alone: Check, capsys: pytest.CaptureFixture[str]
):
    assert main(["index", str(bad_files), "--server", empty.url, "--json"]) == 3
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    check_alone({Path(row["uri"]).name: row["error_code"] for row in rows})


def test_a_query_that_crashes_a_decoder_is_answered_as_such(empty: Service, bad_files: Path):
    empty.post("/index", {"uri": str(bad_files / GOOD[0])})
    for name, codes in CODES.items():
        with (bad_files / name).open("rb") as file:
            answer = requests.post(f"{empty.url}/api/search", files={"file": (name, file)}, timeout=60)
        assert answer.json()["code"] in codes, answer.text
        assert str(bad_files) not in answer.text
