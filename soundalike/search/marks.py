"""Score windows by several examples: similar to the right ones, dissimilar to the wrong ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundalike.learning.rules import Examples, Scores, combined, unit
from soundalike.types import FloatArray


@dataclass(frozen=True, slots=True)
class Marks:
    """The examples of a query.

    Attributes
    ----------
    right, wrong : tuple of (n, dimension) float32
        Windows of each example; the query is the first right one.
    recording_ids : frozenset of str
        Recordings of the examples.
    """

    right: tuple[FloatArray, ...]
    wrong: tuple[FloatArray, ...]
    recording_ids: frozenset[str]


def marked_scores(candidates: FloatArray, marks: Marks) -> Scores:
    """Return the scores of windows.

    Parameters
    ----------
    candidates : (n_windows, dimension) float32
        Stored windows. Scores depend on all of them.
    marks : Marks
        At least one right example.

    Returns
    -------
    scores : (n_windows,) float64
        About on the scale of a cosine, cut to the range from -1 to 1.
    """
    examples = Examples(tuple(map(unit, marks.right)), tuple(map(unit, marks.wrong)))
    scores: Scores = np.clip(combined(unit(candidates), examples), -1.0, 1.0)
    return scores
