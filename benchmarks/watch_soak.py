"""Kill ``soundalike normal watch`` at random moments while files arrive, and count what it has scored.

``python -m benchmarks.watch_soak --files 10000 --kills 20``

Files arrive in a folder on a fresh embedded server: written at once, in two parts, or with a hidden name
that is changed afterwards; also in new subfolders. One in a hundred is unusual, one in a hundred is
damaged. The watch is killed with SIGKILL, and started again each time. Prints a report as JSON; the exit
status is 1 if it names a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from benchmarks.__main__ import commit, machine
from soundalike.config import Settings
from soundalike.store import open_store
from soundalike.store.normal_models import MAX_EVENTS

RATE_HZ = 8_000
_SECONDS = 1.0
_NAME = "pump"
#: Different normal sounds; more files are copies under other names.
_N_SOUNDS = 50
_EVERY_UNUSUAL, _EVERY_DAMAGED = 100, 101
#: A file that is written in two parts is incomplete for so long, less than the watch waits.
_HALF_S, _SETTLE_S = 0.2, 2.0
_LONGEST_DELAY_S = 1.0
#: Processes of a killed watch have ended by then.
_ENDS_S = 20.0


def main() -> int:
    """Run the soak, and print the report."""
    parser = argparse.ArgumentParser(prog="benchmarks.watch_soak", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not 1 <= arguments.files <= MAX_EVENTS:
        parser.error(f"--files is a number from 1 to {MAX_EVENTS}")
    with tempfile.TemporaryDirectory(prefix="soundalike-watch-") as folder:
        report = {"machine": machine(), "commit": commit()}
        report |= soak(Path(folder), arguments.files, arguments.kills, arguments.seed)
    print(json.dumps(report, indent=2))
    return 1 if report["faults"] else 0


def soak(root: Path, n_files: int, n_kills: int, seed: int) -> dict[str, Any]:
    """Let files arrive while the watch is killed again and again; return what was counted."""
    rng = random.Random(seed)
    make_sounds(root / "sounds", np.random.default_rng(seed))
    watch = _Watch(root)
    watch.learn()
    (root / "in").mkdir()
    began = time.perf_counter()
    arriving = threading.Thread(target=lambda: list(arrive(root, n_files)), daemon=True)
    arriving.start()
    left: list[str] = []
    # In the middle of a number of lines, and of what happens between them.
    for wanted in sorted(rng.randrange(round(0.95 * n_files) + 1) for _ in range(n_kills)):
        watch.start()
        watch.wait_for_lines(wanted)
        time.sleep(rng.uniform(0, _LONGEST_DELAY_S))
        left += watch.kill()
    arriving.join()
    watch.finish()
    seconds = time.perf_counter() - began
    expected = {str(path) for path in (root / "in").rglob("*.wav")}
    events = watch.events()
    report = judge(expected, events, watch.lines(), watch.told(), n_kills)
    report["faults"] += [f"processes were left: {', '.join(sorted(set(left)))}"] if left else []
    return {
        **report,
        "kills": n_kills,
        "seconds": round(seconds, 1),
        "files_per_second": round(len(expected) / seconds, 1),
        "peak_mb": round(watch.peak_mb, 1),
    }


def judge(
    expected: set[str],
    events: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    told: Sequence[Mapping[str, Any]],
    n_kills: int,
) -> dict[str, Any]:
    """Compare files with stored events, lines and calls of the hook.

    Parameters
    ----------
    expected : set of str
        Paths of all files.
    events, lines, told : sequence of mapping
        Events in the database, lines of the watch, and events that the hook was told.
    n_kills : int
        So many lines may be missing, and so many calls may be repeated.

    Returns
    -------
    report : dict
        Numbers, and ``faults``, a sentence for each.
    """
    stored = Counter(event["uri"] for event in events)
    printed = Counter(line["event_id"] for line in lines)
    ids = {event["event_id"] for event in events}
    anomalous = {event["event_id"] for event in events if event["is_anomalous"]}
    calls = Counter(message["event_id"] for message in told)
    missing, repeated = len(ids - printed.keys()), calls.total() - len(calls)
    faults = {
        "files have no event": len(expected - stored.keys()),
        "files have several events": sum(number > 1 for number in stored.values()),
        "events are of other files": len(stored.keys() - expected),
        "lines are repeated": printed.total() - len(printed),
        "lines have no event": len(printed.keys() - ids),
        "lines are missing, more than kills": max(0, missing - n_kills),
        "anomalies were not told": len(anomalous - calls.keys()),
        "calls were about other events": len(calls.keys() - anomalous),
        "calls were repeated, more than kills": max(0, repeated - n_kills),
    }
    return {
        "files": len(expected),
        "events": len(events),
        "failed": sum("error_code" in event for event in events),
        "anomalous": len(anomalous),
        "lines": printed.total(),
        "lines_missing": missing,
        "hook_calls": calls.total(),
        "hook_calls_repeated": repeated,
        "faults": [f"{number} {what}" for what, number in faults.items() if number],
    }


def make_sounds(folder: Path, rng: np.random.Generator) -> None:
    """Write hums as ``normal/``, a noise as ``unusual.wav``, and ``damaged.wav``."""
    (folder / "normal").mkdir(parents=True)
    at = np.arange(round(_SECONDS * RATE_HZ)) / RATE_HZ
    for number in range(_N_SOUNDS):
        hum = 0.2 * np.sin(2 * np.pi * (100 + rng.normal()) * at) + 0.02 * rng.normal(size=at.size)
        soundfile.write(folder / "normal" / f"{number}.wav", hum, RATE_HZ)
    soundfile.write(folder / "unusual.wav", 0.2 * rng.normal(size=at.size), RATE_HZ)
    (folder / "damaged.wav").write_bytes(b"RIFF and no sound behind it")


def arrive(root: Path, n_files: int) -> Iterator[Path]:
    """Write files into the folder in several ways, and yield each when it is complete."""
    normal = sorted((root / "sounds" / "normal").iterdir())
    for number in range(n_files):
        source = normal[number % len(normal)]
        if number % _EVERY_UNUSUAL == 50:
            source = root / "sounds" / "unusual.wav"
        elif number % _EVERY_DAMAGED == 50:
            source = root / "sounds" / "damaged.wav"
        folder = root / "in" / f"{number // 500:03d}" if number % 3 else root / "in"
        folder.mkdir(exist_ok=True)
        path = folder / f"{number:05d}.wav"
        if number % 10 == 1:
            hidden = folder / f".{number:05d}.part"
            shutil.copyfile(source, hidden)
            hidden.rename(path)
        elif number % 100 == 2:
            content = source.read_bytes()
            with path.open("wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                time.sleep(_HALF_S)
                file.write(content[len(content) // 2 :])
        else:
            shutil.copyfile(source, path)
        yield path


class _Watch:
    """The watching process: starts, is killed, and its traces are read.

    Parameters
    ----------
    root : Path
        Holds ``sounds``, ``in``, the database, and what the process writes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SOUNDALIKE_")},
            "SOUNDALIKE_DATA_DIR": str(root / "data"),
            "SOUNDALIKE_MODEL": "logmel-modulation",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.peak_mb = 0.0

    def learn(self) -> None:
        """Learn the model."""
        normal = str(self._root / "sounds" / "normal")
        subprocess.run(self._words("learn", _NAME, normal), env=self._environment, check=True)

    def start(self, *options: str) -> None:
        """Start the watch; its lines are appended to those of earlier ones."""
        words = self._words("watch", _NAME, str(self._root / "in"), "--json", f"--settle={_SETTLE_S}")
        told = f"tee -a {self._root / 'told'}"
        with (self._root / "lines").open("ab") as out, (self._root / "notes").open("ab") as notes:
            self._process = subprocess.Popen(
                [*words, "--command", told, *options], env=self._environment, stdout=out, stderr=notes
            )

    def wait_for_lines(self, wanted: int) -> None:
        """Wait until there are so many lines, or the watch has ended by itself."""
        assert self._process is not None
        while self._n_lines() < wanted:
            if self._process.poll() is not None:
                raise RuntimeError(f"the watch has ended with {self._process.returncode}")
            self._measure()
            time.sleep(0.05)

    def kill(self) -> list[str]:
        """Kill the watch; return the numbers of its processes that outlive it."""
        assert self._process is not None
        self._measure()
        children = list(filter(_is_own, psutil.Process(self._process.pid).children(recursive=True)))
        self._process.kill()
        self._process.wait()
        _, alive = psutil.wait_procs(children, timeout=_ENDS_S)
        return [str(child.pid) for child in alive]

    def finish(self) -> None:
        """Score what is left."""
        self.start("--once")
        assert self._process is not None
        # Anomalies and damaged files have exit statuses of their own.
        if self._process.wait() not in (0, 1, 3):
            raise RuntimeError(f"the watch has ended with {self._process.returncode}")

    def events(self) -> list[dict[str, Any]]:
        """Return the events of the database."""
        from soundalike.anomalies.watching.watcher import event_json

        store = open_store(Settings.from_env(self._environment))
        try:
            return [event_json(event) for event in store.watch_events(_NAME, limit=MAX_EVENTS)]
        finally:
            store.close()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of all watches."""
        return [json.loads(line) for line in (self._root / "lines").read_text().splitlines()]

    def told(self) -> list[dict[str, Any]]:
        """Return the messages to the hook, which have no line ends."""
        path = self._root / "told"
        text, decoder, at = path.read_text() if path.exists() else "", json.JSONDecoder(), 0
        found = []
        while at < len(text):
            message, at = decoder.raw_decode(text, at)
            found.append(message)
        return found

    def _n_lines(self) -> int:
        return (self._root / "lines").read_bytes().count(b"\n")

    def _measure(self) -> None:
        assert self._process is not None
        size = psutil.Process(self._process.pid).memory_info().rss / 1e6
        self.peak_mb = max(self.peak_mb, size)

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "soundalike", "normal", *words]


def _is_own(process: psutil.Process) -> bool:
    """Return whether a process must end with the watch.

    The server of the database serves other users as well, and is stopped by a program of its own.
    """
    try:
        words = " ".join(process.cmdline())
        return not process.name().startswith(("postgres", "tee")) and "embedded_watch" not in words
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
