"""Search at a steady rate while every process is replaced, and while executors come and go.

``python -m benchmarks.rolling pods --requests 5000 --rate 10``

``pods`` runs the commands of `deploy/kubernetes` as processes of this machine (see `benchmarks.pods`),
two of each executor and one gateway, on an embedded database. Meanwhile all kinds are updated at once,
as by ``kubectl apply``, each by starting one more process and stopping an old one; then an encoder and a
segmenter are added and removed again. ``services`` runs two whole services behind nginx; each is stopped
and started again, then a third one is added and removed. Failed requests are not repeated. Prints a
report as JSON; the exit status is 1 if a request failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import requests

from benchmarks import clips
from benchmarks.__main__ import commit, machine
from benchmarks.cluster import server
from benchmarks.pods import FOLDERS, Balancer, Cluster, in_thread
from benchmarks.services import Services

_REPLICAS = {"segmenter": 2, "encoder": 2, "indexer": 2, "ranker": 2, "gateway": 1}
_SCALED = ("encoder", "segmenter")
_USERS = 64
_TIMEOUT_S = 60
_QUIET_S = 10.0


class Load:
    """Searches at a steady rate; each has its own connection or one that an earlier one has left.

    Parameters
    ----------
    url : str
    sounds : list of Path
    """

    def __init__(self, url: str, sounds: list[Path]) -> None:
        self._url, self._own = url, threading.local()
        self._contents = [path.read_bytes() for path in sounds]
        self._lock = threading.Lock()
        self.failures: Counter[str] = Counter()
        #: Begin, in seconds since the load began, and seconds until the answer.
        self.answered: list[tuple[float, float]] = []
        self._recordings: list[str] = []
        self._vectors = np.random.default_rng(1).standard_normal((20, 1))

    def index(self, url: str) -> None:
        """Index the sounds, through one service, and learn what there is to search for."""
        files = [("files", (f"{n}.mp3", content)) for n, content in enumerate(self._contents)]
        job = self._session.post(f"{url}/api/recordings", files=files, timeout=300).json()
        while job["state"] in ("waiting", "running"):
            time.sleep(0.2)
            job = self._session.get(f"{url}/api/jobs/{job['id']}", timeout=_TIMEOUT_S).json()
        assert job["added"] == len(files), job
        found = self._get("/api/recordings?limit=100")["recordings"]
        self._recordings = [one["recording_id"] for one in found]
        shape = (20, self._get("/api/status")["dimension"])
        self._vectors = np.random.default_rng(1).standard_normal(shape)

    def run(self, rate: float, at_least: int, change: Callable[[], None]) -> int:
        """Send searches, and change the processes again and again until there were enough.

        Returns
        -------
        rounds : int
            Of changes; each is completed.
        """
        changing = _Changing(change)
        began, number = time.monotonic(), 0
        with ThreadPoolExecutor(_USERS) as users:
            while changing.is_alive():
                due = began + number / rate
                time.sleep(max(0.0, due - time.monotonic()))
                users.submit(self._send, number, due, began)
                number += 1
                changing.is_last = number >= at_least
        if changing.error is not None:
            raise changing.error
        return changing.rounds

    def _send(self, number: int, due: float, began: float) -> None:
        try:
            answer = self._asked(number)
            fault = "" if answer.ok else f"{answer.status_code} {answer.text[:80]}"
            if not fault and not answer.json()["matches"]:
                fault = "nothing found"
        except Exception as exc:
            fault = type(exc).__name__
        now = time.monotonic()
        with self._lock:
            self.answered.append((due - began, now - due))
            if fault:
                self.failures[fault] += 1
                print(f"{due - began:.1f} s: {fault}", file=sys.stderr, flush=True)

    def _asked(self, number: int) -> requests.Response:
        address = f"{self._url}/api/search"
        if number % 3 == 0:
            sound = self._contents[number % len(self._contents)]
            return self._session.post(address, files={"file": ("a.mp3", sound)}, timeout=_TIMEOUT_S)
        if number % 3 == 1:
            body: dict[str, Any] = {"recording_id": self._recordings[number % len(self._recordings)]}
        else:
            body = {"vector": self._vectors[number % len(self._vectors)].tolist()}
        return self._session.post(address, json=body, timeout=_TIMEOUT_S)

    def _get(self, path: str) -> Any:
        return self._session.get(self._url + path, timeout=_TIMEOUT_S).json()

    @property
    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        found: requests.Session = self._own.session
        return found


class _Changing(threading.Thread):
    """Makes changes until it is told that a round is the last one."""

    def __init__(self, change: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._change = change
        self.rounds, self.is_last = 0, False
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            while not self.is_last:
                self._change()
                self.rounds += 1
        except BaseException as exc:
            self.error = exc


def change_pods(cluster: Cluster) -> None:
    """Replace all pods, then add one of some kinds and remove it again."""
    time.sleep(_QUIET_S)
    rolling = [in_thread(cluster.roll, kind) for kind in FOLDERS]
    for thread in rolling:
        thread.join()
    for kind in _SCALED:
        cluster.start(kind)
    time.sleep(_QUIET_S)
    leaving = [in_thread(cluster.stop, cluster.serving[kind][0]) for kind in _SCALED]
    for thread in leaving:
        thread.join()


def measure_pods(options: argparse.Namespace, folder: Path, environ: dict[str, str]) -> dict[str, Any]:
    """Run the load while pods are replaced; return the report."""
    environ = {**environ, "SOUNDALIKE_DATA_DIR": str(folder / "service")}
    cluster = Cluster(options.logs or folder, environ, options.pre_stop)
    try:
        kinds = [kind for kind, number in _REPLICAS.items() for _ in range(number)]
        starting = [in_thread(cluster.start, kind) for kind in kinds]
        for thread in starting:
            thread.join()
        assert cluster.gateways(), "a process does not start; see its log"
        url = f"http://127.0.0.1:{Balancer(cluster.gateways).port}"
        load = Load(url, _sounds(folder))
        load.index(url)
        return _report(load, options, lambda: change_pods(cluster), cluster.events)
    finally:
        cluster.close()


def measure_services(
    options: argparse.Namespace, folder: Path, environ: dict[str, str]
) -> dict[str, Any]:
    """Run the load while services are restarted; return the report."""
    services = Services(options.logs or folder, environ)
    try:
        first = services.start()
        services.start()
        services.tell_nginx()
        load = Load(f"http://127.0.0.1:{services.port}", _sounds(folder))
        load.index(f"http://127.0.0.1:{first.port}")
        return _report(load, options, lambda: services.change_everything(_QUIET_S), services.events)
    finally:
        services.close()


def _sounds(folder: Path) -> list[Path]:
    return [path for path in clips.make(folder / "clips", 4.0) if path.suffix == ".mp3"]


def _report(
    load: Load, options: argparse.Namespace, change: Callable[[], None], events: list[dict[str, Any]]
) -> dict[str, Any]:
    began = time.monotonic()
    rounds = load.run(options.rate, options.requests, change)
    ended = [event for event in events if event["what"] == "ended"]
    return {
        "what": options.what,
        "rounds": rounds,
        "requests": len(load.answered),
        "failed": load.failures.total(),
        "failures": dict(load.failures),
        "seconds": round(time.monotonic() - began),
        "all": _milliseconds([seconds for _, seconds in load.answered]),
        "before_the_changes": _milliseconds([s for at, s in load.answered if at < _QUIET_S]),
        "ended": len(ended),
        "exit_statuses": dict(Counter(event["status"] for event in ended)),
        "longest_stop_s": max(event["seconds"] for event in ended),
    }


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    values = np.percentile(np.multiply(seconds, 1e3), [50, 95, 99, 100])
    names = ("p50_ms", "p95_ms", "p99_ms", "most_ms")
    return {name: round(float(value), 1) for name, value in zip(names, values, strict=True)}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.rolling", description=__doc__)
    parser.add_argument("what", choices=("pods", "services"))
    parser.add_argument("--requests", type=int, default=5000, help="searches, at least; default: 5000")
    parser.add_argument("--rate", type=float, default=10.0, help="searches a second; default: 10")
    parser.add_argument(
        "--pre-stop", type=float, help="seconds before SIGTERM; default: as in the files"
    )
    parser.add_argument("--logs", type=Path, help="folder to keep the logs of the processes in")
    options = parser.parse_args()
    # The server may run as another user, who has to enter the folder.
    with tempfile.TemporaryDirectory(prefix="soundalike-rolling-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with server(folder) as url:
            environ = {
                **{key: value for key, value in os.environ.items() if not key.startswith("SOUNDALIKE_")},
                "SOUNDALIKE_DATABASE_URL": url,
                "SOUNDALIKE_MODEL": "logmel-modulation",
                "JINA_LOG_LEVEL": "ERROR",
            }
            measure = measure_pods if options.what == "pods" else measure_services
            report = {"machine": machine(), "commit": commit(), **measure(options, folder, environ)}
    print(json.dumps(report, indent=2))
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
