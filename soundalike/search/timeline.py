"""When something like a query was heard, counted by wall-clock time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path

from soundalike.config import DEFAULT_COLLECTION
from soundalike.search.queries import EmbeddedQuery, Query, without_own
from soundalike.search.searcher import Searcher
from soundalike.store.protocol import Store
from soundalike.types import BucketWidth, Filters, Timeline


def timeline(
    searcher: Searcher,
    query: str | Path | Query,
    *,
    min_score: float,
    bucket: BucketWidth = "day",
    zone: tzinfo = UTC,
    filters: Filters | None = None,
    exclude_self: bool = False,
) -> Timeline:
    """Count by time what sounds like a query.

    Parameters
    ----------
    searcher : Searcher
        With the collection to look in.
    query : str, Path or Query
        A file, or what else can be looked for.
    min_score : float
        A window counts whose best cosine similarity to any window of the query is at least this.
    bucket : str
        ``hour``, ``day``, ``week`` or ``month``.
    zone : tzinfo
        Whose clocks and calendar count.
    filters : Filters, optional
        What may count.
    exclude_self : bool
        Leave out the query's own recording.

    Raises
    ------
    SilentQuery
        Every window of the query is silent.
    RecordingNotFound
        The query is a recording that is not stored.
    AudioError, StoreError, ParameterError
        As their names say.
    """
    return timeline_of(
        searcher.embedded(query),
        searcher.store,
        min_score=min_score,
        bucket=bucket,
        zone=zone,
        filters=filters,
        exclude_self=exclude_self,
        collection=searcher.collection,
    )


def timeline_of(
    query: EmbeddedQuery,
    store: Store,
    *,
    min_score: float,
    bucket: BucketWidth = "day",
    zone: tzinfo = UTC,
    filters: Filters | None = None,
    exclude_self: bool = False,
    collection: str = DEFAULT_COLLECTION,
) -> Timeline:
    """Count by time what resembles a query whose vectors are known; see `timeline`."""
    found = store.count_by_time(
        query.embeddings,
        query.spec,
        min_score=min_score,
        bucket=bucket,
        zone=zone,
        filters=without_own(filters or Filters(), query, exclude_self=exclude_self),
        collection=collection,
    )
    return replace(found, warnings=query.warnings)
