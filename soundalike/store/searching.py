"""Search a collection for the nearest windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from psycopg2.extras import Json

from soundalike.clock.times import FIRST_KNOWN, is_timed, offset_in_day, postgres_zone, time_until
from soundalike.filters import Filters
from soundalike.store import index_layouts, prepared, sql
from soundalike.store.base import SearchResult, first_limit
from soundalike.store.collections import Collection, find
from soundalike.store.connection import Cursor
from soundalike.store.merging import best_hits
from soundalike.store.schema import exists
from soundalike.store.tag_paths import to_jsonpath
from soundalike.types import FloatArray, Hit, Recording

_Row = tuple[Any, ...]
#: Size of the candidate list of an index scan. Recall at 10 is 0.99 from 32 on, with 650 000 windows.
#: With several chunks, each is scanned with a shorter list.
_EF_SEARCH = 40
_MIN_EF_SEARCH = 24
_MAX_EF_SEARCH = 1000
#: Makes the sort key a sum, which no index supports.
_EXACTLY = "+ 0"
#: Slightly below the largest 16-bit float, 65 504.
_LARGEST = 60_000.0


class _Sent(NamedTuple):
    """A vector of the query as text, and its bits if the index needs them."""

    vector: str
    bits: str = ""


def search(
    cursor: Cursor, collection: Collection, vectors: FloatArray, top_k: int, filters: Filters
) -> SearchResult | None:
    """Return the hits of the `top_k` best recordings, or of all if there are fewer.

    None if the collection was deleted or replaced.

    Parameters
    ----------
    cursor : cursor
        Not in a transaction.
    collection : Collection
        A recent lookup.
    vectors : (n_query_windows, dimension) float32
    top_k : int
    filters : Filters
    """
    ask = asking(cursor, collection, vectors, filters)
    hits = best_hits(ask, usable_windows(vectors), starting_limit(top_k, filters), top_k)
    if not hits:
        return SearchResult([], {}) if collection.is_same(find(cursor, collection.name)) else None
    ids = list({hit.recording_id for hit in hits})
    recordings, n_windows = describe(cursor, collection, ids, filters)
    return SearchResult(hits, recordings, n_windows) if recordings else None


def nearest_passing(
    cursor: Cursor,
    collection: Collection,
    vectors: FloatArray,
    limit: int,
    filters: Filters,
    wanted: Sequence[int],
) -> list[Hit] | None:
    """Return the `limit` nearest windows of some of the vectors; None if the collection was replaced."""
    hits = asking(cursor, collection, vectors, filters)(wanted, limit) if wanted else []
    return hits if hits or collection.is_same(find(cursor, collection.name)) else None


def nearest(
    cursor: Cursor, collection: Collection, vectors: FloatArray, limit: int, *, exact: bool = False
) -> list[Hit]:
    """Return the `limit` nearest windows of each vector, with the statement of a search."""
    cursor.execute(*_bare(collection, vectors, limit, exact=exact))
    return [Hit(*row) for row in cursor.fetchall()]


def explain(cursor: Cursor, collection: Collection, vectors: FloatArray, limit: int) -> dict[str, Any]:
    """Return the server's plan for `nearest`, the root node of ``EXPLAIN (FORMAT JSON)``."""
    cursor.execute(*_bare(collection, vectors, limit, before="EXPLAIN (FORMAT JSON) "))
    ((found,),) = cursor.fetchall()
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


def _bare(
    collection: Collection, vectors: FloatArray, limit: int, *, exact: bool = False, before: str = ""
) -> tuple[str, dict[str, Any]]:
    """Return the statement of a search without filters, and its parameters."""
    settings, statement = _form(collection, "", limit, exact=exact)
    query = _query(collection, dict(enumerate(_as_sent(collection, vectors))))
    parameters = {**filter_values(Filters()), **query, "limit": limit}
    return settings + before + statement, parameters


def _form(collection: Collection, narrowed: str, limit: int, *, exact: bool = False) -> tuple[str, str]:
    """Return the settings and the statement of a search with the collection's index, or without."""
    read = limit
    if collection.centre is None or exact:
        statement = collection.statement("search").replace("{exactly}", _EXACTLY if exact else "")
    else:
        # With filters the limit is larger, to save a second scan; no more windows are ranked,
        # because each candidate costs as many steps in the index as the filters reject windows.
        plain_limit = limit * 2 // 3 if narrowed else limit
        read = max(limit, index_layouts.candidates(plain_limit, collection.n_windows))
        template = collection.statement("search_bits").replace("{candidates}", str(read))
        statement = index_layouts.with_centre(template, collection, collection.centre)
    # With relaxed order the index scan continues until enough rows pass the filters; the ranking sorts
    # the rows.
    settings = sql.queries()["search_settings"].format(ef_search=_ef_search(read, collection.n_chunks))
    return settings, statement.replace("{filters}", narrowed, 1)


def _as_sent(collection: Collection, vectors: FloatArray) -> list[_Sent]:
    texts = vector_texts(vectors)
    if collection.centre is None:
        return [_Sent(text) for text in texts]
    return [*map(_Sent, texts, index_layouts.bits(vectors, collection.centre))]


def vector_texts(vectors: FloatArray) -> list[str]:
    """Return vectors in the text format of pgvector.

    They are scaled to integers, which are several times faster to write and parse than fractions and as
    precise as 16-bit floats. The scale does not affect the cosine.

    Examples
    --------
    >>> vector_texts(np.array([[0.5, -0.25], [1e-40, 0.0]], dtype=np.float32))
    ['[60000, -30000]', '[60000, 0]']
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return [str(row) for row in np.rint(vectors / largest * _LARGEST).astype(np.int32).tolist()]


def filter_values(filters: Filters) -> dict[str, Any]:
    """Return the parameters of the SQL of `conditions`."""
    values: dict[str, Any] = {
        "labels": list(filters.labels) or None,
        "without_labels": list(filters.without_labels) or None,
        "tags": Json(dict(filters.tags)),
        "uri_prefix": filters.uri_prefix,
        "where": to_jsonpath(filters.where),
        "excluded": list(filters.excluded),
        # Not before the first recording: earlier times mark windows without a known time.
        "since": max(filters.since or FIRST_KNOWN, FIRST_KNOWN).astimezone(UTC),
        "until": filters.until and filters.until.astimezone(UTC),
    }
    if filters.time_of_day:
        values["zone"] = postgres_zone(filters.time_zone)
        values["day_begin"] = offset_in_day(filters.time_of_day[0])
        values["day_length"] = time_until(*filters.time_of_day)
    return values


def is_narrowed(filters: Filters) -> bool:
    """Return whether there is a filter of label, tags or path."""
    return bool(
        filters.labels or filters.without_labels or filters.tags or filters.uri_prefix or filters.where
    )


def conditions(collection: Collection, filters: Filters) -> str:
    """Return the SQL conditions of a search for the placeholder ``{filters}``."""
    found = []
    if is_narrowed(filters):
        found.append(collection.statement("filter_files"))
    if filters.excluded:
        found.append(collection.statement("filter_excluded"))
    if is_timed(filters):
        found.append(collection.statement("filter_since"))
    if filters.until:
        found.append(collection.statement("filter_until"))
    if filters.time_of_day:
        found.append(collection.statement("filter_time_of_day"))
    return "\n".join(found)


def starting_limit(top_k: int, filters: Filters) -> int:
    """Return the first number of hits per query window; see `soundalike.store.base.first_limit`."""
    limit = first_limit(top_k)
    is_limited = (
        is_narrowed(filters)
        or filters.excluded
        or is_timed(filters)
        or filters.until
        or filters.time_of_day
    )
    # With filters a larger one: each further query would scan the index from the start again.
    return limit + limit // 2 if is_limited else limit


def asking(
    cursor: Cursor, collection: Collection, vectors: FloatArray, filters: Filters
) -> Callable[[Sequence[int], int], list[Hit]]:
    """Return a function that finds the nearest windows of some of the vectors, so many of each."""
    narrowed = conditions(collection, filters)
    ask = partial(_narrowed_hits, filters=filters, narrowed=narrowed) if narrowed else _plain_hits
    usable = usable_windows(vectors)
    sent = dict(zip(usable, _as_sent(collection, vectors[usable]), strict=True)) if usable else {}

    def hits(wanted: Sequence[int], limit: int) -> list[Hit]:
        rows = ask(cursor, collection, {number: sent[number] for number in wanted}, limit)
        # A stored vector that was too small for 16 bits is zero; its score is NaN.
        return [Hit._make(row) for row in rows if not math.isnan(row[-1])]

    return hits


def usable_windows(vectors: FloatArray) -> list[int]:
    """Return the numbers of the vectors that are not zero; the cosine with zero is undefined."""
    return [number for number, vector in enumerate(vectors) if vector.any()]


def _plain_hits(
    cursor: Cursor, collection: Collection, vectors: Mapping[int, _Sent], limit: int
) -> list[_Row]:
    """Return the nearest windows of each vector, with a prepared statement."""
    settings, template = _form(collection, "", limit)
    # A literal, not a parameter: the server would plan for an unknown number of rows.
    statement = template.replace("%(limit)s", str(limit))
    prepared.execute(cursor, statement, _query(collection, vectors), before=settings)
    return cursor.fetchall()


def _narrowed_hits(
    cursor: Cursor,
    collection: Collection,
    vectors: Mapping[int, _Sent],
    limit: int,
    *,
    filters: Filters,
    narrowed: str,
) -> list[_Row]:
    """Return the nearest windows of each vector that pass the filters."""
    parameters = {**filter_values(filters), **_query(collection, vectors), "limit": limit}
    # Settings and query in one message.
    cursor.execute("".join(_form(collection, narrowed, limit)), parameters)
    rows = cursor.fetchall()
    if len(rows) < limit * len(vectors) and exists(cursor, collection.index):
        # Fewer rows pass than requested, or the index scan stopped, as it does after about 20,000
        # rejected rows. Search again without the index.
        cursor.execute("".join(_form(collection, narrowed, limit, exact=True)), parameters)
        rows = cursor.fetchall()
    return rows


def _query(collection: Collection, vectors: Mapping[int, _Sent]) -> dict[str, Any]:
    """Return the parameters of the vectors and the numbers of their query windows."""
    sent = {"vectors": [each.vector for each in vectors.values()], "query_windows": list(vectors)}
    if collection.centre is None:
        return sent
    return {**sent, "bits": [each.bits for each in vectors.values()]}


def _ef_search(limit: int, n_chunks: int) -> int:
    """Return the size of the candidate list per chunk for a total number of rows.

    Examples
    --------
    >>> _ef_search(32, 0), _ef_search(64, 4), _ef_search(64, 100), _ef_search(4000, 1)
    (40, 32, 24, 1000)
    """
    wanted = max(limit, _EF_SEARCH) / math.sqrt(max(1, n_chunks))
    return min(max(round(wanted), _MIN_EF_SEARCH), _MAX_EF_SEARCH)


def describe(
    cursor: Cursor, collection: Collection, recording_ids: list[str], filters: Filters
) -> tuple[dict[str, Recording], dict[str, int]]:
    """Return recordings and their numbers of windows by id; none if the collection was deleted."""
    keys = {
        **{"name": collection.name, "created_at": collection.created_at},
        "recording_ids": recording_ids,
    }
    if is_narrowed(filters):
        values = {**filter_values(filters), **keys, "collection": collection.collection_id}
        cursor.execute(sql.queries()["describe_filtered"], values)
    else:
        prepared.execute(cursor, collection.statement("describe"), keys)
    rows = cursor.fetchall()
    return {row[0]: Recording(*row[:-1]) for row in rows}, {row[0]: row[-1] for row in rows}
