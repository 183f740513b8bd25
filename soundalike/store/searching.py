"""Search in one collection: vectors in, hits and their recordings out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import numpy as np
from psycopg2.extras import Json

from soundalike import sql
from soundalike.store.base import SearchResult, first_limit, of_the_best
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.merging import is_settled
from soundalike.store.schema import exists
from soundalike.store.tag_paths import to_jsonpath
from soundalike.store.times import (
    FIRST_KNOWN,
    is_timed,
    offset_in_day,
    postgres_zone,
    time_until,
)
from soundalike.types import Filters, FloatArray, Hit, Recording

#: Candidates that a search of the index keeps in mind. Recall at 10 is 0.99 from about 40 on; where
#: the windows lie in several chunks each is searched, and a few from each make up many.
_EF_SEARCH = 64
_MIN_EF_SEARCH = 24
_MAX_EF_SEARCH = 1000
#: Makes the order that of a sum, which no index has.
_EXACTLY = "+ 0"
#: A little below the largest number of 16 bits, 65 504.
_LARGEST = 60_000.0


def search(
    cursor: Cursor, collection: Collection, vectors: FloatArray, top_k: int, filters: Filters
) -> SearchResult:
    """Return hits that make up `top_k` distinct recordings, where there are that many.

    Parameters
    ----------
    cursor : cursor
        In a transaction, whose settings are changed.
    collection : Collection
    vectors : (n_query_windows, dimension) float32
    top_k : int
    filters : Filters
    """
    # The cosine with a vector of zeros is no number; it resembles nothing.
    usable = [number for number, vector in enumerate(vectors) if vector.any()]
    if not usable:
        return SearchResult([], {})
    parameters = filter_values(filters)
    parameters["vectors"] = vector_texts(vectors[usable])
    found = _settled_hits(cursor, collection, parameters, top_k, conditions(collection, filters))
    hits = of_the_best([replace(hit, query_window=usable[hit.query_window]) for hit in found], top_k)
    statement = sql.queries()["describe_filtered"] if is_narrowed(filters) else sql.queries()["describe"]
    return SearchResult(hits, _describe(cursor, collection, hits, parameters, statement))


def nearest(
    cursor: Cursor, collection: Collection, vectors: FloatArray, limit: int, *, exact: bool = False
) -> list[Hit]:
    """Return the nearest windows of each vector, `limit` of each, as a search would ask for them."""
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
    """Return a search without filters, and its parameters."""
    template = collection.statement("search").replace("{filters}", "", 1)
    statement = template.replace("{exactly}", _EXACTLY if exact else "")
    parameters = {**filter_values(Filters()), "vectors": vector_texts(vectors), "limit": limit}
    return _settings(collection, limit) + before + statement, parameters


def _settings(collection: Collection, limit: int) -> str:
    # Relaxed order goes on scanning the index until enough rows pass the filters; the ranking sorts
    # anyway.
    settings = sql.queries()["search_settings"]
    return settings.format(ef_search=_ef_search(limit, collection.n_chunks))


def vector_texts(vectors: FloatArray) -> list[str]:
    """Return vectors as pgvector reads them.

    As whole numbers, which are written and read several times faster than fractions: the length of a
    vector changes no cosine. They are as fine as the 16 bits that they become.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return [str(row) for row in np.rint(vectors * (_LARGEST / largest)).astype(np.int32).tolist()]


def filter_values(filters: Filters) -> dict[str, Any]:
    """Return the values of the conditions that `conditions` gives."""
    values: dict[str, Any] = {
        "labels": list(filters.labels) or None,
        "without_labels": list(filters.without_labels) or None,
        "tags": Json(dict(filters.tags)),
        "uri_prefix": filters.uri_prefix,
        "where": to_jsonpath(filters.where),
        "excluded": filters.exclude_recording_id,
        # Never before there were recordings: there the windows lie whose time nobody knows.
        "since": max(filters.since or FIRST_KNOWN, FIRST_KNOWN).astimezone(UTC),
        "until": filters.until and filters.until.astimezone(UTC),
    }
    if filters.time_of_day:
        values["zone"] = postgres_zone(filters.time_zone)
        values["day_begin"] = offset_in_day(filters.time_of_day[0])
        values["day_length"] = time_until(*filters.time_of_day)
    return values


def is_narrowed(filters: Filters) -> bool:
    """Tell whether there is a filter of label, tags or path."""
    return bool(
        filters.labels or filters.without_labels or filters.tags or filters.uri_prefix or filters.where
    )


def conditions(collection: Collection, filters: Filters) -> str:
    """Return the conditions of a search in a collection, for the placeholder ``{filters}``."""
    found = []
    if is_narrowed(filters):
        found.append(collection.statement("filter_files"))
    if filters.exclude_recording_id:
        found.append(collection.statement("filter_excluded"))
    if is_timed(filters):
        found.append(collection.statement("filter_since"))
    if filters.until:
        found.append(collection.statement("filter_until"))
    if filters.time_of_day:
        found.append(collection.statement("filter_time_of_day"))
    return "\n".join(found)


def _settled_hits(
    cursor: Cursor, collection: Collection, parameters: dict[str, Any], top_k: int, narrowed: str
) -> list[Hit]:
    """Return as many hits of each vector as the `top_k` best recordings take."""
    template = collection.statement("search").replace("{filters}", narrowed, 1)
    limit = first_limit(top_k)
    is_exact = not narrowed
    statement = template.replace("{exactly}", "")
    while True:
        # One message to the server for all of it.
        cursor.execute(_settings(collection, limit) + statement, {**parameters, "limit": limit})
        hits = [Hit(*row) for row in cursor.fetchall()]
        is_short = len(hits) < limit * len(parameters["vectors"])
        if is_short and not is_exact and exists(cursor, collection.index):
            # Fewer pass than were asked for, or the index gave up, as it does after some 20,000 rows
            # that do not pass. Without it nothing is lost.
            statement, is_exact = template.replace("{exactly}", _EXACTLY), True
        elif is_settled(hits, limit, top_k):
            return hits
        else:
            limit *= 4


def _ef_search(limit: int, n_chunks: int) -> int:
    """Return how many candidates to keep in mind, in each chunk, for so many rows in all.

    Examples
    --------
    >>> _ef_search(64, 0), _ef_search(64, 4), _ef_search(64, 100), _ef_search(4000, 1)
    (64, 32, 24, 1000)
    """
    wanted = max(limit, _EF_SEARCH) / math.sqrt(max(1, n_chunks))
    return min(max(round(wanted), _MIN_EF_SEARCH), _MAX_EF_SEARCH)


def _describe(
    cursor: Cursor,
    collection: Collection,
    hits: Sequence[Hit],
    parameters: dict[str, Any],
    statement: str,
) -> dict[str, Recording]:
    ids = list({hit.recording_id for hit in hits})
    keys = {"collection": collection.collection_id, "recording_ids": ids}
    cursor.execute(statement, {**parameters, **keys})
    return {row[0]: Recording(*row) for row in cursor.fetchall()}
