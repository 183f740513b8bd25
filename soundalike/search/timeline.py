"""When something like a query was heard, counted by wall-clock time."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo
from pathlib import Path

from soundalike.search.queries import EmbeddedQuery, Query, without_own
from soundalike.search.requests import TimelineRequest
from soundalike.search.searcher import Searcher
from soundalike.store.protocol import Store
from soundalike.types import BucketWidth, Filters, Timeline


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
    if not isinstance(query, Query):
        query = Query(query)
    request = TimelineRequest(
        query, min_score, bucket, zone, filters or Filters(), exclude_self, searcher.collection
    )
    return timeline_of(request, searcher.embedded(query), searcher.store)


def timeline_of(request: TimelineRequest, query: EmbeddedQuery, store: Store) -> Timeline:
    """Count by time what resembles a query whose vectors are known; see `timeline`."""
    found = store.count_by_time(
        query.embeddings,
        query.spec,
        min_score=request.min_score,
        bucket=request.by,
        zone=request.zone,
        filters=without_own(request.filters, query, exclude_self=request.exclude_self),
        collection=request.collection,
    )
    return replace(found, warnings=query.warnings)
