"""Processes in place of Kubernetes' pods, with the exported commands.

Each pod has an address of its own (127.0.0.0/8). A file, which the gateways see as ``/etc/hosts``,
stands for DNS, and `Balancer` for the service of the gateways: a connection stays with its pod. It
needs Linux.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import yaml

ROOT = Path(__file__).resolve().parents[1]
KUBERNETES = ROOT / "deploy" / "kubernetes"
FOLDERS = {
    "segmenter": "audio_segmenter",
    "encoder": "vggish_encoder",
    "indexer": "timescale_indexer",
    "ranker": "max_score_ranker",
    "gateway": "gateway",
}
_HTTP, _GRPC = 8080, 8081
_START_S = 180
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"


@dataclass
class Pod:
    """A process with an address.

    Attributes
    ----------
    kind, address : str
    process : subprocess.Popen
    """

    kind: str
    address: str
    process: subprocess.Popen[bytes]


@dataclass(frozen=True)
class Template:
    """What Kubernetes knows of a kind of pods.

    Attributes
    ----------
    arguments : list of str
        Of ``jina``.
    pre_stop_s : float
        Seconds between leaving the service and SIGTERM.
    environ : dict
    """

    arguments: list[str]
    pre_stop_s: float
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str) -> Template:
        """Read the files of a kind."""
        container = _container(KUBERNETES / "base" / f"{kind}.yml")
        patch = "gateway" if kind == "gateway" else "executors"
        patched = _container(KUBERNETES / "components" / "restricted" / f"{patch}.yml")
        hook = patched.get("lifecycle", container["lifecycle"])["preStop"]["exec"]["command"]
        seconds = re.findall(r"sleep (\d+)", str(hook))
        given = {one["name"]: one["value"] for one in patched.get("env", ())}
        return cls(container["args"], float(seconds[0]), given)


def _container(path: Path) -> dict[str, Any]:
    objects = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


class Cluster:
    """Pods of all kinds, as a Deployment each runs them.

    Parameters
    ----------
    folder : Path
        For logs and the file of hosts.
    environ : dict
        Of all pods.
    pre_stop_s : float, optional
        In place of what the files say.
    """

    def __init__(self, folder: Path, environ: dict[str, str], pre_stop_s: float | None = None) -> None:
        self._folder, self._pre_stop_s = folder, pre_stop_s
        self._hosts = folder / "hosts"
        self._hosts.touch()
        self._environ = environ
        self._templates = {kind: Template.of(kind) for kind in FOLDERS}
        self._numbers = itertools.count(1)
        self._network = f"127.{os.getpid() % 200 + 20}"
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self.serving: dict[str, list[Pod]] = {kind: [] for kind in FOLDERS}
        self.events: list[dict[str, Any]] = []
        self._pods: list[Pod] = []
        self._publish()

    def start(self, kind: str) -> Pod:
        """Start a pod, and let it serve when its probes succeed."""
        with self._lock:
            number = next(self._numbers)
            address = f"{self._network}.{number // 250}.{number % 250 + 1}"
            pod = Pod(kind, address, self._run(kind, address, number))
            self._pods.append(pod)
        deadline = time.monotonic() + _START_S
        while not is_ready(pod):
            if pod.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{kind} does not start; see {self._folder}")
            time.sleep(0.5)
        with self._lock:
            self.serving[kind].append(pod)
            self._publish()
        self._note(pod, "serves")
        return pod

    def _run(self, kind: str, address: str, number: int) -> subprocess.Popen[bytes]:
        template = self._templates[kind]
        jina = str(Path(sys.executable).with_name("jina"))
        words = [jina, *template.arguments]
        if kind == "gateway":
            script = 'mount --bind "$0" /etc/hosts && exec "$@"'
            own_files = ["unshare", "--user", "--map-root-user", "--mount"]
            words = [*own_files, "sh", "-c", script, str(self._hosts), *words, "--host", address]
        else:
            words[words.index("--host") + 1] = address
        with (self._folder / f"{number:02d}-{kind}.log").open("wb") as log:
            return subprocess.Popen(
                words,
                cwd=ROOT / "executors" / FOLDERS[kind],
                env={**self._environ, **template.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, pod: Pod) -> None:
        """Take a pod out of its service, wait as long as its hook, and end it with SIGTERM."""
        with self._lock:
            self.serving[pod.kind].remove(pod)
            self._publish()
        self._note(pod, "leaves")
        template = self._templates[pod.kind]
        time.sleep(template.pre_stop_s if self._pre_stop_s is None else self._pre_stop_s)
        begun = time.monotonic()
        pod.process.send_signal(signal.SIGTERM)
        status = pod.process.wait(120)
        self._note(pod, "ended", status=status, seconds=round(time.monotonic() - begun, 1))

    def roll(self, kind: str) -> None:
        """Replace all pods of a kind, one more at a time, as a rolling update does."""
        stopping = []
        for pod in list(self.serving[kind]):
            self.start(kind)
            stopping.append(in_thread(self.stop, pod))
        for thread in stopping:
            thread.join()

    def close(self) -> None:
        """Kill what is left."""
        for pod in self._pods:
            with suppress(ProcessLookupError):
                os.killpg(pod.process.pid, signal.SIGKILL)
            pod.process.wait()

    def gateways(self) -> list[str]:
        """Return the addresses of the gateways that serve."""
        return [pod.address for pod in self.serving["gateway"]]

    def _publish(self) -> None:
        lines = [
            f"{pod.address} {kind}.soundalike.svc\n"
            for kind, pods in self.serving.items()
            for pod in pods
        ]
        # In place, because a new file would not be where the old one is mounted.
        content = "".join(lines).encode()
        with self._hosts.open("r+b") as file:
            file.write(content)
            file.truncate()

    def _note(self, pod: Pod, what: str, **more: Any) -> None:
        at_s = round(time.monotonic() - self._began, 1)
        event = {"at_s": at_s, "pod": f"{pod.kind} {pod.address}", "what": what, **more}
        self.events.append(event)
        print(json.dumps(event), file=sys.stderr, flush=True)


def in_thread(function: Callable[..., object], *arguments: Any) -> threading.Thread:
    """Start a thread that does not keep the program alive."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def is_ready(pod: Pod) -> bool:
    """Probe a pod as its Deployment does: gateways over HTTP, executors by gRPC's health service."""
    if pod.kind == "gateway":
        try:
            with urllib.request.urlopen(f"http://{pod.address}:{_HTTP}/ready", timeout=8):
                return True
        except OSError:
            return False
    with grpc.insecure_channel(f"{pod.address}:{_HTTP}") as channel:
        try:
            return bool(channel.unary_unary(_HEALTH)(b"", timeout=5) == _SERVING)
        except grpc.RpcError:
            return False


class Balancer:
    """A TCP port whose connections go to the gateways in turn, each to one of them until it ends.

    Parameters
    ----------
    addresses : callable
        Returns the gateways that serve now.
    """

    def __init__(self, addresses: Callable[[], list[str]]) -> None:
        self._addresses = addresses
        self._turn = itertools.count()
        self._loop = asyncio.new_event_loop()
        in_thread(self._loop.run_forever)
        serving = asyncio.run_coroutine_threadsafe(self._serve(), self._loop)
        self.port = serving.result(10)

    async def _serve(self) -> int:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        addresses = self._addresses()
        try:
            target = addresses[next(self._turn) % len(addresses)]
            backward, forward = await asyncio.open_connection(target, _HTTP)
        except (OSError, ZeroDivisionError):
            # As a service without pods, or with one that does not listen.
            writer.transport.abort()
            return
        await asyncio.gather(_copy(reader, forward), _copy(backward, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
