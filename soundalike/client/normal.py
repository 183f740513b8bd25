"""Models of what is normal of a running service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from soundalike.anomalies.detector import ScoredFile
from soundalike.anomalies.requests import LearnRequest, WatchRequest
from soundalike.anomalies.results import score_from_json
from soundalike.audio.sources import resolve_path, uri_of
from soundalike.client.connection import Connection
from soundalike.client.form import Form
from soundalike.errors import AudioError
from soundalike.faults import recording_error
from soundalike.filters import Filters
from soundalike.store.normal_models import WatchedFile, WatchEvent, checked_model_name

_ROOT = "/api/normal"
#: Fields of a model that learning alone has.
_OF_LEARNING = ("outcome", "new")


class RemoteNormal:
    """Learns, lists, applies and removes models of what is normal of a service; files are sent.

    Methods raise `ServiceError` if the service cannot be reached, or the error that it reports.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def models(self) -> list[dict[str, Any]]:
        """Return all models, sorted by name: name, version, summary and times."""
        found = self._connection.get(_ROOT)
        with self._connection.expected_form():
            return [_row(one) for one in found["models"]]

    def model(self, name: str) -> dict[str, Any]:
        """Return a model; ``learned`` are its recordings.

        Raises
        ------
        NormalModelNotFound
            There is none of this name.
        """
        found = self._connection.get(_path(name))
        with self._connection.expected_form():
            return {**_row(found), "learned": list(found["learned_recordings"])}

    def learn(
        self,
        name: str,
        collection: str,
        request: LearnRequest | None = None,
        filters: Filters | None = None,
    ) -> dict[str, Any]:
        """Add recordings of a collection to a model, or make it; see `Detector.learn`.

        Parameters
        ----------
        name : str
        collection : str
            Of the service.
        request : LearnRequest, optional
        filters : Filters, optional
            Label, tags and path of the recordings; other filters are not sent.

        Returns
        -------
        row : dict
            ``outcome``, the number of ``new`` recordings, and the model.
        """
        chosen = filters or Filters()
        given = {
            **asdict(request or LearnRequest()),
            "collection": collection,
            "labels": list(chosen.labels),
            "tags": dict(chosen.tags),
            "where": [str(condition) for condition in chosen.where],
            "uri_prefix": chosen.uri_prefix or None,
        }
        sent = {key: value for key, value in given.items() if value is not None}
        found = self._connection.post(_path(name), sent)
        with self._connection.expected_form():
            return {**{key: found[key] for key in _OF_LEARNING}, **_row(found)}

    def score(self, name: str, files: Iterable[str | Path]) -> Iterator[ScoredFile]:
        """Score files with a model, in order; a failure is its file's own."""
        address = f"{_path(name)}/score/upload"
        for file in files:
            uri = uri_of(Path(file).absolute())
            try:
                source = resolve_path(file)
                found = self._connection.post(address, Form({}, [("file", source)]))
            except AudioError as exc:
                message = exc.message.replace(repr(Path(file).name), repr(uri), 1)
                yield ScoredFile(uri, error=recording_error(type(exc)(message), uri))
                continue
            with self._connection.expected_form():
                yield ScoredFile(uri, score_from_json(found), tuple(found["warnings"]))

    def events(self, name: str, request: WatchRequest | None = None) -> list[WatchEvent]:
        """Return the watched recordings of the last hours, the latest first.

        Parameters
        ----------
        name : str
        request : WatchRequest, optional
            ``hours``, ``limit`` and ``only_anomalous``.
        """
        asked = request or WatchRequest()
        found = self._connection.get(
            f"{_path(name)}/events",
            hours=repr(asked.hours),
            limit=str(asked.limit),
            only_anomalous=str(asked.only_anomalous).lower(),
        )
        with self._connection.expected_form():
            return [
                WatchEvent(
                    row["event_id"],
                    row["name"],
                    # The service does not report size and time of the file.
                    WatchedFile(row["uri"], 0, 0),
                    datetime.fromisoformat(row["occurred_at"]),
                    row["is_anomalous"],
                    row["details"],
                )
                for row in found["events"]
            ]

    def remove(self, name: str) -> None:
        """Delete a model with its watched recordings.

        Raises
        ------
        NormalModelNotFound
            There is none of this name.
        """
        found = self._connection.delete(_path(name))
        with self._connection.expected_form():
            found["removed"]


def _path(name: str) -> str:
    return f"{_ROOT}/{quote(checked_model_name(name), safe='')}"


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model as a list of this machine shows it."""
    left_out = {"warnings", "learned", "learned_recordings", *_OF_LEARNING}
    row = {key: value for key, value in found.items() if key not in left_out}
    times = {key: row.pop(key) for key in ("created_at", "updated_at")}
    return {"name": row.pop("name"), "version": row.pop("version"), **row, **times}
