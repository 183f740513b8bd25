"""Find the best recordings of a search, and decide when it has enough hits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from soundalike.types import Hit

#: Maximum number of hits per query window, even if more could change the result: an archive may contain
#: hours of a sound that the query has too.
_MAX_HITS = 4096


class TopRecordings:
    """Ranking of the recordings by the hits so far.

    Parameters
    ----------
    hits : sequence of Hit
        The best hits of each query window.
    """

    def __init__(self, hits: Sequence[Hit]) -> None:
        self._hits = hits
        self._best: dict[str, float] = {}
        self._counts: dict[int, int] = {}
        self._last: dict[int, float] = {}
        # A plain loop, because this takes most of the time of a search outside the database.
        best, counts, last = self._best, self._counts, self._last
        for window, recording_id, _, _, _, score in hits:
            if score > best.get(recording_id, -math.inf):
                best[recording_id] = score
            if score < last.get(window, math.inf):
                last[window] = score
            counts[window] = counts.get(window, 0) + 1

    def open_windows(self, limits: Mapping[int, int], top_k: int) -> list[int]:
        """Return the query windows whose further hits could change the result.

        A window with fewer hits than requested has no further hits. Further hits of other windows score
        at most as high as the last one, so they do not matter once `top_k` recordings reach that score.

        Parameters
        ----------
        limits : mapping of int to int
            Requested number of hits of each query window.
        top_k : int
        """
        limited = [window for window, count in self._counts.items() if count >= limits[window]]
        if len(self._best) < top_k:
            return limited
        lowest = self._lowest(top_k)
        return [
            window for window in limited if self._last[window] > lowest and limits[window] < _MAX_HITS
        ]

    def hits_of_best(self, top_k: int) -> list[Hit]:
        """Return the hits of the `top_k` best recordings, including ties with the last."""
        if len(self._best) <= top_k:
            return list(self._hits)
        lowest, best = self._lowest(top_k), self._best
        return [hit for hit in self._hits if best[hit.recording_id] >= lowest]

    def _lowest(self, top_k: int) -> float:
        """Return the score of the last of the `top_k` best recordings."""
        return sorted(self._best.values(), reverse=True)[top_k - 1]


def best_hits(
    ask: Callable[[Sequence[int], int], Sequence[Hit]],
    windows: Sequence[int],
    limit: int,
    top_k: int,
) -> list[Hit]:
    """Return the hits of the `top_k` best recordings; requests more hits until they are certain.

    Parameters
    ----------
    ask : callable
        Returns the best hits of some query windows, at most so many of each.
    windows : sequence of int
        The query windows.
    limit : int
        Number of hits of each window to begin with.
    top_k : int
    """
    hits: list[Hit] = []
    top = TopRecordings(hits)
    limits = dict.fromkeys(windows, limit)
    wanted = list(windows)
    while wanted:
        found = ask(wanted, limit)
        hits = [hit for hit in hits if hit.query_window not in wanted]
        hits += found
        top = TopRecordings(hits)
        wanted = top.open_windows(limits, top_k)
        limit *= 2
        limits |= dict.fromkeys(wanted, limit)
    return top.hits_of_best(top_k)
