"""Checks of the vector index: existence, use, recall and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pgvector import HalfVector

from soundalike.doctor.checks import Check, command, size
from soundalike.doctor.database import psql, quoted
from soundalike.store import searching, sql
from soundalike.store.base import first_limit
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.index_layouts import is_too_large
from soundalike.types import FloatArray, Hit

_RECALL_AT = 10
_MIN_RECALL = 0.95
#: Number of stored windows to search for.
_MAX_QUERIES, _MIN_QUERIES = 50, 5
#: Maximum number of comparisons of all exact searches.
_MAX_COMPARISONS = 5_000_000


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """The index of a collection.

    Attributes
    ----------
    wanted : bool
        Whether the collection has enough windows for an index.
    names : list of str
        Names of the index, and of its parts in the chunks of a hypertable.
    invalid : list of str
        Names of incomplete indexes, which searches do not use.
    bytes : int
        Total size.
    """

    wanted: bool
    names: list[str]
    invalid: list[str]
    bytes: int

    @property
    def usable(self) -> bool:
        """Whether searches should use the index."""
        return self.wanted and bool(self.names) and not self.invalid


def look(cursor: Cursor, collection: Collection, exact_below: int) -> VectorIndex:
    """Return the index of a collection."""
    cursor.execute(collection.statement("estimate_windows"), {"limit": exact_below})
    (counted,) = cursor.fetchone() or (0,)
    cursor.execute(collection.statement("vector_indexes"))
    rows = cursor.fetchall()
    return VectorIndex(
        counted >= exact_below,
        [name for name, _, _ in rows],
        [name for name, valid, _ in rows if not valid],
        sum(n_bytes for _, _, n_bytes in rows),
    )


def index(found: VectorIndex, collection: Collection, exact_below: int) -> Check:
    """Check that the index exists and is complete."""
    remedy = command("collections optimize", collection.name)
    if found.invalid:
        return Check(
            "index",
            "warn",
            f"{', '.join(found.invalid)} is incomplete: searches do not use it",
            remedy,
        )
    if found.names:
        return Check("index", "ok", f"hnsw of {collection.layout}, {size(found.bytes)}")
    if not found.wanted:
        return Check("index", "ok", f"none; below {exact_below} windows every search is exact")
    slow = f"none, though there are {exact_below} windows or more: every search reads all of them"
    return Check("index", "warn", slow, remedy)


def plan(cursor: Cursor, collection: Collection, found: VectorIndex) -> Check:
    """Check that the server uses the index."""
    vectors = sample(cursor, collection, 1)
    if not found.usable or not len(vectors):
        return Check("plan", "ok", "every search compares all windows")
    explained = searching.explain(cursor, collection, vectors, first_limit(_RECALL_AT))
    used = {node.get("Index Name") for node in _nodes(explained) if "Order By" in node}
    if used & set(found.names):
        return Check("plan", "ok", "searches use the index")
    cursor.execute(sql.queries()["planner_setting"])
    setting, source = cursor.fetchone() or ("on", "default")
    if setting == "off":
        message = f"searches do not use the index, because enable_indexscan is off ({source})"
        return Check("plan", "warn", message, _reset(cursor, source))
    return Check(
        "plan",
        "warn",
        "searches do not use the index; the server estimates that a full scan is faster",
        command("collections optimize", collection.name),
    )


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _reset(cursor: Cursor, source: str) -> str:
    info = cursor.connection.info
    user, database = quoted(cursor, info.user), quoted(cursor, info.dbname)
    statements = {
        "database": [f"ALTER DATABASE {database} RESET enable_indexscan"],
        "user": [f"ALTER ROLE {user} RESET enable_indexscan"],
        "database user": [f"ALTER ROLE {user} IN DATABASE {database} RESET enable_indexscan"],
    }
    everywhere = ["ALTER SYSTEM SET enable_indexscan = on", "SELECT pg_reload_conf()"]
    return psql(cursor, *statements.get(source, everywhere))


def sample(cursor: Cursor, collection: Collection, count: int) -> FloatArray:
    """Return the vectors of up to `count` stored windows."""
    cursor.execute(collection.statement("sample_windows"), {"limit": count})
    rows = [HalfVector.from_binary(row[0]).to_numpy() for row in cursor.fetchall()]
    return np.array(rows, dtype=np.float32).reshape(len(rows), collection.spec.dimension)


def recall(cursor: Cursor, collection: Collection, found: VectorIndex) -> Check:
    """Check the recall of the index against exact searches."""
    if not found.usable:
        return Check("recall", "ok", "every search is exact")
    cursor.execute(sql.queries()["count_rows"], {"collection": collection.collection_id})
    *_, n_windows = cursor.fetchone() or (0, 0, 0)
    queries = min(_MAX_QUERIES, max(_MIN_QUERIES, _MAX_COMPARISONS // max(1, int(n_windows))))
    vectors = sample(cursor, collection, queries)
    limit = first_limit(_RECALL_AT)
    by_index = searching.nearest(cursor, collection, vectors, limit)
    exact = searching.nearest(cursor, collection, vectors, limit, exact=True)
    measured = _recall(by_index, exact, len(vectors))
    message = f"{measured:.3f} at {_RECALL_AT}, of {len(vectors)} stored windows"
    if measured >= _MIN_RECALL:
        return Check("recall", "ok", message)
    remedy = command("collections optimize", collection.name)
    return Check("recall", "warn", f"only {message}; searches miss similar windows", remedy)


def _recall(found: list[Hit], exact: list[Hit], n_queries: int) -> float:
    """Return the mean share of the best hits that were found; ties count as found."""
    shares = []
    for number in range(n_queries):
        best, here = (
            sorted((hit.score for hit in hits if hit.query_window == number), reverse=True)[
                # The first hit is the query itself.
                1 : _RECALL_AT + 1
            ]
            for hits in (exact, found)
        )
        if best:
            # Tolerance for different rounding.
            shares.append(sum(score >= best[-1] - 1e-6 for score in here) / len(best))
    return float(np.mean(shares)) if shares else 1.0


def memory(cursor: Cursor, found: VectorIndex) -> Check:
    """Check that the index fits into the server's memory."""
    cursor.execute(sql.queries()["memory_settings"])
    buffers, cache, maintenance = (int(value) for value in cursor.fetchone() or (0, 0, 0))
    message = (
        f"index {size(found.bytes)}, shared_buffers {size(buffers)}, effective_cache_size "
        f"{size(cache)}, maintenance_work_mem {size(maintenance)}"
    )
    if not is_too_large(found.bytes, buffers, cache):
        return Check("memory", "ok", message)
    wanted = -(-found.bytes // (1 << 20)) + 128
    return Check(
        "memory",
        "warn",
        f"{message}: searches read the index from disk; give the server more memory and "
        "restart it, or run collections optimize with --layout auto",
        psql(cursor, f"ALTER SYSTEM SET shared_buffers = '{wanted}MB'"),
    )
