"""When something like a query was heard, counted by wall-clock time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path

from soundalike.audio import recording_id_of, resolve_path
from soundalike.pipeline import Pipeline, audible
from soundalike.types import BucketWidth, Filters, Timeline


def timeline(
    pipeline: Pipeline,
    source: str | Path,
    *,
    min_score: float,
    bucket: BucketWidth = "day",
    zone: tzinfo = UTC,
    filters: Filters | None = None,
    exclude_self: bool = False,
) -> Timeline:
    """Count by time what sounds like a file.

    Parameters
    ----------
    pipeline : Pipeline
        With the collection to look in.
    source : str or Path
        The query.
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
    AudioError, StoreError, ParameterError
        As their names say.
    """
    filters = filters or Filters()
    if exclude_self:
        own = recording_id_of(resolve_path(source))
        filters = replace(filters, exclude_recording_id=own)
    segments, embeddings = pipeline.embed(source)
    return pipeline.store.count_by_time(
        embeddings[audible(segments.windows)],
        pipeline.spec,
        min_score=min_score,
        bucket=bucket,
        zone=zone,
        filters=filters,
        collection=pipeline.collection,
    )
