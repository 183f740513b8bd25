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
        find_flow(arguments.flow), arguments.host, arguments.port, arguments.grpc_port
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
    flow: Path, host: str | None = None, port: int | None = None, grpc_port: int | None = None
) -> list[str]:
    """Return the command line of the launcher."""
    command = [sys.executable, "-m", LAUNCHER, str(flow)]
    for name, value in (("--host", host), ("--port", port), ("--grpc-port", grpc_port)):
        if value is not None:
            command += [name, str(value)]
    return command


def launch_environment(settings: Settings) -> dict[str, str]:
    """Return the environment in which the Flow's processes find the same settings."""
    return {**os.environ, **settings.to_env()}
