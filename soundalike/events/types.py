"""Events: occurrences of a query in recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from soundalike.scores.words import word_for
from soundalike.search.match_json import local_time, recording_from_json
from soundalike.types import Recording

_DECIMALS_S = 3


@dataclass(frozen=True, slots=True)
class Event:
    """One occurrence of a query in a recording.

    Attributes
    ----------
    recording : Recording
    start_s, end_s : float
        Begin and end in the recording, in seconds.
    query_start_s, query_end_s : float or None
        The part of the query that was found, in seconds from the start of the query's recording. None if
        the query is a vector.
    score : float
        Similarity to the query against the recording's background, -1 to 1; higher is more alike.
    false_alarm_rate : float or None
        Probability that one unrelated recording of the collection, as long as this one, has an event
        that scores at least this; None where it is not known.
    collection : str
        The collection that holds the recording.
    false_alarms_per_hour : float or None
        Expected number of such events in an hour of unrelated sound.
    is_reread : bool
        Whether the sound was read again: only then are bounds exact, and the scores of both steps have
        different scales.
    """

    recording: Recording
    start_s: float
    end_s: float
    query_start_s: float | None
    query_end_s: float | None
    score: float
    false_alarm_rate: float | None
    collection: str
    false_alarms_per_hour: float | None = None
    is_reread: bool = False

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    @property
    def occurred_at(self) -> datetime | None:
        """Begin in UTC, to the millisecond as in JSON; None if the recording's start is unknown."""
        began = self.recording.recorded_at
        # Rounded here, so that events read from a service's JSON have the same time as those found.
        return began and began.astimezone(UTC) + timedelta(seconds=round(self.start_s, _DECIMALS_S))


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """The events of a query, as a service answers with them.

    Attributes
    ----------
    query : str
        Name of the query.
    encoder : str
    events : list of Event
    warnings : tuple of str
    missing_shards : tuple of str
        Databases of the index that could not be reached; their recordings are missing.
    """

    query: str
    encoder: str
    events: list[Event]
    warnings: tuple[str, ...]
    missing_shards: tuple[str, ...] = ()


def event_to_json(event: Event, query: str, encoder: str, zone: tzinfo = UTC) -> dict[str, Any]:
    """Return the JSON object of an event, with times in `zone`."""
    recording = event.recording
    return {
        "query": query,
        "uri": recording.uri,
        "recording_id": recording.recording_id,
        "start_s": round(event.start_s, _DECIMALS_S),
        "end_s": round(event.end_s, _DECIMALS_S),
        "query_start_s": _rounded(event.query_start_s),
        "query_end_s": _rounded(event.query_end_s),
        "score": round(event.score, 6),
        "false_alarm_rate": event.false_alarm_rate,
        "strength": word_for(event.false_alarm_rate),
        "false_alarms_per_hour": event.false_alarms_per_hour,
        "is_reread": event.is_reread,
        "occurred_at": local_time(event.occurred_at, zone),
        "label": recording.label,
        "tags": recording.tags,
        "recorded_at": local_time(recording.recorded_at, zone),
        "recorded_at_source": recording.recorded_at_source,
        "duration_s": recording.duration_s,
        "collection": event.collection,
        "encoder": encoder,
    }


def event_from_json(row: Mapping[str, Any]) -> Event:
    """Return the event of a JSON object.

    Raises
    ------
    KeyError, TypeError, ValueError
        The object has another form.
    """
    names = (
        *("start_s", "end_s", "query_start_s", "query_end_s", "score", "false_alarm_rate"),
        "collection",
    )
    # Earlier versions of the service do not report these.
    later = {name: row[name] for name in ("false_alarms_per_hour", "is_reread") if name in row}
    return Event(recording_from_json(row), **{name: row[name] for name in names}, **later)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DECIMALS_S)
