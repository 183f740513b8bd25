"""Matches as documents."""

from datetime import tzinfo

from executors.messages.documents import MatchDoc, time_text
from soundalike.scores.words import word_for
from soundalike.types import Match


def match_doc(match: Match, zone: tzinfo) -> MatchDoc:
    """Return the document of a match, with times in `zone`."""
    recording = match.recording
    return MatchDoc(
        id=recording.recording_id,
        rank=match.rank,
        uri=recording.uri,
        score=match.score,
        false_alarm_rate=match.false_alarm_rate,
        strength=word_for(match.false_alarm_rate),
        start_s=match.start_s,
        end_s=match.end_s,
        query_start_s=match.query_start_s,
        query_end_s=match.query_end_s,
        n_hits=match.n_hits,
        n_other_events=match.n_other_events,
        label=recording.label,
        tags=dict(recording.tags),
        duration_s=recording.duration_s,
        recording_id=recording.recording_id,
        collection=match.collection,
        occurred_at=time_text(match.occurred_at, zone),
        recorded_at=time_text(recording.recorded_at, zone),
        recorded_at_source=recording.recorded_at_source,
    )
