"""Start the Flow, watch over its processes, and stop all of them with it.

``jina flow`` works too, but it does not notice when one of its children dies, and has no deadline for
the start. This program ends with status 0 when it was asked to stop, with 1 when a process of the
Flow died, so that a supervisor can start it again, and with 6 or the error's own status when the Flow
could not start.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil

import executors.jina_fixes.telemetry  # noqa: F401 - before Jina starts anything
from executors.gateway.guard.policy import KEY_HEADER, Access
from executors.gateway.guard.stopping import drain_s_from_env
from executors.monitoring.logs import log_as_configured, log_format, say
from executors.monitoring.traces import tracing_options
from executors.start import Start
from soundalike.errors import ConfigError
from soundalike.limits import Limits
from soundalike.runtime.lifetime import end_with_parent

# Jina warns of every executor that takes longer to start than the gateway, which is all of them.
os.environ.setdefault("JINA_LOG_LEVEL", "ERROR")
if os.environ.get("SOUNDALIKE_LOG_FORMAT") == "json":
    os.environ.setdefault("JINA_LOG_CONFIG", "json")
elif not sys.stdout.isatty():
    os.environ.setdefault("JINA_LOG_CONFIG", str(Path(__file__).with_name("logging.yml")))

_STOP_S = 10
#: Seconds until all executors and the gateway must be ready.
START_TIMEOUT_S = 60.0
#: Of processes that have not begun to serve.
_UNREADY_STOP_S = 3
#: Of this program, when the one that started it is gone.
_ORPHAN_S = 3
_POLL_S = 1.0
_giving_up = threading.Lock()


def main() -> int:
    """Serve until a signal comes or a process of the Flow dies."""
    arguments = _parse()
    if arguments.parent is not None:
        end_with_parent(arguments.parent, patience_s=_ORPHAN_S)
    config = _load(arguments)
    host = config["gateway"]["host"]
    try:
        access = Access.from_env(host)
        Limits.from_env()
        log_format()
        drain_s = drain_s_from_env()
        config["with"].update(tracing_options())
    except ConfigError as exc:
        print(f"soundalike: {exc.message} [{exc.code}]", file=sys.stderr)
        return exc.exit_status
    log_as_configured()
    for port in config["gateway"]["port"]:
        _check_port(host, port)
    return _serve(config, arguments.flow.parent, access, arguments.start_timeout, drain_s)


def _parse() -> argparse.Namespace:
    # Not Click: `soundalike serve` becomes this program with arguments that Click has checked there.
    parser = argparse.ArgumentParser(prog="executors.launcher", description=__doc__)
    parser.add_argument("flow", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int, help="HTTP")
    parser.add_argument("--grpc-port", type=int)
    parser.add_argument("--root-path", help="prefix of all paths, behind a proxy")
    parser.add_argument("--start-timeout", type=float, default=START_TIMEOUT_S, metavar="SECONDS")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this process is gone")
    arguments = parser.parse_args()
    if arguments.root_path is not None:
        os.environ["SOUNDALIKE_ROOT_PATH"] = arguments.root_path
    return arguments


def _load(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read the Flow's YAML and put the options in."""
    import yaml

    config: dict[str, Any] = yaml.safe_load(arguments.flow.read_text(encoding="utf-8"))
    gateway = config["gateway"]
    gateway["host"] = arguments.host or gateway.get("host") or config["with"]["host"]
    # Executors know no key: whatever others may reach, it is the gateway alone.
    config["with"]["host"] = "127.0.0.1"
    wanted = {"http": arguments.port, "grpc": arguments.grpc_port}
    gateway["port"] = [
        wanted[protocol] or port
        for protocol, port in zip(gateway["protocol"], gateway["port"], strict=True)
    ]
    return config


def _check_port(host: str, port: int) -> None:
    """Exit with a sentence where a port is taken; Jina would hang or answer from another server."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            say(
                f"soundalike: {host}:{port} cannot be used ({exc.strerror}); stop what runs there, "
                "or choose others with --port and --grpc-port [service.unavailable]"
            )
            sys.exit(6)


def _serve(
    config: dict[str, Any], folder: Path, access: Access, start_timeout_s: float, drain_s: float
) -> int:
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    stop, parent, is_up = threading.Event(), os.getpid(), False

    def on_signal(number: int, frame: FrameType | None) -> None:
        if os.getpid() != parent:
            os._exit(0)
        if is_up:
            stop.set()
        # Executors that end now are not the reason. Where one was, this program is ending already.
        elif _giving_up.acquire(blocking=False):
            _end(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    flow = _started(config, folder, start_timeout_s)
    is_up = True
    _announce(config, _encoder_of(flow, access))
    children = multiprocessing.active_children()
    while not stop.wait(_POLL_S):
        dead = [child.name for child in children if not child.is_alive()]
        if dead:
            say(f"soundalike: {', '.join(dead)} died; stopping")
            _end(1)
    # Jina waits for ever until every request has been answered, also one that waits for a lock.
    # The gateway ends first: what it is answering needs the executors.
    closing = threading.Thread(target=flow.close, daemon=True)
    closing.start()
    closing.join(_STOP_S + drain_s)
    if closing.is_alive():
        say("soundalike: requests are still open; stopping without them")
        _end(0)
    return 0


def _started(config: dict[str, Any], folder: Path, timeout_s: float) -> Any:
    """Start the Flow, or end with the reason."""
    names = [executor.get("name", "?") for executor in config["executors"]]
    start = Start(["gateway", *names], timeout_s, _give_up)
    from jina import Flow

    # Most executors need them; those that are forked from here find them loaded.
    import executors.messages.given
    import executors.monitoring.watching  # noqa: F401

    try:
        flow = Flow.load_config(config, extra_search_paths=[str(folder)]).start()
    except Exception as exc:
        start.failed(exc)
    start.done()
    return flow


def _give_up(why: str, status: int) -> NoReturn:
    """Say why the Flow does not start, stop all, and exit."""
    # One of the threads speaks; the other waits until the program ends.
    _giving_up.acquire()
    logging.disable(logging.CRITICAL)
    say(f"soundalike: {why}")
    _end(status, _UNREADY_STOP_S)


def _encoder_of(flow: Any, access: Access) -> str:
    """Ask the running Flow which encoder it uses; shows at once that all executors answer."""
    from docarray import DocList

    from executors.messages.documents import Status

    # Over HTTP, Jina's client would first read the whole API description to learn the endpoints, and the
    # gateway takes more than a second to write it.
    flow.client._endpoints = ["status"]
    try:
        key = {KEY_HEADER: access.api_key} if access.api_key else {}
        # HTTP takes headers, gRPC metadata; which of them Jina asks over follows from flow.yml.
        (status,) = flow.post(
            "/status", return_type=DocList[Status], headers=key, metadata=tuple(key.items())
        )
    except Exception as exc:
        # Go on where the database is down: it may come up, and requests say so.
        return f"unknown, because the status cannot be had: {exc.args[0] if exc.args else exc}"
    return f"{status.configured_encoder} ({status.encoder_description})"


def _announce(config: dict[str, Any], encoder: str) -> None:
    gateway = config["gateway"]
    host = gateway["host"]
    ports = dict(zip(gateway["protocol"], gateway["port"], strict=True))
    say(f"soundalike: encoder {encoder}")
    say(
        f"soundalike: ready; HTTP on http://{host}:{ports['http']} (Swagger UI at /docs), "
        f"gRPC on {host}:{ports['grpc']}; Ctrl-C stops"
    )


def _end(status: int, patience_s: float = _STOP_S) -> NoReturn:
    """Stop all children, by force if needed, and exit."""
    # As the system knows them: a signal may come when a child was forked and not yet noted by Python.
    children = psutil.Process().children()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()
    _, deaf = psutil.wait_procs(children, patience_s)
    for child in deaf:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
