"""Models of what is normal, and watched recordings: values, and the interface of stores."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from soundalike.errors import NormalModelNotFound, ParameterError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: Largest stored model: about 40 000 normal windows of 1 000 numbers.
MAX_MODEL_BYTES = 100_000_000
#: Longest list of events.
MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class NormalSummary:
    """A stored model without its vectors.

    Attributes
    ----------
    name : str
    version : int
        Grows with each change.
    summary : mapping
        What the model says of itself, JSON-compatible.
    created_at, updated_at : datetime
        With time zone.
    """

    name: str
    version: int
    summary: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """A file as it was when it was scored: the same path, size and time are scored once.

    Attributes
    ----------
    uri : str
    size_bytes, mtime_ns : int
    """

    uri: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A watched recording and its score.

    Attributes
    ----------
    event_id : str
        UUID; receivers recognise a repeated message by it.
    name : str
        Name of the model.
    file : WatchedFile
    occurred_at : datetime
        When the recording began, with time zone; else when the file was changed last.
    is_anomalous : bool
        False too where the file could not be scored.
    details : mapping
        The score or the error, JSON-compatible.
    """

    event_id: str
    name: str
    file: WatchedFile
    occurred_at: datetime
    is_anomalous: bool
    details: Mapping[str, Any]


class NormalStore(Protocol):
    """Keeps models of what is normal and watched recordings; every call is one transaction."""

    def normal_models(self) -> list[NormalSummary]:
        """Return all models without their vectors, sorted by name."""
        ...

    def normal_model(self, name: str) -> tuple[NormalSummary, bytes]:
        """Return a model.

        Raises
        ------
        NormalModelNotFound
            There is none of this name.
        """
        ...

    def save_normal_model(
        self, name: str, model: bytes, summary: Mapping[str, Any], *, version: int | None
    ) -> bool:
        """Store a model; return False, without a change, if another process was faster.

        Parameters
        ----------
        name : str
        model : bytes
        summary : mapping
            JSON-compatible.
        version : int or None
            The version that the model was made from; None if there was none.
        """
        ...

    def remove_normal_model(self, name: str) -> bool:
        """Delete a model with its watched recordings; return whether it existed."""
        ...

    def put_watch_event(self, event: WatchEvent) -> bool:
        """Store the score of a file; return False, without a change, if it has one.

        Raises
        ------
        NormalModelNotFound
            The model was removed.
        """
        ...

    def watched(self, name: str, files: Sequence[WatchedFile]) -> set[WatchedFile]:
        """Return the files among these that have a score."""
        ...

    def rename_watched(self, name: str, file: WatchedFile, uri: str) -> bool:
        """Note that a file has another path; return False, without a change, if it has no score."""
        ...

    def watch_events(
        self,
        name: str,
        *,
        since: datetime | None = None,
        only_anomalous: bool = False,
        limit: int = 100,
    ) -> list[WatchEvent]:
        """Return events, the latest first."""
        ...

    def untold_events(self, name: str) -> list[WatchEvent]:
        """Return anomalous events that the hooks have not been told, the earliest first."""
        ...

    def mark_told(self, event: WatchEvent) -> None:
        """Note that the hooks were told an event."""
        ...


def checked_model_name(name: str) -> str:
    """Return a valid name of a model.

    Raises
    ------
    ParameterError
        The name is not valid.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"the name of the model is {name!r}; use up to 63 letters, digits, '.', '-' and '_', "
            "beginning with a letter or digit"
        )
    return name


def check_model(model: bytes, summary: Mapping[str, Any]) -> None:
    """Raise `ParameterError` if a model is too large to be stored."""
    json.dumps(dict(summary), allow_nan=False)
    if len(model) > MAX_MODEL_BYTES:
        raise ParameterError(
            f"the model has {len(model) / 1e6:.0f} MB; learn fewer recordings, up to "
            f"{MAX_MODEL_BYTES / 1e6:.0f} MB"
        )


def check_event_limit(limit: int) -> None:
    """Raise `ParameterError` for an invalid length of a list of events."""
    if not 1 <= limit <= MAX_EVENTS:
        raise ParameterError(f"limit is {limit}; give a number from 1 to {MAX_EVENTS}")


def normal_not_found(name: str) -> NormalModelNotFound:
    """Return the error for a model that does not exist."""
    return NormalModelNotFound(
        f"there is no model {name!r} of what is normal; see: soundalike normal list, or learn it with: "
        f"soundalike normal learn {name} FOLDER"
    )
