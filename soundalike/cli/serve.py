"""``soundalike serve``: hand over to the program that starts the Flow."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from soundalike.cli.commands import settings_from
from soundalike.config import Settings
from soundalike.errors import ConfigError

#: The Flow is no part of the core package: it is reached as a program of its own.
LAUNCHER = "executors.launcher"


def run(arguments: argparse.Namespace) -> int:
    """Become the launcher, so that signals reach it directly."""
    settings = settings_from(arguments)
    command = launch_command(
        find_flow(arguments.flow),
        arguments.host,
        arguments.port,
        arguments.grpc_port,
        start_timeout_s=arguments.start_timeout,
    )
    if arguments.root_path is not None:
        command += ["--root-path", arguments.root_path]
    sys.stderr.flush()
    os.execve(command[0], command, launch_environment(settings))  # noqa: S606 - this interpreter, no shell


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
