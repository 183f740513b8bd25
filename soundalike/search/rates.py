"""False-alarm rates of the recordings that a search has found."""

from __future__ import annotations

from dataclasses import replace

from soundalike.store.base import SearchResult
from soundalike.store.protocol import Store


def rated(found: SearchResult, store: Store, collection: str, n_query_windows: int) -> SearchResult:
    """Return the result of a search with the false-alarm rates of its recordings, if they are known."""
    model = store.null_model(collection=collection) if found.hits else None
    if model is None:
        return found
    best: dict[str, float] = {}
    for hit in found.hits:
        best[hit.recording_id] = max(hit.score, best.get(hit.recording_id, hit.score))
    sizes = [found.n_windows.get(key, 1) for key in best]
    rates = model.rates(list(best.values()), n_query_windows, sizes)
    # More digits mean nothing, and all doors and words are to agree.
    rounded = [float(f"{rate:.2g}") for rate in rates.tolist()]
    return replace(found, false_alarm_rates=dict(zip(best, rounded, strict=True)))
