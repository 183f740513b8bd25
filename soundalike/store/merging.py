"""Which recordings a search's hits make the best, and when there are enough hits for that."""

from __future__ import annotations

import math
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
    best = best_scores(hits)
    counts = Counter(hit.query_window for hit in hits)
    hidden = {
        window: min(hit.score for hit in hits if hit.query_window == window)
        for window, count in counts.items()
        if count >= limits[window]
    }
    if len(best) < top_k:
        return list(hidden)
    lowest = sorted(best.values(), reverse=True)[top_k - 1]
    return [window for window, score in hidden.items() if score > lowest and limits[window] < _ENOUGH]


def of_the_best(hits: Sequence[Hit], top_k: int) -> list[Hit]:
    """Return the hits of the `top_k` best recordings, and of those that tie with the last of them."""
    best = best_scores(hits)
    if len(best) <= top_k:
        return list(hits)
    lowest = sorted(best.values(), reverse=True)[top_k - 1]
    return [hit for hit in hits if best[hit.recording_id] >= lowest]


def best_scores(hits: Sequence[Hit]) -> dict[str, float]:
    """Return the score of each recording's best hit."""
    best: dict[str, float] = {}
    for hit in hits:
        score = hit.score
        if score > best.get(hit.recording_id, -math.inf):
            best[hit.recording_id] = score
    return best
