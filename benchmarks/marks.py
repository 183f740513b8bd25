"""Average precision before and after a person has marked the first hits of each query.

``python -m benchmarks.marks FOLDER`` takes clips in a folder for each label, with folds in their names.
Clips of the query's own fold are not ranked. The average precision is that of the clips without a mark.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from soundalike.audio.files import find_files
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.evaluation.clips import labelled_clips
from soundalike.evaluation.metrics import average_precision
from soundalike.filters import Filters, parse_conditions
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.ranges import MAX_TOP_K
from soundalike.search.examples import Example
from soundalike.search.find import answer_to
from soundalike.search.queries import Query
from soundalike.search.requests import SearchRequest
from soundalike.store import MemoryStore
from soundalike.types import Match

#: Average precision after so many marks.
GOALS = {5: 0.77, 10: 0.79}


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
    arguments = parser.parse_args()
    marking = Marking(arguments.folder, arguments.fold_pattern, arguments.model)
    report = {
        "model": arguments.model,
        "failed": marking.failed,
        **{str(count): measure(marking, count) for count in arguments.marks},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
