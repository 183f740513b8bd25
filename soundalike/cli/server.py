"""Which commands ask a running service in place of the index on this machine."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.client import Service

_VARIABLE = "SOUNDALIKE_SERVER"
#: Say which index of this machine is meant.
_HERE = {"database_url": "--database-url", "data_dir": "--data-dir"}
#: What a service has decided when it was started.
_OF_SERVICE = {
    "model": "--model",
    "checkpoint": "--checkpoint",
    "precision": "--precision",
    "window_size": "--window-size",
    "stride": "--stride",
}


def service_from(
    arguments: argparse.Namespace, impossible: Mapping[str, str] | None = None
) -> Service | None:
    """Return the service that the options or the environment name; None: this machine is meant.

    Parameters
    ----------
    arguments : Namespace
        With the options of `soundalike.cli.options.server`.
    impossible : mapping of str to str, optional
        More options that do not go with a service, by their names in `arguments`.

    Raises
    ------
    ParameterError
        An option does not go with a service, or only with one.
    ConfigError
        The key cannot be sent.
    """
    here = _given(arguments, _HERE)
    url = getattr(arguments, "server", None)
    if url is None and not here:
        url = os.environ.get(_VARIABLE)
    if not url:
        if getattr(arguments, "on_server", False):
            raise ParameterError("--on-server needs a server; name it with --server URL")
        return None
    wrong = here or _given(arguments, {**_OF_SERVICE, **(impossible or {})})
    if wrong:
        raise ParameterError(
            f"{wrong} does not go with a service; leave it out, or leave out --server and "
            f"{_VARIABLE} to work on this machine"
        )
    from soundalike.client import Connection, Service

    return Service(Connection(url, os.environ.get("SOUNDALIKE_API_KEY")))


def only_here(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return a command that refuses to take this machine's index for that of the service."""

    def run_here(arguments: argparse.Namespace) -> int:
        if named_server(arguments):
            raise ParameterError(
                f"{_VARIABLE} is set, and this command works on this machine's index alone; unset it, "
                "or name the index with --database-url or --data-dir"
            )
        return run(arguments)

    return run_here


def on_this_machine(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return a command that asks no service, and says so where one is named."""

    def run_here(arguments: argparse.Namespace) -> int:
        if url := named_server(arguments):
            from soundalike.cli import output

            output.note(
                f"{_VARIABLE} is {url}, but this command works on this machine and asks no service"
            )
        return run(arguments)

    return run_here


def named_server(arguments: argparse.Namespace) -> str | None:
    """Return the service of the environment, unless the options name an index of this machine."""
    return None if _given(arguments, _HERE) else os.environ.get(_VARIABLE) or None


def _given(arguments: argparse.Namespace, options: Mapping[str, str]) -> str:
    """Return the first of these options that was given; empty where none was."""
    values = ((option, getattr(arguments, name, None)) for name, option in options.items())
    return next((option for option, value in values if value not in (None, False, [])), "")
