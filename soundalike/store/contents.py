"""Read the content of a collection page by page, for export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from pgvector import HalfVector

from soundalike.audio.excerpt import Excerpt
from soundalike.errors import ModelMismatch
from soundalike.store import sql
from soundalike.store.base import Content
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.listing import file_stat
from soundalike.types import HalfArray, Recording, Window

_PAGE_RECORDINGS = 500
#: Maximum number of windows of a page, or one recording; 2000 windows of 512 numbers are 2 MB.
_PAGE_WINDOWS = 2000

#: Recordings, and the id of the last one; None at the end.
_Page = tuple[list[Content], str | None]


def begin_snapshot(cursor: Cursor) -> None:
    """Let all statements of a transaction see the same state; must be its first statement."""
    cursor.execute(sql.queries()["snapshot"])


def read_all(
    run: Callable[[Callable[[Cursor], _Page]], _Page], find: Callable[[Cursor], Collection | None]
) -> Iterator[Content]:
    """Yield all recordings of a collection; see `soundalike.store.PostgresStore.contents`.

    Parameters
    ----------
    run : callable
        Runs a function in a transaction.
    find : callable
        Returns the collection.
    """
    source: Collection | None = None
    after: str | None = None

    def work(cursor: Cursor) -> _Page:
        nonlocal source
        begin_snapshot(cursor)
        found = find(cursor)
        source = source or found
        if (source and source.collection_id) != (found and found.collection_id):
            raise ModelMismatch(
                f"the collection {source and source.name!r} was replaced while it was being read; try "
                "again"
            )
        return _page(cursor, found, after) if found else ([], None)

    while True:
        contents, after = run(work)
        yield from contents
        if after is None:
            return


def read_one(
    cursor: Cursor, collection: Collection, recording_id: str, excerpt: Excerpt
) -> Content | None:
    """Return a recording with the windows of an excerpt and their vectors; None if it is not stored."""
    cursor.execute(
        sql.queries()["files_of_page"],
        {"collection": collection.collection_id, "recording_ids": [recording_id]},
    )
    files = _grouped(cursor).get(recording_id)
    keys: dict[str, Any] = {"recording_id": recording_id}
    cursor.execute(collection.statement("windows_of_recording"), keys)
    windows = [_window(*row) for row in cursor.fetchall()]
    if not files or not windows:
        return None
    chosen = excerpt.windows_of(windows)
    keys["windows"] = [window.index for window in chosen]
    cursor.execute(collection.statement("vectors_of_windows"), keys)
    vectors = dict(cursor.fetchall())
    rows = [vectors.get(window.index) for window in chosen]
    matrix = _matrix(rows, collection.spec.dimension)
    return Content(_recordings(recording_id, files), chosen, matrix, files[0][-1])


def _page(cursor: Cursor, collection: Collection, after: str | None) -> _Page:
    """Return the recordings with ids greater than `after`, and the last id; None at the end."""
    place = {"collection": collection.collection_id, "after": after, "limit": _PAGE_RECORDINGS}
    cursor.execute(sql.queries()["recordings_page"], place)
    ids = _first(cursor.fetchall())
    if not ids:
        return [], None
    keys = {"collection": collection.collection_id, "recording_ids": ids}
    cursor.execute(sql.queries()["files_of_page"], keys)
    files = _grouped(cursor)
    cursor.execute(collection.statement("windows_of_page"), keys)
    windows = _grouped(cursor)
    found = [
        _content(key, files[key], windows.get(key, []), collection.spec.dimension)
        for key in ids
        # Skip recordings without a path, which `doctor` reports, and those whose windows have expired.
        if key in files and key in windows
    ]
    return found, ids[-1]


def _first(counted: Iterable[tuple[str, int]]) -> list[str]:
    """Return the first ids that have at most a page of windows together, but at least one."""
    ids: list[str] = []
    room = _PAGE_WINDOWS
    for recording_id, n_windows in counted:
        room -= n_windows
        if ids and room < 0:
            break
        ids.append(recording_id)
    return ids


def _grouped(cursor: Cursor) -> dict[str, list[tuple[Any, ...]]]:
    return {key: [row[1:] for row in rows] for key, rows in groupby(cursor.fetchall(), lambda r: r[0])}


def _content(
    key: str, files: list[tuple[Any, ...]], windows: list[tuple[Any, ...]], dimension: int
) -> Content:
    return Content(
        _recordings(key, files),
        [_window(*row) for *row, _ in windows],
        _matrix([vector for *_, vector in windows], dimension),
        files[0][-1],
    )


def _recordings(key: str, files: list[tuple[Any, ...]]) -> list[Recording]:
    return [
        Recording(key, uri, duration_s, label, tags, at, source, file_stat(size, mtime))
        for uri, label, tags, size, mtime, duration_s, at, source, _ in files
    ]


def _window(index: int, start_s: float, end_s: float, quality: str) -> Window:
    return Window(index, start_s, end_s, quality not in ("ok", "clipped"), quality == "clipped")


def _matrix(vectors: Sequence[bytes | None], dimension: int) -> HalfArray:
    """Return stored vectors as rows; missing vectors are zero."""
    rows: HalfArray = np.zeros((len(vectors), dimension), dtype=np.float16)
    for row, vector in zip(rows, vectors, strict=True):
        if vector is not None:
            row[:] = HalfVector.from_binary(vector).to_numpy()
    return rows
