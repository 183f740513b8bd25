"""Which paths a collection holds, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

from soundalike import sql
from soundalike.store.base import folder_prefix
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.types import FileStat, Recording

PAGE_FILES = 1000


def page(cursor: Cursor, collection: Collection, after: str, under: str | None) -> list[Recording]:
    """Return the next paths behind `after`, in their order; none at the end.

    Parameters
    ----------
    cursor : cursor
    collection : Collection
    after : str
        The last path of the page before; empty for the first page.
    under : str or None
        Only paths below this folder.
    """
    keys = {
        "collection": collection.collection_id,
        "after": after,
        "folder": "" if under is None else folder_prefix(under),
        "limit": PAGE_FILES,
    }
    cursor.execute(sql.queries()["list_files"], keys)
    return _recordings(cursor)


def known(cursor: Cursor, collection: Collection, uris: Sequence[str]) -> dict[str, Recording]:
    """Return those of the paths that are stored, with their recordings."""
    keys = {"collection": collection.collection_id, "uris": list(uris)}
    cursor.execute(sql.queries()["known_files"], keys)
    return {file.uri: file for file in _recordings(cursor)}


def file_stat(size_bytes: int | None, mtime_ns: int | None) -> FileStat | None:
    """Return what was stored of a file's size and time."""
    return None if size_bytes is None or mtime_ns is None else FileStat(size_bytes, mtime_ns)


def _recordings(cursor: Cursor) -> list[Recording]:
    return [
        Recording(key, uri, duration_s, label, tags, at, source, file_stat(size, mtime))
        for uri, key, label, tags, duration_s, at, source, size, mtime in cursor.fetchall()
    ]
