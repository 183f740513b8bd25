"""From window hits to recordings: a recording's score is its best window's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from soundalike.store.base import check_top_k
from soundalike.types import Hit, Match, Recording, Window


def rank(
    hits: Sequence[Hit],
    recordings: Mapping[str, Recording],
    query_windows: Sequence[Window],
    *,
    top_k: int,
    min_score: float = -1.0,
) -> list[Match]:
    """Merge window hits into matches, best first.

    Parameters
    ----------
    hits : sequence of Hit
        In any order.
    recordings : mapping of str to Recording
        The recordings that the hits name; hits of others are left out.
    query_windows : sequence of Window
        The query's windows; ``hit.query_window`` counts in it.
    top_k : int
        At most this many matches, from 1 to 1000.
    min_score : float
        Matches with a lower score are left out.

    Returns
    -------
    matches : list of Match
        By score, highest first; equal scores by path, then id, so that the order never depends on
        the order of the hits. Of equally good pairs of windows the earliest is reported.

    Raises
    ------
    ParameterError
        `top_k` is out of range.
    """
    check_top_k(top_k)
    by_recording: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.recording_id in recordings:
            by_recording[hit.recording_id].append(hit)
    best = {key: min(found, key=_preference) for key, found in by_recording.items()}
    order = sorted(
        (hit for hit in best.values() if hit.score >= min_score),
        key=lambda hit: (-hit.score, recordings[hit.recording_id].uri, hit.recording_id),
    )
    return [
        Match(
            rank=number,
            recording=recordings[hit.recording_id],
            score=hit.score,
            start_s=hit.start_s,
            end_s=hit.end_s,
            query_start_s=query_windows[hit.query_window].start_s,
            query_end_s=query_windows[hit.query_window].end_s,
            n_hits=len({other.window_index for other in by_recording[hit.recording_id]}),
        )
        for number, hit in enumerate(order[:top_k], start=1)
    ]


def _preference(hit: Hit) -> tuple[float, int, int]:
    return (-hit.score, hit.query_window, hit.window_index)
