"""Indexing through Dask ends as indexing in one process does, whatever becomes of the workers."""

from __future__ import annotations

import os
import signal
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.cluster import run
from soundalike.cluster.open import opened_cluster
from soundalike.cluster.work import BulkJob, index_files
from soundalike.config import Settings
from soundalike.encoders.modulation import Modulation
from soundalike.errors import ModelMismatch, ServiceError
from soundalike.indexing.items import IndexItem
from soundalike.indexing.pipeline import Pipeline
from soundalike.remote.objects import list_remote
from tests.fixtures.web_folder import serving

distributed = pytest.importorskip("distributed")

Cli = Callable[..., Any]
pytestmark = [pytest.mark.db, pytest.mark.slow]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers, and a scheduler that gives a batch up after the second worker that it has ended."""
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        opened_cluster(None, 2) as client,
    ):
        yield client


@pytest.fixture
def recordings(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    """Make a folder of twelve tones, and a file that is not sound."""
    for number in range(12):
        write_tone(tmp_path / "tones" / f"{number:02d}.wav", 200.0 + 50 * number, 2.0)
    (tmp_path / "tones" / "broken.wav").write_bytes(b"RIFF....WAVE and no more")
    for path in (tmp_path / "tones").iterdir():
        # The stat of a file that has just changed is not stored.
        os.utime(path, (1e9, 1e9))
    return tmp_path / "tones"


@pytest.fixture
def pipeline(connect_store: Callable[..., Any]) -> Pipeline:
    return Pipeline(connect_store(), Modulation(), WindowPlan())


@pytest.fixture
def job(pipeline: Pipeline, database_url: str, tmp_path: Path) -> BulkJob:
    settings = Settings(
        database_url, tmp_path, tmp_path / "weights", "logmel-modulation", tmp_path / "spool"
    )
    return BulkJob(
        job_id=uuid.uuid4().hex,
        settings=settings,
        is_local=True,
        collection=pipeline.collection,
        spec=pipeline.spec,
        start_rules=StartTimeRules(),
    )


def _items(folder: Path) -> list[IndexItem]:
    return [IndexItem(str(path)) for path in sorted(folder.iterdir())]


def _content(archive: Path) -> dict[str, bytes]:
    """Return the parts of an exported collection, without its description, which has its name."""
    with zipfile.ZipFile(archive) as file:
        return {name: file.read(name) for name in file.namelist() if name != "collection.json"}


def index_or_end(job: BulkJob, items: tuple[IndexItem, ...]) -> Any:
    """Index files; the process ends before one of them."""
    if any(item.uri.endswith("05.wav") for item in items):
        os.kill(os.getpid(), signal.SIGKILL)
    return index_files(job, items)


def index_once_killed(job: BulkJob, items: tuple[IndexItem, ...]) -> Any:
    """Index files; the first process that has done so ends before it says so."""
    results = index_files(job, items)
    try:
        (job.settings.data_dir / "killed").mkdir()
    except FileExistsError:
        return results
    return os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("option", ["--workers", "--dask"])
def test_the_index_is_that_of_one_process(
    cli: Cli, recordings: Path, tmp_path: Path, client: Any, option: str
):
    value = "1" if option == "--workers" else client.scheduler.address
    alone = cli("index", recordings, "--collection", "alone")
    spread = cli("index", recordings, "--collection", "spread", option, value)
    assert (alone.returncode, spread.returncode) == (3, 3), spread.stderr
    assert "12 added, 1 failed" in spread.stderr
    assert "audio.unreadable" in spread.stderr

    for name in ("alone", "spread"):
        assert cli("export", tmp_path / f"{name}.zip", "--collection", name).returncode == 0
    assert _content(tmp_path / "spread.zip") == _content(tmp_path / "alone.zip")
    if option == "--dask":
        again = cli("index", recordings / "01.wav", "--collection", "spread", option, value)
        assert "1 unchanged" in again.stderr


def test_workers_fetch_recordings_of_other_machines(
    client: Any, pipeline: Pipeline, job: BulkJob, recordings: Path, tmp_path: Path
):
    with serving(recordings) as server:
        items = [IndexItem(one.uri, remote=one) for one in list_remote(server.url).objects]
        found = [one.error_code or one.outcome for one in run.index_on(client, pipeline, job, items)]
        again = [one.outcome for one in run.index_on(client, pipeline, job, items)]
    assert sorted(found) == [*["added"] * 12, "audio.unreadable"]
    assert sorted(again) == ["failed", *["unchanged"] * 12]
    assert {one.label for one in pipeline.store.files(under=server.url.rstrip("/"))} == {
        f"127.0.0.1:{server.server_port}"
    }
    # The broken one is fetched by either run, and the others by the first.
    fetched = [name for name in server.fetched if name.endswith(".wav")]
    assert (len(fetched), len(set(fetched))) == (14, 13)
    assert [path.name for path in (tmp_path / "spool").rglob("*")] in ([], ["remote", ".lock"])


def test_a_file_that_ends_workers_fails_alone(
    client: Any, pipeline: Pipeline, job: BulkJob, recordings: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run, "index_files", index_or_end)
    items = _items(recordings)[4:7]
    found = {Path(one.uri).name: one for one in run.index_on(client, pipeline, job, items)}
    # Dask does a batch again whose result was lost with its worker.
    stored = {"added": "stored", "unchanged": "stored"}
    assert {name: stored.get(one.outcome, one.outcome) for name, one in found.items()} == {
        "04.wav": "stored",
        "05.wav": "failed",
        "06.wav": "stored",
    }
    assert found["05.wav"].error_code == "audio.unexpected"


def test_work_of_a_killed_worker_is_done_by_another(
    client: Any, pipeline: Pipeline, job: BulkJob, recordings: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run, "index_files", index_once_killed)
    results = list(run.index_on(client, pipeline, job, _items(recordings)[:4]))
    # What the killed worker had stored is not done again.
    assert {one.outcome for one in results} == {"added", "unchanged"}
    assert len(results) == pipeline.store.status().recordings == 4


def test_a_worker_without_the_encoder_of_the_collection_says_so(job: BulkJob, recordings: Path):
    other = replace(job, job_id="other", spec=replace(job.spec, fingerprint="0" * 12))
    with pytest.raises(ModelMismatch, match="same models and versions on all workers"):
        index_files(other, _items(recordings)[:1])


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_without_a_scheduler(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("soundalike.cluster.open._CONNECT_TIMEOUT_S", 0.3)
    with (
        pytest.raises(ServiceError, match="start one with dask scheduler"),
        opened_cluster(address, None),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workers", "0"], "--workers is 0"),
        (["--workers", "2", "--dask", "tcp://h:1"], "exclude each other"),
        (["--workers", "2", "--dry-run"], "decodes nothing"),
        (["--workers", "2", "--server", "http://127.0.0.1:9"], "--workers does not go with a service"),
    ],
)
def test_options_that_cannot_be(cli: Cli, recordings: Path, words: list[str], said: str):
    done = cli("index", recordings, *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_the_embedded_database_is_not_for_other_machines(
    soundalike: Callable[..., Any], recordings: Path, tmp_path: Path, client: Any
):
    words = ["index", recordings, "--data-dir", tmp_path / "data", "--dask", client.scheduler.address]
    done = soundalike(*words)
    assert (done.returncode, "the workers reach" in done.stderr) == (2, True), done.stderr
