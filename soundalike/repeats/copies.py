"""The second look: whether two recordings hold the same sound, at one offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from soundalike.repeats.candidates import Candidate
from soundalike.repeats.coherence import RATE_HZ, Overlap, align, coherence, overlap
from soundalike.repeats.requests import DuplicatesRequest
from soundalike.types import FloatArray, Recording

# The indexer, which compares vectors, has no decoders.
if TYPE_CHECKING:
    from soundalike.repeats.sounds import Sounds
    from soundalike.store.protocol import Store

#: ``content``: the files are equal, byte for byte. ``vectors``: the sound could not be read.
Evidence = Literal["content", "sound", "vectors"]

#: Longer recordings are aligned by parts around the windows that are alike, and compared in samples.
_WHOLE_S = 120.0
_BEFORE_S, _AFTER_S, _ROOM_S = 10.0, 14.0, 12.0
_SAMPLE_S, _SAMPLES = 8.0, 6
#: Vectors alone: the least number of windows at one offset, and their cosine without the common mean.
_LEAST_WINDOWS, _LEAST_COSINE = 4, 0.95


@dataclass(frozen=True, slots=True)
class Copy:
    """Two recordings that hold the same sound.

    Attributes
    ----------
    offset_s : float
        Second of the first recording at which the second one begins; negative if it begins earlier.
    score : float
        Coherence of the waveforms; for vectors, their cosine.
    evidence : str
    """

    offset_s: float
    score: float
    evidence: Evidence


class SoundMissing(Exception):
    """The sound of a recording cannot be read, so that only stored vectors can be compared."""


def compare(
    sounds: Sounds | None,
    store: Store,
    first: Sequence[Recording],
    second: Sequence[Recording],
    candidate: Candidate,
    request: DuplicatesRequest,
) -> Copy | None:
    """Return how two recordings are copies; None if they are not.

    Parameters
    ----------
    sounds : Sounds, optional
        Reads sound; without it vectors are compared.
    store : Store
    first, second : sequence of Recording
        Each under all its paths.
    candidate : Candidate
    request : DuplicatesRequest
    """
    if sounds is not None:
        try:
            return compare_sounds(sounds, first, second, candidate, request)
        except SoundMissing:
            pass
    return compare_vectors(store, candidate, request.collection)


def compare_sounds(
    sounds: Sounds,
    first: Sequence[Recording],
    second: Sequence[Recording],
    candidate: Candidate,
    request: DuplicatesRequest,
) -> Copy | None:
    """Return how two recordings are copies by their sound; parameters are those of `compare`.

    Raises
    ------
    SoundMissing
        One of them cannot be read.
    """
    if max(first[0].duration_s, second[0].duration_s) <= _WHOLE_S:
        one, other = sounds.read(first), sounds.read(second)
        if one is None or other is None:
            raise SoundMissing
        return compare_sound(one, other, request)
    bounds = _around(candidate.first_s, 0.0), _around(candidate.second_s, _ROOM_S)
    one, other = sounds.read(first, *bounds[0]), sounds.read(second, *bounds[1])
    if one is None or other is None:
        raise SoundMissing
    lag = align(one, other)
    if lag is None:
        return None
    offset_s = bounds[0][0] - bounds[1][0] + lag / RATE_HZ
    return _compare_long(sounds, first, second, offset_s, request)


def compare_sound(one: FloatArray, other: FloatArray, request: DuplicatesRequest) -> Copy | None:
    """Return how two whole sounds at `RATE_HZ` are copies; None if they are not."""
    lag = align(one, other)
    if lag is None:
        return None
    shared = overlap(one, other, lag)
    if len(shared.first) < request.min_overlap_s * RATE_HZ:
        return None
    score = coherence(shared)
    return Copy(lag / RATE_HZ, score, "sound") if score >= request.min_score else None


def _around(at_s: float, room_s: float) -> tuple[float, float]:
    return max(0.0, at_s - _BEFORE_S - room_s), at_s + _AFTER_S + room_s


def _compare_long(
    sounds: Sounds,
    first: Sequence[Recording],
    second: Sequence[Recording],
    offset_s: float,
    request: DuplicatesRequest,
) -> Copy | None:
    """Compare samples of the whole overlap at one offset; each of them has to agree."""
    begin_s = max(0.0, offset_s)
    end_s = min(first[0].duration_s, offset_s + second[0].duration_s)
    if end_s - begin_s < request.min_overlap_s:
        return None
    length_s = min(_SAMPLE_S, end_s - begin_s)
    pairs: list[Overlap] = []
    for at_s in np.unique(np.linspace(begin_s, end_s - length_s, _SAMPLES)).tolist():
        other_s = max(0.0, at_s - offset_s)
        one = sounds.read(first, at_s, at_s + length_s)
        other = sounds.read(second, other_s, other_s + length_s)
        if one is None or other is None:
            return None
        pairs.append(overlap(one, other, 0))
    loudest = max(float((pair.first**2).mean()) for pair in pairs)
    scores = [coherence(pair) for pair in pairs if float((pair.first**2).mean()) > 1e-3 * loudest]
    if not scores or float(np.median(scores)) < request.min_score:
        return None
    if sum(score >= request.min_score for score in scores) < 0.75 * len(scores):
        return None
    return Copy(offset_s, float(np.mean(scores)), "sound")


def compare_vectors(store: Store, candidate: Candidate, collection: str) -> Copy | None:
    """Compare all windows along one offset, after the mean of both recordings is subtracted."""
    contents = [
        store.content(each, collection=collection) for each in (candidate.first, candidate.second)
    ]
    if contents[0] is None or contents[1] is None:
        return None
    by_start = [
        {window.start_s: row for window, row in zip(each.windows, each.embeddings, strict=True)}
        for each in contents
        if each is not None
    ]
    offset_s = candidate.first_s - candidate.second_s
    pairs = [
        (row, by_start[1][at_s - offset_s])
        for at_s, row in by_start[0].items()
        if at_s - offset_s in by_start[1]
    ]
    if len(pairs) < _LEAST_WINDOWS:
        return None
    one, other = (np.array([pair[side] for pair in pairs], np.float32) for side in (0, 1))
    mean = (one.mean(axis=0) + other.mean(axis=0)) / 2
    one, other = one - mean, other - mean
    cosine = float((one * other).sum() / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-9))
    return Copy(offset_s, cosine, "vectors") if cosine >= _LEAST_COSINE else None
