"""Nothing of a Flow is left when the process that started it is killed, whenever that is.

``python -m benchmarks.lifetimes`` does the same fifty times for each way of starting.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import lifetimes

#: Two processors may be busy with other tests.
PATIENCE_S = 30
#: Names of modules that Python, Jina, and the executors import.
NAMES = ("random", "uvloop", "socket", "executor", "gateway", "privacy", "executors", "soundalike")


@pytest.mark.parametrize("way", lifetimes.WAYS)
def test_a_kill_while_it_starts_leaves_nothing(way: str):
    left = lifetimes.kill_once(way, random.uniform(2, 8), PATIENCE_S)

    assert left.running
    assert left.is_nothing, left


def test_a_kill_leaves_nothing_and_files_in_the_current_folder_are_not_run(
    start_program: Callable[..., Any],
    command_environ: dict[str, str],
    data_dir: Path,
    tmp_path: Path,
    wait_until: Callable[..., Any],
):
    """With a database of its own, in a folder of recordings that has Python files with common names."""
    flow = lifetimes.copied_flow(tmp_path)
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for name in NAMES:
        (recordings / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'a').write({name!r})\n")
    program = start_program(
        *(Path(sys.executable).with_name("soundalike"), "serve", "--flow", flow),
        *("--start-timeout", "180"),
        environ={**command_environ, "SOUNDALIKE_MODEL": "logmel-modulation"},
        cwd=recordings,
    )
    wait_until(lambda: "soundalike: ready" in program.said or program.process.poll(), "ready", 180)
    assert program.process.poll() is None, program.said
    assert len(lifetimes.marked(data_dir)) >= 8, (
        "launcher, gateway, four executors, server and its watch"
    )

    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait()
    wait_until(lambda: not lifetimes.marked(data_dir), "all processes have ended", PATIENCE_S)
    for port in lifetimes.ports_of(flow):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    assert not (tmp_path / "run").exists(), (tmp_path / "run").read_text()


#: A Flow of Jina's own parts, of which one cannot start while the others are still at their start.
FAILING = """
import sys, time
for name in ("tensorflow", "torch", "jax"):
    sys.modules[name] = None
import executors.jina_fixes.telemetry
from jina import Executor, Flow, requests

class Bad(Executor):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        raise ValueError("it cannot")

    @requests
    def nothing(self, docs, **kwargs):
        pass

class Slow(Executor):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        time.sleep(2)

    @requests
    def nothing(self, docs, **kwargs):
        pass

with Flow(port=int(sys.argv[1])).add(uses=Bad).add(uses=Slow):
    pass
"""


def test_a_start_that_fails_does_not_wait_for_ever(
    start_program: Callable[..., Any],
    clean_process_environ: dict[str, str],
    free_port: Callable[[], int],
):
    """Without the launcher, Jina joins pods that did not hear of the end while they started."""
    program = start_program(
        *(sys.executable, "-c", FAILING, str(free_port())), environ=clean_process_environ
    )

    assert program.process.wait(100) == 1
    assert "executor0' cannot start: ValueError: it cannot" in program.said
