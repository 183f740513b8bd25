"""A client that is generated from the API description does the main things."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from tests.fixtures.service import Service

PACKAGE = "generated_client"
#: The generator knows these bytes by one name only, and runs a formatter unless told otherwise.
_CONFIG = """
post_hooks: []
content_type_overrides: {image/png: application/octet-stream, "audio/*": application/octet-stream}
"""


@pytest.fixture(scope="session")
def generated(
    shared_service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], ModuleType]]:
    """Generate a client once; return what imports its modules."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "config.yml").write_text(_CONFIG)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate"),
            *("--url", f"{shared_service.url}/openapi.json", "--meta", "none"),
            *("--config", folder / "config.yml", "--output-path", folder / PACKAGE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARNING" not in said, said
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


class _Client:
    """The generated package for one service."""

    def __init__(self, service: Service, generated: Callable[[str], ModuleType]) -> None:
        self._import = generated
        self._client = generated("client").Client(base_url=service.url, timeout=60)
        self.models = generated("models")

    def __call__(self, operation: str, *given: Any, **named: Any) -> Any:
        """Call an operation like ``search.search_upload``."""
        call = self._import(f"api.{operation}").sync_detailed
        return call(*given, client=self._client, **named)

    def file(self, path: Path) -> Any:
        """Return a sound file for a form."""
        return self._import("types").File(payload=io.BytesIO(path.read_bytes()), file_name=path.name)


@pytest.fixture
def client(service: Service, generated: Callable[[str], ModuleType], toy_data: Path) -> _Client:
    """Give the client of a service that has two sirens, a rain and a guitar."""
    names = ("siren/siren_1.mp3", "siren/siren_2.m4a", "rain/rain_1.mp3", "guitar/guitar_1.mp3")
    service.post("/index", *({"uri": str(toy_data / name)} for name in names))
    return _Client(service, generated)


def test_search_by_upload_with_two_labels(client: _Client, toy_data: Path):
    form = client.models.SearchUploadForm(
        file=client.file(toy_data / "queries" / "siren_query_1.mp3"), labels=["siren", "rain"], top_k=20
    )
    answer = client("search.search_upload", body=form)
    assert answer.status_code == 200
    assert isinstance(answer.parsed, client.models.Answer)
    assert sorted(match.label for match in answer.parsed.matches) == ["rain", "siren", "siren"]


def test_search_by_a_recording_and_by_a_vector(client: _Client):
    first = client("library.list_recordings", labels=["rain"]).parsed.recordings[0]
    request = client.models.SearchRequest(recording_id=first.recording_id, exclude_self=True)
    found = client("search.search", body=request).parsed
    assert len(found.matches) == 3
    assert first.recording_id not in {match.recording_id for match in found.matches}

    (stored,) = client("library.list_collections").parsed.collections
    vector = [1.0] + [0.0] * (stored.dimension - 1)
    found = client("search.search", body=client.models.SearchRequest(vector=vector, top_k=2)).parsed
    assert [match.rank for match in found.matches] == [1, 2]


def test_upload_follow_page_play_and_delete(
    client: _Client, toy_data: Path, wait_until: Callable[..., Any]
):
    paths = [toy_data / "siren" / "siren_1.mp3", toy_data / "rain" / "rain_1.mp3"]
    form = client.models.UploadRecordingsForm(
        files=[client.file(path) for path in paths], collection="mine", label="weather"
    )
    job = client("indexing.upload_recordings", body=form).parsed
    assert (job.kind.value, job.total) == ("upload", 2)

    events = client("indexing.watch_job", job.id).parsed
    assert events.startswith("event: progress\n")
    assert "\nevent: end\n" in events
    wait_until(lambda: client("indexing.get_job", job.id).parsed.finished_at, "the job is done")
    assert client("indexing.get_job", job.id).parsed.state.value == "done"
    files = client("indexing.list_job_files", job.id).parsed.files
    assert [(file.uri, file.outcome) for file in files] == [(path.name, "added") for path in paths]

    page = client("library.list_recordings", collection="mine", limit=1).parsed
    second = client("library.list_recordings", collection="mine", limit=1, after=page.next_).parsed
    ids = {one.recording_id for one in (*page.recordings, *second.recordings)}
    assert ids == {file.recording_id for file in files}

    which = UUID(files[0].recording_id)
    whole = client("playback.get_audio", which, collection="mine")
    assert whole.parsed.payload.read() == paths[0].read_bytes()
    part = client("playback.get_audio", which, collection="mine", range_="bytes=0-99")
    assert (part.status_code, part.content) == (206, paths[0].read_bytes()[:100])
    picture = client("playback.get_spectrogram", which, collection="mine").parsed
    assert picture.payload.read().startswith(b"\x89PNG")

    assert client("library.delete_recording", which, collection="mine").parsed.deleted == 1
    assert client("library.delete_collection", "mine").parsed.dropped == "mine"


def test_failures_are_typed(client: _Client):
    missing = client("indexing.get_job", "nobody")
    assert isinstance(missing.parsed, client.models.Problem)
    assert (missing.status_code, missing.parsed.status) == (404, 404)
    assert missing.parsed.code == "service.job_not_found"
    refused = client("library.get_recording", UUID(int=0)).parsed
    assert refused.code == "store.not_found"


def test_jinas_endpoints_can_be_called(client: _Client, toy_data: Path):
    models = client.models
    query = models.Clip(uri=str(toy_data / "siren" / "siren_1.mp3"))
    request = models.JinaSearchRequest(data=[query], parameters=models.SearchParameters(top_k=1))
    (found,) = client("jina.jina_search", body=request).parsed.data
    assert [match.label for match in found.matches] == ["siren"]
