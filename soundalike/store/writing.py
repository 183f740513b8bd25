"""Putting recordings into a collection and taking them out, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psycopg2.extras import Json

from soundalike import sql
from soundalike.store.base import Outcome, folder_prefix, start_differs, start_source
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.rows import binary_rows
from soundalike.types import FileStat, FloatArray, Recording, Window


def add(
    cursor: Cursor,
    collection: Collection,
    recording: Recording,
    windows: Sequence[Window],
    embeddings: FloatArray,
) -> Outcome:
    """Store a recording, its windows and its path; see `soundalike.store.PostgresStore.add`."""
    known = _lock_and_find(cursor, collection, recording)
    moved = known is not None and start_differs(known, recording)
    if known is None or moved:
        _put_content(cursor, collection, recording, windows, embeddings)
    outcome = _put_file(cursor, collection, recording, is_new=known is None)
    return "updated" if moved and outcome == "unchanged" else outcome


def link(cursor: Cursor, collection: Collection, recording: Recording) -> Outcome | None:
    """Store a path of audio that is stored already; see `soundalike.store.PostgresStore.link`."""
    known = _lock_and_find(cursor, collection, recording)
    if known is None or start_differs(known, recording):
        return None
    return _put_file(cursor, collection, recording, is_new=False)


def delete(cursor: Cursor, collection: Collection, key: str) -> int:
    """Delete a path, a folder's or a recording's paths; return how many went."""
    names = {"collection": collection.collection_id, "key": key, "folder": folder_prefix(key)}
    cursor.execute(sql.queries()["lock_recordings_of"], names)
    cursor.execute(sql.queries()["delete_files"], names)
    gone = [row[0] for row in cursor.fetchall()]
    for recording_id in set(gone):
        cursor.execute(sql.queries()["delete_orphan"], _key(collection, recording_id))
    return len(gone)


def file_stat(size_bytes: int | None, mtime_ns: int | None) -> FileStat | None:
    """Return what was stored of a file's size and time."""
    return None if size_bytes is None or mtime_ns is None else FileStat(size_bytes, mtime_ns)


def _key(collection: Collection, recording_id: str) -> dict[str, Any]:
    return {"collection": collection.collection_id, "recording_id": recording_id}


def _lock_and_find(cursor: Cursor, collection: Collection, recording: Recording) -> Recording | None:
    keys = [recording.recording_id, recording.uri]
    cursor.execute(
        sql.queries()["lock_recording"], {"collection": collection.collection_id, "keys": keys}
    )
    cursor.execute(sql.queries()["find_recording"], _key(collection, recording.recording_id))
    row = cursor.fetchone()
    if row is None:
        return None
    return replace(recording, duration_s=row[0], recorded_at=row[1], recorded_at_source=row[2])


def _put_content(
    cursor: Cursor,
    collection: Collection,
    recording: Recording,
    windows: Sequence[Window],
    embeddings: FloatArray,
) -> None:
    key = _key(collection, recording.recording_id)
    files = _take_files(cursor, key)
    cursor.execute(sql.queries()["delete_recording"], key)
    cursor.execute(
        sql.queries()["put_recording"],
        {
            **key,
            "duration_s": recording.duration_s,
            "recorded_at": recording.recorded_at,
            "recorded_at_source": start_source(recording),
            "n_windows": len(windows),
        },
    )
    rows = binary_rows(recording, windows, embeddings)
    cursor.copy_expert(collection.statement("copy_windows"), rows)
    for file in files:
        cursor.execute(sql.queries()["put_file"], file)


def _take_files(cursor: Cursor, key: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of `files` that deleting a recording would take along."""
    cursor.execute(sql.queries()["files_of"], key)
    return [
        {**key, "uri": uri, "label": label, "tags": Json(tags), "size_bytes": size, "mtime_ns": mtime}
        for uri, label, tags, size, mtime in cursor.fetchall()
    ]


def _put_file(cursor: Cursor, collection: Collection, recording: Recording, *, is_new: bool) -> Outcome:
    key = _key(collection, recording.recording_id)
    cursor.execute(sql.queries()["find_file"], {**key, "uri": recording.uri})
    before = cursor.fetchone()
    now = (recording.recording_id, recording.label, dict(recording.tags))
    stat = recording.stat or (None, None)
    if before == (*now, *stat):
        return "unchanged"
    cursor.execute(
        sql.queries()["put_file"],
        {
            **key,
            "uri": recording.uri,
            "label": recording.label,
            "tags": Json(dict(recording.tags)),
            "size_bytes": stat[0],
            "mtime_ns": stat[1],
        },
    )
    if before is None:
        return "added" if is_new else "linked"
    if before[0] != recording.recording_id:
        _delete_orphan(cursor, _key(collection, before[0]))
        return "replaced"
    return "unchanged" if before[:3] == now else "updated"


def _delete_orphan(cursor: Cursor, key: dict[str, Any]) -> None:
    cursor.execute(sql.queries()["lock_recording_row"], key)
    cursor.execute(sql.queries()["delete_orphan"], key)
