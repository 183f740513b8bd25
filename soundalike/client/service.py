"""What a service can be asked for, in the words of the core."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from soundalike.audio.sources import resolve_path, uri_of
from soundalike.client.connection import Connection
from soundalike.client.form import Form
from soundalike.errors import AudioError, RecordingNotFound, ServiceError, SoundalikeError, class_of
from soundalike.indexing.items import IndexItem, IndexResult
from soundalike.indexing.requests import IndexRequest, VectorsRequest
from soundalike.search.find import Answer
from soundalike.search.queries import Query
from soundalike.search.requests import SearchRequest, TimelineRequest
from soundalike.types import Bucket, Filters, Match, Recording, Timeline

#: What the status of a service tells of a collection, in this order.
STATUS = (
    *("collection", "encoder", "configured_encoder", "recordings", "files", "windows", "window_s"),
    *("stride_s", "dimension", "index", "database", "extensions", "starts"),
    *("earliest_start", "latest_start", "earlier_decoder", "unsearchable"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """How far the service is with files that it indexes.

    Attributes
    ----------
    job_id : str
    is_finished : bool
    total : int or None
        Files; None until they are counted.
    done : int
    counts : dict of str to int
        How many files were ``added``, ``replaced``, ``unchanged``, ``pruned``, ``failed``, and
        ``skipped``, which are films without sound.
    failures : list of IndexResult
        The first of those that failed.
    warnings : list of tuple of str
        Path and warning of the first files that are stored with one.
    unsearchable : int
        Files that are stored, and that no search finds.
    n_left_out : int
        Files of the folder that are no sounds, beside those that are counted.
    left_out : dict of str to str
        Paths of the first that are left out or skipped, and why.
    """

    job_id: str
    is_finished: bool
    total: int | None
    done: int
    counts: dict[str, int]
    failures: list[IndexResult]
    warnings: list[tuple[str, str]]
    unsearchable: int
    n_left_out: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


class Service:
    """A running service.

    Every method raises `ServiceError` where it cannot be reached, and otherwise the error that the
    service names.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def url(self) -> str:
        """Its address, without a password."""
        return self._connection.shown

    def search(self, request: SearchRequest, *, on_server: bool = False) -> tuple[Answer, str]:
        """Return what resembles a query, and the encoder's name.

        A file is sent unless it is `on_server`; the answer's `windows` stay there.
        """
        query, collections = request.query, request.collections
        parameters = {
            **_narrowing(request.filters, exclude_self=request.exclude_self),
            "top_k": request.top_k,
            "min_score": request.min_score,
            "group_by": request.group_by,
            "collection": collections[0],
            "collections": list(collections) if len(collections) > 1 else [],
        }
        found = self._ask("/api/search", query, parameters, on_server=on_server)
        with self._understanding():
            name = _name_of(query, found, on_server=on_server)
            matches = [_match(row) for row in found["matches"]]
            answer = Answer(name, found["recording_id"], [], matches, tuple(found["warnings"]))
            return answer, found["encoder"]

    def timeline(self, request: TimelineRequest, *, on_server: bool = False) -> tuple[Timeline, str]:
        """Return when something like a query was heard, and the query's name."""
        query = request.query
        parameters = {
            **_narrowing(request.filters, exclude_self=request.exclude_self),
            "min_score": request.min_score,
            "by": request.by,
            "collection": request.collection,
        }
        found = self._ask("/api/timeline", query, parameters, on_server=on_server)
        with self._understanding():
            buckets = [
                Bucket(_moment(row["start"]), _moment(row["end"]), row["count"])
                for row in found["buckets"]
            ]
            name = _name_of(query, found, on_server=on_server)
            return Timeline(buckets, found["undated"], tuple(found["warnings"])), name

    def status(self, collection: str) -> dict[str, Any]:
        """Return what is indexed, and with what: `STATUS`, times as datetime."""
        found = self._connection.get("/api/status", collection=collection)
        with self._understanding():
            values = {name: found[name] for name in STATUS}
            for name in ("earliest_start", "latest_start"):
                values[name] = values[name] and _moment(values[name])
            return values

    def collections(self) -> list[dict[str, Any]]:
        """Return what is known of each collection."""
        with self._understanding():
            return list(self._connection.get("/api/collections")["collections"])

    def drop(self, collection: str) -> bool:
        """Delete a collection; tell whether there was one."""
        try:
            found = self._connection.delete(f"/api/collections/{quote(collection, safe='')}")
        except RecordingNotFound:
            return False
        with self._understanding():
            return bool(found["dropped"] == collection)

    def delete(self, key: str, *, is_id: bool, collection: str) -> int:
        """Delete a recording, or a path with all below it; return how many paths went."""
        path, which = ("/api/recordings", {"uri": key})
        if is_id:
            path, which = f"/api/recordings/{quote(key, safe='')}", {}
        try:
            found = self._connection.delete(path, collection=collection, **which)
        except RecordingNotFound:
            return 0
        with self._understanding():
            return int(found["deleted"])

    def upload(
        self,
        paths: Sequence[Path],
        like: IndexItem,
        *,
        collection: str,
        on_sent: Callable[[int], None] = lambda _: None,
    ) -> Job:
        """Send files to be indexed.

        Parameters
        ----------
        paths : sequence of Path
        like : IndexItem
            Label, tags and start of all of them.
        collection : str
        on_sent : callable, optional
            Is called with the number of bytes that went.
        """
        values = {
            "label": like.label,
            "tags": dict(like.tags),
            "recorded_at": like.recorded_at and like.recorded_at.isoformat(),
            "collection": collection,
        }
        return self._job(
            self._connection.post(
                "/api/recordings", Form(_texts(values), [("files", path) for path in paths], on_sent)
            )
        )

    def index_folder(self, folder: str, request: IndexRequest) -> Job:
        """Let the service index a folder that it can read: one of the paths of a request."""
        wanted = {
            "folder": folder,
            "collection": request.collection,
            "label": request.label,
            "prune": request.prune,
        }
        if not request.tables.finds:
            wanted["metadata"] = False
        return self._job(self._connection.post("/api/jobs", wanted))

    def index_vectors(
        self, request: VectorsRequest, *, on_warning: Callable[[str], None] = lambda _: None
    ) -> list[IndexResult]:
        """Send vectors that another program computed; return what became of each recording.

        Parameters
        ----------
        request : VectorsRequest
        on_warning : callable, optional
            Is called with each thing that the service assumed.
        """
        values = _texts({"encoder_name": request.encoder, "collection": request.collection})
        files = [("vectors", request.vectors), *([("rows", request.rows)] if request.rows else [])]
        found = self._connection.post("/api/vectors", Form(values, files))
        with self._understanding():
            for warning in found["warnings"]:
                on_warning(warning)
            return [
                IndexResult(**{**row, "warnings": tuple(row["warnings"])}) for row in found["recordings"]
            ]

    def job(self, job_id: str) -> Job:
        """Return how far a job is.

        Raises
        ------
        SoundalikeError
            It has failed as a whole, with this.
        """
        return self._job(self._connection.get(f"/api/jobs/{job_id}"))

    def results_of(self, job: Job, paths: Sequence[Path]) -> list[IndexResult]:
        """Return what became of the files of an upload, under the paths that they have here."""
        found = self._connection.get(f"/api/jobs/{job.job_id}/files")
        with self._understanding():
            return [
                IndexResult(
                    **{
                        **row,
                        "uri": uri_of(path),
                        "warnings": tuple(row["warnings"]),
                        "error": row["error"] and _with_path(row["error"], path),
                    }
                )
                for path, row in zip(paths, found["files"], strict=True)
            ]

    def cancel(self, job: Job) -> None:
        """Stop a job; what it has indexed stays."""
        self._connection.delete(f"/api/jobs/{job.job_id}")

    def _ask(
        self, path: str, query: Query, parameters: Mapping[str, Any], *, on_server: bool
    ) -> dict[str, Any]:
        """Send a query: as JSON, or as a form where a file goes with it."""
        excerpt, vector = query.excerpt, query.vector
        values = {
            **{"start_s": excerpt.start_s, "end_s": excerpt.end_s, "at_s": excerpt.at_s},
            **{"recording_id": query.recording_id, **parameters},
            "vector": None if vector is None else np.asarray(vector, dtype=float).tolist(),
        }
        given = {name: value for name, value in values.items() if value is not None}
        if query.source is None:
            return self._connection.post(path, given)
        assert not isinstance(query.source, bytes)
        if on_server:
            return self._connection.post(path, {**given, "uri": str(query.source)})
        file = resolve_path(query.source)
        try:
            return self._connection.post(path, Form(_texts(given), [("file", file)]))
        except AudioError as exc:
            raise type(exc)(_with_path(exc.message, file)) from exc

    def _job(self, found: Mapping[str, Any]) -> Job:
        with self._understanding():
            for error in found["errors"]:
                if error["uri"] is None:
                    raise (class_of(error["code"]) or ServiceError)(error["detail"])
            if found["state"] == "cancelled":
                raise ServiceError("somebody has cancelled the job; what it has indexed stays")
            names = ("added", "replaced", "unchanged", "pruned", "failed")
            return Job(
                found["id"],
                found["finished_at"] is not None,
                found["total"],
                found["done"],
                # A service of before knows nothing of what it leaves out.
                {**{name: found[name] for name in names}, "skipped": found.get("skipped", 0)},
                [
                    IndexResult(row["uri"], "failed", error_code=row["code"], error=row["detail"])
                    for row in found["errors"]
                ],
                [(row["uri"], row["detail"]) for row in found["warnings"]],
                found["unsearchable"],
                found.get("left_out", 0),
                {row["uri"]: row["reason"] for row in found.get("left_out_files", [])},
            )

    @contextmanager
    def _understanding(self) -> Iterator[None]:
        """Turn an answer of another form into an error."""
        try:
            yield
        except SoundalikeError:
            raise
        except (KeyError, TypeError, ValueError) as exc:
            raise self._connection.stranger() from exc


def _name_of(query: Query, found: Mapping[str, Any], *, on_server: bool) -> str:
    """Return what the command line calls a query; an upload's path is known only here."""
    if query.source is None or on_server:
        return found["uri"] or ""
    assert not isinstance(query.source, bytes)
    return uri_of(resolve_path(query.source))


def _with_path(text: str, path: Path) -> str:
    """Return an error in which a file is called by its path, and not by the name that was sent."""
    return text.replace(repr(path.name), repr(str(path)), 1)


def _narrowing(filters: Filters, *, exclude_self: bool) -> dict[str, Any]:
    """Return the parameters that stand for filters."""
    of_day = filters.time_of_day
    return {
        "labels": list(filters.labels),
        "tags": dict(filters.tags),
        "where": [str(condition) for condition in filters.where],
        "uri_prefix": filters.uri_prefix or None,
        "since": filters.since and filters.since.isoformat(),
        "until": filters.until and filters.until.isoformat(),
        "time_of_day": of_day and "-".join(end.isoformat("seconds") for end in of_day),
        "time_zone": str(filters.time_zone),
        "exclude_self": exclude_self,
    }


def _texts(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the fields of a form that stand for values."""
    return {
        name: [_text(item) for item in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
        if value is not None
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _match(row: Mapping[str, Any]) -> Match:
    recording = Recording(
        recording_id=row["recording_id"],
        uri=row["uri"],
        duration_s=row["duration_s"],
        label=row["label"],
        tags=row["tags"],
        recorded_at=row["recorded_at"] and _moment(row["recorded_at"]),
        recorded_at_source=row["recorded_at_source"],
    )
    names = ("rank", "score", "start_s", "end_s", "query_start_s", "query_end_s", "n_hits")
    return Match(
        recording=recording, collection=row["collection"], **{name: row[name] for name in names}
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
