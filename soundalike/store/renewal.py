"""Update stored recordings that an earlier decoder has decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from soundalike.store.base import Content, Entry, start_differs, start_source
from soundalike.types import FloatArray, HalfArray, Recording, Window

#: Tolerance between vectors of the same samples: the order of sums depends on the batch, and 16-bit
#: floats have a precision of 0.0005 near 1.
_SAME_VECTOR = 1e-3


def earlier_decoder(count: int) -> str:
    """Return the warning about recordings from an earlier decoder."""
    were = "recording was" if count == 1 else "recordings were"
    return f"{count} {were} decoded by an earlier version, which cut or stretched some files"


def renewed(stored: Recording, new: Recording) -> Recording:
    """Return the recording to store after a newer decoder has decoded it.

    The stored start time remains, unless the new one is more reliable. A start time that was computed
    from the modification time is adjusted to the new length.
    """
    if start_differs(stored, new):
        return new
    at, source = stored.recorded_at, start_source(stored)
    if at is not None and source == "mtime":
        at += timedelta(seconds=stored.duration_s - new.duration_s)
    return replace(new, recorded_at=at, recorded_at_source=source)


def is_same(stored: Content, entry: Entry) -> bool:
    """Return whether a recording has the stored length, windows and vectors."""
    windows, embeddings = as_stored(entry.windows, entry.embeddings)
    return (
        stored.files[0].duration_s == entry.recording.duration_s
        and _outline(stored.windows) == _outline(windows)
        and np.allclose(stored.embeddings, embeddings, rtol=0, atol=_SAME_VECTOR)
    )


def _outline(windows: Sequence[Window]) -> list[tuple[int, float, float, str]]:
    return [(window.index, window.start_s, window.end_s, window.quality) for window in windows]


def as_stored(windows: Sequence[Window], embeddings: FloatArray) -> tuple[list[Window], HalfArray]:
    """Return windows and vectors in their stored form.

    Silent and clipped windows have no vector; windows with a zero embedding count as silent.
    """
    stored = [
        replace(window, is_silent=quality == "silent", is_clipped=quality == "clipped")
        for window, quality in zip(windows, qualities(windows, embeddings), strict=True)
    ]
    is_searchable = np.array([window.quality == "ok" for window in stored], dtype=bool)
    return stored, np.where(is_searchable[:, np.newaxis], embeddings, 0).astype(np.float16)


def qualities(windows: Sequence[Window], embeddings: FloatArray) -> list[str]:
    """Return the stored quality of each window; `embeddings` has a row per window."""
    return [
        window.quality if window.quality != "ok" or vector.any() else "silent"
        for window, vector in zip(windows, embeddings, strict=True)
    ]


def count_searchable(windows: Sequence[Window], embeddings: FloatArray) -> int:
    """Return the number of searchable windows."""
    return qualities(windows, embeddings).count("ok")


def zero_warning(windows: Sequence[Window], embeddings: FloatArray) -> tuple[str, ...]:
    """Return a warning if all embeddings of a recording are zero although it has usable sound."""
    if not any(window.quality == "ok" for window in windows) or count_searchable(windows, embeddings):
        return ()
    return ("zero: the embeddings of all windows are zero, and no search can find them",)
