"""The store on PostgreSQL: pgvector for the search, a hypertable where TimescaleDB is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from pgvector import HalfVector
from psycopg2.extras import Json, execute_values

from soundalike import sql
from soundalike.config import Settings
from soundalike.errors import IndexEmpty
from soundalike.store.base import (
    Outcome,
    SearchResult,
    StoreStatus,
    check_embeddings,
    check_filters,
    check_recording,
    check_spec,
    check_top_k,
    first_limit,
    folder_prefix,
    is_storable,
)
from soundalike.store.connection import Cursor, Database, parse_url, redacted
from soundalike.store.embedded import EmbeddedServer
from soundalike.store.schema import ensure_schema, exists, extensions, is_current, stored_spec
from soundalike.types import Filters, FloatArray, Hit, IndexSpec, Recording, Window

#: Below this many windows every search is exact; from here on an HNSW index is built.
EXACT_BELOW_WINDOWS = 10_000
#: The start of a recording whose time nobody knows.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INDEX = "windows_embedding"
_MAX_EF_SEARCH = 1000
_CONNECT_TIMEOUT_S = 10
_PAGE_ROWS = 500


def open_store(settings: Settings) -> PostgresStore:
    """Return the store that the settings name; nothing is connected or started yet.

    Parameters
    ----------
    settings : Settings
        `database_url` names a server; None stands for the embedded one in `data_dir`.
    """
    url = settings.database_url
    if url is None:
        server = EmbeddedServer(settings.data_dir)
        database = Database(server.acquire, f"embedded:{settings.data_dir}")
        return PostgresStore(database, on_close=server.release)

    parameters = parse_url(url)
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "application_name": "soundalike",
        **parameters,
    }

    def connect() -> psycopg2.extensions.connection:
        connection: psycopg2.extensions.connection = psycopg2.connect(**options)
        return connection

    return PostgresStore(Database(connect, redacted(parameters)))


class PostgresStore:
    """Recordings and windows in PostgreSQL. A `soundalike.store.Store`.

    Parameters
    ----------
    database : Database
        Where to.
    on_close : callable, optional
        Called when the store was closed.
    exact_below : int
        Number of windows from which on an HNSW index is built.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_close: Any = None,
        exact_below: int = EXACT_BELOW_WINDOWS,
    ) -> None:
        self._db = database
        self._on_close = on_close
        self._exact_below = exact_below
        self._sql = sql.queries()

    def add(
        self,
        recording: Recording,
        windows: Sequence[Window],
        embeddings: FloatArray,
        spec: IndexSpec,
    ) -> Outcome:
        """Store a recording entirely or not at all; storing it again changes nothing.

        Parameters
        ----------
        recording : Recording
            What is known of it. A `recorded_at` of None leaves the stored one.
        windows : sequence of Window
            Its windows; silent ones are stored, but no search finds them.
        embeddings : (n_windows, spec.dimension) float32
            One row for each window.
        spec : IndexSpec
            What the embeddings were made with; the first one makes the index.

        Raises
        ------
        ModelMismatch, DimensionMismatch, InvalidSamples
            The embeddings do not fit the index.
        StoreError
            The database refused or cannot be reached; nothing of the recording was stored.
        """
        check_recording(recording, has_length=True)
        check_embeddings(embeddings, len(windows), spec)
        with self._db.transaction() as cursor:
            ensure_schema(cursor, spec)
            known = self._lock_and_find(cursor, recording)
            moved = known is not None and _start_differs(known, recording)
            if known is None or moved:
                self._put_content(cursor, recording, windows, embeddings)
            outcome = self._put_file(cursor, recording, is_new=known is None)
            return "updated" if moved and outcome == "unchanged" else outcome

    def link(self, recording: Recording, spec: IndexSpec) -> Outcome | None:
        """Store a path of audio that is stored already; None where it is not.

        Spares the caller decoding and embedding what is known; `recording.duration_s` is not used.
        """
        check_recording(recording, has_length=False)
        with self._db.transaction() as cursor:
            stored = stored_spec(cursor)
            if stored is None:
                return None
            check_spec(stored, spec)
            known = self._lock_and_find(cursor, recording)
            if known is None or _start_differs(known, recording):
                return None
            return self._put_file(cursor, recording, is_new=False)

    def known_ids(self, recording_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are stored."""
        with self._db.transaction() as cursor:
            if not is_current(cursor):
                return set()
            cursor.execute(self._sql["known_ids"], {"recording_ids": list(recording_ids)})
            return {row[0] for row in cursor.fetchall()}

    def _lock_and_find(self, cursor: Cursor, recording: Recording) -> Recording | None:
        keys = [recording.recording_id, recording.uri]
        cursor.execute(self._sql["lock_recording"], {"keys": keys})
        cursor.execute(self._sql["find_recording"], {"recording_id": recording.recording_id})
        row = cursor.fetchone()
        return replace(recording, duration_s=row[0], recorded_at=row[1]) if row else None

    def _put_content(
        self,
        cursor: Cursor,
        recording: Recording,
        windows: Sequence[Window],
        embeddings: FloatArray,
    ) -> None:
        key = {"recording_id": recording.recording_id}
        files = self._take_files(cursor, recording.recording_id)
        cursor.execute(self._sql["delete_recording"], key)
        cursor.execute(
            self._sql["put_recording"],
            {
                **key,
                "duration_s": recording.duration_s,
                "recorded_at": recording.recorded_at,
                "n_windows": len(windows),
            },
        )
        start = recording.recorded_at or EPOCH
        rows = [
            (
                recording.recording_id,
                window.index,
                start + timedelta(seconds=window.start_s),
                window.start_s,
                window.end_s,
                None if window.is_silent or not vector.any() else HalfVector(vector).to_text(),
            )
            for window, vector in zip(windows, embeddings, strict=True)
        ]
        execute_values(cursor, self._sql["put_windows"], rows, page_size=_PAGE_ROWS)
        for file in files:
            cursor.execute(self._sql["put_file"], file)

    def _take_files(self, cursor: Cursor, recording_id: str) -> list[dict[str, Any]]:
        """Return the rows of `files` that deleting a recording would take along."""
        cursor.execute(self._sql["files_of"], {"recording_id": recording_id})
        return [
            {"uri": uri, "recording_id": recording_id, "label": label, "tags": Json(tags)}
            for uri, label, tags in cursor.fetchall()
        ]

    def _put_file(self, cursor: Cursor, recording: Recording, *, is_new: bool) -> Outcome:
        cursor.execute(self._sql["find_file"], {"uri": recording.uri})
        before = cursor.fetchone()
        now = (recording.recording_id, recording.label, dict(recording.tags))
        if before == now:
            return "unchanged"
        cursor.execute(
            self._sql["put_file"],
            {
                "uri": recording.uri,
                "recording_id": recording.recording_id,
                "label": recording.label,
                "tags": Json(dict(recording.tags)),
            },
        )
        if before is None:
            return "added" if is_new else "linked"
        if before[0] == recording.recording_id:
            return "updated"
        self._delete_orphan(cursor, before[0])
        return "replaced"

    def _delete_orphan(self, cursor: Cursor, recording_id: str) -> None:
        key = {"recording_id": recording_id}
        cursor.execute(self._sql["lock_recording_row"], key)
        cursor.execute(self._sql["delete_orphan"], key)

    def search(
        self, vectors: FloatArray, spec: IndexSpec, *, top_k: int, filters: Filters
    ) -> SearchResult:
        """Return enough hits to make up `top_k` distinct recordings, where there are that many.

        Parameters
        ----------
        vectors : (n_query_windows, spec.dimension) float32
            The query's windows; all of them go to the server in one statement.
        spec : IndexSpec
            What they were made with.
        top_k : int
            From 1 to 1000.
        filters : Filters
            Which recordings may answer.

        Raises
        ------
        IndexEmpty
            Nothing has been indexed yet.
        ModelMismatch, DimensionMismatch, ParameterError, StoreError
            As their names say.
        """
        check_top_k(top_k)
        check_filters(filters)
        check_embeddings(vectors, None, spec)
        with self._db.transaction() as cursor:
            stored = stored_spec(cursor)
            if stored is None:
                raise IndexEmpty("nothing has been indexed yet; run: soundalike index PATH")
            check_spec(stored, spec)
            # The cosine with a vector of zeros is no number; it resembles nothing.
            usable = [number for number, vector in enumerate(vectors) if vector.any()]
            if not usable:
                return SearchResult([], {})
            parameters = _filter_parameters(filters)
            parameters["vectors"] = [HalfVector(vectors[number]).to_text() for number in usable]
            found = self._distinct_hits(cursor, parameters, top_k)
            hits = [replace(hit, query_window=usable[hit.query_window]) for hit in found]
            return SearchResult(hits, self._describe(cursor, hits, parameters))

    def _distinct_hits(self, cursor: Cursor, parameters: dict[str, Any], top_k: int) -> list[Hit]:
        statement = self._search_statement(parameters)
        limit = first_limit(top_k)
        while True:
            # Relaxed order goes on scanning the index until enough rows pass the filters; the
            # ranking sorts anyway.
            cursor.execute("SET LOCAL hnsw.iterative_scan = 'relaxed_order'")
            cursor.execute("SET LOCAL hnsw.ef_search = %s", (min(max(limit, 100), _MAX_EF_SEARCH),))
            cursor.execute(statement, {**parameters, "limit": limit})
            hits = [Hit(*row) for row in cursor.fetchall()]
            enough = len({hit.recording_id for hit in hits}) >= top_k
            if enough or len(hits) < limit * len(parameters["vectors"]):
                return hits
            limit *= 4

    def _search_statement(self, parameters: dict[str, Any]) -> str:
        narrowed = ""
        if parameters["labels"] or parameters["tags"].adapted or parameters["uri_prefix"]:
            narrowed += self._sql["filter_files"]
        if parameters["excluded"]:
            narrowed += "\n" + self._sql["filter_excluded"]
        return self._sql["search"].replace("{filters}", narrowed, 1)

    def _describe(
        self, cursor: Cursor, hits: Sequence[Hit], parameters: dict[str, Any]
    ) -> dict[str, Recording]:
        ids = list({hit.recording_id for hit in hits})
        cursor.execute(self._sql["describe"], {**parameters, "recording_ids": ids})
        return {row[0]: Recording(*row) for row in cursor.fetchall()}

    def delete(self, key: str) -> int:
        """Delete a path, every path below a folder, or a recording by id; return how many paths.

        Windows go with the last path of their recording.
        """
        if not is_storable(key):
            return 0
        with self._db.transaction() as cursor:
            if not is_current(cursor):
                return 0
            names = {"key": key, "folder": folder_prefix(key)}
            cursor.execute(self._sql["lock_recordings_of"], names)
            cursor.execute(self._sql["delete_files"], names)
            gone = [row[0] for row in cursor.fetchall()]
            for recording_id in set(gone):
                cursor.execute(self._sql["delete_orphan"], {"recording_id": recording_id})
            return len(gone)

    def finish_batch(self) -> None:
        """Build the HNSW index once there are enough windows to be worth it."""
        with self._db.transaction() as cursor:
            if not is_current(cursor) or exists(cursor, _INDEX):
                return
            cursor.execute(self._sql["estimate_windows"], {"limit": self._exact_below})
            row = cursor.fetchone()
            if row is None or row[0] < self._exact_below:
                return
            # Two processes that reach the number together would wait for each other for ever.
            cursor.execute(self._sql["lock_schema"])
            cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
            cursor.execute(self._sql["create_index"])
            cursor.execute(self._sql["analyze"])

    def status(self) -> StoreStatus:
        """Return what is stored; works on an empty database too."""
        with self._db.transaction() as cursor:
            spec = stored_spec(cursor)
            counts = (0, 0, 0)
            index = "exact"
            if spec is not None:
                cursor.execute(self._sql["count_rows"])
                counts = cursor.fetchone() or counts
                index = "hnsw" if exists(cursor, _INDEX) else "exact"
            installed = {name: version for name, (version, _) in extensions(cursor).items() if version}
            recordings, files, windows = (int(count) for count in counts)
            return StoreStatus(self._db.description, spec, recordings, files, windows, installed, index)

    def reset(self) -> None:
        """Delete everything that Soundalike has stored in this database."""
        with self._db.transaction() as cursor:
            cursor.execute(self._sql["lock_schema"])
            cursor.execute(self._sql["drop_schema"])

    def close(self) -> None:
        """Close the connection; the embedded server stops where nobody else needs it."""
        self._db.close()
        if self._on_close is not None:
            self._on_close()


def _start_differs(stored: Recording, given: Recording) -> bool:
    return given.recorded_at is not None and given.recorded_at != stored.recorded_at


def _filter_parameters(filters: Filters) -> dict[str, Any]:
    return {
        "labels": list(filters.labels) or None,
        "tags": Json(dict(filters.tags)),
        "uri_prefix": filters.uri_prefix,
        "excluded": filters.exclude_recording_id,
    }
