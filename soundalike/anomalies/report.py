"""The HTML report of an evaluation of anomaly detection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from xml.etree.ElementTree import Element

from soundalike.anomalies.evaluation import MachineResult, mean_of
from soundalike.anomalies.plots import histogram, roc_plot
from soundalike.evaluation.html import element, page, table

_HEADER = (
    "Machine",
    "learned",
    "normal",
    "anomalous",
    "AUC",
    "partial AUC",
    "stated false alarms",
    "observed",
    "detected",
)


def render(results: Sequence[MachineResult], folder: Path, *, made_at: datetime | None = None) -> str:
    """Return the report as an HTML document.

    Parameters
    ----------
    results : sequence of MachineResult
    folder : Path
    made_at : datetime, optional
        Time of the report; now by default.
    """
    title = f"Anomalies of {folder.name or folder}"
    made_at = made_at or datetime.now(UTC)
    encoder = results[0].model.spec.describe()
    return page(
        title,
        resources.files("soundalike.evaluation").joinpath("style.css").read_text(encoding="utf-8"),
        element("h1", title),
        element(
            "p",
            f"soundalike {version('soundalike')}, {made_at:%Y-%m-%d %H:%M} UTC; {encoder}",
            class_="quiet",
        ),
        table(
            "Partial AUC: up to 10 % false alarms, chance is 0.5",
            _HEADER,
            [*map(_row, results), *([_mean(results)] if len(results) > 1 else [])],
        ),
        *(part for found in results for part in _machine(found)),
    )


def _row(found: MachineResult) -> tuple[str, ...]:
    limits = found.model.calibration
    return (
        found.name,
        str(len(found.model.recordings)),
        str(len(found.normal)),
        str(len(found.anomalous)),
        f"{found.auc:.3f}",
        f"{found.partial_auc:.3f}",
        f"{limits.rate:.1%} [{limits.low:.1%}, {limits.high:.1%}]",
        f"{found.false_alarms:.1%}",
        f"{found.detected:.1%}",
    )


def _mean(results: Sequence[MachineResult]) -> tuple[str, ...]:
    means = mean_of(results)
    return (
        "mean",
        *("", "", ""),
        f"{means['auc']:.3f}",
        f"{means['partial_auc']:.3f}",
        f"{means['false_alarm_rate']:.1%}",
        f"{means['observed_false_alarms']:.1%}",
        f"{means['detected']:.1%}",
    )


def _machine(found: MachineResult) -> tuple[Element, ...]:
    return (
        element("h2", found.name),
        element(
            "p",
            f"Method {found.model.method}. The dashed line is the threshold; left bars are normal "
            "recordings, right bars anomalous ones.",
            class_="quiet",
        ),
        element("div", histogram(found), roc_plot(found), class_="side"),
    )
