"""Add and delete recordings within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg2.extras import Json, execute_values

from soundalike.audio.excerpt import WHOLE
from soundalike.store import sql
from soundalike.store.base import Entry, Outcome, as_id, folder_prefix, start_differs, start_source
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.contents import read_one
from soundalike.store.renewal import count_searchable, is_same, renewed
from soundalike.store.rows import binary_rows
from soundalike.types import DECODER_VERSION, Recording

_Row = dict[str, Any]


class _Known(NamedTuple):
    """A stored recording, without its paths."""

    recording: Recording
    decoder_version: int


def add_many(cursor: Cursor, collection: Collection, entries: Sequence[Entry]) -> list[Outcome]:
    """Store recordings, their windows and their paths; see `soundalike.store.Store.add_many`."""
    _lock(cursor, collection, [entry.recording for entry in entries])
    # Before reading the paths: a concurrent deletion of a recording also deletes its paths.
    known = _known(cursor, collection, {entry.recording.recording_id for entry in entries})
    files = _Files(cursor, collection, {entry.recording.uri for entry in entries})
    if not files.would_replace(entry.recording for entry in entries):
        return _add_together(cursor, collection, entries, files, known)
    outcomes = []
    for entry in entries:
        # An entry may delete content with its last path, and a later entry may add it again.
        known = _known(cursor, collection, {entry.recording.recording_id})
        outcomes += _add_together(cursor, collection, [entry], files, known)
    return outcomes


def _add_together(
    cursor: Cursor,
    collection: Collection,
    entries: Sequence[Entry],
    files: _Files,
    known: dict[str, _Known],
) -> list[Outcome]:
    """Write new content in few statements, and known content one by one."""
    fresh: dict[str, Entry] = {}
    for entry in entries:
        if entry.recording.recording_id not in known:
            fresh.setdefault(entry.recording.recording_id, entry)
    _put_contents(cursor, collection, fresh.values())
    known |= {key: _Known(entry.recording, entry.decoder_version) for key, entry in fresh.items()}
    outcomes = []
    for entry in entries:
        key = entry.recording.recording_id
        moved = _renew(cursor, collection, known, entry)
        outcome = files.put(entry.recording, is_new=fresh.get(key) is entry)
        outcomes.append("updated" if moved and outcome == "unchanged" else outcome)
    files.flush()
    return outcomes


def link(cursor: Cursor, collection: Collection, recording: Recording, *, renew: bool) -> Outcome | None:
    """Store a path of audio that is stored already; see `soundalike.store.PostgresStore.link`."""
    _lock(cursor, collection, [recording])
    known = _known(cursor, collection, {recording.recording_id}).get(recording.recording_id)
    if known is None or start_differs(known.recording, recording):
        return None
    if renew and known.decoder_version < DECODER_VERSION:
        return None
    files = _Files(cursor, collection, {recording.uri})
    outcome = files.put(recording, is_new=False)
    files.flush()
    return outcome


def delete(cursor: Cursor, collection: Collection, key: str) -> int:
    """Delete the paths of a path, folder or recording; return their number."""
    names = {
        **{"collection": collection.collection_id, "key": key, "recording_id": as_id(key)},
        "folder": folder_prefix(key),
    }
    cursor.execute(sql.queries()["lock_recordings_of"], names)
    cursor.execute(sql.queries()["delete_files"], names)
    gone = [row[0] for row in cursor.fetchall()]
    for recording_id in set(gone):
        cursor.execute(sql.queries()["delete_orphan"], _key(collection, recording_id))
    return len(gone)


def delete_files(cursor: Cursor, collection: Collection, uris: Sequence[str]) -> list[str]:
    """Delete these paths; return the ones that were stored."""
    names = {"collection": collection.collection_id, "uris": list(uris)}
    cursor.execute(sql.queries()["lock_recordings_under"], names)
    cursor.execute(sql.queries()["delete_named_files"], names)
    gone = cursor.fetchall()
    for recording_id in {row[1] for row in gone}:
        cursor.execute(sql.queries()["delete_orphan"], _key(collection, recording_id))
    return [uri for uri, _ in gone]


class _Files:
    """The paths of one transaction; new paths are buffered and written together."""

    def __init__(self, cursor: Cursor, collection: Collection, uris: Iterable[str]) -> None:
        self._cursor = cursor
        self._collection = collection
        self._waiting: dict[str, tuple[Any, ...]] = {}
        cursor.execute(
            sql.queries()["find_files"],
            {"collection": collection.collection_id, "uris": list(uris)},
        )
        self._stored: dict[str, tuple[Any, ...]] = {uri: tuple(row) for uri, *row in cursor.fetchall()}

    def would_replace(self, recordings: Iterable[Recording]) -> bool:
        """Return whether a path would get other content than it has, or several contents."""
        contents = {uri: row[0] for uri, row in self._stored.items()}
        return any(
            contents.setdefault(recording.uri, recording.recording_id) != recording.recording_id
            for recording in recordings
        )

    def put(self, recording: Recording, *, is_new: bool) -> Outcome:
        """Store a path, and return the outcome."""
        stat = recording.stat or (None, None)
        now = (recording.recording_id, recording.label, dict(recording.tags))
        before = self._stored.get(recording.uri)
        if before == (*now, *stat):
            return "unchanged"
        self._stored[recording.uri] = (*now, *stat)
        row = (
            *(self._collection.collection_id, recording.uri, recording.recording_id),
            *(recording.label, Json(dict(recording.tags)), *stat),
        )
        if before is None:
            self._waiting[recording.uri] = row
            return "added" if is_new else "linked"
        self.flush()
        self._write([row])
        if before[0] != recording.recording_id:
            _delete_orphan(self._cursor, _key(self._collection, before[0]))
            return "replaced"
        return "unchanged" if before[:3] == now else "updated"

    def flush(self) -> None:
        """Write the buffered paths."""
        if self._waiting:
            self._write(list(self._waiting.values()))
            self._waiting.clear()

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        execute_values(self._cursor, sql.queries()["put_files"], rows, page_size=len(rows))


def _key(collection: Collection, recording_id: str) -> _Row:
    return {"collection": collection.collection_id, "recording_id": recording_id}


def _lock(cursor: Cursor, collection: Collection, recordings: Sequence[Recording]) -> None:
    """Lock these recordings and paths until the transaction ends."""
    keys = {key for recording in recordings for key in (recording.recording_id, recording.uri)}
    cursor.execute(
        sql.queries()["lock_recordings"],
        {"collection": collection.collection_id, "keys": sorted(keys)},
    )


def _known(cursor: Cursor, collection: Collection, ids: Iterable[str]) -> dict[str, _Known]:
    """Return stored recordings by id, locked against deletion until the transaction ends."""
    cursor.execute(
        sql.queries()["find_recordings"],
        {"collection": collection.collection_id, "recording_ids": list(ids)},
    )
    return {
        key: _Known(Recording(key, "", duration_s, recorded_at=at, recorded_at_source=source), decoder)
        for key, duration_s, at, source, decoder in cursor.fetchall()
    }


def _put_contents(cursor: Cursor, collection: Collection, entries: Iterable[Entry]) -> None:
    new = list(entries)
    if not new:
        return
    rows = [
        (
            collection.collection_id,
            entry.recording.recording_id,
            entry.recording.duration_s,
            entry.recording.recorded_at,
            start_source(entry.recording),
            len(entry.windows),
            count_searchable(entry.windows, entry.embeddings),
            entry.decoder_version,
        )
        for entry in new
    ]
    execute_values(cursor, sql.queries()["put_recordings"], rows, page_size=len(rows))
    cursor.copy_expert(collection.statement("copy_windows"), binary_rows(new))


def _is_later(known: _Known, entry: Entry) -> bool:
    """Return whether an entry has a more reliable start time, or comes from a newer decoder."""
    return (
        start_differs(known.recording, entry.recording) or known.decoder_version < entry.decoder_version
    )


def _renew(cursor: Cursor, collection: Collection, known: dict[str, _Known], entry: Entry) -> bool:
    """Replace a known recording if its start time or content changes; return whether it did.

    The paths are unchanged.
    """
    key = entry.recording.recording_id
    stored = known[key]
    if not _is_later(stored, entry):
        return False
    recording = renewed(stored.recording, entry.recording)
    known[key] = _Known(recording, entry.decoder_version)
    names = {**_key(collection, key), "decoder_version": entry.decoder_version}
    if not start_differs(stored.recording, entry.recording):
        content = read_one(cursor, collection, key, WHOLE)
        if content and is_same(content, entry):
            cursor.execute(sql.queries()["set_decoder_version"], names)
            return False
    _replace(cursor, collection, names, entry._replace(recording=recording))
    return True


def _replace(cursor: Cursor, collection: Collection, names: _Row, entry: Entry) -> None:
    values = {
        **{"duration_s": entry.recording.duration_s, "recorded_at": entry.recording.recorded_at},
        **{"source": start_source(entry.recording), "n_windows": len(entry.windows)},
        "n_searchable": count_searchable(entry.windows, entry.embeddings),
    }
    cursor.execute(collection.statement("delete_windows"), names)
    cursor.execute(sql.queries()["renew_recording"], {**names, **values})
    cursor.copy_expert(collection.statement("copy_windows"), binary_rows([entry]))


def _delete_orphan(cursor: Cursor, key: _Row) -> None:
    cursor.execute(sql.queries()["lock_recording_row"], key)
    cursor.execute(sql.queries()["delete_orphan"], key)
