"""Recordings of other machines: a web server of this process, and fsspec's file system in memory."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest

from soundalike.audio.sources import stored_names
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.errors import (
    AudioChanged,
    AudioNotFound,
    AudioTooLarge,
    ConfigError,
    EmptyAudio,
    ParameterError,
    RemoteForbidden,
    RemoteUnreachable,
    SoundalikeError,
)
from soundalike.indexing.dry_run import preview
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.indexing.pruning import find_places, prune
from soundalike.indexing.reindex import is_rebuilt, plan_rebuild, rebuild
from soundalike.remote import driver, objects
from soundalike.remote.objects import RemoteObject, list_remote, object_at
from soundalike.remote.spool import Spool, SpoolPlace
from soundalike.store import MemoryStore
from soundalike.types import FloatArray
from tests.fixtures.web_folder import Server, serving

BEFORE = datetime(2025, 5, 1, 6, tzinfo=UTC).timestamp()


@pytest.fixture
def server(
    tmp_path: Path, tone: Callable[..., FloatArray], write_wav: Callable[..., Path]
) -> Iterator[Server]:
    folder = tmp_path / "served"
    for number, name in enumerate(("rain/20250501_120000.wav", "rain/a b.wav", "deep/down/c.wav")):
        path = write_wav(folder / name, tone(300 + 50 * number, 0.5))
        os.utime(path, (BEFORE, BEFORE))
    (folder / "readme.txt").write_text("no sound")
    (folder / ".hidden.wav").write_text("hidden")
    with serving(folder) as found:
        yield found


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(
        MemoryStore(), Modulation(), WindowPlan(1.0, 1.0), spool=SpoolPlace(tmp_path / "spool", 10)
    )


@pytest.fixture
def memory() -> Iterator[Any]:
    found = fsspec.filesystem("memory")
    yield found
    found.store.clear()
    found.pseudo_dirs[:] = [""]


def items(url: str) -> list[IndexItem]:
    return [IndexItem(one.uri, remote=one) for one in list_remote(url).objects]


def outcomes(pipeline: Pipeline, url: str) -> list[str]:
    return [result.error_code or result.outcome for result in pipeline.index(items(url))]


def pruned(pipeline: Pipeline, *urls: str) -> list[str]:
    places = find_places(pipeline.store, urls, pipeline.spec, collection=pipeline.collection)
    return [one.uri for one in prune(pipeline.store, list(places.values()), collection="default")]


def test_a_folder_of_a_web_server_is_listed_without_fetching(server: Server):
    found = list_remote(server.url)
    names = [one.uri.removeprefix(server.url) for one in found.objects]
    assert names == ["deep/down/c.wav", "rain/20250501_120000.wav", "rain/a%20b.wav"]
    assert [one.label for one in found.objects] == ["down", "rain", "rain"]
    assert {one.mtime_ns for one in found.objects} == {int(BEFORE * 1e9)}
    assert list(found.left_out) == [f"{server.url}readme.txt"]
    assert not [name for name in server.fetched if name.endswith(".wav")]


def test_recordings_are_stored_under_their_urls_and_fetched_once(server: Server, pipeline: Pipeline):
    assert outcomes(pipeline, server.url) == ["added"] * 3
    stored = {one.uri.removeprefix(server.url): one for one in pipeline.store.files()}
    named, by_time = stored["rain/20250501_120000.wav"], stored["rain/a%20b.wav"]
    assert (named.label, named.recorded_at_source) == ("rain", "filename")
    assert named.recorded_at == datetime(2025, 5, 1, 12, tzinfo=UTC)
    assert (by_time.recorded_at_source, by_time.recorded_at.timestamp()) == ("mtime", BEFORE - 0.5)
    server.fetched.clear()
    assert outcomes(pipeline, server.url) == ["unchanged"] * 3
    assert not [name for name in server.fetched if name.endswith(".wav")]
    os.utime(server.folder / "rain" / "a b.wav", (BEFORE + 5, BEFORE + 5))
    assert outcomes(pipeline, server.url) == ["unchanged"] * 3
    assert [name for name in server.fetched if name.endswith(".wav")] == ["/rain/a%20b.wav"]
    assert not list((pipeline.spool.folder / "remote").glob("*/*"))


def test_copies_are_removed_before_the_results_come(server: Server, pipeline: Pipeline):
    results = pipeline.index(items(server.url))
    assert next(results).outcome == "added"
    assert pipeline.spool.folder is not None
    assert not list(pipeline.spool.folder.rglob("*.wav"))
    assert len(list(results)) == 2


def test_one_file_and_a_folder_without_slash(server: Server):
    one = list_remote(f"{server.url}rain/a b.wav")
    assert ([found.uri for found in one.objects], one.is_folder) == (
        [f"{server.url}rain/a%20b.wav"],
        False,
    )
    assert len(list_remote(f"{server.url}rain").objects) == 2


def test_one_bad_object_costs_itself_only(server: Server, pipeline: Pipeline):
    wanted = items(server.url)
    server.on_get["/rain/a%20b.wav"] = 403
    (server.folder / "deep/down/c.wav").unlink()
    found = [one.error_code or one.outcome for one in pipeline.index(wanted)]
    assert found == ["audio.not_found", "added", "audio.forbidden"]


def test_a_recording_that_goes_on_changing_is_not_stored(server: Server, tmp_path: Path):
    url, path = f"{server.url}rain/a%20b.wav", server.folder / "rain/a b.wav"
    times = iter(range(1, 9))

    def change() -> None:
        at = BEFORE + next(times)
        os.utime(path, (at, at))

    before = object_at(url)
    with Spool(SpoolPlace(tmp_path)) as spool:
        server.on_get["/rain/a%20b.wav"] = change
        with pytest.raises(AudioChanged, match="changes while it is read"):
            spool.fetch(before)
        del server.on_get["/rain/a%20b.wav"]
        # It was changed after it had been listed.
        assert spool.fetch(before).stat == object_at(url).stat != before.stat
        path.write_bytes(path.read_bytes() + b"more")
        with pytest.raises(AudioChanged):
            spool.fetch(before)


def test_copies_have_a_limit_whatever_size_is_told(server: Server, tmp_path: Path):
    url = f"{server.url}rain/a%20b.wav"
    path = server.folder / "rain/a b.wav"
    path.write_bytes(bytes(1_200_000))
    place = tmp_path / "spool"
    with Spool(SpoolPlace(place, 2)) as spool:
        for told in (object_at(url), RemoteObject(url)):
            with pytest.raises(AudioTooLarge, match="SOUNDALIKE_REMOTE_SPOOL_MB"):
                spool.fetch(told)
        path.write_bytes(b"")
        with pytest.raises(EmptyAudio):
            spool.fetch(object_at(url))
        assert [one.name for one in place.rglob("*") if one.is_file()] == [".lock", ".lock"]
    assert [one.name for one in place.rglob("*")] == ["remote", ".lock"]


def test_batches_fit_into_the_space(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
    half = pipeline.spool.batch_bytes
    listed = [
        RemoteObject(f"memory://a/{n}.wav", size) for n, size in enumerate((half, 1, half, None, 1))
    ]
    batches = pipeline._batches([IndexItem(one.uri, remote=one) for one in listed], checksum=False)
    assert [len(batch) for batch in batches] == [1, 1, 1, 1, 1]
    small = [replace(one, size_bytes=half // 2) for one in listed]
    batches = pipeline._batches([IndexItem(one.uri, remote=one) for one in small], checksum=False)
    assert [len(batch) for batch in batches] == [2, 2, 1]


def test_what_killed_processes_left_is_removed(tmp_path: Path, memory: Any):
    memory.pipe("/a.wav", b"RIFF")
    left = tmp_path / "remote" / "left"
    left.mkdir(parents=True)
    (left / ".lock").touch()
    (left / "0").mkdir()
    with Spool(SpoolPlace(tmp_path)) as first, Spool(SpoolPlace(tmp_path)) as second:
        copies = [spool.fetch(object_at("memory://a.wav")) for spool in (first, second)]
        assert not left.exists()
        assert all(copy.path.is_file() for copy in copies)
        copies[0].discard()
        assert not copies[0].path.exists()


def test_a_folder_for_copies_that_cannot_be_made(tmp_path: Path, memory: Any):
    memory.pipe("/a.wav", b"RIFF")
    (tmp_path / "file").touch()
    with Spool(SpoolPlace(tmp_path / "file")) as spool, pytest.raises(ConfigError, match="SPOOL_DIR"):
        spool.fetch(object_at("memory://a.wav"))


def test_names_of_vectors_may_be_any_urls():
    assert stored_names("https://host/1?a=b") == ["https://host/1?a=b"]
    assert stored_names("https://Host/a b/") == ["https://host/a%20b", "https://Host/a b/"]


def test_any_driver_of_fsspec(memory: Any, pipeline: Pipeline, server: Server):
    content = (server.folder / "rain/a b.wav").read_bytes()
    for name in (
        "/bucket/rain/100% rain.wav",
        "/bucket/b.wav",
        "/bucket/notes.txt",
        "/bucketwide/c.wav",
    ):
        memory.pipe(name, content)
    found = list_remote("memory://bucket")
    assert [one.uri for one in found.objects] == [
        "memory://bucket/b.wav",
        "memory://bucket/rain/100% rain.wav",
    ]
    assert sorted(outcomes(pipeline, "memory://bucket/")) == ["added", "linked"]
    assert {one.label for one in pipeline.store.files(under="memory://bucket")} == {"rain", "bucket"}
    planned = [one.outcome for one in preview(pipeline, items("memory://bucket"))]
    assert set(planned) <= {"unchanged", "replaced"}


def test_an_etag_tells_a_change_that_size_and_time_do_not():
    info = {"size": 5, "LastModified": datetime(2025, 5, 1, tzinfo=UTC), "ETag": '"a"'}
    one, other = (objects._object("s3://b/a.wav", {**info, "ETag": tag}) for tag in ('"a"', '"b"'))
    assert one.stat != other.stat
    assert one.version < 0 < one.mtime_ns
    assert objects._object("s3://b/a.wav", {"size": 5}).stat is None


def test_prune_takes_what_the_server_says_is_gone(server: Server, pipeline: Pipeline):
    outcomes(pipeline, server.url)
    assert pruned(pipeline, server.url) == []
    (server.folder / "rain/a b.wav").unlink()
    # It is not listed, but it cannot be asked for either.
    server.on_get["/rain/a%20b.wav"] = 503
    assert pruned(pipeline, server.url) == []
    server.on_get["/rain/a%20b.wav"] = 403
    assert pruned(pipeline, server.url) == []
    server.on_get.clear()
    assert pruned(pipeline, server.url + "rain") == [f"{server.url}rain/a%20b.wav"]
    (server.folder / "deep/down/d.wav").symlink_to(server.folder / "deep/down/c.wav")
    assert outcomes(pipeline, f"{server.url}deep/down/d.wav") == ["linked"]
    (server.folder / "deep/down/d.wav").unlink()
    assert pruned(pipeline, f"{server.url}deep/down/d.wav") == [f"{server.url}deep/down/d.wav"]
    (server.folder / "deep/down/c.wav").unlink()
    with pytest.raises(AudioNotFound, match="nothing is pruned"):
        pruned(pipeline, f"{server.url}deep")
    with pytest.raises(AudioNotFound, match="nothing is pruned"):
        pruned(pipeline, f"{server.url}deep/down/c.wav")
    server.on_get["/rain/"] = 500
    with pytest.raises(RemoteUnreachable):
        pruned(pipeline, f"{server.url}rain/")
    assert len(list(pipeline.store.files())) == 2


def test_a_collection_of_remote_recordings_is_rebuilt(server: Server, pipeline: Pipeline):
    outcomes(pipeline, f"{server.url}rain/")
    other = Pipeline(pipeline.store, Modulation(), WindowPlan(2.0, 1.0), spool=pipeline.spool)
    found = [one.outcome for one in rebuild(other, plan_rebuild(other))]
    assert (found, is_rebuilt(other)) == (["added", "added"], True)


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("http://127.0.0.1:9/a/", RemoteUnreachable, "check the host"),
        ("http://127.0.0.1:9/a.wav", RemoteUnreachable, "check the host"),
        ("memory://nothing/here", AudioNotFound, "nothing is at"),
        ("https://ann:hunter2@host/a/", ParameterError, "contains a credential"),
        ("https://token@host/a/", ParameterError, "contains a credential"),
        ("sftp://ann:hunter2@host/a/", ParameterError, "contains a credential"),
        ("s3://key:hunter2@bucket/a/", ParameterError, "contains a credential"),
        ("https://host/a.wav?signature=hunter2", ParameterError, "hold a credential"),
        ("https://host/a/../b/", ParameterError, "contains"),
        ("memory://a::https://host/", ParameterError, "not the URL"),
        ("s3://", ParameterError, "not the URL"),
        ("nonsense://host/a/", ParameterError, "not a scheme"),
        ("sftp://ann@host/a/", ConfigError, "paramiko"),
    ],
)
def test_wrong_urls_are_refused(url: str, error: type[SoundalikeError], says: str):
    with pytest.raises(error, match=says) as raised:
        list_remote(url)
    assert "hunter2" not in str(raised.value)


def test_a_link_to_itself_ends(server: Server):
    (server.folder / "deep" / "again").symlink_to(server.folder / "deep")
    (server.folder / "index.html").write_text(
        '<a href="rain/">r</a> <a href="?C=N">n</a> <a href="/rain/../../secret.wav">s</a>'
        '<a href="http://other.example/x.wav">x</a> <a href="./x&amp;y.wav">y</a>'
    )
    server.fetched.clear()
    found = list_remote(server.url)
    names = [one.uri.removeprefix(server.url) for one in found.objects]
    assert names == ["rain/20250501_120000.wav", "rain/a%20b.wav", "x&y.wav"]
    assert len(list_remote(f"{server.url}deep/").objects) <= objects._DEEPEST + 1


def test_messages_of_drivers_do_not_show_credentials():
    fault = OSError("GET https://ann:hunter2@host/a?token=hunter2 failed")
    found = driver.remote_error(fault, "https://host/a")
    assert isinstance(found, RemoteUnreachable)
    assert "hunter2" not in found.message
    assert isinstance(driver.remote_error(PermissionError("no"), "s3://b/a"), RemoteForbidden)
