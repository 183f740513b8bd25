"""The named searches of a running service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import quote

from soundalike.client.connection import Connection, missing_in
from soundalike.client.queries import ask
from soundalike.errors import ParameterError
from soundalike.events.types import Event, FoundEvents
from soundalike.search.examples import Example, is_id
from soundalike.search.find import Answer
from soundalike.search.match_json import match_from_json
from soundalike.search.queries import Query
from soundalike.searches.exchange import ImportedSearch
from soundalike.searches.requests import RunRequest, SaveRequest, narrowing_to_json
from soundalike.searches.review_requests import EstimateRequest, ReviewRequest
from soundalike.searches.reviewing import Accepted
from soundalike.searches.running import Found
from soundalike.store.named_searches import SearchMark, Undone

_ROOT = "/api/searches"
_VERDICTS = {"right": True, "wrong": False, None: None}
_SETTINGS = ("exclude_self", "top_k", "min_score", "max_false_alarms", "group_by")


class RemoteSearches:
    """Saves, runs and removes the named searches of a service, and marks what they find.

    Parameters
    ----------
    connection : Connection
    collection : str
    """

    def __init__(self, connection: Connection, collection: str) -> None:
        self._connection = connection
        self._collection = collection

    def save(self, request: SaveRequest, query: Query, *, on_server: bool = False) -> dict[str, Any]:
        """Save a search; a file is sent unless it is `on_server`."""
        settings = request.settings
        parameters = {
            **narrowing_to_json(settings.narrowing),
            **{name: getattr(settings, name) for name in _SETTINGS},
            "like": [str(one) for one in request.like],
            "unlike": [str(one) for one in request.unlike],
            "replace": request.replace,
            "collection": self._collection,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return ask(self._connection, _path(request.name), query, given, on_server=on_server)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each search, by name."""
        found = self._connection.get(_ROOT, collection=self._collection)
        with self._connection.expected_form():
            return [dict(row) for row in found["searches"]]

    def show(self, name: str) -> dict[str, Any]:
        """Return the row of a search with its marks."""
        return self._connection.get(_path(name), collection=self._collection)

    def run(self, name: str, request: RunRequest) -> Found:
        """Search again."""
        found = self._connection.post(f"{_path(name)}/run", self._given(asdict(request)))
        with self._connection.expected_form():
            matches = [match_from_json(row) for row in found["matches"]]
            warnings = tuple(found["warnings"])
            name, key = found["uri"] or "", found["recording_id"]
            answer = Answer(name, key, [], matches, warnings, missing_in(found))
            return Found(
                answer,
                found["encoder"],
                found["duration_s"],
                found["max_false_alarms"],
                found["time_zone"],
            )

    def events(self, name: str, request: RunRequest) -> tuple[FoundEvents, Iterator[Event], tzinfo]:
        """Refuse to list events, which needs the store."""
        raise ParameterError("--events does not go with a service; run it on that machine")

    def mark(self, name: str, place: Example, *, is_right: bool, by: str = "") -> SearchMark:
        """Mark a place."""
        (mark,) = self._put(name, place, "right" if is_right else "wrong", by)
        return mark

    def clear(self, name: str, place: Example, *, by: str = "") -> list[SearchMark]:
        """Clear marks."""
        return self._put(name, place, "clear", by)

    def _put(self, name: str, place: Example, verdict: str, by: str) -> list[SearchMark]:
        part = {"start_s": place.excerpt.start_s, "end_s": place.excerpt.end_s}
        where = {"recording_id" if is_id(place.key) else "uri": place.key, **part}
        given = self._given({**where, "verdict": verdict, "by": by})
        found = self._connection.post(f"{_path(name)}/marks", given)
        with self._connection.expected_form():
            return [_mark(row) for row in found["marks"]]

    def undo(self, name: str) -> Undone | None:
        """Take back the latest mark, clearing or acceptance; return None if there is none."""
        found = self._connection.post(f"{_path(name)}/undo", self._given({}))
        with self._connection.expected_form():
            if found["undone"] is None:
                return None
            mark = found["mark"] and _mark(found["mark"])
            return Undone(found["undone"], mark, found["label"], found["annotations"])

    def accept(self, name: str, label: str, *, by: str = "") -> Accepted:
        """Annotate the right places."""
        given = self._given({"label": label, "by": by})
        found = self._connection.post(f"{_path(name)}/accept", given)
        with self._connection.expected_form():
            return Accepted(**{one.name: found[one.name] for one in fields(Accepted)})

    def review(self, name: str, request: ReviewRequest) -> list[dict[str, Any]]:
        """Return the hits to review."""
        found = self._connection.post(f"{_path(name)}/review", self._given(asdict(request)))
        with self._connection.expected_form():
            return [dict(row) for row in found["hits"]]

    def estimate(self, name: str, request: EstimateRequest) -> dict[str, Any]:
        """Return the precision of the hits."""
        return self._connection.post(f"{_path(name)}/estimate", self._given(asdict(request)))

    def export(self, name: str) -> dict[str, Any]:
        """Return the JSON object of a search."""
        return self._connection.get(f"{_path(name)}/export", collection=self._collection)

    def load(
        self, row: Mapping[str, Any], *, name: str | None = None, replace: bool = False
    ) -> ImportedSearch:
        """Import the JSON object of a search."""
        given = self._given({"name": name, "replace": replace, "search": dict(row)})
        found = self._connection.post(_ROOT, given)
        with self._connection.expected_form():
            values = {one.name: found[one.name] for one in fields(ImportedSearch)}
            return ImportedSearch(**{**values, "warnings": tuple(values["warnings"])})

    def remove(self, name: str) -> None:
        """Remove a search with its marks."""
        self._connection.delete(_path(name), collection=self._collection)

    def _given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in values.items() if value is not None}
        return {**found, "collection": self._collection}


def _path(name: str) -> str:
    return f"{_ROOT}/{quote(name, safe='')}"


def _mark(row: Mapping[str, Any]) -> SearchMark:
    at = row["marked_at"]
    return SearchMark(
        row["recording_id"],
        row["uri"],
        row["start_s"],
        row["end_s"],
        _VERDICTS[row["verdict"]],
        row["marked_by"],
        at and datetime.fromisoformat(at),
    )
