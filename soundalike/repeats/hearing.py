"""Choose which parts of recordings are read again, and describe the sounds that are heard there."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from soundalike.events.activity import joined
from soundalike.events.listening import Stretch, pooled
from soundalike.events.parts import Found
from soundalike.events.rereading import choose_stretches
from soundalike.repeats.requests import MAX_OUTLIERS
from soundalike.repeats.shapes import shape_of
from soundalike.repeats.standing_out import Outlier
from soundalike.types import FloatArray, Recording

#: Active parts with at most this distance are one.
_GAP_S = 1.0
#: Vectors of other sound that a background is computed with.
_PRIOR_VECTORS = 16


def strongest(found: list[Outlier]) -> list[Outlier]:
    """Return the parts with the highest contrast, so many that memory is bounded."""
    return heapq.nlargest(MAX_OUTLIERS, found, key=lambda one: one.contrast)


def to_read(
    found: Sequence[Outlier], budget_s: float
) -> list[tuple[Recording, list[tuple[float, float]]]]:
    """Return the recordings with the stretches of their sound that are read again, within a budget."""
    by_recording: dict[str, list[Outlier]] = defaultdict(list)
    for one in found:
        by_recording[one.recording.recording_id].append(one)
    parts = list(by_recording.values())
    chosen = choose_stretches(
        [
            (
                each[0].recording.duration_s,
                [Found(one.start_s, one.end_s, 0.0, 0.0, one.contrast) for one in each],
            )
            for each in parts
        ],
        budget_s,
    )
    pairs = zip(parts, chosen, strict=True)
    return [(each[0].recording, stretches) for each, stretches in pairs if stretches]


def active_parts(recording: Recording, begin_s: float, stretch: Stretch) -> Iterator[Outlier]:
    """Yield the active parts of a stretch that begins at a second of a recording."""
    spans = joined(stretch.active, _GAP_S)
    if not spans:
        return
    rows = []
    for track in stretch.tracks:
        share = len(track.vectors) / (len(track.vectors) + _PRIOR_VECTORS)
        rest = pooled(track, spans) - share * np.median(track.vectors, axis=0)
        rows.append(np.sqrt(track.weight) * unit(rest))
    vectors = np.concatenate(rows, axis=1)
    for (start_s, end_s), vector in zip(spans, vectors, strict=True):
        shape = shape_of(stretch.above, start_s, end_s)
        yield Outlier(recording, begin_s + start_s, begin_s + end_s, 0.0, vector, shape)


def unit(rows: FloatArray) -> FloatArray:
    """Return rows of length 1."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: FloatArray = (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
    return scaled
