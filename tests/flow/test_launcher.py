"""The launcher leaves no process behind when it cannot start, or is told to stop at a bad moment.

Its orderly end is in ``test_restarts.py``, the end by a dead executor in ``test_own_executors.py``.
"""

from __future__ import annotations

import contextlib
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

from tests.fixtures.processes import is_alive

if TYPE_CHECKING:
    from tests.fixtures.service import Service

STOP_TIMEOUT_S = 60
#: A failed start is noticed by Jina after some seconds; without care it is never.
FAIL_TIMEOUT_S = 90


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if is_alive(one)]


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
