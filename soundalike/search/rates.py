"""False-alarm rates and events of the recordings that a search has found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from soundalike.store.base import SearchResult
from soundalike.store.protocol import Store
from soundalike.types import Hit

#: A window counts as an event up to this rate, above which a match is called chance.
_MAX_RATE = 0.1
#: Windows with at most this many seconds between them are one event.
_GAP_S = 1.5


def rated(found: SearchResult, store: Store, collection: str, n_query_windows: int) -> SearchResult:
    """Return the result of a search with the false-alarm rates of its recordings, if they are known.

    And with the number of other events in each, as far as its hits tell.
    """
    model = store.null_model(collection=collection) if found.hits else None
    if model is None:
        return found
    hits: dict[str, list[Hit]] = defaultdict(list)
    for hit in found.hits:
        hits[hit.recording_id].append(hit)
    sizes = [found.n_windows.get(key, 1) for key in hits]
    best = [max(hit.score for hit in some) for some in hits.values()]
    rates = model.rates(best, n_query_windows, sizes)
    # More digits mean nothing, and all doors and words are to agree.
    rounded = [float(f"{rate:.2g}") for rate in rates.tolist()]
    counts = [len(some) for some in hits.values()]
    scores = [hit.score for some in hits.values() for hit in some]
    is_rare = model.rates(scores, n_query_windows, np.repeat(sizes, counts).tolist()) <= _MAX_RATE
    flags = iter(is_rare.tolist())
    others = {
        key: max(0, _n_places([hit for hit in some if next(flags)]) - 1) for key, some in hits.items()
    }
    return replace(found, false_alarm_rates=dict(zip(hits, rounded, strict=True)), n_other_events=others)


def _n_places(hits: Sequence[Hit]) -> int:
    """Return how many places these windows have that are apart from each other."""
    count, last_s = 0, -np.inf
    for start_s, end_s in sorted({(hit.start_s, hit.end_s) for hit in hits}):
        count += start_s - last_s > _GAP_S
        last_s = max(last_s, end_s)
    return count
