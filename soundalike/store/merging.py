"""When the hits of a query's windows suffice for the best recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from soundalike.types import Hit

#: So many hits of each window of a query are looked at, even if more could still change something: the
#: archive holds hours of one sound that the query has too.
_ENOUGH = 4096


def unsettled(hits: Sequence[Hit], limits: Mapping[int, int], top_k: int) -> list[int]:
    """Return the query windows of which hits beyond the first so many may still matter.

    A window of the query that has fewer hits has shown them all. Any other hides what scores less
    than the last of its hits; so nothing of it is missed once `top_k` recordings score at least that.

    Parameters
    ----------
    hits : sequence of Hit
        Of each query window its best.
    limits : mapping of int to int
        How many hits of each query window were asked for.
    top_k : int
    """
    counts: Counter[int] = Counter()
    last: dict[int, float] = {}
    best: dict[str, float] = {}
    for hit in hits:
        counts[hit.query_window] += 1
        last[hit.query_window] = min(hit.score, last.get(hit.query_window, hit.score))
        best[hit.recording_id] = max(hit.score, best.get(hit.recording_id, hit.score))
    hidden = {window: score for window, score in last.items() if counts[window] >= limits[window]}
    if len(best) < top_k:
        return list(hidden)
    lowest = sorted(best.values(), reverse=True)[top_k - 1]
    return [window for window, score in hidden.items() if score > lowest and limits[window] < _ENOUGH]
