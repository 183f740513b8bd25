"""Compare a query with the parts of a stretch of sound that differ from its background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundalike.events.activity import joined
from soundalike.events.listening import HOP_S, Hearing, QuerySound, Stretch, Track, pooled
from soundalike.events.parts import Found
from soundalike.types import FloatArray

#: An alignment belongs to a part whose begin is at most this far from its own.
_NEAR_S = 0.75
#: An alignment stands out if it is so many deviations above the middle one.
_RARE = 6.0
#: Active parts that are at least and at most so many times as long as the query are taken as they are.
#: Longer ones may hold it among other sounds; of it, shorter ones may be what rises above the noise.
_SHORT, _LONG = 0.5, 2.0
#: Share of the alignment in the score; the other is that of the sound as a whole.
_ALIGNED = 0.5
#: What a part loses that is e times as long as the query, or as short.
_LENGTH = 0.05
#: Vectors of other sound that a background is computed with, as for a stretch of some seconds.
_PRIOR_VECTORS = 16

Span = tuple[float, float]


def align(
    hearing: Hearing, query: QuerySound, stretch: Stretch, gap_s: float, min_score: float
) -> list[Found]:
    """Return the parts of a stretch that resemble the query, the best first, none overlapping.

    Each part is compared in two ways: the mean of its vectors with that of the query, whatever the order
    in time, and the vectors one after the other, as the query is aligned with them. In both, the
    background of the stretch is subtracted, and the query is heard in this background.

    Parameters
    ----------
    hearing : Hearing
    query : QuerySound
    stretch : Stretch
    gap_s : float
        Active parts with at most this distance are one.
    min_score : float
        Lowest score of a part.

    Returns
    -------
    found : list of Found
        In seconds from the begin of the stretch.
    """
    heard = [hearing.tracks(one) for one in hearing.masked(query, stretch)]
    spans, scores = compare(heard, query.end_s - query.start_s, stretch, gap_s)
    return _apart(spans, scores, query, min_score)


def compare(
    heard: Sequence[Sequence[Track]], length_s: float, stretch: Stretch, gap_s: float
) -> tuple[list[Span], npt.NDArray[np.float64]]:
    """Return parts of a stretch, in seconds from its begin, and how much each resembles a query.

    Parameters
    ----------
    heard : sequence of sequence of Track
        The query's vectors, as it sounds at several levels in a background.
    length_s : float
        Length of the query.
    stretch : Stretch
    gap_s : float
        Active parts with at most this distance are one.
    """
    backgrounds = [background_of(track) for track in stretch.tracks]
    aligned = np.zeros(len(stretch.tracks[0].vectors))
    for each in heard:
        for track, background, own in zip(stretch.tracks, backgrounds, each, strict=True):
            cosines = _diagonal(track.vectors - background, own.vectors - background)
            count = min(len(aligned), len(cosines))
            aligned[:count] += track.weight / len(heard) * cosines[:count]
    spans = joined(stretch.active, gap_s)
    spans += _peaks(aligned, length_s, stretch.duration_s, spans)
    if not spans:
        return [], np.empty(0)
    whole = np.zeros(len(spans))
    for each in heard:
        for track, background, own in zip(stretch.tracks, backgrounds, each, strict=True):
            parts = _unit(pooled(track, spans) - background)
            sought = _unit(pooled(own, [(0.0, length_s)]) - background)[0]
            whole += track.weight / len(heard) * (parts @ sought)
    near = np.array([_best_near(aligned, begin_s) for begin_s, _ in spans])
    lengths = np.array([end_s - begin_s for begin_s, end_s in spans])
    scores = (1 - _ALIGNED) * whole + _ALIGNED * near - _LENGTH * np.abs(np.log(lengths / length_s))
    return spans, np.clip(scores, -1.0, 1.0)


def background_of(track: Track) -> FloatArray:
    """Return the median of a stretch's vectors, drawn towards zero where these are few."""
    share = len(track.vectors) / (len(track.vectors) + _PRIOR_VECTORS)
    middle: FloatArray = (share * np.median(track.vectors, axis=0)).astype(np.float32)
    return middle


def _diagonal(vectors: FloatArray, query: FloatArray) -> npt.NDArray[np.float64]:
    """Return the cosine of the query's vectors, one after the other, with those from each row on.

    What lies beyond the end of the vectors counts as zero.
    """
    count = len(vectors)
    products = vectors @ query.T
    total = np.zeros(count)
    for column in range(min(len(query), count)):
        total[: count - column] += products[column:, column]
    power = np.concatenate([[0.0], np.cumsum((vectors.astype(np.float64) ** 2).sum(axis=1))])
    ends = np.minimum(np.arange(count) + len(query), count)
    lengths = np.sqrt(np.maximum(power[ends] - power[:count], 1e-12))
    cosines: npt.NDArray[np.float64] = total / (lengths * max(float(np.linalg.norm(query)), 1e-9) + 1e-9)
    return cosines


def _peaks(
    aligned: npt.NDArray[np.float64], length_s: float, duration_s: float, active: Sequence[Span]
) -> list[Span]:
    """Return where the query itself seems to be, apart from active parts of about its length."""
    middle = float(np.median(aligned))
    least = middle + _RARE * 1.4826 * float(np.median(np.abs(aligned - middle)))
    room = max(1, round(length_s / HOP_S / 2))
    left = aligned.copy()
    for begin_s, end_s in active:
        if _SHORT * length_s <= end_s - begin_s <= _LONG * length_s:
            # The query would begin before the end of this part, and end after its begin.
            first = max(0, int((begin_s - length_s) / HOP_S) + 1)
            left[first : int(end_s / HOP_S) + 1] = -1.0
    found: list[Span] = []
    for _ in range(len(left)):
        row = int(left.argmax())
        if left[row] <= least:
            break
        left[max(0, row - room) : row + room + 1] = -1.0
        found.append((row * HOP_S, min(row * HOP_S + length_s, duration_s)))
    return [(begin_s, end_s) for begin_s, end_s in found if end_s - begin_s >= HOP_S]


def _best_near(aligned: npt.NDArray[np.float64], begin_s: float) -> float:
    first = max(0, int(np.ceil((begin_s - _NEAR_S) / HOP_S)))
    last = int((begin_s + _NEAR_S) / HOP_S) + 1
    near = aligned[first:last]
    return float(near.max()) if len(near) else 0.0


def _apart(
    spans: Sequence[Span], scores: npt.NDArray[np.float64], query: QuerySound, min_score: float
) -> list[Found]:
    """Return the best parts, without parts that overlap a better one."""
    found: list[Found] = []
    for row in np.argsort(-scores, kind="stable"):
        if scores[row] < min_score:
            break
        begin_s, end_s = spans[row]
        one = Found(begin_s, end_s, query.start_s, query.end_s, float(scores[row]))
        if not any(one.overlaps(other) for other in found):
            found.append(one)
    return found


def _unit(vectors: FloatArray) -> FloatArray:
    rows: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return rows
