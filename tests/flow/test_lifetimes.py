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
    assert len(lifetimes.marked(data_dir)) > 8, "launcher, gateway, four executors, server and its watch"

    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait()
    wait_until(lambda: not lifetimes.marked(data_dir), "all processes have ended", PATIENCE_S)
    for port in lifetimes.ports_of(flow):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    assert not (tmp_path / "run").exists(), (tmp_path / "run").read_text()
