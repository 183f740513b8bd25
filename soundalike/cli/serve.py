"""``soundalike serve``: hand over to the program that starts the Flow."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli import options
from soundalike.cli.command import make_command
from soundalike.errors import ConfigError

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.config import Settings

#: The Flow is not part of the core package: it runs as a program of its own.
LAUNCHER = "executors.launcher"
_LAST_PORT = 65535


class _Port(click.ParamType[int]):
    """The number of a port."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isdecimal() and 1 <= int(text) <= _LAST_PORT):
            self.fail(f"{text!r} is not a port; give a number from 1 to {_LAST_PORT}", param, ctx)
        return int(text)


class _Seconds(click.ParamType[float]):
    """A number of seconds above 0."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            found = float(value)
        except ValueError:
            found = 0.0
        if not 0 < found < float("inf"):
            self.fail(f"{value!r} is not a number of seconds above 0, such as 120", param, ctx)
        return found


@make_command(
    "serve",
    click.Option(["--flow"], type=options.FileName(), metavar="FILE", help="default: flow.yml"),
    click.Option(["--host"], help="address to bind; default: the Flow's, 127.0.0.1"),
    click.Option(["--port"], type=_Port(), help="HTTP port; default: the Flow's, 45678"),
    click.Option(["--grpc-port"], type=_Port(), help="gRPC port; default: the Flow's, 45679"),
    click.Option(
        ["--start-timeout"],
        type=_Seconds(),
        metavar="SECONDS",
        help="give up if the Flow is not ready by then; default: 60",
    ),
    click.Option(
        ["--root-path"],
        metavar="PATH",
        help="path below which a reverse proxy publishes the service, like /sounds; "
        "SOUNDALIKE_ROOT_PATH works too",
    ),
    server="noted",
)
def command(
    place: Place,
    *,
    as_json: bool,
    flow: Path | None,
    host: str | None,
    port: int | None,
    grpc_port: int | None,
    start_timeout: float | None,
    root_path: str | None,
) -> int:
    """Become the launcher, so that signals reach it directly."""
    settings = place.settings()
    words = launch_command(find_flow(flow), host, port, grpc_port, start_timeout_s=start_timeout)
    if root_path is not None:
        words += ["--root-path", root_path]
    sys.stderr.flush()
    os.execve(words[0], words, launch_environment(settings))  # noqa: S606 - this interpreter, no shell


def find_flow(flow: Path | None) -> Path:
    """Return the Flow's file: the one given, ``./flow.yml``, or the checkout's.

    Raises
    ------
    ConfigError
        There is none.
    """
    beside_package = Path(__file__).resolve().parents[2] / "flow.yml"
    candidates = [flow] if flow else [Path("flow.yml"), beside_package]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.absolute()
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise ConfigError(f"no Flow is at {tried}; name one with --flow FILE")


def launch_command(
    flow: Path,
    host: str | None = None,
    port: int | None = None,
    grpc_port: int | None = None,
    *,
    start_timeout_s: float | None = None,
    parent: int | None = None,
) -> list[str]:
    """Return the command line of the launcher.

    Parameters
    ----------
    flow : Path
    host : str, optional
    port, grpc_port : int, optional
    start_timeout_s : float, optional
        Seconds until the Flow must be ready.
    parent : int, optional
        Process number; the launcher ends when its parent is not this process any more.
    """
    # -P: a folder of recordings may hold a Python file with the name of a module.
    command = [sys.executable, "-P", "-m", LAUNCHER, str(flow)]
    options = {
        "--host": host,
        "--port": port,
        "--grpc-port": grpc_port,
        "--start-timeout": start_timeout_s,
        "--parent": parent,
    }
    for name, value in options.items():
        if value is not None:
            command += [name, str(value)]
    return command


def launch_environment(settings: Settings) -> dict[str, str]:
    """Return the environment in which the Flow's processes find the same settings and this package."""
    environ = {**os.environ, **settings.to_env(), "PYTHONSAFEPATH": "1"}
    root = Path(__file__).resolve().parents[2]
    if not root.is_relative_to(sys.prefix):
        # A checkout that is not installed was found through the current folder, which -P leaves out.
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    return environ
