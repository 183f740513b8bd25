"""What becomes of a stored recording that a later decoder has made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from soundalike.store.base import Content, Entry, start_differs, start_source
from soundalike.types import FloatArray, HalfArray, Recording, Window

#: How far the numbers of two vectors of the same samples may lie apart: the order of sums varies with
#: the batch, and 16 bits leave 0.0005 of a number near 1.
_SAME_VECTOR = 1e-3


def earlier_decoder(count: int) -> str:
    """Return what is said of recordings that an earlier decoder has decoded."""
    were = "recording was" if count == 1 else "recordings were"
    return f"{count} {were} decoded by an earlier version, which cut or stretched some files"


def renewed(stored: Recording, new: Recording) -> Recording:
    """Return a recording as it is kept when a later decoder has made it anew.

    The stored start stays, unless the new one is better known. One that was counted back from the end
    of the recording leaves the end where it was.
    """
    if start_differs(stored, new):
        return new
    at, source = stored.recorded_at, start_source(stored)
    if at is not None and source == "mtime":
        at += timedelta(seconds=stored.duration_s - new.duration_s)
    return replace(new, recorded_at=at, recorded_at_source=source)


def is_same(stored: Content, entry: Entry) -> bool:
    """Tell whether a recording has the length, windows and vectors that are stored of it."""
    windows, embeddings = as_stored(entry.windows, entry.embeddings)
    return (
        stored.files[0].duration_s == entry.recording.duration_s
        and _outline(stored.windows) == _outline(windows)
        and np.allclose(stored.embeddings, embeddings, rtol=0, atol=_SAME_VECTOR)
    )


def _outline(windows: Sequence[Window]) -> list[tuple[int, float, float, str]]:
    return [(window.index, window.start_s, window.end_s, window.quality) for window in windows]


def as_stored(windows: Sequence[Window], embeddings: FloatArray) -> tuple[list[Window], HalfArray]:
    """Return windows and vectors as a database keeps them.

    What is silent or clipped has no vector, and what the encoder makes nothing of is as good as silent.
    """
    kept = [
        replace(window, is_silent=quality == "silent", is_clipped=quality == "clipped")
        for window, quality in zip(windows, qualities(windows, embeddings), strict=True)
    ]
    heard = np.array([window.quality == "ok" for window in kept], dtype=bool)
    return kept, np.where(heard[:, np.newaxis], embeddings, 0).astype(np.float16)


def qualities(windows: Sequence[Window], embeddings: FloatArray) -> list[str]:
    """Return the quality under which each window is stored; the vectors are its rows."""
    return [
        window.quality if window.quality != "ok" or vector.any() else "silent"
        for window, vector in zip(windows, embeddings, strict=True)
    ]


def count_searchable(windows: Sequence[Window], embeddings: FloatArray) -> int:
    """Return how many of the windows a search can find."""
    return qualities(windows, embeddings).count("ok")


def hidden_by_encoder(windows: Sequence[Window], embeddings: FloatArray) -> tuple[str, ...]:
    """Return a warning where the encoder makes nothing of a recording that is not silent or clipped."""
    if not any(window.quality == "ok" for window in windows) or count_searchable(windows, embeddings):
        return ()
    return ("zero: the encoder makes nothing of any window, and no search can find them",)
