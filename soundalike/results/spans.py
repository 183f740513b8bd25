"""Spans: the common form of matches, events and annotations for export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from soundalike.annotations.types import StoredAnnotation
from soundalike.types import FileStat, Match

if TYPE_CHECKING:
    from soundalike.events.types import Event


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a recording.

    Attributes
    ----------
    uri : str
        Path of the recording, or the name of an upload.
    recording_id : str
    start_s, end_s : float
        Bounds in seconds from the start of the recording.
    score : float or None
        Similarity to the query; None for an annotation.
    label : str or None
    occurred_at : datetime or None
        Begin in UTC; None if unknown.
    false_alarm_rate : float or None
    query_start_s, query_end_s : float or None
        The matching part of the query.
    rank : int or None
        From 1; None for an event or an annotation.
    collection : str
    low_hz, high_hz : float or None
    duration_s : float or None
        Length of the recording.
    stat : FileStat or None
        Size and time of the file when it was indexed, if known.
    """

    uri: str
    recording_id: str
    start_s: float
    end_s: float
    score: float | None = None
    label: str | None = None
    occurred_at: datetime | None = None
    false_alarm_rate: float | None = None
    query_start_s: float | None = None
    query_end_s: float | None = None
    rank: int | None = None
    collection: str = ""
    low_hz: float | None = None
    high_hz: float | None = None
    duration_s: float | None = None
    stat: FileStat | None = None


def span_of(found: Match | Event, label: str | None = None) -> Span:
    """Return the span of a match or an event.

    Parameters
    ----------
    found : Match or Event
    label : str, optional
        Label of the span; by default the recording's.
    """
    recording = found.recording
    return Span(
        uri=recording.uri,
        recording_id=recording.recording_id,
        start_s=found.start_s,
        end_s=found.end_s,
        score=found.score,
        label=label or recording.label,
        occurred_at=found.occurred_at,
        false_alarm_rate=getattr(found, "false_alarm_rate", None),
        query_start_s=found.query_start_s,
        query_end_s=found.query_end_s,
        rank=found.rank if isinstance(found, Match) else None,
        collection=found.collection,
        duration_s=recording.duration_s,
        stat=recording.stat,
    )


def annotated_span(stored: StoredAnnotation, collection: str, began: datetime | None = None) -> Span:
    """Return the span of an annotation; `began` is the start time of its recording."""
    span = stored.annotation
    at = began and began.astimezone(UTC) + timedelta(seconds=span.start_s)
    return Span(
        uri=stored.uri,
        recording_id=stored.recording_id,
        start_s=span.start_s,
        end_s=span.end_s,
        label=span.label,
        occurred_at=at,
        collection=collection,
        low_hz=span.low_hz,
        high_hz=span.high_hz,
        duration_s=stored.duration_s,
    )
