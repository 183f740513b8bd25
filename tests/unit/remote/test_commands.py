"""Commands with URLs, through fsspec's file system in memory."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

from executors.gateway.api.indexing_jobs import find_folder
from executors.gateway.flow.library import file_of
from soundalike.audio.allowed_roots import AllowedRoots
from soundalike.cli import opening
from soundalike.cli.main import main
from soundalike.config import Settings
from soundalike.errors import AudioNotAllowed, AudioNotFound
from soundalike.results.cut_outs import file_of as cut_from
from soundalike.results.spans import Span
from soundalike.store import MemoryStore
from soundalike.types import FloatArray

RAIN = "memory://bucket/rain"
Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    kept = MemoryStore()

    @contextmanager
    def opened(settings: object) -> Iterator[MemoryStore]:
        yield kept

    monkeypatch.setattr(opening, "opened_store", opened)
    return kept


@pytest.fixture
def run(store: MemoryStore, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return ``run(*argv)``: the status, the rows on stdout, and stderr."""

    def command(*argv: str | Path) -> tuple[int, list[dict[str, Any]], str]:
        capsys.readouterr()
        status = main([*map(str, argv), "--json"])
        captured = capsys.readouterr()
        return status, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return command


@pytest.fixture
def bucket(
    tmp_path: Path, tone: Callable[..., FloatArray], write_wav: Callable[..., Path]
) -> Iterator[Any]:
    """Fill a bucket with two folders of tones, and a file that is not sound."""
    found = fsspec.filesystem("memory")
    for number, name in enumerate(("rain/a.wav", "rain/b.wav", "rainforest/c.wav")):
        path = write_wav(tmp_path / f"{number}.wav", tone(300 + 30 * number, 2.0))
        found.pipe(f"/bucket/{name}", path.read_bytes())
    found.pipe("/bucket/rain/broken.wav", b"RIFF....WAVE")
    yield found
    found.store.clear()
    found.pseudo_dirs[:] = [""]


def uris(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(str(row["uri"]).removeprefix("memory://bucket/") for row in rows if "uri" in row)


def test_index_search_and_delete(run: Run, bucket: Any, tmp_path: Path):
    status, rows, told = run("index", "memory://bucket", "--dry-run")
    assert (status, {row["outcome"] for row in rows if "outcome" in row}) == (0, {"added"})
    status, rows, told = run("index", "memory://bucket/")
    assert status == 3
    assert "audio.unreadable" in json.dumps(rows) + told
    query = tmp_path / "0.wav"
    under = ("--under", RAIN)
    assert uris(run("search", query, *under)[1]) == ["rain/a.wav", "rain/b.wav"]
    assert uris(run("search", query, "--under", f"{RAIN}/b.wav")[1]) == ["rain/b.wav"]
    assert run("search", query, "--under", "https://a:hunter2@host/")[0] == 2
    by_url = run("search", query, "--like", f"{RAIN}/b.wav")[1]
    assert uris(by_url) == ["rain/a.wav", "rain/b.wav", "rainforest/c.wav"]
    assert run("search", f"{RAIN}/a.wav")[0] == 3
    status, rows, _ = run("delete", RAIN)
    assert (status, rows) == (0, [{"key": RAIN, "deleted": 2}])
    assert uris(run("search", query)[1]) == ["rainforest/c.wav"]


def test_events_come_from_the_stored_vectors(run: Run, bucket: Any, tmp_path: Path):
    run("index", RAIN)
    status, rows, told = run("events", tmp_path / "2.wav", "--min-score", "0")
    assert (status, uris(rows)[0]) == (0, "rain/a.wav")
    assert told.count("remote recordings are not read again") == 1


def test_prune(run: Run, store: MemoryStore, bucket: Any):
    run("index", RAIN)
    bucket.rm("/bucket/rain/a.wav")
    assert run("index", RAIN, "--prune", "--dry-run")[0] == 0
    assert len(list(store.files())) == 2
    run("index", RAIN, "--prune")
    assert [file.uri for file in store.files()] == [f"{RAIN}/b.wav"]
    bucket.rm("/bucket/rain", recursive=True)
    status, _, told = run("index", RAIN, "--prune")
    assert (status, "nothing is pruned" in told) == (3, True)
    assert [file.uri for file in store.files()] == [f"{RAIN}/b.wav"]


def test_paths_and_urls_together(run: Run, bucket: Any, tmp_path: Path):
    (tmp_path / "metadata.csv").write_text("file_name,label\n0.wav,drops\n")
    _, rows, _ = run("index", (tmp_path / "0.wav").as_uri(), f"{RAIN}/b.wav", "--label", "x")
    assert {row["uri"] for row in rows if "uri" in row} == {str(tmp_path / "0.wav"), f"{RAIN}/b.wav"}


@pytest.mark.parametrize(
    ("argv", "status", "code"),
    [
        (["index", "memory://no/such"], 3, "audio.not_found"),
        (["index", "http://127.0.0.1:9/a/"], 3, "audio.unreachable"),
        (["index", "nonsense://a/b"], 2, "parameter.invalid"),
        (["index", "https://ann:hunter2@host/a"], 2, "parameter.invalid"),
        (["index", "sftp://host/a"], 2, "config.invalid"),
        (["index", RAIN, "--metadata", "t.csv"], 2, "parameter.invalid"),
        (["index", RAIN, "--server", "http://127.0.0.1:9"], 2, "parameter.invalid"),
        (["index", RAIN, "--on-server", "--server", "http://127.0.0.1:9"], 2, "parameter.invalid"),
    ],
)
def test_errors(argv: list[str], status: int, code: str, run: Run, bucket: Any):
    ended, _, told = run(*argv)
    assert (ended, code in told, "hunter2" in told) == (status, True, False)


def test_the_size_of_the_copies_is_a_number(run: Run, bucket: Any, monkeypatch: pytest.MonkeyPatch):
    for wrong in ("0", "-1", "much"):
        monkeypatch.setenv("SOUNDALIKE_REMOTE_SPOOL_MB", wrong)
        status, _, told = run("index", RAIN)
        assert (status, "SOUNDALIKE_REMOTE_SPOOL_MB" in told) == (2, True)


def test_a_service_fetches_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*of_request: object) -> None:
        raise AssertionError("a URL was fetched")

    monkeypatch.setattr("soundalike.remote.driver.driver_of", refuse)
    monkeypatch.setattr("soundalike.remote.objects.driver_of", refuse)
    roots = AllowedRoots(Settings(None, tmp_path, tmp_path, roots=(Path("/"),)), tmp_path)

    class Stored:
        uri = "https://169.254.169.254/a.wav"

    class Context:
        def __init__(self) -> None:
            self.roots = roots

    with pytest.raises(AudioNotAllowed):
        roots.check(Stored.uri)
    with pytest.raises(AudioNotAllowed):
        find_folder(Context(), "https://169.254.169.254/")  # type: ignore[arg-type]
    with pytest.raises(AudioNotFound, match="remote recording"):
        file_of(Stored(), roots)  # type: ignore[arg-type]
    with pytest.raises(AudioNotFound, match="remote recording"):
        cut_from(Span(Stored.uri, "", 0.0, 1.0), lambda span: None)
