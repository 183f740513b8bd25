"""Average precision before and after a person has marked the first hits of each query.

``python -m benchmarks.marks FOLDER`` takes clips in a folder for each label, with folds in their names.
Clips of the query's own fold are not ranked. The average precision is that of the clips without a mark.
``--rules`` compares the rules of `soundalike.learning.rules`, their choice by cross-validation, and the
expected precision of the best unmarked clips with the observed one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.audio.excerpt import WHOLE
from soundalike.audio.files import find_files
from soundalike.audio.windows import WindowPlan
from soundalike.config import DEFAULT_COLLECTION, Settings
from soundalike.encoders.choice import load_encoder
from soundalike.evaluation.clips import labelled_clips
from soundalike.evaluation.metrics import average_precision
from soundalike.filters import Filters, parse_conditions
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.learning.precision import calibrate, expected_right
from soundalike.learning.rules import RULES, Examples, Scores, combined, unit
from soundalike.learning.validation import Choice, Mark, choose, held_out_scores, with_marks
from soundalike.ranges import MAX_TOP_K
from soundalike.search.examples import Example
from soundalike.search.find import answer_to
from soundalike.search.queries import Query, stored_query
from soundalike.search.requests import SearchRequest
from soundalike.store import MemoryStore
from soundalike.types import FloatArray, Match

#: Average precision after so many marks.
GOALS = {5: 0.781, 10: 0.791}
#: Best unmarked clips whose precision is expected.
_EXPECTED = 20


class Marking:
    """A collection of labelled clips, and searches in it.

    Parameters
    ----------
    folder : Path
    fold_pattern : str
        As for `soundalike.evaluation.clips.with_folds`.
    model : str
        Name of the encoder.
    """

    def __init__(self, folder: Path, fold_pattern: str, model: str) -> None:
        files = [Path(path) for path in find_files([str(folder)]).files]
        clips = labelled_clips(files, fold_pattern)
        encoder = load_encoder(model, Settings.from_env().weights_dir)
        self._pipeline = Pipeline(MemoryStore(), encoder, WindowPlan())
        items = [IndexItem(str(one.path), one.label, {"fold": f"f{one.fold}"}) for one in clips]
        results = list(self._pipeline.index(items))
        self.queries = [one for one in self._pipeline.store.files() if one.duration_s > 0]
        self.failed = sum(one.outcome == "failed" for one in results)

    def ranked(
        self, recording_id: str, fold: str, like: Sequence[Match] = (), unlike: Sequence[Match] = ()
    ) -> list[Match]:
        """Return all clips of other folds, best first."""
        request = SearchRequest(
            Query(recording_id=recording_id),
            Filters(where=parse_conditions([f"fold!={fold}"])),
            top_k=MAX_TOP_K,
            like=tuple(Example(one.recording.recording_id) for one in like),
            unlike=tuple(Example(one.recording.recording_id) for one in unlike),
        )
        return answer_to(request, self._pipeline.embedded(request.query), self._pipeline.store).matches

    def windows(self) -> dict[str, FloatArray]:
        """Return the windows of each clip, of length 1, by its id."""
        store = self._pipeline.store
        ids = [one.recording_id for one in self.queries]
        found = {one: stored_query(store, one, WHOLE, [DEFAULT_COLLECTION]) for one in ids}
        return {key: unit(query.embeddings) for key, query in found.items()}


@dataclass(frozen=True, slots=True)
class MarkedQuery:
    """A query whose first hits are marked.

    Attributes
    ----------
    rows : (n_windows, dimension) float32
        Windows of the clips of other folds.
    owners : (n_windows,) int
        The clip of each window.
    right : (n_clips,) bool
        Whether each clip has the label of the query.
    marked : (n_marks,) int
    query : Examples
        The query alone.
    marks : list of Mark
    """

    rows: FloatArray
    owners: npt.NDArray[np.int_]
    right: npt.NDArray[np.bool_]
    marked: npt.NDArray[np.int_]
    query: Examples
    marks: list[Mark]

    @property
    def unmarked(self) -> npt.NDArray[np.int_]:
        """The clips without a mark."""
        return np.setdiff1d(np.arange(len(self.right)), self.marked)

    def clip_scores(self, scores: Scores) -> Scores:
        """Return the score of each clip's best window."""
        best = np.full(len(self.right), -np.inf)
        np.maximum.at(best, self.owners, scores)
        return best

    def precision(self, rule: str) -> float:
        """Return the average precision of a rule on the clips without a mark."""
        found = RULES[rule](self.rows, with_marks(self.query, self.marks))
        order = np.argsort(-self.clip_scores(found)[self.unmarked], kind="stable")
        return average_precision(self.right[self.unmarked][order])


def marked_queries(marking: Marking, n_marks: int) -> Iterator[MarkedQuery]:
    """Yield each query that has a right clip without a mark."""
    windows = marking.windows()
    for query in marking.queries:
        others = [one for one in marking.queries if one.tags["fold"] != query.tags["fold"]]
        groups = [windows[one.recording_id] for one in others]
        rows = np.concatenate(groups)
        owners = np.repeat(np.arange(len(others)), [len(one) for one in groups])
        right = np.array([one.label == query.label for one in others])
        asked = Examples((windows[query.recording_id],))
        no_marks = MarkedQuery(rows, owners, right, np.zeros(0, dtype=int), asked, [])
        first = np.argsort(-no_marks.clip_scores(RULES["plain"](rows, asked)), kind="stable")[:n_marks]
        marks = [Mark(str(row), groups[row], bool(right[row])) for row in first]
        found = replace(no_marks, marked=first, marks=marks)
        if right[found.unmarked].any():
            yield found


#: Rules that cross-validation chooses from; of equal ones the first.
_CHOSEN = ("combined", "plain", "likeness", "regression", "spreading")
#: How a rule is taken from cross-validation.
POLICIES: Mapping[str, Callable[[Choice], str]] = {
    "best rule": lambda choice: choice.rule,
    "combined unless plain is better": lambda choice: (
        "plain" if choice.auc and choice.auc["combined"] < choice.auc["plain"] else "combined"
    ),
    "plain unless combined is better": lambda choice: (
        "combined" if choice.auc and choice.auc["combined"] > choice.auc["plain"] else "plain"
    ),
}


def compare(marking: Marking, n_marks: int) -> dict[str, Any]:
    """Return the mean average precision of each rule and of each choice, and the share that is worse."""
    rows: list[dict[str, float]] = []
    for query in marked_queries(marking, n_marks):
        found = {rule: query.precision(rule) for rule in RULES}
        choice = choose(query.rows, query.query, query.marks, _CHOSEN, "combined")
        rows.append({**found, **{name: found[take(choice)] for name, take in POLICIES.items()}})
    plain = np.array([row["plain"] for row in rows])
    report = {}
    for name in (*RULES, *POLICIES):
        values = np.array([row[name] for row in rows])
        report[name] = {
            "average_precision": round(float(values.mean()), 3),
            "worse": round(float((values < plain - 1e-9).mean()), 3),
        }
    return report


def expectations(marking: Marking, n_marks: int) -> dict[str, Any]:
    """Return expected and observed precision of the best clips without a mark, by expected precision."""
    expected, observed, covered, unknown = [], [], [], 0
    for query in marked_queries(marking, n_marks):
        held_out = held_out_scores(query.rows, query.query, query.marks, combined)
        model = calibrate(held_out, np.array([mark.is_right for mark in query.marks]))
        if model is None:
            unknown += 1
            continue
        scores = query.clip_scores(combined(query.rows, with_marks(query.query, query.marks)))
        best = sorted(query.unmarked.tolist(), key=lambda row: -scores[row])[:_EXPECTED]
        found = model.expected(scores[best])
        together = expected_right(found)
        expected += [one.value for one in found]
        observed += query.right[best].tolist()
        covered.append(together.low <= query.right[best].sum() <= together.high)
    values, truth = np.array(expected), np.array(observed, dtype=bool)
    bins = (values * 5).astype(int)
    return {
        "queries": len(covered),
        "unknown": unknown,
        "number_in_interval": round(float(np.mean(covered)), 3) if covered else None,
        "bins": [
            {
                "clips": int((bins == number).sum()),
                "expected": round(float(values[bins == number].mean()), 3),
                "observed": round(float(truth[bins == number].mean()), 3),
            }
            for number in np.unique(bins)
        ],
    }


def measure(marking: Marking, n_marks: int) -> dict[str, Any]:
    """Return the mean average precision before and after marking the first hits of each query."""
    before, after, seconds = [], [], []
    for query in marking.queries:
        fold = str(query.tags["fold"])
        plain = marking.ranked(query.recording_id, fold)
        marked, rest = plain[:n_marks], plain[n_marks:]
        like = [one for one in marked if one.recording.label == query.label]
        unlike = [one for one in marked if one.recording.label != query.label]
        begun = time.perf_counter()
        again = marking.ranked(query.recording_id, fold, like, unlike)
        seconds.append(time.perf_counter() - begun)
        known = {one.recording.recording_id for one in marked}
        again = [one for one in again if one.recording.recording_id not in known]
        if any(one.recording.label == query.label for one in rest):
            before.append(_precision(rest, query.label))
            after.append(_precision(again, query.label))
    return {
        "queries": len(after),
        "unmarked": round(float(np.mean(before)), 3),
        "marked": round(float(np.mean(after)), 3),
        "goal": GOALS.get(n_marks),
        "worse": round(float(np.mean(np.array(after) < np.array(before) - 1e-9)), 3),
        "seconds": round(float(np.median(seconds)), 3),
    }


def _precision(matches: Sequence[Match], label: str | None) -> float:
    return average_precision(np.array([one.recording.label == label for one in matches]))


def main() -> None:
    """Measure, and print the report as JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.marks", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fold-pattern", default=r"^(\d)")
    parser.add_argument("--model", default="logmel-modulation")
    parser.add_argument("--marks", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--rules", action="store_true", help="compare rules, and expected precision")
    arguments = parser.parse_args()
    marking = Marking(arguments.folder, arguments.fold_pattern, arguments.model)
    report: dict[str, Any] = {
        "model": arguments.model,
        "failed": marking.failed,
        **{str(count): measure(marking, count) for count in arguments.marks},
    }
    if arguments.rules:
        for count in arguments.marks:
            report[str(count)]["rules"] = compare(marking, count)
            report[str(count)]["expected"] = expectations(marking, count)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
