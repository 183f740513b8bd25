"""``soundalike evaluate --events``: measure how well events are found."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.cli import opening, output
from soundalike.cli.evaluation_output import note_failures
from soundalike.cli.evaluation_settings import Setting, encoders_of
from soundalike.cli.page_file import check_place, write_page
from soundalike.cli.paths import sound_files
from soundalike.errors import AudioError, ParameterError

if TYPE_CHECKING:
    from soundalike.evaluation.event_scores import EventScores
    from soundalike.evaluation.events import EventEvaluation, LabelledQuery

_SHOWN = ("threshold", "precision", "recall", "f1", "onset_error_s", "offset_error_s")
_HEADER = ("AP", "threshold", "precision", "recall", "F1", "onset error s", "offset error s")


@dataclass(frozen=True, kw_only=True)
class EvaluateEventsRequest:
    """Known events, the sounds to look for, and the settings.

    Attributes
    ----------
    truth : Path
        Table of the known events.
    queries : str
        A sound, or a folder with one subfolder for each label.
    settings : tuple of Setting
    min_score : float or None
        Score from which events count for precision, recall and F1; None: the one with the highest F1.
    report : Path or None
        Where everything is written as a page.

    Raises
    ------
    ParameterError
        The report cannot be written there.
    """

    truth: Path
    queries: str
    settings: tuple[Setting, ...]
    min_score: float | None = None
    report: Path | None = None

    def __post_init__(self) -> None:
        if self.report:
            check_place("report", self.report, ".html", ".htm")


def run(request: EvaluateEventsRequest, *, as_json: bool) -> int:
    """Look for the queries in the recordings, print the scores, and write the report."""
    from soundalike.evaluation.event_truth import read_truth
    from soundalike.evaluation.events import evaluate_events

    truth = read_truth(request.truth)
    queries = _queries(request.queries)
    opening.start_decoding(len(queries) + len({event.path for event in truth}))
    results: list[EventEvaluation] = []
    for each, encoder in zip(request.settings, encoders_of(request.settings), strict=True):
        show = output.progress(len(queries) + len({event.path for event in truth}), "sounds")
        results.append(
            evaluate_events(
                truth,
                queries,
                encoder,
                each.plan,
                threshold=request.min_score,
                on_progress=lambda done, _, show=show: show(done),  # type: ignore[misc]
            )
        )
    note_failures(results[0].failed)
    if as_json:
        for result in results:
            output.json_line(json_row(result))
    else:
        for result in results:
            output.table(lines(result))
    if request.report:
        from soundalike.evaluation.event_report import render

        page = render(results, request.truth, Path(os.path.abspath(request.queries)))
        write_page("report", request.report, page)
    return AudioError.exit_status if results[0].failed else 0


def _queries(named: str) -> list[LabelledQuery]:
    from soundalike.audio.sources import folder_label
    from soundalike.evaluation.events import LabelledQuery

    files = sound_files([named]).files
    if not files:
        raise ParameterError(f"no sound is in {named!r}; give a sound, or a folder with one a label")
    if not Path(named).is_dir():
        return [LabelledQuery(Path(files[0]))]
    return [LabelledQuery(Path(file), folder_label(Path(file))) for file in files]


def json_row(result: EventEvaluation) -> dict[str, Any]:
    """Return the figures of one setting as a JSON object."""
    from soundalike.evaluation.event_scores import MIN_IOU

    pooled = _row(result.pooled)
    return {
        "encoder": result.encoder,
        "n_queries": result.n_queries,
        "n_recordings": result.n_recordings,
        "n_events": result.n_events,
        "min_iou": MIN_IOU,
        **pooled,
        "average_precision": result.average_precision,
        "pooled_average_precision": pooled["average_precision"],
        "failed": len(result.failed),
        "per_label": {label: _row(scores) for label, scores in result.per_label.items()},
        "curve": [list(point) for point in result.pooled.curve],
        "failures": [failure._asdict() for failure in result.failed],
    }


def _row(scores: EventScores) -> dict[str, Any]:
    """Return scores as a JSON object: no curve, and null where there is no number."""
    found = asdict(scores)
    del found["curve"]
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in found.items()
    }


def lines(result: EventEvaluation) -> list[str]:
    """Return a table for people: a line for each label, and one for all."""
    rows: list[Sequence[str]] = [("label", "events", "found", *_HEADER)]
    for label, scores in result.per_label.items():
        rows.append((output.visible(label) or "(all)", *_cells(scores, scores.average_precision)))
    rows.append(("mean", *_cells(result.pooled, result.average_precision)))
    return output.columns(rows, right=range(1, len(rows[0])))


def _cells(scores: EventScores, average: float) -> list[str]:
    values = [getattr(scores, name) for name in _SHOWN]
    shown = ["-" if math.isnan(value) else f"{value:.3f}" for value in values]
    return [str(scores.n_known), str(scores.n_found), f"{average:.3f}", *shown]
