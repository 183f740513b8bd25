"""Rules that score windows by right and wrong examples.

Every rule takes the candidates, ``(n_windows, dimension)`` of length 1, and the examples. Higher scores
are more likely right. The scales of two rules differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.types import FloatArray

Scores = npt.NDArray[np.float64]
#: Cosine from which two windows are the same one; stored vectors have 16 bits.
_SAME = 0.9999
_STEPS = 100
#: Neighbours of a window in the graph, the power of their cosine, and the share that is passed on.
_NEIGHBOURS, _POWER, _SPREAD = 10, 3, 0.9
#: Candidates in the graph, and windows of examples of each kind. The time grows with the third power.
_NODES, _SEEDS = 1000, 256


@dataclass(frozen=True, slots=True)
class Examples:
    """Right and wrong examples.

    Attributes
    ----------
    right, wrong : tuple of (n, dimension) float32
        Windows of each example, of length 1; the query is the first right one.
    """

    right: tuple[FloatArray, ...]
    wrong: tuple[FloatArray, ...] = ()


Rule = Callable[[FloatArray, Examples], Scores]


def plain(rows: FloatArray, examples: Examples) -> Scores:
    """Return the highest cosine similarity with the query alone."""
    scores: Scores = _cosines(rows, examples.right[:1])[0]
    return scores


def nearest_mean(rows: FloatArray, examples: Examples) -> Scores:
    """Return the cosine similarity with the mean of the right examples, less that of the wrong ones."""
    scores: Scores = (rows @ _mean(examples.right)).astype(np.float64)
    if examples.wrong:
        scores -= rows @ _mean(examples.wrong)
    return scores


def likeness(rows: FloatArray, examples: Examples) -> Scores:
    """Return the mean of mean and highest cosine to right ones, less half the highest to wrong ones."""
    near = _cosines(rows, examples.right)
    scores: Scores = (near.mean(axis=0) + near.max(axis=0)) / 2
    if examples.wrong:
        scores -= _cosines(rows, examples.wrong).max(axis=0) / 2
    return scores


def regression(rows: FloatArray, examples: Examples) -> Scores:
    """Return the decision function of a logistic regression of right examples against all other windows.

    All scores are zero if only right windows are known.
    """
    positive = np.concatenate(examples.right)
    # Examples are often candidates themselves. Those are no evidence against themselves.
    others = rows[_cosines(rows, examples.right).max(axis=0) < _SAME]
    return _fitted(rows, positive, np.concatenate([*examples.wrong, others]), examples)


def marks_only(rows: FloatArray, examples: Examples) -> Scores:
    """Return the decision function of a logistic regression of right against wrong examples.

    All scores are zero without wrong examples.
    """
    negative = np.concatenate([rows[:0], *examples.wrong])
    return _fitted(rows, np.concatenate(examples.right), negative, examples)


def spreading(rows: FloatArray, examples: Examples) -> Scores:
    """Return what reaches each window when the examples' labels spread over a graph of neighbours.

    Zhou et al., Learning with local and global consistency, 2004. Candidates that are least like the
    examples are not in the graph, if there are many, and have the lowest score.
    """
    chosen = np.argsort(-likeness(rows, examples), kind="stable")[:_NODES]
    right, wrong = (_thinned(some, rows) for some in (examples.right, examples.wrong))
    graph = _graph(np.concatenate([rows[chosen], right, wrong]))
    seeds = np.zeros(len(graph))
    seeds[len(chosen) : len(chosen) + len(right)] = 1 / len(right)
    if len(wrong):
        seeds[len(chosen) + len(right) :] = -0.5 / len(wrong)
    reached = np.linalg.solve(np.eye(len(graph)) - _SPREAD * graph, seeds)[: len(chosen)]
    scores = np.full(len(rows), reached.min())
    scores[chosen] = reached
    return scores


def mean_of(*rules: Rule) -> Rule:
    """Return the mean of rules, each brought to the mean and the spread of the first one.

    Rules that give all windows the same score are left out, unless it is the first.
    """

    def combined(rows: FloatArray, examples: Examples) -> Scores:
        first = rules[0](rows, examples)
        spread = first.std()
        if len(rows) < 2 or spread == 0:
            return first
        parts = [first]
        for rule in rules[1:]:
            scores = rule(rows, examples)
            if scores.std() > 0:
                parts.append((scores - scores.mean()) / scores.std() * spread + first.mean())
        mean: Scores = np.mean(parts, axis=0)
        return mean

    return combined


#: The rule of searches.
combined = mean_of(likeness, regression, spreading, plain)
#: All rules by name.
RULES: Mapping[str, Rule] = {
    "plain": plain,
    "nearest-mean": nearest_mean,
    "likeness": likeness,
    "marks-only": marks_only,
    "regression": regression,
    "spreading": spreading,
    "likeness+regression": mean_of(likeness, regression),
    "combined": combined,
}


def unit(rows: FloatArray) -> FloatArray:
    """Return rows of length 1; none of them may be zero."""
    rows = rows.astype(np.float32)
    found: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def _mean(groups: Sequence[FloatArray]) -> FloatArray:
    mean = np.mean([group.mean(axis=0) for group in groups], axis=0)
    length = np.linalg.norm(mean)
    found: FloatArray = mean / length if length > 0 else mean
    return found


def _fitted(rows: FloatArray, positive: FloatArray, negative: FloatArray, examples: Examples) -> Scores:
    if not len(negative):
        return np.zeros(len(rows))
    # SciPy and scikit-learn take a while to import.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    windows = np.concatenate([positive, negative])
    is_right = np.arange(len(windows)) < len(positive)
    # Both sides weigh the same; all of it as much as the examples that people gave.
    half = (len(examples.right) + len(examples.wrong)) / 2
    weights = np.where(is_right, half / len(positive), half / len(negative))
    model: Any = LogisticRegression(max_iter=_STEPS)
    with warnings.catch_warnings():
        # Nearly converged is good enough for a ranking.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(windows, is_right, sample_weight=weights)
    scores: Scores = model.decision_function(rows).astype(np.float64)
    return scores


def _graph(nodes: FloatArray) -> Scores:
    """Return the normalised weights between near nodes, symmetric."""
    weights = np.maximum(nodes @ nodes.T, 0).astype(np.float64) ** _POWER
    np.fill_diagonal(weights, 0)
    count = min(_NEIGHBOURS, len(nodes) - 1)
    if count:
        weights[weights < np.partition(weights, -count, axis=1)[:, [-count]]] = 0
    weights = (weights + weights.T) / 2
    degrees = weights.sum(axis=1)
    degrees[degrees == 0] = 1
    found: Scores = weights / np.sqrt(np.outer(degrees, degrees))
    return found


def _thinned(groups: Sequence[FloatArray], like: FloatArray) -> FloatArray:
    """Return the windows of all examples, at most `_SEEDS`, evenly chosen."""
    rows = np.concatenate([like[:0], *groups])
    if len(rows) <= _SEEDS:
        return rows
    chosen: FloatArray = rows[np.linspace(0, len(rows) - 1, _SEEDS).round().astype(int)]
    return chosen


def _cosines(rows: FloatArray, examples: Sequence[FloatArray]) -> Scores:
    """Return the highest cosine with any window of each example, ``(n_examples, n_rows)``."""
    return np.stack([(one @ rows.T).max(axis=0).astype(np.float64) for one in examples])
