"""Find the parts of recordings that stand out from the recording's own background, by stored vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from soundalike.events.activity import Columns
from soundalike.types import FloatArray, Recording

if TYPE_CHECKING:
    from soundalike.store.base import SearchableWindows

#: Deviations above the recording's middle distance from its mean.
RARE = 4.0
#: Least deviation, so that in a recording of equal windows rounding does not stand out.
_LEAST_SPREAD = 0.02
#: The middle half of a normal distribution is this many standard deviations wide.
_TO_DEVIATION = 1.4826


@dataclass(frozen=True, slots=True)
class Outlier:
    """A part of a recording that differs from the rest.

    Attributes
    ----------
    recording : Recording
    start_s, end_s : float
    contrast : float
        Deviations above the recording's middle.
    vector : (dimension,) float32
        Mean of the part's vectors, without the background.
    shape : (n_columns, 64) float16, optional
        Its spectrogram, where its sound was read.
    """

    recording: Recording
    start_s: float
    end_s: float
    contrast: float
    vector: FloatArray
    shape: Columns | None = None


def outliers(windows: SearchableWindows, n_examples: int) -> list[Outlier]:
    """Return the parts of a recording that stand out; overlapping windows are one part.

    A short recording has too few windows to tell its sounds from its background. If nothing stands out,
    it is one part as a whole, with a contrast of at most `RARE`: only its sound can tell more.

    Parameters
    ----------
    windows : SearchableWindows
    n_examples : int
        Consecutive stretches of a window whose vectors stand side by side in that of the window.
    """
    # The encoder, which only needs `Outlier`, has no driver of the database.
    from soundalike.events.assembling import SHORT_S
    from soundalike.events.screening import background_of, blocks_of

    # Vectors of each stretch: the mean over the windows that hold it.
    background = background_of(blocks_of(windows.embeddings)).reshape(n_examples, -1).mean(axis=0)
    examples = windows.embeddings.astype(np.float32).reshape(-1, len(background))
    length_s = np.repeat((windows.ends_s - windows.starts_s) / n_examples, n_examples)
    starts_s = np.repeat(windows.starts_s, n_examples) + np.tile(
        np.arange(n_examples), len(windows.starts_s)
    ) * (length_s)
    starts_s, rows = np.unique(np.round(starts_s, 3), return_index=True)
    rest = examples[rows] - background
    ends_s = starts_s + length_s[rows]
    distances = np.linalg.norm(rest, axis=1)
    middle = float(np.median(distances))
    spread = max(_TO_DEVIATION * float(np.median(np.abs(distances - middle))), _LEAST_SPREAD * middle)
    contrasts = (distances - middle) / max(spread, 1e-9)
    found: list[Outlier] = []
    standing = np.flatnonzero(contrasts > RARE)
    for run in np.split(standing, np.flatnonzero(np.diff(standing) > 1) + 1):
        if len(run):
            found.append(
                Outlier(
                    windows.recording,
                    float(starts_s[run[0]]),
                    min(float(ends_s[run[-1]]), windows.recording.duration_s),
                    float(contrasts[run].max()),
                    rest[run].mean(axis=0),
                )
            )
    if not found and windows.recording.duration_s < SHORT_S:
        best = int(contrasts.argmax())
        found.append(
            Outlier(
                windows.recording, 0.0, windows.recording.duration_s, float(contrasts[best]), rest[best]
            )
        )
    return found
