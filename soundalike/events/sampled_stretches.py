"""Choose sound of unrelated recordings, to compare their events; reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soundalike.scores.fitting import MIN_RECORDINGS, SampledRecording, unrelated_pairs
from soundalike.types import IndexSpec, Recording

if TYPE_CHECKING:
    from soundalike.store.protocol import Store

#: Recordings whose sound is read, and how much of each in seconds.
_STRETCHES, _LONGEST_S = 64, 24.0


@dataclass(frozen=True, slots=True)
class SampledStretch:
    """A part of a recording, whose sound is compared with that of the others.

    Attributes
    ----------
    recording : Recording
    start_s, end_s : float
    unrelated : frozenset of int
        Positions of the stretches that are unrelated to this one.
    """

    recording: Recording
    start_s: float
    end_s: float
    unrelated: frozenset[int]


def sample_stretches(
    store: Store, sample: Sequence[SampledRecording], spec: IndexSpec, collection: str
) -> list[SampledStretch]:
    """Return what should be read of the first recordings of a sample."""
    some = [each for each in sample if len(each.rows)][:_STRETCHES]
    if len(some) < MIN_RECORDINGS:
        return []
    unrelated: list[set[int]] = [set() for _ in some]
    for first, second in unrelated_pairs(some).tolist():
        unrelated[first].add(second)
        unrelated[second].add(first)
    files = store.files_named([each.recording_id for each in some], collection=collection)
    found = []
    for each, others in zip(some, unrelated, strict=True):
        if each.recording_id in files:
            recording = files[each.recording_id].recording
            last_s = max(0.0, recording.duration_s - _LONGEST_S)
            start_s = min(each.first_window * spec.stride_s, last_s)
            end_s = min(start_s + _LONGEST_S, recording.duration_s)
            found.append(SampledStretch(recording, start_s, end_s, frozenset(others)))
    # Positions hold only if no file is missing.
    return found if len(found) == len(some) else []
