"""Count occurrences of a query by wall-clock time."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo
from pathlib import Path

from soundalike.filters import Filters
from soundalike.search.queries import EmbeddedQuery, Query, exclude_query
from soundalike.search.requests import TimelineRequest
from soundalike.search.searcher import Searcher
from soundalike.store.partial import partial_answers
from soundalike.store.protocol import Store
from soundalike.types import BucketWidth, Timeline


def timeline(
    searcher: Searcher,
    query: str | Path | Query,
    *,
    min_score: float,
    bucket: BucketWidth = TimelineRequest.by,
    zone: tzinfo = TimelineRequest.zone,
    filters: Filters | None = None,
    exclude_self: bool = TimelineRequest.exclude_self,
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
    if not isinstance(query, Query):
        query = Query(query)
    request = TimelineRequest(
        query, min_score, bucket, zone, filters or Filters(), exclude_self, searcher.collection
    )
    return timeline_of(request, searcher.embedded(query), searcher.store)


def timeline_of(request: TimelineRequest, query: EmbeddedQuery, store: Store) -> Timeline:
    """Count occurrences of an embedded query; see `timeline`."""
    with partial_answers() as missing:
        found = store.count_by_time(
            query.embeddings,
            query.spec,
            min_score=request.min_score,
            bucket=request.by,
            zone=request.zone,
            filters=exclude_query(request.filters, query, exclude_self=request.exclude_self),
            collection=request.collection,
        )
    warnings = (*query.warnings, *missing.warnings)
    return replace(found, warnings=warnings, missing_shards=missing.shards)
