"""Where a command works: on an index of this machine, or on a running service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings, check_model
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.client import Service
    from soundalike.types import IndexSpec

_VARIABLE = "SOUNDALIKE_SERVER"
#: Options that name an index of this machine.
_HERE = {"database_url": "--database-url", "data_dir": "--data-dir"}
#: Options of encoders and windows, which a service has decided when it was started.
ENCODING = {
    "model": "--model",
    "checkpoint": "--checkpoint",
    "precision": "--precision",
    "window_size": "--window-size",
    "stride": "--stride",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The options that name an index or a service, and the encoder and windows there.

    Attributes
    ----------
    database_url, data_dir, model, checkpoint, precision, time_zone
        Outdo the settings of the environment.
    window_size, stride : float or None
        In seconds.
    server : str or None
        Address of a service.
    on_server : bool
        Paths are those of the service's machine.
    """

    database_url: str | None = None
    data_dir: Path | None = None
    model: str | None = None
    checkpoint: Path | None = None
    precision: str | None = None
    time_zone: str | None = None
    window_size: float | None = None
    stride: float | None = None
    server: str | None = None
    on_server: bool = False

    def settings(self) -> Settings:
        """Return the settings of the environment, overridden by the options.

        Raises
        ------
        ConfigError
            One of them cannot be used.
        """
        settings = Settings.from_env()
        if self.data_dir:
            settings = settings.moved_to(self.data_dir)
        changes = {
            name: getattr(self, name)
            for name in ("database_url", "model", "checkpoint", "precision", "time_zone")
        }
        if self.model:
            check_model(self.model, settings.weights_dir, "--model")
        settings = replace(settings, **{name: value for name, value in changes.items() if value})
        settings.validate()
        return settings

    def windows(self, spec: IndexSpec | None = None) -> WindowPlan:
        """Return the windows that the options ask for; the index's, else the standard ones."""
        standard = WindowPlan(spec.window_s, spec.stride_s) if spec else WindowPlan()
        return WindowPlan(
            standard.window_s if self.window_size is None else self.window_size,
            standard.stride_s if self.stride is None else self.stride,
        )

    def service(self, impossible: str = "") -> Service | None:
        """Return the service that the options or the environment name; None: this machine is meant.

        Parameters
        ----------
        impossible : str
            Another option that was given and does not go with a service.

        Raises
        ------
        ParameterError
            An option does not go with a service, or only with one.
        ConfigError
            The key cannot be sent.
        """
        here = first_given(vars(self), _HERE)
        url = self.server
        if url is None and not here:
            url = os.environ.get(_VARIABLE)
        if not url:
            if self.on_server:
                raise ParameterError("--on-server needs a server; name it with --server URL")
            return None
        if wrong := here or first_given(vars(self), ENCODING) or impossible:
            raise ParameterError(
                f"{wrong} does not go with a service; leave it out, or leave out --server and "
                f"{_VARIABLE} to work on this machine"
            )
        from soundalike.client import Connection, Service

        return Service(Connection(url, os.environ.get("SOUNDALIKE_API_KEY")))

    def named_server(self) -> str | None:
        """Return the service of the environment, unless the options name an index of this machine."""
        return None if first_given(vars(self), _HERE) else os.environ.get(_VARIABLE) or None

    def index_options(self) -> list[str]:
        """Return the words that name the same index of this machine to another command."""
        given = {option: getattr(self, name) for name, option in _HERE.items()}
        return [word for option, value in given.items() if value for word in (option, str(value))]


def first_given(values: Mapping[str, object], options: Mapping[str, str]) -> str:
    """Return the first of these options that was given; empty where none was."""
    given = (option for name, option in options.items() if _is_given(values.get(name)))
    return next(given, "")


def _is_given(value: object) -> bool:
    return value not in (None, False, (), {})


def refuse_server(place: Place) -> None:
    """Refuse to take this machine's index for that of the service."""
    if place.named_server():
        raise ParameterError(
            f"{_VARIABLE} is set, and this command works on this machine's index alone; unset it, "
            "or name the index with --database-url or --data-dir"
        )


def note_server(place: Place) -> None:
    """Say that the command asks no service, where one is named."""
    if url := place.named_server():
        from soundalike.cli import output

        output.note(f"{_VARIABLE} is {url}, but this command works on this machine and asks no service")
