"""Kill whoever started the Flow, at random moments, and look for what is left.

``python -m benchmarks.lifetimes [--kills 50] [--ways serve,jina-flow]`` kills with SIGKILL, also while
the Flow starts, and reports for each way of starting what was left after the given seconds:
processes (by a mark in their environment or their command line), ports, and shared memory.
``--failing 200`` starts Flows whose executor cannot start, and reports how they ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
_PORTS = range(20_000, 32_000)
_MARK = "SOUNDALIKE_DATA_DIR"
_SCRIPTS = Path(sys.executable).parent

_PYTHON = """
import sys
from jina import Flow
with Flow.load_config(sys.argv[1]) as flow:
    flow.block()
"""
#: As a notebook's kernel does: the Flow is started while an event loop runs in the main thread.
_NOTEBOOK = """
import asyncio, sys
from jina import Flow
async def cell():
    flow = Flow.load_config(sys.argv[1])
    flow.start()
    await asyncio.sleep(3600)
asyncio.run(cell())
"""
#: The thread that starts the Flow ends before the Flow.
_THREAD = """
import sys, threading, time
from jina import Flow
def start():
    Flow.load_config(sys.argv[1]).start()
thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(3600)
"""


def _python(program: str) -> Callable[[Path], list[str]]:
    return lambda flow: [sys.executable, "-P", "-c", program, str(flow)]


#: How each way starts a Flow's file; those without one use the embedded database alone.
WAYS: dict[str, Callable[[Path], list[str]]] = {
    "serve": lambda flow: [str(_SCRIPTS / "soundalike"), "serve", "--flow", str(flow)],
    "jina-flow": lambda flow: [str(_SCRIPTS / "jina"), "flow", "--uses", str(flow)],
    "python": _python(_PYTHON),
    "notebook": _python(_NOTEBOOK),
    "thread": _python(_THREAD),
    "executor": lambda flow: [
        *(str(_SCRIPTS / "jina"), "executor", "--uses"),
        *(str(ROOT / "executors/timescale_indexer/config.yml"), "--port", str(ports_of(flow)[0])),
    ],
    "index": lambda flow: [str(_SCRIPTS / "soundalike"), "index", str(ROOT / "toy-data")],
}


@dataclass
class Left:
    """What was left after one kill."""

    after_s: float
    running: int
    seconds: float = 0.0
    processes: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    shared_memory: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Tell whether nothing was left."""
        return not (self.processes or self.ports or self.shared_memory)


def copied_flow(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Write the shipped flow.yml into a folder, with ports of its own."""
    config = yaml.safe_load((ROOT / "flow.yml").read_text(encoding="utf-8"))
    config["py_modules"] = [str(ROOT / path) for path in config["py_modules"]]
    for part in (config["gateway"], *config["executors"]):
        part["uses"] = str(ROOT / part["uses"])
    config["gateway"]["port"] = [_free_port(), _free_port()]
    if change is not None:
        change(config)
    path = folder / "flow.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def ports_of(flow: Path) -> list[int]:
    """Return the gateway's ports in a Flow's file."""
    found: list[int] = yaml.safe_load(flow.read_text(encoding="utf-8"))["gateway"]["port"]
    return found


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def marked(folder: Path) -> list[psutil.Process]:
    """Return the processes that have a data folder in their environment or command line."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.status() == psutil.STATUS_ZOMBIE or one.pid == os.getpid():
                continue
            if one.environ().get(_MARK) == str(folder) or str(folder) in " ".join(one.cmdline()):
                found.append(one)
    return found


@contextlib.contextmanager
def started(way: str, flow: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a Flow in one of the ways; what it leaves is killed at the end."""
    environ = {**os.environ, _MARK: str(folder), "PYTHONPATH": str(ROOT)}
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            WAYS[way](flow), env=environ, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for one in marked(folder):
            with contextlib.suppress(psutil.Error):
                one.kill()


def kill_once(way: str, delay_s: float, patience_s: float) -> Left:
    """Start a Flow, kill who started it after some seconds, and return what is left."""
    with tempfile.TemporaryDirectory(prefix="soundalike-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        flow = copied_flow(folder)
        with started(way, flow, folder) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(delay_s)
            if process.poll():
                raise SystemExit(f"{way} ended by itself: {(folder / 'said.txt').read_text()[-2000:]}")
            running = marked(folder)
            memory = _segments(running)
            process.send_signal(signal.SIGKILL)
            process.wait()
            left = Left(delay_s, len(running))
            return _completed(left, folder, ports_of(flow), memory, patience_s)


def _completed(
    left: Left, folder: Path, ports: Sequence[int], memory: set[str], patience_s: float
) -> Left:
    began = time.monotonic()
    while True:
        left.seconds = time.monotonic() - began
        left.processes = [_shown(one) for one in marked(folder)]
        left.ports = [port for port in ports if _is_open(port)]
        left.shared_memory = _existing(memory)
        if left.is_nothing or left.seconds > patience_s:
            return left
        time.sleep(0.1)


def _shown(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{process.pid} {process.name()} {' '.join(process.cmdline())[:120]}"
    return str(process.pid)


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _segments(processes: Sequence[psutil.Process]) -> set[str]:
    """Return the shared memory that processes have mapped: files in /dev/shm, and SysV segments."""
    found = set()
    for one in processes:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one.pid}/maps").read_text().splitlines():
                *_, inode, path = line.split(maxsplit=5) if line.count("/") else ("", "", "")
                if path.startswith("/dev/shm/"):
                    found.add(path.removesuffix(" (deleted)"))
                elif path.startswith("/SYSV"):
                    found.add(f"SysV {inode}")
    return found


def _existing(segments: set[str]) -> list[str]:
    table = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    numbers = {f"SysV {row.split()[1]}" for row in table}
    return sorted(name for name in segments if name in numbers or Path(name).exists())


def _cannot_start(config: dict[str, Any]) -> None:
    config["executors"][0]["uses_with"]["window_size"] = 0.1


def start_failing(way: str, timeout_s: float) -> tuple[str, float]:
    """Start a Flow whose executor cannot start; return how it ended, and the seconds."""
    with tempfile.TemporaryDirectory(prefix="soundalike-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        began = time.monotonic()
        with started(way, copied_flow(folder, _cannot_start), folder) as process:
            try:
                ended = f"exit {process.wait(timeout_s)}"
            except subprocess.TimeoutExpired:
                ended = "hangs"
        if "window_size is 0.1" not in (folder / "said.txt").read_text():
            ended += ", reason not said"
        return ended, time.monotonic() - began


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON object a way; exit with 1 where something was left or hangs."""
    options = _options(arguments)
    is_clean = True
    for way in options.ways.split(","):
        if options.failing:
            found = [start_failing(way, options.timeout) for _ in range(options.failing)]
            ends, seconds = Counter(end for end, _ in found), sorted(spent for _, spent in found)
            is_clean &= not any("hangs" in end for end in ends)
            report: dict[str, Any] = {"failing_starts": options.failing, "ends": ends}
        else:
            kills = [
                kill_once(way, random.uniform(0, options.longest), options.patience)
                for _ in range(options.kills)
            ]
            seconds = sorted(kill.seconds for kill in kills)
            unclean = [vars(kill) for kill in kills if not kill.is_nothing]
            is_clean &= not unclean
            running = sorted(kill.running for kill in kills)
            report = {"kills": options.kills, "left": unclean, "processes_at_the_kill": running}
        times = {"median_s": round(seconds[len(seconds) // 2], 2), "longest_s": round(seconds[-1], 2)}
        print(json.dumps({"way": way, **report, **times}), flush=True)
    return 0 if is_clean else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.lifetimes", description=__doc__)
    parser.add_argument("--ways", default=",".join(WAYS), help="default: all, %(default)s")
    parser.add_argument("--kills", type=int, default=50, help="for each way; default: 50")
    parser.add_argument("--longest", type=float, default=25.0, help="seconds until the kill, at most")
    parser.add_argument("--patience", type=float, default=5.0, help="seconds until all must be gone")
    parser.add_argument(
        "--failing", type=int, default=0, help="starts that cannot succeed, in place of kills"
    )
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds until a failing start hangs"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
