"""Layouts of the vector index: all numbers of a vector in half precision, or one bit for each."""

from __future__ import annotations

import json
import math
from functools import lru_cache

import numpy as np

from soundalike.ranges import Layout
from soundalike.store import sql
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.types import FloatArray

#: A search of the layout ``bit`` ranks so many times the requested windows by their vectors, up to
#: this number of windows. In larger collections, more windows have almost the same bits.
_CANDIDATES = 3
_CANDIDATES_UP_TO = 1_000_000
#: `auto` keeps halfvec for shorter vectors: 128 bits miss too many of the best windows.
_MIN_BITS = 256
#: Bytes of an entry beside its vector: its links to neighbours, and the unused rest of the page.
_HALFVEC_ENTRY_BYTES = 620
_BIT_ENTRY_BYTES = 310


def candidates(limit: int, windows: int) -> int:
    """Return the number of windows that a search of the layout ``bit`` ranks by their vectors.

    It grows with the square root of the number of stored windows, in steps: the server plans each
    statement.

    Examples
    --------
    >>> [candidates(32, windows) for windows in (20_000, 1_000_000, 2_000_000, 10_000_000)]
    [96, 96, 160, 320]
    """
    growth = math.sqrt(max(1.0, windows / _CANDIDATES_UP_TO))
    return math.ceil(_CANDIDATES * growth) * limit


def index_bytes(layout: str, windows: int, dimension: int) -> int:
    """Return the approximate size of an index.

    Measured with 512 numbers: 1640 bytes for each window with halfvec, 367 with bit.

    Examples
    --------
    >>> index_bytes("halfvec", 10**6, 512) >> 20, index_bytes("bit", 10**6, 512) >> 20
    (1567, 356)
    """
    if layout == "bit":
        return windows * (dimension // 8 + _BIT_ENTRY_BYTES)
    return windows * (2 * dimension + _HALFVEC_ENTRY_BYTES)


def is_too_large(n_bytes: int, shared_buffers: int, effective_cache_size: int) -> bool:
    """Return whether an index fits neither into the server's buffers nor into half of the cache.

    The other half of the cache is for tables and other programs.

    Examples
    --------
    >>> is_too_large(3 * 2**30, 128 * 2**20, 4 * 2**30), is_too_large(2**30, 128 * 2**20, 4 * 2**30)
    (True, False)
    """
    return n_bytes > max(shared_buffers, effective_cache_size // 2)


def chosen(cursor: Cursor, collection: Collection, layout: Layout) -> str:
    """Return the layout to build: ``auto`` chooses by the size of the index and the server's memory.

    It chooses bit where an index with halfvec does not fit into memory, for vectors of 256 numbers or
    more.
    """
    if layout != "auto":
        return layout
    cursor.execute(sql.queries()["count_rows"], {"collection": collection.collection_id})
    *_, windows = cursor.fetchone() or (0,)
    cursor.execute(sql.queries()["memory_settings"])
    buffers, cache, _ = (int(value) for value in cursor.fetchone() or (0, 0, 0))
    dimension = collection.spec.dimension
    is_large = is_too_large(index_bytes("halfvec", int(windows), dimension), buffers, cache)
    return "bit" if is_large and dimension >= _MIN_BITS else "halfvec"


def with_centre(statement: str, collection: Collection, centre: str) -> str:
    """Return a statement of the layout ``bit`` for a collection and the centre of its vectors."""
    dimension = str(int(collection.spec.dimension))
    return statement.replace("{centre}", centre).replace("{dimension}", dimension)


def bits(vectors: FloatArray, centre: str) -> list[str]:
    """Return whether the numbers of vectors are above the centre, as PostgreSQL's bit strings.

    Parameters
    ----------
    vectors : (n, dimension) float32
        Without zero vectors; their length does not matter.
    centre : str
        Mean of stored vectors, which have length 1, in the text format of pgvector.

    Examples
    --------
    >>> bits(np.array([[3.0, 4.0], [-3.0, 4.0]], dtype=np.float32), "[0.7,0]")
    ['01', '01']
    """
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    above = (units > _numbers(centre)).astype(np.uint8) + ord("0")
    return [row.tobytes().decode("ascii") for row in above]


@lru_cache(maxsize=64)
def _numbers(centre: str) -> FloatArray:
    return np.array(json.loads(centre), dtype=np.float32)
