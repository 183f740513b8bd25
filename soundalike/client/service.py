"""Operations of a running service, with the types of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from soundalike.audio.sources import uri_of
from soundalike.client.connection import Connection, missing_in
from soundalike.client.form import Form
from soundalike.client.queries import ask, filter_fields, name_of, texts, with_path
from soundalike.client.speakers import RemoteSpeakers
from soundalike.errors import RecordingNotFound, ServiceError, class_of
from soundalike.events.requests import MAX_EVENTS, EventsRequest
from soundalike.events.types import FoundEvents, event_from_json
from soundalike.filters import Filters
from soundalike.indexing.items import IndexItem, IndexResult
from soundalike.indexing.requests import IndexRequest, VectorsRequest
from soundalike.maps.requests import MAP_FIELDS, MapRequest
from soundalike.search.find import Answer
from soundalike.search.match_json import match_from_json, recording_from_json
from soundalike.search.requests import SearchRequest, TimelineRequest
from soundalike.store.base import MAX_PAGE
from soundalike.store.partial import Missing
from soundalike.types import Bucket, Recording, Timeline

if TYPE_CHECKING:
    from soundalike.client.annotations import RemoteAnnotations
    from soundalike.client.normal import RemoteNormal
    from soundalike.client.repeats import RemoteRepeats
    from soundalike.client.searches import RemoteSearches

#: Fields of the status of a collection, in order.
STATUS = (
    *("collection", "encoder", "configured_encoder", "encoder_level", "recordings", "files", "windows"),
    *("window_s", "stride_s", "dimension", "index", "layout", "database", "extensions", "starts"),
    *("earliest_start", "latest_start", "earlier_decoder", "unsearchable", "missing_shards"),
)
#: Fields that services of earlier versions lack.
_LATER_STATUS = ("encoder_level", "layout", "missing_shards")


@dataclass(frozen=True, slots=True)
class Job:
    """Progress of an indexing job of the service.

    Attributes
    ----------
    job_id : str
    is_finished : bool
    total : int or None
        Number of files; None until they are counted.
    done : int
    counts : dict of str to int
        Numbers of files that were ``added``, ``replaced``, ``unchanged``, ``pruned``, ``failed`` and
        ``skipped`` (films without sound).
    failures : list of IndexResult
        The first failures.
    warnings : list of tuple of str
        Path and warning of the first files with a warning.
    unsearchable : int
        Number of stored files without a searchable window.
    n_left_out : int
        Number of other files in the folder that are not sounds.
    left_out : dict of str to str
        Paths of the first files that were left out or skipped, and the reasons.
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

    Methods raise `ServiceError` if the service cannot be reached, or the error that it reports.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def url(self) -> str:
        """Address of the service, without a password."""
        return self._connection.shown

    @property
    def annotations(self) -> RemoteAnnotations:
        """The annotations of the service."""
        from soundalike.client.annotations import RemoteAnnotations

        return RemoteAnnotations(self._connection)

    def searches(self, collection: str) -> RemoteSearches:
        """Return the named searches of a collection."""
        from soundalike.client.searches import RemoteSearches

        return RemoteSearches(self._connection, collection)

    @property
    def normal(self) -> RemoteNormal:
        """The models of what is normal of the service."""
        from soundalike.client.normal import RemoteNormal

        return RemoteNormal(self._connection)

    @property
    def repeats(self) -> RemoteRepeats:
        """Copies of recordings and motifs."""
        from soundalike.client.repeats import RemoteRepeats

        return RemoteRepeats(self._connection)

    @property
    def speakers(self) -> RemoteSpeakers:
        """The speakers of the service."""
        return RemoteSpeakers(self._connection)

    def search(self, request: SearchRequest, *, on_server: bool = False) -> tuple[Answer, str]:
        """Return what resembles a query, and the encoder's name.

        A file is sent unless it is `on_server`; the answer's `windows` stay there.
        """
        query, collections = request.query, request.collections
        parameters = {
            **filter_fields(request.filters, exclude_self=request.exclude_self),
            "top_k": request.top_k,
            "min_score": request.min_score,
            "group_by": request.group_by,
            "max_false_alarms": request.max_false_alarms,
            "like": [str(one) for one in request.like],
            "unlike": [str(one) for one in request.unlike],
            "collection": collections[0],
            "collections": list(collections) if len(collections) > 1 else [],
        }
        found = ask(self._connection, "/api/search", query, parameters, on_server=on_server)
        with self._connection.expected_form():
            name = name_of(query, found, on_server=on_server)
            matches = [match_from_json(row) for row in found["matches"]]
            told = tuple(found["warnings"])
            answer = Answer(name, found["recording_id"], [], matches, told, missing_in(found))
            return answer, found["encoder"]

    def timeline(self, request: TimelineRequest, *, on_server: bool = False) -> tuple[Timeline, str]:
        """Return when something like a query was heard, and the query's name."""
        query = request.query
        parameters = {
            **filter_fields(request.filters, exclude_self=request.exclude_self),
            "min_score": request.min_score,
            "by": request.by,
            "collection": request.collection,
        }
        found = ask(self._connection, "/api/timeline", query, parameters, on_server=on_server)
        with self._connection.expected_form():
            buckets = [
                Bucket(_moment(row["start"]), _moment(row["end"]), row["count"])
                for row in found["buckets"]
            ]
            name = name_of(query, found, on_server=on_server)
            told = tuple(found["warnings"])
            return Timeline(buckets, found["undated"], told, missing_in(found)), name

    def events(self, request: EventsRequest, *, on_server: bool = False) -> FoundEvents:
        """Return every occurrence of a query; without a limit the first `MAX_EVENTS`."""
        query = request.query
        assert query is not None
        names = ("recording", "min_score", "order", "max_per_recording", "gap_s", "min_duration_s")
        parameters = {
            **filter_fields(request.filters, exclude_self=request.exclude_self),
            **{name: getattr(request, name) for name in (*names, "reread_s", "collection")},
            "max_false_alarms": request.max_false_alarms,
            "limit": request.limit or MAX_EVENTS,
        }
        found = ask(self._connection, "/api/events", query, parameters, on_server=on_server)
        with self._connection.expected_form():
            warnings = list(found["warnings"])
            if request.limit is None and not found["is_complete"]:
                warnings.append(f"there are more than {MAX_EVENTS} events; these are the first")
            name = name_of(query, found, on_server=on_server)
            events = [event_from_json(row) for row in found["events"]]
            encoder = found["encoder"] or ""
            return FoundEvents(name, encoder, events, tuple(warnings), missing_in(found))

    def recordings(
        self, collection: str, filters: Filters | None = None, missing: Missing | None = None
    ) -> Iterator[Recording]:
        """Yield the stored recordings by path.

        Parameters
        ----------
        collection : str
        filters : Filters, optional
            Labels, conditions and path; other filters are not sent.
        missing : Missing, optional
            Takes the databases of the index that could not be reached.
        """
        chosen = filters or Filters()
        wanted: dict[str, Any] = {
            "collection": collection,
            "labels": list(chosen.labels),
            "where": [str(condition) for condition in chosen.where],
            "uri_prefix": chosen.uri_prefix,
            "limit": MAX_PAGE,
        }
        after: str | None = ""
        while after is not None:
            page = self._connection.call("GET", "/api/recordings", params={**wanted, "after": after})
            with self._connection.expected_form():
                if missing is not None:
                    for name in missing_in(page):
                        missing.add(name)
                yield from map(recording_from_json, page["recordings"])
                after = page["next"]

    def map(self, request: MapRequest) -> dict[str, Any]:
        """Return the map of a collection, as `SoundMap.to_json` does; times in the service's zone."""
        given = {name: value for name, value in asdict(request).items() if value is not None}
        found = self._connection.post("/api/map", given)
        with self._connection.expected_form():
            return {name: found[name] for name in MAP_FIELDS}

    def status(self, collection: str) -> dict[str, Any]:
        """Return the status of a collection: the fields of `STATUS`, and scores; times as datetime."""
        found = self._connection.get("/api/status", collection=collection)
        with self._connection.expected_form():
            names = [name for name in STATUS if name in found or name not in _LATER_STATUS]
            values = {name: found[name] for name in names}
            # Earlier versions of the service do not report it.
            values["unrelated_scores"] = found.get("unrelated_scores", {})
            values["unrelated_events"] = found.get("unrelated_events", {})
            for name in ("earliest_start", "latest_start"):
                values[name] = values[name] and _moment(values[name])
            return values

    def models(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the encoder in use, and the models that the service knows."""
        found = self._connection.get("/api/models")
        with self._connection.expected_form():
            return dict(found["encoder"]), list(found["models"])

    def collections(self) -> list[dict[str, Any]]:
        """Return the collections."""
        with self._connection.expected_form():
            return list(self._connection.get("/api/collections")["collections"])

    def drop(self, collection: str) -> bool:
        """Delete a collection; return whether it existed."""
        try:
            found = self._connection.delete(f"/api/collections/{quote(collection, safe='')}")
        except RecordingNotFound:
            return False
        with self._connection.expected_form():
            return bool(found["dropped"] == collection)

    def delete(self, key: str, *, is_id: bool, collection: str) -> int:
        """Delete a recording, a path or a folder; return the number of paths."""
        path, which = ("/api/recordings", {"uri": key})
        if is_id:
            path, which = f"/api/recordings/{quote(key, safe='')}", {}
        try:
            found = self._connection.delete(path, collection=collection, **which)
        except RecordingNotFound:
            return 0
        with self._connection.expected_form():
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
            Label, tags and start time of all files.
        collection : str
        on_sent : callable, optional
            Called with the number of bytes sent so far.
        """
        values = {
            "label": like.label,
            "tags": dict(like.tags),
            "recorded_at": like.recorded_at and like.recorded_at.isoformat(),
            "collection": collection,
        }
        return self._job(
            self._connection.post(
                "/api/recordings", Form(texts(values), [("files", path) for path in paths], on_sent)
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
        """Send vectors that another program computed; return the result of each recording.

        Parameters
        ----------
        request : VectorsRequest
        on_warning : callable, optional
            Called with each assumption of the service.
        """
        values = texts({"encoder_name": request.encoder, "collection": request.collection})
        files = [("vectors", request.vectors), *([("rows", request.rows)] if request.rows else [])]
        found = self._connection.post("/api/vectors", Form(values, files))
        with self._connection.expected_form():
            for warning in found["warnings"]:
                on_warning(warning)
            return [
                IndexResult(**{**row, "warnings": tuple(row["warnings"])}) for row in found["recordings"]
            ]

    def job(self, job_id: str) -> Job:
        """Return the progress of a job.

        Raises
        ------
        SoundalikeError
            The whole job has failed.
        """
        return self._job(self._connection.get(f"/api/jobs/{job_id}"))

    def results_of(self, job: Job, paths: Sequence[Path]) -> list[IndexResult]:
        """Return the results of uploaded files, with their local paths."""
        found = self._connection.get(f"/api/jobs/{job.job_id}/files")
        with self._connection.expected_form():
            return [
                IndexResult(
                    **{
                        **row,
                        "uri": uri_of(path),
                        "warnings": tuple(row["warnings"]),
                        "error": row["error"] and with_path(row["error"], path),
                    }
                )
                for path, row in zip(paths, found["files"], strict=True)
            ]

    def cancel(self, job: Job) -> None:
        """Stop a job; files that it has indexed stay indexed."""
        self._connection.delete(f"/api/jobs/{job.job_id}")

    def _job(self, found: Mapping[str, Any]) -> Job:
        with self._connection.expected_form():
            for error in found["errors"]:
                if error["uri"] is None:
                    raise (class_of(error["code"]) or ServiceError)(error["detail"])
            if found["state"] == "cancelled":
                raise ServiceError("the job was cancelled; files that it has indexed stay indexed")
            names = ("added", "replaced", "unchanged", "pruned", "failed")
            return Job(
                found["id"],
                found["finished_at"] is not None,
                found["total"],
                found["done"],
                # Earlier versions of the service do not report skipped files.
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


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
