"""The launcher: it says when it is ready, and leaves no process behind, however it ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg2
import pytest

if TYPE_CHECKING:
    from tests.fixtures.service import Service

STOP_TIMEOUT_S = 60
#: A failed start is noticed by Jina after some seconds; without care it is never.
FAIL_TIMEOUT_S = 90


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def nothing_is_left(wait_until: Callable[..., Any]) -> Callable[[list[psutil.Process]], None]:
    """Check that processes are gone, or go at once."""

    def check(processes: list[psutil.Process]) -> None:
        assert len(processes) >= 2, "the program and at least one child should have been seen"
        wait_until(lambda: not _alive(processes), f"gone: {_alive(processes)}", 10)

    return check


@pytest.fixture
def start(
    start_launcher: Callable[..., Service], service_environ: dict[str, str]
) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def begin(flow: Path | None = None, *, wait: bool = True, **environ: str) -> Service:
        started.append(start_launcher({**service_environ, **environ}, flow, wait=wait))
        return started[-1]

    yield begin
    for service in started:
        if service.program.process.poll() is None:
            service.program.kill()


@pytest.mark.parametrize("how", ["SIGTERM to the program", "Ctrl-C in a terminal"])
def test_a_signal_ends_everything(
    how: str,
    start: Callable[..., Service],
    nothing_is_left: Callable[..., None],
    wait_until: Callable[..., Any],
    toy_data: Path,
):
    service = start(SOUNDALIKE_DRAIN_S="1")
    program = service.program
    everybody = program.everybody()
    assert len(everybody) >= 6, "launcher, gateway and four executors"
    # What cannot be passed on is answered, and is not waited for.
    for unsendable in (b'"\\ud800"', b'{"n": 1' + 400 * b"0" + b"}"):
        body = b'{"data": [{"uri": "a.wav", "tags": {"deep": [' + unsendable + b"]}}]}"
        assert service.request("/search", body).status == 422
    if how.startswith("SIGTERM"):
        index = {"data": [{"uri": str(toy_data / "siren" / "siren_1.mp3")}]}
        with _half_sent(service.port, json.dumps(index).encode()) as (connection, rest):
            os.kill(program.process.pid, signal.SIGTERM)
            _drains(service, wait_until)
            connection.send(rest)
            assert connection.getresponse().status == 200
    else:
        # A terminal tells the whole group.
        os.killpg(program.process.pid, signal.SIGINT)

    assert program.process.wait(STOP_TIMEOUT_S) == 0, program.said
    nothing_is_left(everybody)
    assert "Traceback" not in program.said
    assert "still open" not in program.said


@contextlib.contextmanager
def _half_sent(port: int, body: bytes) -> Iterator[tuple[http.client.HTTPConnection, bytes]]:
    """Begin a request; yield its connection, and what is left to be sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STOP_TIMEOUT_S)
    connection.putrequest("POST", "/index")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    yield connection, body[10:]
    connection.close()


def _drains(service: Service, wait_until: Callable[..., Any]) -> None:
    """Wait until it says that it stops, and then until it accepts no more connections."""
    wait_until(lambda: service.request("/ready").status == 503, "it says that it stops", 10)
    assert service.request("/ready").json["checks"]["gateway"] == "stopping"

    def refuses() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", service.port)) != 0

    wait_until(refuses, "it accepts no more", 10)


def test_a_signal_while_it_starts_ends_everything(
    start: Callable[..., Service],
    nothing_is_left: Callable[..., None],
    wait_until: Callable[..., Any],
):
    program = start(wait=False).program
    everybody = wait_until(lambda: len(found := program.everybody()) >= 3 and found, "children")
    os.kill(program.process.pid, signal.SIGTERM)

    assert program.process.wait(STOP_TIMEOUT_S) == 128 + signal.SIGTERM
    nothing_is_left(everybody)
    # Those too that came after the look above.
    wait_until(lambda: not _in_session(program.process.pid), "nobody is left", 10)


def test_executors_that_a_signal_ends_are_not_the_reason(
    start_launcher: Callable[..., Service],
    service_environ: dict[str, str],
    copy_flow: Callable[..., tuple[Path, list[int]]],
    wait_until: Callable[..., Any],
    tmp_path: Path,
):
    """One executor takes its time to end, and the others have ended by then."""
    words = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    inside = f"self.logger.error('deaf'); {words}"
    flow, _ = copy_flow(_faulty(tmp_path, inside=inside, is_alone=False))
    program = start_launcher(service_environ, flow, wait=False).program
    wait_until(lambda: "deaf" in program.said, "one executor is deaf", 60)
    os.kill(program.process.pid, signal.SIGTERM)

    assert program.process.wait(STOP_TIMEOUT_S) == 128 + signal.SIGTERM, program.said
    assert "cannot start" not in program.said


def _in_session(leader: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            found += [pid] if os.getsid(pid) == leader else []
    return found


#: A child that Python has forked, but not noted yet, as it is when a signal comes in between.
UNNOTED = """
import os, time
from executors import launcher
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
launcher._end(3)
"""


def test_a_child_that_was_just_forked_ends_too():
    ended = subprocess.run(
        [sys.executable, "-c", UNNOTED], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 3, ended.stderr
    assert not psutil.pid_exists(int(ended.stdout))


def test_no_request_keeps_it_from_stopping(
    start: Callable[..., Service],
    nothing_is_left: Callable[..., None],
    wait_until: Callable[..., Any],
    database_url: str,
    sql: Callable[..., Any],
    toy_data: Path,
):
    """Jina waits for ever until every request has been answered."""
    service = start(SOUNDALIKE_DATABASE_URL=database_url)
    everybody = service.program.everybody()
    sound = {"uri": str(toy_data / "siren" / "siren_1.mp3")}
    with ThreadPoolExecutor(1) as pool, contextlib.closing(psycopg2.connect(database_url)) as other:
        service.post("/index", sound)
        other.cursor().execute("LOCK TABLE soundalike.files")
        pool.submit(service.post, "/index", {**sound, "label": "other"})
        wait_until(lambda: sql("SELECT 1 FROM pg_locks WHERE NOT granted"), "the request waits")
        os.kill(service.program.process.pid, signal.SIGTERM)

        service.program.process.wait(STOP_TIMEOUT_S)
        nothing_is_left(everybody)


def test_the_death_of_an_executor_ends_everything_with_a_status(
    start: Callable[..., Service], nothing_is_left: Callable[..., None]
):
    """A supervisor starts it again; otherwise every later request would fail."""
    program = start().program
    launcher, *children = program.everybody()
    children[0].kill()

    assert program.process.wait(STOP_TIMEOUT_S) == 1
    nothing_is_left([launcher, *children])
    assert "died" in program.said


def test_without_a_key_only_this_machine_is_served(
    start_program: Callable[..., Any], service_environ: dict[str, str], project: Path
):
    program = start_program(
        *(sys.executable, "-m", "executors.launcher", project / "flow.yml", "--host", "0.0.0.0"),
        environ=service_environ,
    )
    assert program.process.wait(STOP_TIMEOUT_S) == 2
    (line,) = program.said.strip().splitlines()
    assert "SOUNDALIKE_API_KEY" in line
    assert "[config.invalid]" in line


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_in_use_is_said_before_anything_is_started(
    option: str,
    start_program: Callable[..., Any],
    service_environ: dict[str, str],
    project: Path,
    free_port: Callable[[], int],
):
    other = {"--port": "--grpc-port", "--grpc-port": "--port"}[option]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        program = start_program(
            *(sys.executable, "-m", "executors.launcher", project / "flow.yml"),
            *(option, str(port), other, str(free_port())),
            environ=service_environ,
        )
        assert program.process.wait(STOP_TIMEOUT_S) == 6

    (line,) = program.said.strip().splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line
    assert "[service.unavailable]" in line


def _only(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Leave one executor, and return it: the others would take seconds to start."""
    (found,) = (one for one in config["executors"] if one["name"] == name)
    config["executors"] = [found]
    return found


def _window_size(config: dict[str, Any]) -> None:
    _only(config, "segmenter")["uses_with"]["window_size"] = 0.1


def _missing_file(config: dict[str, Any]) -> None:
    _only(config, "encoder")["uses"] = "/nowhere/config.yml"


def _no_weights(config: dict[str, Any]) -> None:
    _only(config, "encoder")["uses_with"] = {"model": "vggish", "weights_dir": "/nowhere"}


#: What an executor does while it starts, and how the launcher ends then.
EXECUTOR = """
import os, signal, time
{outside}
from jina import Executor, requests

class Faulty(Executor):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        {inside}

    @requests
    def nothing(self, docs, **kwargs):
        pass
"""


def _faulty(
    folder: Path, outside: str = "", inside: str = "pass", *, is_alone: bool = True
) -> Callable[[dict[str, Any]], None]:
    """Let an executor be one that does something while it starts, alone or behind the others."""
    (folder / "faulty.py").write_text(EXECUTOR.format(outside=outside, inside=inside))
    (folder / "config.yml").write_text("jtype: Faulty\npy_modules:\n  - faulty.py\n")

    def change(config: dict[str, Any]) -> None:
        ranker = _only(config, "ranker") if is_alone else config["executors"][3]
        ranker["uses"] = str(folder / "config.yml")

    return change


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        (_window_size, 2, "'segmenter' cannot start: window_size is 0.1"),
        (_missing_file, 6, "/nowhere/config.yml"),
        (_no_weights, 4, "'encoder' cannot start: vggish_model.ckpt is not in /nowhere"),
        ({"outside": "import nowhere_at_all"}, 6, "'ranker' cannot start: ImportError"),
        (
            {"inside": "os.kill(os.getpid(), signal.SIGKILL)"},
            6,
            "'ranker' cannot start: its process ended with SIGKILL",
        ),
    ],
    ids=["a parameter out of range", "a missing file", "missing weights", "an import error", "a crash"],
)
def test_an_executor_that_cannot_start_ends_everything_with_its_reason(
    change: Callable[[dict[str, Any]], None] | dict[str, str],
    status: int,
    reason: str,
    start: Callable[..., Service],
    copy_flow: Callable[..., tuple[Path, list[int]]],
    wait_until: Callable[..., Any],
    tmp_path: Path,
):
    flow, _ = copy_flow(_faulty(tmp_path, **change) if isinstance(change, dict) else change)
    program = start(flow, wait=False).program
    everybody: dict[int, psutil.Process] = {}

    def ended() -> bool:
        everybody.update({one.pid: one for one in program.everybody()})
        return program.process.poll() is not None

    wait_until(ended, "the launcher gave up", FAIL_TIMEOUT_S)
    assert program.process.returncode == status, program.said
    wait_until(lambda: not _alive(list(everybody.values())), "everybody is gone", 10)
    assert reason in program.said.replace("\n", " ")
    assert "Traceback" not in program.said


def test_a_start_has_a_deadline(
    start_launcher: Callable[..., Service],
    service_environ: dict[str, str],
    copy_flow: Callable[..., tuple[Path, list[int]]],
    wait_until: Callable[..., Any],
    tmp_path: Path,
):
    words = "self.logger.error('waiting for Godot'); time.sleep(600)"
    flow, _ = copy_flow(_faulty(tmp_path, inside=words))
    # The executor needs a moment to get to its words.
    options = ("--start-timeout", "15")
    program = start_launcher(service_environ, flow, wait=False, options=options).program

    assert program.process.wait(FAIL_TIMEOUT_S) == 6
    assert "not ready after 15 s" in program.said
    assert "the executor 'ranker' (it last said: waiting for Godot; at work in " in program.said
    assert "faulty.py:9 (__init__)" in program.said
    wait_until(lambda: not _in_session(program.process.pid), "nobody is left", 10)
