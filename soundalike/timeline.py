"""When something like a query was heard, counted by wall-clock time."""

from __future__ import annotations

from datetime import UTC, tzinfo
from pathlib import Path

from soundalike.pipeline import Pipeline, without_own
from soundalike.queries import Query
from soundalike.types import BucketWidth, Filters, Timeline


def timeline(
    pipeline: Pipeline,
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
    pipeline : Pipeline
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
    found = pipeline.embedded(query)
    filters = without_own(filters or Filters(), found, exclude_self=exclude_self)
    return pipeline.store.count_by_time(
        found.embeddings,
        found.spec,
        min_score=min_score,
        bucket=bucket,
        zone=zone,
        filters=filters,
        collection=pipeline.collection,
    )
