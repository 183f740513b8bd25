"""``--server``: what goes out, and what becomes of answers that are no good."""

from __future__ import annotations

import json
import platform
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.cli import opening
from soundalike.cli.main import main
from soundalike.client import sending
from soundalike.errors import error_classes, exit_status_of

if TYPE_CHECKING:
    from tests.fixtures.pretender import Pretender

KEY = "kept-in-no-log-1f3a"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nothing_set(clean_environ: Path) -> None:
    """Know of no server."""


@pytest.fixture
def nobody() -> Iterator[str]:
    """Give the address of a port that is taken, but where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _status(**changes: Any) -> dict[str, Any]:
    known = {"collection": "default", "encoder": "vggish", "configured_encoder": "vggish"}
    counts = dict.fromkeys(("recordings", "files", "windows", "window_s", "stride_s", "dimension"), 1)
    more = {"index": "exact", "database": "db", "extensions": {}, "starts": {}}
    times = {"earliest_start": "2025-05-01T06:00:00+00:00", "latest_start": None}
    lacks = {"earlier_decoder": 0, "unsearchable": 0, "unrelated_scores": {}, "unrelated_events": {}}
    return {**known, **counts, **more, **times, **lacks, **changes, "roots": []}


def _problem(code: str, detail: str = "so it is") -> dict[str, Any]:
    return {"status": 500, "code": code, "title": "", "detail": detail}


COMMANDS = (
    ["status"],
    ["collections"],
    ["collections", "drop", "birds", "--yes"],
    ["delete", "/gone.wav"],
    ["search", "--recording-id", "a"],
    ["timeline", "--recording-id", "a", "--min-score", "0.5"],
    ["events", "--recording-id", "a"],
    ["index", "/sounds", "--on-server"],
    ["normal", "list"],
    ["normal", "show", "pump"],
    ["normal", "learn", "pump", "--collection", "birds"],
    ["normal", "events", "pump"],
    ["normal", "remove", "pump", "--yes"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_where_nobody_listens_the_next_step_is_said(nobody: str, capsys: Capture, command: list[str]):
    assert main([*command, "--server", nobody]) == 6
    written = capsys.readouterr()
    assert written.out == ""
    (line,) = written.err.splitlines()
    assert line.startswith(f"soundalike: nothing answers at {nobody} (Connection refused)")
    assert "soundalike serve" in line
    assert line.endswith("[service.unavailable]")


def test_a_name_that_leads_nowhere_is_said(capsys: Capture):
    assert main(["status", "--server", "http://nowhere.invalid:1"]) == 6
    assert "nothing answers at http://nowhere.invalid:1" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Welcome</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (404, b"<html>not found</html>"),
        (404, _problem("http.404", "Not Found")),
        (502, b""),
    ],
    ids=str,
)
def test_another_web_server_is_told_apart(
    pretender: Pretender, capsys: Capture, command: list[str], status: int, body: Any
):
    pretender.will_answer(body, status)
    done = main([*command, "--server", pretender.url])
    assert done == 6
    said = capsys.readouterr().err.splitlines()[-1]
    assert pretender.url in said
    assert said.endswith("check the address [service.unavailable]")


@pytest.mark.parametrize("kind", error_classes()[1:], ids=lambda kind: kind.code)
def test_problems_are_the_errors_that_they_stand_for(pretender: Pretender, capsys: Capture, kind: Any):
    pretender.will_answer(_problem(kind.code, "what is\nwrong\x1b[31m"), kind.http_status)
    done = main(["search", "--recording-id", "a", "--server", pretender.url])
    written = capsys.readouterr()
    assert (done, written.out) == (exit_status_of(kind.code), "")
    (line,) = written.err.splitlines()
    assert line.endswith(f"[{kind.code}]")
    if kind.code != "service.unauthorized":
        assert line == f"soundalike: what is wrong[31m [{kind.code}]"


@pytest.mark.parametrize(
    ("key", "said"), [(None, "SOUNDALIKE_API_KEY is not set"), (KEY, "SOUNDALIKE_API_KEY is wrong")]
)
def test_a_key_that_is_missing_or_wrong(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch, capsys: Capture, key: str | None, said: str
):
    if key:
        monkeypatch.setenv("SOUNDALIKE_API_KEY", key)
    pretender.will_answer(_problem("service.unauthorized"), 401)
    assert main(["status", "--server", pretender.url]) == 6
    written = capsys.readouterr().err
    assert said in written
    assert KEY not in written


def test_the_key_goes_to_the_service_and_nowhere_else(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch, capsys: Capture
):
    monkeypatch.setenv("SOUNDALIKE_API_KEY", KEY)
    pretender.will_answer(b"", 307, Location=f"{pretender.url}/elsewhere?token=secret")
    assert main(["status", "--server", f"{pretender.url}/sounds/"]) == 6
    ((path, headers, _),) = pretender.asked
    assert (path, headers["X-API-Key"]) == ("GET /sounds/api/status?collection=default", KEY)
    said = capsys.readouterr().err
    assert f"redirects to {pretender.url}/elsewhere;" in said
    assert "secret" not in said


@pytest.mark.parametrize("key", ["sesäme", "two\nlines", " blank"])
def test_a_key_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, capsys: Capture, key: str):
    monkeypatch.setenv("SOUNDALIKE_API_KEY", key)
    assert main(["status", "--server", "http://127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("[config.invalid]\n")
    assert key not in said


@pytest.mark.parametrize(
    "url", ["127.0.0.1:45678", "localhost", "ftp://host", "http://", "http://host:port", "http://[1"]
)
def test_an_address_that_is_none(capsys: Capture, url: str):
    assert main(["status", "--server", url]) == 2
    said = capsys.readouterr().err
    assert repr(url) in said
    assert said.endswith("give an address like http://127.0.0.1:45678 [parameter.invalid]\n")


@pytest.mark.parametrize("url", ["ann:secret@host:80", "http://ann:secret@127.0.0.1:1"])
def test_a_password_in_the_address_is_not_shown(capsys: Capture, url: str):
    assert main(["status", "--server", url]) in (2, 6)
    assert "secret" not in capsys.readouterr().err


def test_proxies_are_not_asked_for_this_machine(
    pretender: Pretender, nobody: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("http_proxy", nobody)
    pretender.will_answer(_status())
    assert main(["status", "--server", pretender.url]) == 0


def test_the_status_says_what_is_done_about_levels(pretender: Pretender, capsys: Capture):
    pretender.will_answer(_status(encoder_level="as recorded"))
    assert main(["status", "--server", pretender.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["encoder_level"] == "as recorded"


def test_the_environment_names_the_server(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch, capsys: Capture
):
    monkeypatch.setenv("SOUNDALIKE_SERVER", pretender.url)
    monkeypatch.setenv("SOUNDALIKE_TIME_ZONE", "Europe/Berlin")
    pretender.will_answer(_status(configured_encoder="logmel-modulation"))
    assert main(["status", "--collection", "birds", "--json"]) == 0
    assert pretender.asked[0][0] == "GET /api/status?collection=birds"
    written = capsys.readouterr()
    values = json.loads(written.out)
    assert list(values) == [name for name in _status() if name != "roots"]
    assert values["earliest_start"] == "2025-05-01T08:00:00+02:00"
    assert "the index was made with vggish" in written.err


@pytest.mark.parametrize("option", ["--database-url", "--data-dir"])
def test_an_index_that_is_named_outdoes_the_environment(
    monkeypatch: pytest.MonkeyPatch, nobody: str, capsys: Capture, tmp_path: Path, option: str
):
    monkeypatch.setenv("SOUNDALIKE_SERVER", nobody)
    place = f"{nobody}/x".replace("http", "postgresql") if "url" in option else str(tmp_path)
    monkeypatch.setattr(opening, "opened_store", lambda settings: pytest.fail(str(settings)))
    with pytest.raises(pytest.fail.Exception):
        main(["delete", "a.wav", option, place])
    assert main(["status", option, place, "--server", nobody]) == 2
    assert f"{option} does not go with a service" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["reindex"], ["export", "."], ["import", "x"], ["reset", "--yes"], ["sql", "SELECT 1"]]
)
def test_the_index_here_is_not_taken_for_the_services(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, command: list[str]
):
    monkeypatch.setenv("SOUNDALIKE_SERVER", "http://127.0.0.1:1")
    monkeypatch.setattr(opening, "opened_store", lambda settings: pytest.fail("was opened"))
    assert main(command) == 2
    assert "SOUNDALIKE_SERVER is set" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["models", "status"], ["embed", "gone.wav"], ["evaluate", "gone"], ["serve", "--flow", "x"]],
    ids=" ".join,
)
@pytest.mark.parametrize("is_set", [True, False])
def test_a_command_that_asks_no_service_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, command: list[str], is_set: bool
):
    monkeypatch.setenv("SOUNDALIKE_SERVER", "http://127.0.0.1:1" if is_set else "")
    main(command)
    said = "SOUNDALIKE_SERVER is http://127.0.0.1:1, but this command works on this machine"
    assert (said in capsys.readouterr().err) is is_set


def test_doctor_says_what_it_examined(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch, capsys: Capture
):
    monkeypatch.setenv("SOUNDALIKE_SERVER", pretender.url)
    pretender.will_answer(_status(recordings=42))
    assert main(["doctor", "--json"]) == 0
    written = capsys.readouterr()
    said = f"examined is this machine, {platform.node()}; {pretender.url} is only asked for its status"
    assert said in written.err
    *_, row = (json.loads(line) for line in written.out.splitlines())
    assert (row["name"], row["state"]) == ("service", "ok")
    assert "42 recordings in 'default', encoder vggish" in row["message"]
    monkeypatch.setenv("SOUNDALIKE_SERVER", "http://127.0.0.1:1")
    assert main(["doctor"]) == 6
    assert "nothing answers at http://127.0.0.1:1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["search", "a.wav", "--model", "vggish"], "--model"),
        (["search", "a.wav", "--window-size", "2"], "--window-size"),
        (["timeline", "a.wav", "--min-score", "1", "--stride", "1"], "--stride"),
        (["index", "a.wav", "--dry-run"], "--dry-run"),
        (["index", "a.wav", "--checksum"], "--checksum"),
        (["index", "a.wav", "--time-pattern", "%Y%m%d"], "--time-pattern"),
        (["index", "a.wav", "--prune"], "--prune without --on-server"),
        (["index", "/a", "--on-server", "--tag", "a=b"], "--tag with --on-server"),
        (["index", "/a", "--on-server", "--metadata", "t.csv"], "--metadata with --on-server"),
        (["collections", "create", "a"], "collections create"),
        (["collections", "optimize", "a"], "collections optimize"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_service_does_not_do(nobody: str, capsys: Capture, command: list[str], option: str):
    assert main([*command, "--server", nobody]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"soundalike: {option} does not go")
    assert said.endswith("[parameter.invalid]\n")


def test_on_server_needs_a_server(capsys: Capture):
    assert main(["search", "a.wav", "--on-server"]) == 2
    assert "--server URL" in capsys.readouterr().err


def test_an_answer_that_lacks_something(pretender: Pretender, capsys: Capture):
    pretender.will_answer({"matches": [{"rank": 1}], "recording_id": None, "warnings": [], "uri": None})
    assert main(["search", "--recording-id", "a", "--server", pretender.url]) == 6
    assert "another version" in capsys.readouterr().err


def test_a_vector_travels_exactly(pretender: Pretender, tmp_path: Path):
    numbers = np.array([0.1, -1e-7, 1 / 3], np.float32)
    np.save(tmp_path / "vector.npy", numbers)
    pretender.will_answer(
        {"matches": [], "recording_id": None, "warnings": [], "uri": None, "encoder": "vggish"}
    )
    path = str(tmp_path / "vector.npy")
    assert main(["search", "--vector", path, "--server", pretender.url]) == 0
    sent = json.loads(pretender.asked[0][2])
    assert np.array_equal(np.array(sent["vector"], np.float32), numbers)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note how long would be waited, and do not wait."""
    waited: list[float] = []
    monkeypatch.setattr(sending.time, "sleep", waited.append)
    return waited


def _job(**changes: Any) -> dict[str, Any]:
    names = ("added", "replaced", "unchanged", "pruned", "failed", "done", "unsearchable")
    known = {"id": "j", "state": "done", "total": 1, "finished_at": "2025-05-01T00:00:00Z"}
    return {**known, **dict.fromkeys(names, 0), "errors": [], "warnings": [], **changes}


def test_a_busy_service_is_asked_again(pretender: Pretender, capsys: Capture, no_sleep: list[float]):
    pretender.will_answer(_problem("service.busy", "64 are waiting"), 503)
    pretender.will_answer(_problem("service.too_many_requests", "too often"), 429)
    pretender.will_answer(_job(state="running", finished_at=None), 202)
    pretender.will_answer(_job(done=1, added=1))
    assert main(["index", "/sounds", "--on-server", "--server", pretender.url]) == 0
    said = capsys.readouterr().err
    assert "64 are waiting; trying again in 1 s" in said
    assert "1 files in" in said
    assert "1 added" in said
    assert no_sleep[:2] == [1, 2]


def test_what_the_service_leaves_out_is_named(
    pretender: Pretender, capsys: Capture, no_sleep: list[float]
):
    named = [{"uri": f"/sounds/{name}", "reason": "no sound"} for name in ("film.mkv", "notes.txt")]
    pretender.will_answer(_job(done=2, added=1, skipped=1, left_out=30, left_out_files=named))
    options = ["--on-server", "--list-skipped", "--server", pretender.url]
    assert main(["index", "/sounds", *options]) == 0
    said = capsys.readouterr().err
    assert "left out: /sounds/film.mkv: no sound\nleft out: /sounds/notes.txt: no sound" in said
    assert "and 29 more are left out, which the service does not name" in said
    assert "2 files in" in said
    assert "1 added, 1 skipped" in said
    assert "31 files that are not sounds were left out\n" in said


def test_what_a_job_tells_of_the_index_is_told(
    pretender: Pretender, capsys: Capture, no_sleep: list[float]
):
    warnings = [{"uri": "/sounds/quiet.wav", "detail": "silent: all 4 windows are silent"}]
    pretender.will_answer(_job(done=2, added=2, warnings=warnings, unsearchable=1))
    pretender.will_answer(_status(earlier_decoder=7))
    assert main(["index", "/sounds", "--on-server", "--server", pretender.url, "--json"]) == 0

    said = capsys.readouterr().err
    assert "warning: /sounds/quiet.wav: silent: all 4 windows are silent\n" in said
    assert "\n1 holds nothing that a search can find\n" in said
    assert "\n7 recordings were decoded by an earlier version" in said
    assert "on the service's machine, soundalike reindex decodes them again" in said
    summary = json.loads(said.splitlines()[-1])["summary"]
    assert (summary["unsearchable"], summary["earlier_decoder"]) == (1, 7)


def test_a_busy_service_is_given_up_in_the_end(
    pretender: Pretender, capsys: Capture, no_sleep: list[float]
):
    pretender.will_answer(_problem("service.busy"), 503)
    assert main(["index", "/sounds", "--on-server", "--server", pretender.url]) == 6
    assert capsys.readouterr().err.endswith("[service.busy]\n")
    assert 60 < sum(no_sleep) < 180


@pytest.mark.parametrize(
    ("job", "status", "code"),
    [
        (_job(state="cancelled"), 6, "service.unavailable"),
        (
            _job(
                state="failed", errors=[{"uri": None, "code": "audio.not_found", "detail": "mounted?"}]
            ),
            *(3, "audio.not_found"),
        ),
        (
            _job(state="failed", errors=[{"uri": None, "code": "parameter.invalid", "detail": "name"}]),
            *(2, "parameter.invalid"),
        ),
    ],
)
def test_a_job_that_fails_as_a_whole(
    pretender: Pretender, capsys: Capture, job: dict[str, Any], status: int, code: str
):
    pretender.will_answer(job)
    assert main(["index", "/sounds", "--on-server", "--server", pretender.url]) == status
    assert capsys.readouterr().err.endswith(f"[{code}]\n")


def test_an_interrupted_command_cancels_its_job(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch, capsys: Capture
):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sending.time, "sleep", interrupt)
    pretender.will_answer(_job(state="running", finished_at=None), 202)
    assert main(["index", "/sounds", "--on-server", "--server", pretender.url]) == 130
    assert pretender.asked[-1][0] == "DELETE /api/jobs/j"


def test_files_that_are_described_alike_go_together(
    pretender: Pretender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
):
    monkeypatch.setattr(sending, "_BATCH_FILES", 2)
    monkeypatch.setattr(sending, "_BATCH_BYTES", 25)
    for name, size in (("a/1", 10), ("a/2", 10), ("a/3", 10), ("b/4", 30), ("b/5", 10)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.wav").write_bytes(b"s" * size)
    pretender.will_answer(_problem("audio.too_large", "too much"), 413)
    assert main(["index", str(tmp_path), "--server", pretender.url]) == 3
    batches = [
        [part for part in ("1", "2", "3", "4", "5") if f'filename="{part}.wav"'.encode() in body]
        for what, _, body in pretender.asked
        if what.startswith("POST")
    ]
    # Refused together, they are tried one by one.
    assert batches == [["1", "2"], ["1"], ["2"], ["3"], ["4"], ["5"]]
    for _, headers, body in pretender.asked[: len(batches)]:
        assert int(headers["Content-Length"]) == len(body)
    assert "5 x audio.too_large" in capsys.readouterr().err
