"""Group window hits into matches; the score of a recording is that of its best window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from soundalike.ranges import check_group_by, check_max_false_alarms, check_min_score, check_top_k
from soundalike.store.base import SearchResult
from soundalike.types import Hit, Match, Recording, Window


def rank_collections(
    results: Mapping[str, SearchResult],
    query_windows: Sequence[Window],
    *,
    top_k: int,
    min_score: float = -1.0,
    group_by: str = "recording",
    max_false_alarms: float | None = None,
) -> list[Match]:
    """Group window hits into matches, best first.

    Parameters
    ----------
    results : mapping of str to SearchResult
        Hits and recordings by collection, in any order; hits without a recording are ignored.
    query_windows : sequence of Window
        Windows of the query; ``hit.query_window`` is an index into it.
    top_k : int
        Maximum number of matches, 1 to 1000.
    min_score : float
        Minimum score of a match.
    group_by : str
        ``recording``, or ``label`` for the best recording of each label; recordings without a label
        form their own groups.
    max_false_alarms : float, optional
        Maximum false-alarm rate of a match; without it, matches of unknown rates remain.

    Returns
    -------
    matches : list of Match
        By decreasing score; equal scores by path, id and collection, independent of the order of the
        hits. Of equally good pairs of windows the earliest is reported.

    Raises
    ------
    ParameterError
        `top_k` or `max_false_alarms` is out of range, `min_score` is NaN, or `group_by` is invalid.
    """
    check_top_k(top_k)
    check_group_by(group_by)
    check_min_score(min_score)
    check_max_false_alarms(max_false_alarms)
    matches = [
        match
        for name, found in results.items()
        for match in _matches(found, query_windows, name)
        if match.score >= min_score and _is_rare(match, max_false_alarms)
    ]
    matches.sort(
        key=lambda match: (
            -match.score,
            match.recording.uri,
            match.recording.recording_id,
            match.collection,
        )
    )
    if group_by == "label":
        best: dict[object, Match] = {}
        for match in matches:
            best.setdefault(group_of(match.recording), match)
        matches = list(best.values())
    return [replace(match, rank=number) for number, match in enumerate(matches[:top_k], start=1)]


def group_of(recording: Recording) -> object:
    """Return the group of a recording: its label, or its id without a label."""
    return (recording.label,) if recording.label is not None else recording.recording_id


def _is_rare(match: Match, max_false_alarms: float | None) -> bool:
    rate = match.false_alarm_rate
    return max_false_alarms is None or (rate is not None and rate <= max_false_alarms)


def _matches(found: SearchResult, query_windows: Sequence[Window], collection: str) -> list[Match]:
    by_recording: dict[str, list[Hit]] = defaultdict(list)
    for hit in found.hits:
        if hit.recording_id in found.recordings:
            by_recording[hit.recording_id].append(hit)
    best = [min(hits, key=_preference) for hits in by_recording.values()]
    return [
        Match(
            rank=0,
            recording=found.recordings[hit.recording_id],
            score=hit.score,
            start_s=hit.start_s,
            end_s=hit.end_s,
            query_start_s=_seconds(query_windows[hit.query_window])[0],
            query_end_s=_seconds(query_windows[hit.query_window])[1],
            n_hits=len({other.window_index for other in by_recording[hit.recording_id]}),
            collection=collection,
            false_alarm_rate=found.false_alarm_rates.get(hit.recording_id),
            n_other_events=found.n_other_events.get(hit.recording_id),
        )
        for hit in best
    ]


def _seconds(window: Window) -> tuple[float, float] | tuple[None, None]:
    """Return the bounds of a window of the query; None for the empty window of a vector."""
    return (window.start_s, window.end_s) if window.end_s > window.start_s else (None, None)


def _preference(hit: Hit) -> tuple[float, int, int]:
    return (-hit.score, hit.query_window, hit.window_index)
