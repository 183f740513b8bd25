"""compose.yml's commands and flow-containers.yml, with processes of this machine for containers."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDERS = {
    "segmenter": "audio_segmenter",
    "encoder": "vggish_encoder",
    "indexer": "timescale_indexer",
    "ranker": "max_score_ranker",
}
_START_S = 120
_STOP_S = 30

pytestmark = pytest.mark.flow


@contextmanager
def running(command: list[str | Path], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own, and end whatever is left of it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        yield process
    finally:
        if is_left(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_left(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether any process of the group lives."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ask the leader of a group to stop; return its exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(_STOP_S)


def probe(docker_folder: Path, port: int | str) -> subprocess.CompletedProcess[str]:
    """Ask for a service's health as its container does."""
    command = [sys.executable, docker_folder / "probe.py", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def post(port: int, path: str, uris: list[Path], **parameters: Any) -> list[dict[str, Any]]:
    """Send documents to a gateway over HTTP; return those of the answer."""
    body = {"data": [{"uri": str(uri)} for uri in uris], "parameters": parameters}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        docs: list[dict[str, Any]] = json.load(answer)["data"]
    return docs


def entrypoint(dockerfile: Any, target: str) -> list[str]:
    """Return an image's entrypoint, with this environment's programs."""
    program, *arguments = dockerfile.last(target, "ENTRYPOINT").words()
    return [str(Path(sys.executable).with_name(program)), *arguments]


@pytest.fixture(scope="module")
def environ(
    clean_process_environ: dict[str, str],
    without_tensorflow: dict[str, str],
    toy_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Return what the images and compose.yml set; the images have no TensorFlow."""
    return {
        **clean_process_environ,
        **without_tensorflow,
        "JINA_OPTOUT_TELEMETRY": "1",
        "PYTHONWARNINGS": "ignore",
        "SOUNDALIKE_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "SOUNDALIKE_MODEL": "logmel-modulation",
        "SOUNDALIKE_ROOTS": str(toy_data),
    }


@pytest.fixture(scope="module")
def executors(
    project: Path,
    docker_folder: Path,
    dockerfile: Any,
    services: dict[str, Any],
    environ: dict[str, str],
    database_server: Any,
    free_port: Callable[[], int],
    wait_until: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, int]]:
    """Start the four executors by compose.yml's commands; yield their ports, and stop them."""
    started = {}
    logs = tmp_path_factory.mktemp("executors")
    with database_server.database() as database_url, ExitStack() as stack:
        for name, folder in FOLDERS.items():
            port = free_port()
            here = {"8081": str(port), "0.0.0.0": "127.0.0.1"}
            command = [*entrypoint(dockerfile, name), *services[name]["command"]]
            # As in compose.yml, only the indexer is told of the database.
            told = {"SOUNDALIKE_DATABASE_URL": database_url} if name == "indexer" else {}
            process = stack.enter_context(
                running(
                    replaced(command, here),
                    logs / f"{name}.log",
                    cwd=project / "executors" / folder,
                    env={**environ, **told},
                )
            )
            started[name] = process, port
        for name, (process, port) in started.items():
            is_healthy = partial(is_ready, process, lambda port=port: is_healthy_at(docker_folder, port))
            wait_until(is_healthy, f"{name} is healthy", _START_S)
        yield {name: port for name, (_, port) in started.items()}
        processes = [process for process, _ in started.values()]
        assert [stop(process) for process in processes] == [0] * 4
        assert not any(is_left(process) for process in processes)


def replaced(command: list[str], here: dict[str, str]) -> list[str]:
    """Return a command with the addresses that hold here."""
    for there, place in here.items():
        command = [word.replace(there, place) for word in command]
    return command


def is_healthy_at(docker_folder: Path, port: int) -> bool:
    """Ask the probe as soon as somebody listens: until then each process of it is in vain."""
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)):
            return False
    return probe(docker_folder, port).returncode == 0


def is_ready(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> bool:
    """Return the condition's answer; fail where the process has ended."""
    assert process.poll() is None, process.args
    return condition()


def index_and_search(port: int, toy_data: Path) -> None:
    """Do both over HTTP."""
    clips = [toy_data / "siren" / "siren_1.mp3", toy_data / "rain" / "rain_1.mp3"]
    assert {doc["outcome"] for doc in post(port, "/index", clips)} <= {"added", "unchanged"}
    (found,) = post(port, "/search", [toy_data / "queries" / "siren_query_1.mp3"], top_k=2)
    assert [match["label"] for match in found["matches"]] == ["siren", "rain"]
    # The gateway knows the windows of a collection, though only the indexer reaches the database.
    post(port, "/index", clips, collection="seconds", window_size=1, stride=1)
    (found,) = post(port, "/search", clips[:1], collection="seconds", top_k=1)
    assert found["matches"][0]["end_s"] - found["matches"][0]["start_s"] == 1


def test_commands_of_compose(
    executors: dict[str, int],
    project: Path,
    docker_folder: Path,
    dockerfile: Any,
    services: dict[str, Any],
    environ: dict[str, str],
    free_port: Callable[[], int],
    wait_until: Callable[..., Any],
    toy_data: Path,
    tmp_path: Path,
) -> None:
    http, grpc = free_port(), free_port()
    here = {f"{name}:8081": f"127.0.0.1:{port}" for name, port in executors.items()}
    here |= {"45678": str(http), "45679": str(grpc), "0.0.0.0": "127.0.0.1"}
    command = replaced([*entrypoint(dockerfile, "gateway"), *services["gateway"]["command"]], here)
    folder = project / "executors" / "gateway"
    with running(command, tmp_path / "gateway.log", cwd=folder, env=environ) as gateway:
        is_healthy = partial(is_ready, gateway, lambda: is_healthy_at(docker_folder, grpc))
        wait_until(is_healthy, "the gateway is healthy", _START_S)
        index_and_search(http, toy_data)
        assert stop(gateway) == 0
        assert not is_left(gateway)


def test_flow_with_executors_elsewhere(
    executors: dict[str, int],
    project: Path,
    docker_folder: Path,
    environ: dict[str, str],
    free_port: Callable[[], int],
    wait_until: Callable[..., Any],
    toy_data: Path,
    tmp_path: Path,
) -> None:
    config = yaml.safe_load((docker_folder / "flow-containers.yml").read_text())
    for executor in config["executors"]:
        executor["port"] = executors[executor["name"]]
    # Paths in it are relative to it.
    (tmp_path / "executors").symlink_to(project / "executors")
    flow = tmp_path / "docker" / "flow-containers.yml"
    flow.parent.mkdir()
    # Jina wants jtype to come first.
    flow.write_text(yaml.safe_dump(config, sort_keys=False))
    http, grpc = free_port(), free_port()
    command = [sys.executable, "-m", "executors.launcher", flow]
    command += ["--port", str(http), "--grpc-port", str(grpc)]
    log = tmp_path / "flow.log"
    with running(command, log, cwd=project, env=environ) as launcher:
        is_up = partial(is_ready, launcher, lambda: "ready" in log.read_text())
        wait_until(is_up, "the Flow is ready", _START_S)
        index_and_search(http, toy_data)
        assert stop(launcher) == 0
        assert not is_left(launcher)
    # They belong to somebody else.
    assert [probe(docker_folder, port).returncode for port in executors.values()] == [0] * 4


def test_probe_says_that_nobody_answers(docker_folder: Path, free_port: Callable[[], int]) -> None:
    answer = probe(docker_folder, free_port())
    assert answer.returncode == 1
    assert "UNAVAILABLE" in answer.stderr


def test_probe_asks_an_address_over_http(docker_folder: Path) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/ready" else 503)
            self.end_headers()
            self.wfile.write(b"not ready (indexer: store.unavailable)")

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        ready, unready = probe(docker_folder, f"{address}/ready"), probe(docker_folder, f"{address}/no")
        server.shutdown()
    silent = probe(docker_folder, f"{address}/ready")
    assert (ready.returncode, unready.returncode, silent.returncode) == (0, 1, 1)
    assert unready.stderr == "503: not ready (indexer: store.unavailable)\n"
