"""Cross-validation over marks, and the choice of a rule by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.learning.rules import RULES, Examples, Rule, Scores
from soundalike.types import FloatArray

#: Parts of the marks that are left out one after the other.
MAX_FOLDS = 10
#: Right and wrong marks from which rules can be compared.
MIN_OF_EACH = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that a person has marked.

    Attributes
    ----------
    recording_id : str
        Marks of one recording are left out together.
    rows : (n, dimension) float32
        Its windows, of length 1.
    is_right : bool
    """

    recording_id: str
    rows: FloatArray
    is_right: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule that separates right from wrong marks best.

    Attributes
    ----------
    rule : str
        A name of `soundalike.learning.rules.RULES`.
    auc : dict of str to float
        For each rule, the share of pairs of a right and a wrong mark in the right order, when both are
        left out of the examples; empty if there are too few marks to compare.
    """

    rule: str
    auc: dict[str, float]


def with_marks(examples: Examples, marks: Sequence[Mark]) -> Examples:
    """Return examples, and marks as further ones."""
    right = tuple(mark.rows for mark in marks if mark.is_right)
    wrong = tuple(mark.rows for mark in marks if not mark.is_right)
    return Examples((*examples.right, *right), (*examples.wrong, *wrong))


def held_out_scores(rows: FloatArray, examples: Examples, marks: Sequence[Mark], rule: Rule) -> Scores:
    """Return the score of each mark by a rule that has not seen its recording.

    Parameters
    ----------
    rows : (n_windows, dimension) float32
        Candidates, of length 1.
    examples : Examples
        Examples that are never left out; at least the query.
    marks : sequence of Mark
    rule : Rule

    Returns
    -------
    scores : (n_marks,) float64
        Those of the best windows.
    """
    scores = np.zeros(len(marks))
    fold_of = folds(marks)
    for fold in np.unique(fold_of):
        left_out = np.flatnonzero(fold_of == fold).tolist()
        seen = [mark for mark, its in zip(marks, fold_of, strict=True) if its != fold]
        own = [marks[row].rows for row in left_out]
        found = rule(np.concatenate([rows, *own]), with_marks(examples, seen))[len(rows) :]
        ends = np.cumsum([len(one) for one in own])
        scores[left_out] = [part.max() for part in np.split(found, ends[:-1])]
    return scores


def folds(marks: Sequence[Mark]) -> npt.NDArray[np.int_]:
    """Return a fold for each mark: recordings stay together, right and wrong ones are distributed."""
    has_right: dict[str, bool] = {}
    for mark in marks:
        has_right[mark.recording_id] = has_right.get(mark.recording_id, False) or mark.is_right
    ordered = sorted(has_right, key=lambda key: has_right[key])
    fold_of = {key: number % MAX_FOLDS for number, key in enumerate(ordered)}
    return np.array([fold_of[mark.recording_id] for mark in marks], dtype=int)


def choose(
    rows: FloatArray, examples: Examples, marks: Sequence[Mark], names: Sequence[str], default: str
) -> Choice:
    """Return the rule with the highest held-out area under the curve; of equal ones the first.

    Parameters
    ----------
    rows, examples, marks
        As for `held_out_scores`.
    names : sequence of str
        Rules to compare.
    default : str
        Rule if there are fewer than `MIN_OF_EACH` right or wrong marks.
    """
    is_right = np.array([mark.is_right for mark in marks], dtype=bool)
    if min(is_right.sum(), (~is_right).sum()) < MIN_OF_EACH:
        return Choice(default, {})
    found = {
        name: area_under_curve(held_out_scores(rows, examples, marks, RULES[name]), is_right)
        for name in names
    }
    return Choice(max(names, key=lambda name: found[name]), found)


def area_under_curve(scores: Scores, is_right: npt.NDArray[np.bool_]) -> float:
    """Return the share of pairs of a right and a wrong one in the right order; equal ones count half.

    Examples
    --------
    >>> area_under_curve(np.array([0.9, 0.5, 0.5]), np.array([True, True, False]))
    0.75
    """
    difference = scores[is_right][:, None] - scores[~is_right][None, :]
    return float(((difference > 0) + (difference == 0) / 2).mean())
