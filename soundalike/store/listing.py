"""List the stored paths of a collection."""

from __future__ import annotations

from collections.abc import Sequence

from soundalike.filters import Filters
from soundalike.store import sql
from soundalike.store.base import StoredFile, as_id
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.searching import filter_values, is_narrowed
from soundalike.types import DECODER_VERSION, FileStat, Recording

PAGE_FILES = 1000


def page(
    cursor: Cursor, collection: Collection, after: str, limit: int, filters: Filters
) -> list[StoredFile]:
    """Return the next paths after `after`, sorted; none at the end.

    Parameters
    ----------
    cursor : cursor
    collection : Collection
    after : str
        Last path of the previous page; empty for the first page.
    limit : int
        Maximum number of paths.
    filters : Filters
        Only the filters of label, tags and path apply.
    """
    keys = {"collection": collection.collection_id, "after": after, "limit": limit}
    narrowed = sql.queries()["narrow_files"] if is_narrowed(filters) else ""
    statement = sql.queries()["list_files"].replace("{narrowed}", narrowed)
    cursor.execute(statement, {**filter_values(filters), **keys})
    return _files(cursor)


def outdated(cursor: Cursor, collection: Collection, after: str, limit: int) -> list[StoredFile]:
    """Return the next paths after `after` of recordings from an earlier decoder, sorted."""
    keys = {"collection": collection.collection_id, "after": after, "limit": limit}
    cursor.execute(sql.queries()["outdated_files"], {**keys, "decoder_version": DECODER_VERSION})
    return _files(cursor)


def at_paths(cursor: Cursor, collection: Collection, uris: Sequence[str]) -> dict[str, StoredFile]:
    """Return the stored paths among these."""
    keys = {"collection": collection.collection_id, "uris": list(uris)}
    cursor.execute(sql.queries()["known_files"], keys)
    return {file.recording.uri: file for file in _files(cursor)}


def named(cursor: Cursor, collection: Collection, keys: Sequence[str]) -> dict[str, StoredFile]:
    """Return the stored recordings by path or recording id; by id with the first path."""
    files = at_paths(cursor, collection, keys)
    ids = {key: number for key in keys if key not in files and (number := as_id(key))}
    if ids:
        values = {"collection": collection.collection_id, "recording_ids": list(ids.values())}
        cursor.execute(sql.queries()["first_files"], values)
        by_id = {file.recording.recording_id: file for file in _files(cursor)}
        files.update((key, by_id[number]) for key, number in ids.items() if number in by_id)
    return files


def counts(
    cursor: Cursor, collection: Collection, statement: str, limit: int | None
) -> list[tuple[str, int]]:
    """Return labels or folders with their number of paths, depending on the statement."""
    keys = {"collection": collection.collection_id, "limit": limit}
    cursor.execute(statement, keys)
    return [(name, count) for name, count in cursor.fetchall()]


def shortcomings(cursor: Cursor, collection: Collection) -> tuple[int, int]:
    """Return the number of recordings from an earlier decoder, and of unsearchable recordings."""
    keys = {"collection": collection.collection_id, "decoder_version": DECODER_VERSION}
    cursor.execute(sql.queries()["count_shortcomings"], keys)
    earlier, unsearchable = cursor.fetchone() or (0, 0)
    return earlier, unsearchable


def file_stat(size_bytes: int | None, mtime_ns: int | None) -> FileStat | None:
    """Return the stored size and time of a file; None if either is missing."""
    return None if size_bytes is None or mtime_ns is None else FileStat(size_bytes, mtime_ns)


def _files(cursor: Cursor) -> list[StoredFile]:
    return [
        StoredFile(
            Recording(key, uri, duration_s, label, tags, at, source, file_stat(size, mtime)), n_windows
        )
        for uri, key, label, tags, duration_s, at, source, size, mtime, n_windows in cursor.fetchall()
    ]
