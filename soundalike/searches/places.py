"""Which places of a recording are marked: a mark covers the places that it mostly overlaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from soundalike.store.named_searches import SearchMark

_Seconds = npt.ArrayLike
#: Verdicts of places.
RIGHT, UNMARKED, WRONG = 1, 0, -1
_TINY_S = 1e-6


def by_recording(marks: Iterable[SearchMark]) -> dict[str, list[SearchMark]]:
    """Return marks by recording, in their order."""
    found: dict[str, list[SearchMark]] = defaultdict(list)
    for mark in marks:
        found[mark.recording_id].append(mark)
    return dict(found)


def verdicts(starts_s: _Seconds, ends_s: _Seconds, marks: Iterable[SearchMark]) -> npt.NDArray[np.int8]:
    """Return the verdicts of places of one recording: `RIGHT`, `UNMARKED` or `WRONG`.

    A mark covers a place if they share at least half of the shorter one. Of several marks the latest
    counts.

    Parameters
    ----------
    starts_s, ends_s : (n_places,) array_like
        Bounds of the places in seconds.
    marks : iterable of SearchMark
        Marks of this recording, in the order of marking.

    Examples
    --------
    >>> mark = SearchMark("", "", 2.0, 6.0, is_right=False)
    >>> verdicts([0.0, 2.0, 4.5], [4.0, 6.0, 8.5], [mark]).tolist()
    [-1, -1, 0]
    """
    starts, ends = np.asarray(starts_s, dtype=float), np.asarray(ends_s, dtype=float)
    found = np.full(len(starts), UNMARKED, dtype=np.int8)
    for mark in marks:
        shared = np.minimum(ends, mark.end_s) - np.maximum(starts, mark.start_s)
        shorter = np.minimum(ends - starts, mark.end_s - mark.start_s)
        covered = (shared >= shorter / 2 - _TINY_S) & (shared >= 0)
        found[covered] = RIGHT if mark.is_right else WRONG
    return found


def verdict(
    recording_id: str, start_s: float, end_s: float, marks: Mapping[str, list[SearchMark]]
) -> int:
    """Return the verdict of one place; `marks` are those of `by_recording`."""
    return int(verdicts([start_s], [end_s], marks.get(recording_id, []))[0])
