"""Which paths a collection holds, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

from soundalike.store import sql
from soundalike.store.base import StoredFile, as_id
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.searching import filter_values, is_narrowed
from soundalike.types import DECODER_VERSION, FileStat, Filters, Recording

PAGE_FILES = 1000


def page(
    cursor: Cursor, collection: Collection, after: str, limit: int, filters: Filters
) -> list[StoredFile]:
    """Return the next paths behind `after`, in their order; none at the end.

    Parameters
    ----------
    cursor : cursor
    collection : Collection
    after : str
        The last path of the page before; empty for the first page.
    limit : int
        At most so many.
    filters : Filters
        Only paths that pass those of label, tags and path.
    """
    keys = {"collection": collection.collection_id, "after": after, "limit": limit}
    narrowed = sql.queries()["narrow_files"] if is_narrowed(filters) else ""
    statement = sql.queries()["list_files"].replace("{narrowed}", narrowed)
    cursor.execute(statement, {**filter_values(filters), **keys})
    return _files(cursor)


def outdated(cursor: Cursor, collection: Collection, after: str, limit: int) -> list[StoredFile]:
    """Return the next paths behind `after` of what an earlier decoder has decoded, in their order."""
    keys = {"collection": collection.collection_id, "after": after, "limit": limit}
    cursor.execute(sql.queries()["outdated_files"], {**keys, "decoder_version": DECODER_VERSION})
    return _files(cursor)


def at_paths(cursor: Cursor, collection: Collection, uris: Sequence[str]) -> dict[str, StoredFile]:
    """Return those of the paths that are stored."""
    keys = {"collection": collection.collection_id, "uris": list(uris)}
    cursor.execute(sql.queries()["known_files"], keys)
    return {file.recording.uri: file for file in _files(cursor)}


def named(cursor: Cursor, collection: Collection, keys: Sequence[str]) -> dict[str, StoredFile]:
    """Return what is stored under paths, and under recording ids the first path of each."""
    files = at_paths(cursor, collection, keys)
    ids = {key: number for key in keys if key not in files and (number := as_id(key))}
    if ids:
        values = {"collection": collection.collection_id, "recording_ids": list(ids.values())}
        cursor.execute(sql.queries()["first_files"], values)
        by_id = {file.recording.recording_id: file for file in _files(cursor)}
        files.update((key, by_id[number]) for key, number in ids.items() if number in by_id)
    return files


def counts(cursor: Cursor, collection: Collection, statement: str, limit: int) -> list[tuple[str, int]]:
    """Return names with a number each: labels or folders, as the statement asks for."""
    keys = {"collection": collection.collection_id, "limit": limit}
    cursor.execute(statement, keys)
    return [(name, count) for name, count in cursor.fetchall()]


def shortcomings(cursor: Cursor, collection: Collection) -> tuple[int, int]:
    """Return how many recordings an earlier decoder has decoded, and how many no search can find."""
    keys = {"collection": collection.collection_id, "decoder_version": DECODER_VERSION}
    cursor.execute(sql.queries()["count_shortcomings"], keys)
    earlier, unsearchable = cursor.fetchone() or (0, 0)
    return earlier, unsearchable


def file_stat(size_bytes: int | None, mtime_ns: int | None) -> FileStat | None:
    """Return what was stored of a file's size and time."""
    return None if size_bytes is None or mtime_ns is None else FileStat(size_bytes, mtime_ns)


def _files(cursor: Cursor) -> list[StoredFile]:
    return [
        StoredFile(
            Recording(key, uri, duration_s, label, tags, at, source, file_stat(size, mtime)), n_windows
        )
        for uri, key, label, tags, duration_s, at, source, size, mtime, n_windows in cursor.fetchall()
    ]
