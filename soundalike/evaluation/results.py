"""Results of an evaluation: means, classes, mistakes and single queries."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.errors import ParameterError
from soundalike.evaluation.bootstrap import FloatRows, intervals
from soundalike.evaluation.clips import LabelledClip
from soundalike.evaluation.reliability import Reliability
from soundalike.types import Window

#: Names of the metrics of a query, in the order of `Evaluation.values`.
METRICS = ("p_at_1", "p_at_5", "map", "mrr")
#: Shown instead of a label.
NO_ANSWER = "(no answer)"


class Failure(NamedTuple):
    """A clip that could not be read."""

    path: str
    code: str
    message: str


class Estimate(NamedTuple):
    """A mean, or a difference of means, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Setting:
    """Encoder and windows of an evaluation.

    Attributes
    ----------
    encoder, fingerprint : str
        Name of the encoder and hash of its weights or constants.
    precision : str
        Number format: ``float32`` or ``bfloat16``.
    window_s, stride_s, example_hop_s : float
        Length of a window, distance of windows and distance of patches in a window, in seconds.
    """

    encoder: str
    fingerprint: str
    precision: str
    window_s: float
    stride_s: float
    example_hop_s: float

    def __str__(self) -> str:
        return (
            f"{self.encoder} ({self.fingerprint[:8]}, {self.precision}), {self.window_s:g} s windows "
            f"every {self.stride_s:g} s, examples every {self.example_hop_s:g} s"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """The first clip of a ranking.

    Attributes
    ----------
    clip : LabelledClip
    score : float
        Cosine similarity of the best pair of windows.
    query_window, window : Window
        The windows of this pair.
    """

    clip: LabelledClip
    score: float
    query_window: Window
    window: Window


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Result of one query.

    Attributes
    ----------
    clip : LabelledClip
        The query.
    answer : Answer or None
        None if the query or all candidates are silent.
    """

    clip: LabelledClip
    answer: Answer | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of one setting.

    Attributes
    ----------
    setting : Setting
    n_clips : int
        Number of readable clips.
    n_candidates : int
        Number of candidates among them.
    n_windows : int
        Searchable windows of the candidates.
    n_labels : int
        Number of distinct labels.
    queries : list of QueryResult
        Queries with at least one relevant candidate.
    values : (4, n_queries) float64
        Precision at 1 and at 5, average precision and reciprocal rank of each query.
    chance : float
        Precision at 1 of a random ranking.
    recall_curve : (11,) float64
        Mean interpolated precision at recall 0, 0.1, ... 1.
    failed : list of Failure
    reliability : Reliability or None
        Of false-alarm rates; None if there are too few clips.
    """

    setting: Setting
    n_clips: int
    n_candidates: int
    n_windows: int
    n_labels: int
    queries: list[QueryResult]
    values: FloatRows
    chance: float
    recall_curve: npt.NDArray[np.float64]
    failed: list[Failure]
    reliability: Reliability | None = None

    @property
    def encoder(self) -> str:
        """Name of the encoder."""
        return self.setting.encoder

    @property
    def n_queries(self) -> int:
        """Number of queries."""
        return len(self.queries)

    @property
    def p_at_1(self) -> float:
        """Mean precision at 1."""
        return self.estimates["p_at_1"].value

    @property
    def p_at_5(self) -> float:
        """Mean precision at 5."""
        return self.estimates["p_at_5"].value

    @property
    def map(self) -> float:
        """Mean average precision."""
        return self.estimates["map"].value

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank."""
        return self.estimates["mrr"].value

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Mean of each metric by its name in `METRICS`."""
        return _estimates(self.values)


@dataclass(frozen=True, slots=True)
class ClassResult:
    """Means over the queries of one label; the fields are those of `Evaluation`."""

    label: str
    n_queries: int
    p_at_1: float
    p_at_5: float
    map: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """Number of queries with one label whose first answer has another (or the same) label.

    ``answer`` is None for queries without an answer.
    """

    query: str
    answer: str | None
    count: int


def per_class(result: Evaluation) -> list[ClassResult]:
    """Return the means over the queries of each label, sorted by label."""
    labels = np.array([query.clip.label for query in result.queries], dtype=object)
    found = []
    for label in sorted(set(labels)):
        of_label = result.values[:, labels == label]
        found.append(ClassResult(label, of_label.shape[1], *map(float, of_label.mean(axis=1))))
    return found


def confusion(result: Evaluation) -> list[Confusion]:
    """Return the cells of the confusion matrix that are not empty, sorted by label."""
    cells = Counter(
        (query.clip.label, query.answer.clip.label if query.answer else None) for query in result.queries
    )
    ordered = sorted(cells, key=lambda cell: (cell[0], cell[1] is None, cell[1] or ""))
    return [Confusion(*cell, cells[cell]) for cell in ordered]


def letters(results: Sequence[Evaluation]) -> list[str]:
    """Return the names of settings in a comparison: A, B, C."""
    return list(string.ascii_uppercase[: len(results)])


def frequent_mistakes(
    results: Sequence[Evaluation],
) -> list[tuple[str, str | None, tuple[int, ...]]]:
    """Return the off-diagonal cells of the confusion matrices, the most frequent first.

    Returns
    -------
    mistakes : list of (query, answer, counts)
        Labels, and the count of each setting.
    """
    tables = [
        {(cell.query, cell.answer): cell.count for cell in confusion(result)} for result in results
    ]
    cells = dict.fromkeys(cell for table in tables for cell in table if cell[0] != cell[1])
    found = [(*cell, tuple(table.get(cell, 0) for table in tables)) for cell in cells]
    return sorted(found, key=lambda each: (-sum(each[2]), each[0], each[1] or ""))


def worst_queries(result: Evaluation, count: int) -> list[int]:
    """Return the worst queries.

    Returns
    -------
    indexes : list of int
        Indexes into ``result.queries``: at most `count` queries whose first answer is wrong or missing,
        by increasing average precision, then by decreasing score of the wrong answer.
    """

    def badness(index: int) -> tuple[float, float]:
        answer = result.queries[index].answer
        return float(result.values[METRICS.index("map"), index]), -answer.score if answer else 0.0

    wrong = np.flatnonzero(result.values[METRICS.index("p_at_1")] == 0)
    return sorted(map(int, wrong), key=badness)[:count]


def differences(first: Evaluation, second: Evaluation) -> dict[str, Estimate]:
    """Return the improvement of the second setting, with paired bootstrap intervals.

    Raises
    ------
    ParameterError
        The two have different queries.
    """
    asked = [[query.clip.path for query in result.queries] for result in (first, second)]
    if asked[0] != asked[1]:
        raise ParameterError(
            f"one setting has {len(asked[0])} queries, another has {len(asked[1])} or different ones; "
            "do not change the clips during a comparison"
        )
    return _estimates(second.values - first.values)


def _estimates(values: FloatRows) -> dict[str, Estimate]:
    bounds = intervals(values)
    return {
        # Row by row, because NumPy sums rows and tables in different orders.
        name: Estimate(float(row.mean()), float(low), float(high))
        for name, row, (low, high) in zip(METRICS, values, bounds, strict=True)
    }
