"""Read the searchable windows of many recordings by binary COPY, which needs no parsing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pgvector import HalfVector

from soundalike.errors import StoreError
from soundalike.filters import Filters
from soundalike.runtime.parallel import map_ahead
from soundalike.store import sql
from soundalike.store.base import SearchableWindows
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.searching import conditions, describe, filter_values, is_narrowed
from soundalike.types import FloatArray

#: Windows of a batch, or one recording; 4 MB with 512 dimensions.
_BATCH_WINDOWS = 4096
# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
_HEADER_BYTES = 19
_TRAILER_BYTES = 2


def recordings_in_time(
    cursor: Cursor, collection: Collection, filters: Filters, recording_ids: Sequence[str] | None
) -> list[list[str]]:
    """Return the ids of recordings in order of time, in batches of a bounded number of windows."""
    narrowed = sql.queries()["narrow_files"] if is_narrowed(filters) else ""
    statement = collection.statement("recordings_in_time").replace("{narrowed}", narrowed)
    values = {
        **filter_values(filters),
        **{"collection": collection.collection_id, "recordings": recording_ids and list(recording_ids)},
    }
    cursor.execute(statement, values)
    batches: list[list[str]] = []
    room = 0
    for key, n_windows in cursor:
        room -= n_windows
        if room < 0 or not batches:
            batches.append([])
            room = _BATCH_WINDOWS - n_windows
        batches[-1].append(str(uuid.UUID(bytes=bytes(key))))
    return batches


def read_windows(
    cursor: Cursor, collection: Collection, recording_ids: Sequence[str], filters: Filters
) -> list[SearchableWindows]:
    """Return the windows of these recordings, in their order."""
    recordings, _ = describe(cursor, collection, list(recording_ids), filters)
    values = {**filter_values(filters), "recording_ids": list(recording_ids)}
    statement = collection.statement("searchable_windows")
    statement = statement.replace("{filters}", conditions(collection, _only_time(filters)))
    sink = _Bytes()
    chosen = cursor.mogrify(statement, values).decode()
    cursor.copy_expert(f"COPY ({chosen}) TO STDOUT (FORMAT binary)", sink)
    rows = _rows(sink.content, collection.spec.dimension)
    found: dict[str, SearchableWindows] = {}
    keys = rows["id"]
    bounds = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1], True]) if len(rows) else np.zeros(1, int)
    for begin, end in pairwise(bounds):
        part = rows[begin:end]
        key = str(uuid.UUID(bytes=part["id"][0].tobytes()))
        if key in recordings:
            found[key] = SearchableWindows(
                recordings[key],
                part["start_s"].astype(np.float64),
                part["end_s"].astype(np.float64),
                part["embedding"].astype(np.float16),
            )
    return [found[key] for key in recording_ids if key in found]


def read_vectors(
    cursor: Cursor, collection: Collection, windows: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], FloatArray]:
    """Return the vectors of windows by recording id and number."""
    values = {
        "recording_ids": [recording_id for recording_id, _ in windows],
        "window_indexes": [index for _, index in windows],
    }
    cursor.execute(collection.statement("window_vectors"), values)
    return {
        windows[row]: HalfVector.from_binary(vector).to_numpy().astype(np.float32)
        for row, vector in cursor.fetchall()
    }


def _only_time(filters: Filters) -> Filters:
    """Return the filters that concern windows; recordings were chosen by the others."""
    return replace(filters, labels=(), without_labels=(), tags={}, uri_prefix="", where=())


def _rows(content: bytes | bytearray, dimension: int) -> npt.NDArray[Any]:
    """Return the rows of a binary COPY, whose fields all have a fixed length."""
    row = np.dtype(
        [
            ("n_fields", ">i2"),
            *[("id_bytes", ">i4"), ("id", "V16")],
            *[("start_bytes", ">i4"), ("start_s", ">f8")],
            *[("end_bytes", ">i4"), ("end_s", ">f8")],
            *[("vector_bytes", ">i4"), ("dimension", ">i2"), ("unused", ">i2")],
            ("embedding", ">f2", (dimension,)),
        ]
    )
    body = len(content) - _HEADER_BYTES - _TRAILER_BYTES
    if body % row.itemsize:
        raise StoreError(f"{body} bytes of windows are not rows of {row.itemsize}; report this")
    return np.frombuffer(content, dtype=row, count=body // row.itemsize, offset=_HEADER_BYTES)


class _Bytes:
    """Collects what a COPY writes."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, part: bytes) -> int:
        self.content += part
        return len(part)


def read_batches(
    batches: Sequence[Sequence[str]],
    read: Callable[[Sequence[str]], list[SearchableWindows]],
) -> Iterator[SearchableWindows]:
    """Yield windows batch by batch; the next batch is read meanwhile."""
    for found in map_ahead(read, batches, workers=1):
        yield from found
