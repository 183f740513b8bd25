"""Watched folders: settled files, events that are stored once, and hooks."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import itertools
import json
import logging
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.watch_soak import judge
from soundalike.anomalies.detector import Detector, ScoredFile, listen
from soundalike.anomalies.packing import unpack
from soundalike.anomalies.requests import WatchRequest
from soundalike.anomalies.watching.folder import WatchedFolder
from soundalike.anomalies.watching.hooks import CommandHook, SyslogHook, WebhookHook, signature
from soundalike.anomalies.watching.metrics import WatchMetrics
from soundalike.anomalies.watching.watcher import Watcher, event_json
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import index_spec
from soundalike.encoders.modulation import Modulation
from soundalike.errors import AudioNotFound, ParameterError, ServiceError, StoreUnavailable
from soundalike.store import MemoryStore
from soundalike.store.normal_models import WatchEvent

RATE_HZ = 16_000
Write = Callable[..., Path]


class Clock:
    """Seconds that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def write(write_wav: Callable[..., Path], tmp_path: Path) -> Write:
    """Write a hum, or a hiss, into the watched folder or another one."""

    def make(name: str, *, kind: str = "hum", seed: int = 0, folder: str = "in") -> Path:
        rng = np.random.default_rng(seed)
        time = np.arange(5 * RATE_HZ) / RATE_HZ
        samples = 0.2 * np.sin(2 * np.pi * (100 + rng.normal()) * time) + 0.02 * rng.normal(
            size=time.size
        )
        if kind == "hiss":
            samples = 0.2 * rng.normal(size=time.size)
        (tmp_path / folder).mkdir(exist_ok=True)
        return write_wav(tmp_path / folder / name, samples.astype(np.float32), RATE_HZ)

    return make


@pytest.fixture(scope="module")
def encoder() -> Modulation:
    return Modulation()


@pytest.fixture
def store(write: Write, encoder: Modulation) -> MemoryStore:
    """Return a store with the model ``pump`` of six hums."""
    paths = [write(f"{number}.wav", seed=number, folder="normal") for number in range(6)]
    store, plan = MemoryStore(), WindowPlan()
    recordings = [one.recording for one in listen(paths, encoder, plan)]
    Detector(store).learn("pump", [one for one in recordings if one], index_spec(encoder, plan))
    return store


@pytest.fixture
def watch(
    store: MemoryStore, encoder: Modulation, tmp_path: Path
) -> Iterator[Callable[..., tuple[Watcher, list[WatchEvent], Clock]]]:
    folders = []

    def begin(**options: Any) -> tuple[Watcher, list[WatchEvent], Clock]:
        (tmp_path / "in").mkdir(exist_ok=True)
        clock, events = Clock(), []
        folder = WatchedFolder(tmp_path / "in", settle_s=2, rescan_s=5, clock=clock)
        folders.append(folder)
        return Watcher(store, "pump", folder, encoder, on_event=events.append, **options), events, clock

    yield begin
    for folder in folders:
        folder.close()


def test_each_file_is_scored_once_when_it_is_complete(
    watch: Callable[..., Any], write: Write, store: MemoryStore
):
    watcher, events, clock = watch()
    path = write("2025-05-01_12-00-00.wav", kind="hiss")
    assert watcher.step() == []
    clock.now = 1.9
    assert watcher.step() == []
    clock.now = 2.0
    (event,) = watcher.step()
    assert (event.file.uri, event.is_anomalous) == (str(path), True)
    assert event.occurred_at.isoformat() == "2025-05-01T12:00:00+00:00"
    assert event.details["regions"][0]["end_s"] == 5.0
    clock.now = 100.0
    assert watcher.step() == []
    # After a crash, another process finds the same folder.
    again, _, clock = watch()
    again.step()
    clock.now = 10.0
    assert again.step() == []
    assert events == [event]
    assert store.watch_events("pump") == [event]


def test_of_two_watches_one_tells_a_file(
    watch: Callable[..., Any], write: Write, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
):
    (first, events, clock), (second, others, later) = watch(), watch()
    write("a.wav", kind="hiss")
    first.step()
    second.step()
    clock.now = later.now = 3.0
    assert len(first.step()) == 1
    # The second one has asked before the first one has stored its score.
    monkeypatch.setattr(store, "watched", lambda *_: set())
    assert second.step() == []
    assert (len(events), len(others), len(store.watch_events("pump"))) == (1, 0, 1)


def test_a_file_that_is_written_to_is_waited_for(watch: Callable[..., Any], write: Write):
    watcher, _, clock = watch()
    write("a.wav")
    for now in range(5):
        clock.now = float(now)
        write("a.wav", seed=now)
        assert watcher.step() == []
    clock.now = 10.0
    (event,) = watcher.step()
    assert not event.is_anomalous


def test_hidden_and_other_files_are_left_alone(watch: Callable[..., Any], write: Write, tmp_path: Path):
    watcher, _, clock = watch()
    write(".hidden.wav")
    (tmp_path / "in" / "notes.txt").write_text("hello")
    (tmp_path / "in" / "empty.wav").touch()
    watcher.step()
    clock.now = 10.0
    assert watcher.step() == []


def test_a_file_that_is_replaced_under_its_name_is_scored_again(
    watch: Callable[..., Any], write: Write, store: MemoryStore
):
    watcher, _, clock = watch()
    found = []
    for now, kind in ((0.0, "hum"), (10.0, "hiss")):
        path = write("a.wav", kind=kind)
        clock.now = now
        watcher.step()
        clock.now = now + 5
        found += watcher.step()
    assert [event.is_anomalous for event in found] == [False, True]
    assert {event.file.uri for event in found} == {str(path)}
    assert len(store.watch_events("pump")) == 2


def test_a_subfolder_that_appears_is_watched(watch: Callable[..., Any], write: Write, tmp_path: Path):
    watcher, _, clock = watch()
    watcher.step()
    write("new.wav", folder="in/monday")
    write("moved.wav", folder="elsewhere")
    (tmp_path / "elsewhere").rename(tmp_path / "in" / "tuesday")
    # What notifications have missed is found with the next listing.
    clock.now = 5.0
    watcher.step()
    clock.now = 8.0
    assert {Path(event.file.uri).name for event in watcher.step()} == {"new.wav", "moved.wav"}


def test_a_file_that_is_renamed_after_its_score_is_not_scored_again(
    watch: Callable[..., Any],
    write: Write,
    store: MemoryStore,
    wait_until: Callable[..., Any],
    tmp_path: Path,
):
    watcher, _, clock = watch()
    done = tmp_path / "in" / "done"
    done.mkdir()
    watcher.step()
    path = write("a.wav", kind="hiss")
    clock.now = 5.0
    watcher.step()
    clock.now = 8.0
    (event,) = watcher.step()
    names = [path, path.with_name("b.wav"), path.with_name("c.wav"), done / "c.wav"]
    for before, after in itertools.pairwise(names):
        before.rename(after)

    def is_noticed() -> bool:
        assert watcher.step() == []
        return watcher._folder._former.get(str(names[-1])) == str(path)

    wait_until(is_noticed, "the notifications have come")
    clock.now = 14.0
    assert watcher.step() == []
    clock.now = 23.0
    assert watcher.step() == []
    # After a crash, the new name is known.
    again, _, later = watch()
    again.step()
    later.now = 3.0
    assert again.step() == []
    assert store.watch_events("pump") == [event]


def test_a_file_that_may_not_be_read_is_scored_when_it_may(
    watch: Callable[..., Any],
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    watcher, events, clock = watch()
    path = write("a.wav")
    # The tests may run as root, who may read everything.
    monkeypatch.setattr("soundalike.anomalies.watching.folder.os.access", lambda *_: False)
    for now in (0.0, 5.0, 10.0):
        clock.now = now
        assert watcher.step() == []
    assert watcher.run_once() == []
    assert watcher._folder.unreadable == {str(path)}
    assert caplog.text.count("may not be read") == 1
    monkeypatch.undo()
    clock.now = 20.0
    watcher.step()
    clock.now = 23.0
    assert len(watcher.step()) == len(events) == 1
    assert watcher._folder.unreadable == set()


class Killed(BaseException):
    """The process ends here, as after SIGKILL."""


def test_of_many_files_and_kills_each_file_has_one_event(
    watch: Callable[..., Any], store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The process ends before or after any step; benchmarks/watch_soak.py kills a real one."""
    n_files, n_kills = 200, 12
    rng = np.random.default_rng(3)
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for number in range(n_files):
        (folder / f"{number:03d}.wav").write_bytes(b"RIFF of no sound")
    model = unpack(store.normal_model("pump")[1])
    score = model.score(model.recordings[0])
    monkeypatch.setattr(
        "soundalike.anomalies.watching.watcher.score_files",
        lambda model, files, encoder: [
            ScoredFile(uri, replace(score, is_anomalous=uri.endswith("0.wav"))) for uri in files
        ],
    )
    monkeypatch.setattr(Watcher, "_start_of", lambda *_: datetime(2025, 5, 1, tzinfo=UTC))
    names = ("put_watch_event", "mark_told", "tell")
    left = dict.fromkeys((*names, "before"), 0)

    def deadly(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            kills = left[name] == 1
            left[name] -= 1
            if kills and left["before"]:
                raise Killed
            found = work(*given)
            if kills:
                raise Killed
            return found

        return run

    hook = Told()
    monkeypatch.setattr(hook, "tell", deadly("tell", hook.tell))
    for name in ("put_watch_event", "mark_told"):
        monkeypatch.setattr(store, name, deadly(name, getattr(store, name)))
    lines: list[WatchEvent] = []
    for kill in range(n_kills + 1):
        watcher, events, clock = watch(hooks=[hook])
        if kill < n_kills:
            left |= {names[kill % 3]: int(rng.integers(1, 6)), "before": kill % 2}
        with contextlib.suppress(Killed):
            watcher.step()
            clock.now = 3.0
            watcher.step()
        lines += events
        left.update(dict.fromkeys(left, 0))
    stored = store.watch_events("pump", limit=10_000)
    report = judge(
        {str(path) for path in folder.iterdir()},
        [event_json(event) for event in stored],
        [event_json(event) for event in lines],
        hook.messages,
        n_kills,
    )
    assert report["faults"] == []
    assert (report["events"], report["anomalous"]) == (n_files, n_files // 10)
    assert report["hook_calls_repeated"] > 0
    assert store.untold_events("pump") == []


def test_a_damaged_file_costs_itself_alone(watch: Callable[..., Any], write: Write, tmp_path: Path):
    metrics = WatchMetrics("pump")
    watcher, _, clock = watch(metrics=metrics)
    write("b.wav")
    (tmp_path / "in" / "a.wav").write_bytes(b"RIFF no sound")
    watcher.step()
    clock.now = 10.0
    found = {Path(event.file.uri).name: event for event in watcher.step()}
    assert "error_code" in found["a.wav"].details
    assert "score" in found["b.wav"].details
    assert metrics.value("soundalike_watched_files_total", outcome="failed") == 1
    assert metrics.value("soundalike_watched_files_total", outcome="normal") == 1
    assert metrics.value("soundalike_watch_folder_available") == 1


def test_a_disk_that_is_gone_comes_back(watch: Callable[..., Any], write: Write, tmp_path: Path):
    watcher, _, clock = watch()
    watcher.step()
    shutil.move(tmp_path / "in", tmp_path / "away")
    with pytest.raises(AudioNotFound, match="disk"):
        watcher.step()
    shutil.move(tmp_path / "away", tmp_path / "in")
    write("a.wav")
    watcher.step()
    clock.now = 3.0
    assert len(watcher.step()) == 1


def test_a_database_that_is_gone_loses_no_file(
    watch: Callable[..., Any], write: Write, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
):
    watcher, _, clock = watch()
    write("a.wav")
    watcher.step()
    clock.now = 3.0

    def refuse(event: WatchEvent) -> bool:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(store, "put_watch_event", refuse)
    with pytest.raises(StoreUnavailable):
        watcher.step()
    monkeypatch.undo()
    assert len(watcher.step()) == 1


def test_it_waits_longer_and_longer_for_a_disk(
    watch: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    watcher, _, _ = watch()
    (tmp_path / "in").rmdir()
    pauses: list[float] = []

    class Stopped:
        def is_set(self) -> bool:
            return len(pauses) >= 8

        def wait(self, seconds: float) -> None:
            pauses.append(seconds)

    watcher._stopped = Stopped()  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING):
        watcher.run()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_changed_model_is_used_at_once(
    watch: Callable[..., Any], write: Write, store: MemoryStore, encoder: Modulation
):
    watcher, _, clock = watch()
    write("a.wav", kind="hiss")
    watcher.step()
    clock.now = 3.0
    (first,) = watcher.step()
    hisses = [write(f"{n}.wav", kind="hiss", seed=n, folder="accepted") for n in range(10, 20)]
    plan = WindowPlan()
    accepted = [one.recording for one in listen(hisses, encoder, plan)]
    learned = Detector(store).learn("pump", [one for one in accepted if one], index_spec(encoder, plan))
    assert (learned.outcome, learned.n_new) == ("updated", 10)
    write("b.wav", kind="hiss", seed=30)
    clock.now = 9.0
    watcher.step()
    clock.now = 12.0
    (second,) = watcher.step()
    assert (first.is_anomalous, second.is_anomalous) == (True, False)


class Told:
    """A hook that keeps what it is told, or fails."""

    name = "told"

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.fails = False

    def tell(self, message: Any) -> None:
        """Keep a message."""
        if self.fails:
            raise ServiceError("no")
        self.messages.append(message)


def test_hooks_are_told_anomalies_and_again_after_a_failure(
    watch: Callable[..., Any], write: Write, store: MemoryStore
):
    hook = Told()
    hook.fails = True
    watcher, events, clock = watch(hooks=[hook])
    write("a.wav", kind="hiss")
    write("b.wav")
    watcher.step()
    clock.now = 3.0
    watcher.step()
    assert [event.is_anomalous for event in events].count(True) == 1
    assert len(store.untold_events("pump")) == 1
    hook.fails = False
    again, _, _ = watch(hooks=[hook])
    again.step()
    (message,) = hook.messages
    assert message["is_anomalous"]
    assert message["event_id"] in {event.event_id for event in events}
    assert store.untold_events("pump") == []
    again.step()
    assert len(hook.messages) == 1


def test_a_command_gets_the_event_and_no_shell(tmp_path: Path):
    out = tmp_path / "out"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read() + sys.argv[2])"
    CommandHook([sys.executable, "-c", code, str(out), "$HOME; ls"]).tell({"uri": "a"})
    assert out.read_text() == '{"uri": "a"}$HOME; ls'
    with pytest.raises(ServiceError, match="ended with 3"):
        CommandHook([sys.executable, "-c", "raise SystemExit(3)"]).tell({})
    with pytest.raises(ServiceError, match="failed"):
        CommandHook(["/no/such/program"]).tell({})
    with pytest.raises(ParameterError, match="empty"):
        CommandHook([])


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[int], list[Any]]]:
    """Receive webhooks: an address, statuses to answer with, and what came."""
    statuses: list[int] = []
    came: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses.pop(0) if statuses else 204)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", statuses, came
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_webhook_is_signed_and_tried_again(receiver: tuple[str, list[int], list[Any]]):
    host, statuses, came = receiver
    statuses += [500, 429]
    pauses: list[float] = []
    WebhookHook(f"http://{host}/x", [host], "key", pause=pauses.append).tell({"event_id": "e1"})
    assert (len(came), pauses) == (3, [1.0, 4.0])
    headers, body = came[-1]
    assert json.loads(body) == {"event_id": "e1"}
    assert headers["X-Soundalike-Event"] == "e1"
    time, digest = (part.partition("=")[2] for part in headers["X-Soundalike-Signature"].split(","))
    expected = hmac.new(b"key", f"{time}.".encode() + body, hashlib.sha256).hexdigest()
    assert digest == expected
    assert signature("key", body, int(time)) == headers["X-Soundalike-Signature"]


@pytest.mark.parametrize(("status", "calls"), [(302, 1), (400, 1), (503, 4)])
def test_a_webhook_that_is_refused_fails(
    receiver: tuple[str, list[int], list[Any]], status: int, calls: int
):
    host, statuses, came = receiver
    statuses += [status] * 4
    hook = WebhookHook(f"http://{host}/x", [host], None, pause=lambda _: None)
    with pytest.raises(ServiceError, match=f"status {status}"):
        hook.tell({"event_id": "e1"})
    assert len(came) == calls
    assert "X-Soundalike-Signature" not in came[0][0]


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://evil.example/x", ["good.example"]),
        ("http://good.example.evil.example/x", ["good.example"]),
        ("http://good.example@evil.example/x", ["good.example"]),
        ("http://good.example:8080/x", ["good.example"]),
        ("http://good.example/x", []),
        ("file:///etc/passwd", [""]),
        ("http://[bad", ["bad"]),
    ],
)
def test_a_webhook_goes_to_allowed_hosts_alone(url: str, hosts: list[str]):
    with pytest.raises(ParameterError, match="webhook"):
        WebhookHook(url, hosts, None)


def test_syslog_gets_a_line():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        SyslogHook(f"127.0.0.1:{server.getsockname()[1]}").tell({"uri": "a"})
        assert b'soundalike: {"uri": "a"}' in server.recv(1000)
    with pytest.raises(ParameterError, match="syslog"):
        SyslogHook("host:port")


@pytest.mark.parametrize(
    "given",
    [{"settle_s": -1.0}, {"rescan_s": 0.0}, {"metrics_port": 0}, {"once": True, "metrics_port": 9}],
)
def test_wrong_requests_are_refused(given: dict[str, Any]):
    with pytest.raises(ParameterError, match=r"settle_s|rescan_s|metrics"):
        WatchRequest(**given)
