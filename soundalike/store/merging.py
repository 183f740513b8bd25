"""Which recordings a search's hits make the best, and when there are enough hits for that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from soundalike.types import Hit

#: So many hits of each window of a query are looked at, even if more could still change something: the
#: archive holds hours of one sound that the query has too.
_ENOUGH = 4096


class TopRecordings:
    """How the recordings stand by the hits so far.

    Parameters
    ----------
    hits : sequence of Hit
        Of each query window its best.
    """

    def __init__(self, hits: Sequence[Hit]) -> None:
        self._hits = hits
        self._best: dict[str, float] = {}
        self._counts: dict[int, int] = {}
        self._last: dict[int, float] = {}
        # Read once and counted by hand: this is most of what a search does outside the database.
        best, counts, last = self._best, self._counts, self._last
        for window, recording_id, _, _, _, score in hits:
            if score > best.get(recording_id, -math.inf):
                best[recording_id] = score
            if score < last.get(window, math.inf):
                last[window] = score
            counts[window] = counts.get(window, 0) + 1

    def open_windows(self, limits: Mapping[int, int], top_k: int) -> list[int]:
        """Return the query windows of which hits beyond those so far may still matter.

        A window of the query that has fewer hits than were asked for has shown them all. Any other
        hides what scores less than the last of its hits; so nothing of it is missed once `top_k`
        recordings score at least that.

        Parameters
        ----------
        limits : mapping of int to int
            How many hits of each query window were asked for.
        top_k : int
        """
        hidden = [window for window, count in self._counts.items() if count >= limits[window]]
        if len(self._best) < top_k:
            return hidden
        lowest = self._lowest(top_k)
        return [window for window in hidden if self._last[window] > lowest and limits[window] < _ENOUGH]

    def of_the_best(self, top_k: int) -> list[Hit]:
        """Return the hits of the `top_k` best recordings, and of those that tie with the last."""
        if len(self._best) <= top_k:
            return list(self._hits)
        lowest, best = self._lowest(top_k), self._best
        return [hit for hit in self._hits if best[hit.recording_id] >= lowest]

    def _lowest(self, top_k: int) -> float:
        """Return the score of the last of the `top_k` best recordings."""
        return sorted(self._best.values(), reverse=True)[top_k - 1]
