"""The HTML report of an evaluation of events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from soundalike.evaluation.event_scores import MIN_IOU, EventScores
from soundalike.evaluation.events import EventEvaluation
from soundalike.evaluation.html import element, page, table
from soundalike.evaluation.metrics import N_RECALL_LEVELS
from soundalike.evaluation.plots import key_line, recall_plot

_HEADER = (
    "",
    *("Events", "Found", "AP", "Threshold", "Precision", "Recall", "F1"),
    *("Onset error s", "Offset error s"),
)


def render(
    results: Sequence[EventEvaluation], truth: Path, queries: Path, *, made_at: datetime | None = None
) -> str:
    """Return the report as an HTML document.

    Parameters
    ----------
    results : sequence of EventEvaluation
        One per setting, at most six.
    truth, queries : Path
        The table of the known events, and the sounds that were looked for.
    made_at : datetime, optional
        Time of the report; now by default.
    """
    title = f"Evaluation of the events of {truth.name}"
    made_at = made_at or datetime.now(UTC)
    curves = {
        f"{number}. {result.encoder}": _interpolated(result.pooled)
        for number, result in enumerate(results, start=1)
    }
    keys = [element("p", key_line(number), f" {name}") for number, name in enumerate(curves, start=0)]
    return page(
        title,
        resources.files("soundalike.evaluation").joinpath("style.css").read_text(encoding="utf-8"),
        element("h1", title),
        element(
            "p", f"soundalike {version('soundalike')}, {made_at:%Y-%m-%d %H:%M} UTC", class_="quiet"
        ),
        element(
            "p",
            f"Queries: {queries}. An event agrees with a known one if both share {MIN_IOU:g} of the "
            "time that they take together; each known event agrees with one event at most.",
        ),
        *(part for result in results for part in _tables(result)),
        element("h2", "Precision and recall"),
        recall_plot(curves),
        *keys,
        *_failures(results[0]),
    )


def _tables(result: EventEvaluation) -> list[Element]:
    rows = [(label or "(all)", *_cells(scores)) for label, scores in result.per_label.items()]
    caption = (
        f"{result.encoder}: {result.n_queries} queries, {result.n_recordings} recordings, "
        f"{result.n_events} known events; mean average precision of the queries "
        f"{result.average_precision:.3f}"
    )
    return [table(caption, _HEADER, [*rows, ("together", *_cells(result.pooled))])]


def _cells(scores: EventScores) -> list[str]:
    values = (
        *(scores.average_precision, scores.threshold, scores.precision, scores.recall, scores.f1),
        *(scores.onset_error_s, scores.offset_error_s),
    )
    shown = ["-" if math.isnan(value) else f"{value:.3f}" for value in values]
    return [str(scores.n_known), str(scores.n_found), *shown]


def _interpolated(scores: EventScores) -> npt.NDArray[np.float64]:
    """Return the highest precision at each tenth of the recall or beyond."""
    points = np.array(scores.curve).reshape(-1, 2)
    levels = np.linspace(0, 1, N_RECALL_LEVELS)
    return np.array([points[points[:, 0] >= level - 1e-9, 1].max(initial=0.0) for level in levels])


def _failures(result: EventEvaluation) -> list[Element]:
    if not result.failed:
        return []
    rows = [(failure.path, failure.message, failure.code) for failure in result.failed]
    return [element("h2", "Failed"), table("Sounds", ("Path", "Reason", "Code"), rows, numbers=False)]
