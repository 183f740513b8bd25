"""When the hits of a query's windows suffice for the best recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from soundalike.types import Hit

#: So many hits of each window of a query are looked at, even if more could still change something: the
#: archive holds hours of one sound that the query has too.
_ENOUGH = 4096


def is_settled(hits: Sequence[Hit], limit: int, top_k: int) -> bool:
    """Tell whether hits beyond the first `limit` of each query window can no longer matter.

    A window of the query that has fewer hits has shown them all. Any other hides what scores less
    than the last of its hits; so nothing is missed once `top_k` recordings score at least that.

    Parameters
    ----------
    hits : sequence of Hit
        At most `limit` of each query window, its best.
    limit, top_k : int
    """
    counts: Counter[int] = Counter()
    last: dict[int, float] = {}
    best: dict[str, float] = {}
    for hit in hits:
        counts[hit.query_window] += 1
        last[hit.query_window] = min(hit.score, last.get(hit.query_window, hit.score))
        best[hit.recording_id] = max(hit.score, best.get(hit.recording_id, hit.score))
    hidden = [score for window, score in last.items() if counts[window] >= limit]
    if not hidden:
        return True
    if len(best) < top_k:
        return False
    return limit >= _ENOUGH or sorted(best.values(), reverse=True)[top_k - 1] >= max(hidden)
