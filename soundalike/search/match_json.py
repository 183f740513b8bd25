"""The JSON object of a match, which the command line, HTTP and the client share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from typing import Any

from soundalike.scores.words import word_for
from soundalike.types import Match, Recording


def match_to_json(match: Match, query: str, encoder: str, zone: tzinfo = UTC) -> dict[str, Any]:
    """Return the JSON object of a match, with times in `zone`."""
    values = asdict(match)
    recording, collection = values.pop("recording"), values.pop("collection")
    return {
        "query": query,
        "rank": values.pop("rank"),
        "uri": recording["uri"],
        "score": round(values.pop("score"), 6),
        "false_alarm_rate": values.pop("false_alarm_rate"),
        "strength": word_for(match.false_alarm_rate),
        **values,
        "occurred_at": local_time(match.occurred_at, zone),
        "recorded_at": local_time(recording["recorded_at"], zone),
        "recorded_at_source": recording["recorded_at_source"],
        "label": recording["label"],
        "tags": recording["tags"],
        "duration_s": recording["duration_s"],
        "recording_id": recording["recording_id"],
        "collection": collection,
        "encoder": encoder,
    }


def match_from_json(row: Mapping[str, Any]) -> Match:
    """Return the match of a JSON object.

    Raises
    ------
    KeyError, TypeError, ValueError
        The object has another form.
    """
    names = ("rank", "score", "start_s", "end_s", "query_start_s", "query_end_s", "n_hits")
    return Match(
        recording=recording_from_json(row),
        collection=row["collection"],
        # Earlier versions of the service do not report it.
        false_alarm_rate=row.get("false_alarm_rate"),
        n_other_events=row.get("n_other_events"),
        **{name: row[name] for name in names},
    )


def recording_from_json(row: Mapping[str, Any]) -> Recording:
    """Return the recording in the JSON object of a match or event; see `match_from_json`."""
    recorded_at = row["recorded_at"]
    return Recording(
        recording_id=row["recording_id"],
        uri=row["uri"],
        duration_s=row["duration_s"],
        label=row["label"],
        tags=row["tags"],
        recorded_at=recorded_at and datetime.fromisoformat(recorded_at),
        recorded_at_source=row["recorded_at_source"],
    )


def local_time(at: datetime | None, zone: tzinfo) -> str | None:
    """Return a time as ISO 8601 in a time zone; None for None."""
    return None if at is None else at.astimezone(zone).isoformat()
