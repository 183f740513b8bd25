"""Where a library is: an embedded database, a PostgreSQL server, or a running service."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from soundalike.audio.windows import WindowPlan
from soundalike.client import Connection, Service
from soundalike.config import Settings, check_model
from soundalike.encoders.base import Encoder
from soundalike.encoders.choice import load_encoder
from soundalike.errors import ParameterError
from soundalike.store import Store, is_made, open_store
from soundalike.types import IndexSpec

_SERVICES = ("http://", "https://")
_DATABASES = ("postgresql://", "postgres://")
#: Names in a data folder, which may be there before its database.
_OWN_NAMES = {"weights", "spool", "uploads", "postgres", "roots.json", "roots.lock"}


@dataclass
class Place:
    """An index, its encoder and its windows; each is opened when it is first needed.

    Attributes
    ----------
    settings : Settings
    service : Service or None
        None: the index is opened in this process.
    model : str or None
        None: the encoder of the index, else that of the settings.
    window_s, stride_s : float or None
        None: those of the index, else the standard ones.
    """

    settings: Settings
    service: Service | None = None
    model: str | None = None
    window_s: float | None = None
    stride_s: float | None = None
    _store: Store | None = field(default=None, init=False)
    _encoders: dict[str, Encoder] = field(default_factory=dict, init=False)

    @property
    def store(self) -> Store:
        """The store, which connects on first use."""
        if self._store is None:
            self._store = open_store(self.settings)
        return self._store

    def encoder(self, spec: IndexSpec | None) -> Encoder:
        """Return the encoder that was named, else that of an index, else that of the settings."""
        name = self.model or self.settings.model
        if self.model is None and name == "auto" and spec is not None and not spec.is_external:
            name = spec.encoder
        if name not in self._encoders:
            settings = self.settings
            self._encoders[name] = load_encoder(
                name, settings.weights_dir, settings.checkpoint, precision=settings.precision
            )
        return self._encoders[name]

    def plan(self, spec: IndexSpec | None) -> WindowPlan:
        """Return the windows that were asked for, else those of an index, else the standard ones."""
        known = WindowPlan(spec.window_s, spec.stride_s) if spec else WindowPlan()
        return WindowPlan(
            known.window_s if self.window_s is None else self.window_s,
            known.stride_s if self.stride_s is None else self.stride_s,
        )

    def describe(self) -> str:
        """Return where the index is, without a password."""
        if self.service is not None:
            return self.service.url
        if self.settings.database_url is not None:
            return self.store.status().database if self._store is not None else "PostgreSQL"
        return str(self.settings.data_dir)

    def close(self) -> None:
        """Close the store; it is opened again where it is needed."""
        store, self._store = self._store, None
        if store is not None:
            store.close()


def find_place(
    path_or_url: str | Path | None,
    model: str | None,
    window_s: float | None,
    stride_s: float | None,
) -> Place:
    """Return the place that a path or URL names.

    Raises
    ------
    ParameterError
        It is neither, the folder is one of other files, or the service decides what else was given.
    ConfigError
        The model is unknown.
    """
    settings = Settings.from_env()
    if path_or_url is None:
        path_or_url = os.environ.get("SOUNDALIKE_SERVER") or None
    text = "" if path_or_url is None else str(path_or_url)
    if text.startswith(_SERVICES):
        if (model, window_s, stride_s) != (None, None, None):
            raise ParameterError("a service has its own model and windows; leave them out")
        return Place(settings, Service(Connection(text, os.environ.get("SOUNDALIKE_API_KEY"))))
    if text.startswith(_DATABASES):
        settings = replace(settings, database_url=text)
        settings.validate()
    elif path_or_url is not None:
        settings = _moved(settings, _folder(path_or_url))
    if model is not None:
        check_model(model, settings.weights_dir, "model")
    place = Place(settings, None, model, window_s, stride_s)
    # Numbers that cannot be used are refused now, not at the first search.
    place.plan(None)
    return place


def _moved(settings: Settings, folder: Path) -> Settings:
    """Return the settings of a folder; the installed models stay, unless the folder has its own."""
    moved = replace(settings.moved_to(folder), database_url=None)
    return moved if moved.weights_dir.is_dir() else replace(moved, weights_dir=settings.weights_dir)


def _folder(path: str | Path) -> Path:
    """Return the folder of an embedded database: one that exists, or a new or empty one."""
    text = str(path)
    if not text.strip() or "://" in text:
        raise ParameterError(
            f"the library is {text.partition('://')[0]!r}; give a folder, or a URL that begins with "
            f"{', '.join((*_DATABASES[:1], *_SERVICES))}"
        )
    folder = Path(path).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{text!r} is a file; give a folder for the index")
    if folder.is_dir() and not is_made(Settings(None, folder, folder)):
        others = {name for name in os.listdir(folder) if not name.startswith(".")} - _OWN_NAMES
        if others:
            raise ParameterError(
                f"{text!r} contains other files, like {min(others)!r}; give a new folder for the index, "
                "and pass folders of recordings to index()"
            )
    return folder
