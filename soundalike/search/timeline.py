"""Count occurrences of a query by wall-clock time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path

from soundalike.config import DEFAULT_COLLECTION
from soundalike.filters import Filters
from soundalike.search.queries import EmbeddedQuery, Query, exclude_query
from soundalike.search.searcher import Searcher
from soundalike.store.protocol import Store
from soundalike.types import BucketWidth, Timeline


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
    """Count occurrences of a query by wall-clock time.

    Parameters
    ----------
    searcher : Searcher
        Its collection is searched.
    query : str, Path or Query
        A file, or another query.
    min_score : float
        Minimum cosine similarity of a window to any window of the query.
    bucket : str
        ``hour``, ``day``, ``week`` or ``month``.
    zone : tzinfo
        Time zone of the buckets.
    filters : Filters, optional
        Filters of the windows.
    exclude_self : bool
        Exclude the query recording.

    Raises
    ------
    SilentQuery, RecordingNotFound, AudioError, StoreError, ParameterError
        As for `soundalike.search.searcher.Searcher.search`.
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
    """Count occurrences of an embedded query; see `timeline`."""
    found = store.count_by_time(
        query.embeddings,
        query.spec,
        min_score=min_score,
        bucket=bucket,
        zone=zone,
        filters=exclude_query(filters or Filters(), query, exclude_self=exclude_self),
        collection=collection,
    )
    return replace(found, warnings=query.warnings)
