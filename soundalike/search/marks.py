"""Score windows by several examples: similar to the right ones, dissimilar to the wrong ones.

The score is the mean of two rules, because each fails where the other does not:

- the mean of the mean and the highest cosine similarity with the right examples, less half the highest
  similarity with a wrong one;
- a logistic regression that separates the right examples from the wrong ones and all other candidates,
  brought to the mean and the spread of the first rule.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.types import FloatArray

Scores = npt.NDArray[np.float64]
#: Cosine from which two windows are the same one; stored vectors have 16 bits.
_SAME = 0.9999
_STEPS = 100


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
    rows = _unit(candidates)
    right, wrong = [_unit(one) for one in marks.right], [_unit(one) for one in marks.wrong]
    alike = _likeness(rows, right, wrong)
    spread = alike.std()
    if len(rows) > 1 and spread > 0:
        learnt = _learnt(rows, right, wrong)
        if learnt is not None and learnt.std() > 0:
            moved = (learnt - learnt.mean()) / learnt.std() * spread + alike.mean()
            alike = (alike + moved) / 2
    scores: Scores = np.clip(alike, -1.0, 1.0)
    return scores


def _likeness(rows: FloatArray, right: Sequence[FloatArray], wrong: Sequence[FloatArray]) -> Scores:
    """Return the scores of the first rule."""
    near = _cosines(rows, right)
    scores: Scores = (near.mean(axis=0) + near.max(axis=0)) / 2
    if wrong:
        scores -= _cosines(rows, wrong).max(axis=0) / 2
    return scores


def _learnt(rows: FloatArray, right: Sequence[FloatArray], wrong: Sequence[FloatArray]) -> Scores | None:
    """Return the decision function of a logistic regression; None if only right windows are known."""
    # SciPy and scikit-learn take a while to import.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    positive = np.concatenate(right)
    # Examples are often candidates themselves. Those are no evidence against themselves.
    others = rows[_cosines(rows, right).max(axis=0) < _SAME]
    negative = np.concatenate([*wrong, others])
    if not len(negative):
        return None
    examples = np.concatenate([positive, negative])
    is_right = np.arange(len(examples)) < len(positive)
    # Both sides weigh the same; all of it as much as the examples that people gave.
    half = (len(right) + len(wrong)) / 2
    weights = np.where(is_right, half / len(positive), half / len(negative))
    model = LogisticRegression(max_iter=_STEPS)
    with warnings.catch_warnings():
        # Nearly converged is good enough for a ranking.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(examples, is_right, sample_weight=weights)
    scores: Scores = model.decision_function(rows).astype(np.float64)
    return scores


def _cosines(rows: FloatArray, examples: Sequence[FloatArray]) -> Scores:
    """Return the highest cosine with any window of each example, ``(n_examples, n_rows)``."""
    return np.stack([(one @ rows.T).max(axis=0).astype(np.float64) for one in examples])


def _unit(rows: FloatArray) -> FloatArray:
    rows = rows.astype(np.float32)
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
