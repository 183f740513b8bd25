"""Measures of anomaly detection on labelled recordings of machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from soundalike.anomalies.model import NormalModel
from soundalike.anomalies.results import NormalRecording, Numbers

#: Highest rate of false alarms of the partial area, as in DCASE's task on machines.
MAX_FALSE_ALARMS = 0.1


@dataclass(frozen=True)
class MachineResult:
    """Scores of a machine's recordings, and what they say.

    Attributes
    ----------
    name : str
    model : NormalModel
    normal, anomalous : (n,) float64
        Scores of the recordings that were not learned.
    auc : float
        Area under the ROC curve.
    partial_auc : float
        The same up to 10 % false alarms, scaled so that chance is 0.5 (D. McClish, 1989).
    false_alarms, detected : float
        Share of normal and of anomalous recordings above the threshold.
    roc : (2, n) float64
        False alarms and detections of all thresholds.
    """

    name: str
    model: NormalModel
    normal: Numbers
    anomalous: Numbers
    auc: float
    partial_auc: float
    false_alarms: float
    detected: float
    roc: Numbers

    def to_json(self) -> dict[str, Any]:
        """Return the measures as JSON."""
        limits = self.model.calibration
        return {
            "machine": self.name,
            "n_train": len(self.model.recordings),
            "n_normal": len(self.normal),
            "n_anomalous": len(self.anomalous),
            "method": self.model.method,
            "auc": round(self.auc, 6),
            "partial_auc": round(self.partial_auc, 6),
            "threshold": round(limits.threshold, 6),
            "false_alarm_rate": round(limits.rate, 6),
            "false_alarm_interval": [round(limits.low, 6), round(limits.high, 6)],
            "observed_false_alarms": round(self.false_alarms, 6),
            "detected": round(self.detected, 6),
        }


def evaluate_machine(
    name: str,
    model: NormalModel,
    normal: Sequence[NormalRecording],
    anomalous: Sequence[NormalRecording],
) -> MachineResult:
    """Score normal and anomalous recordings that were not learned; at least one of each."""
    from sklearn.metrics import roc_auc_score, roc_curve

    scores = [
        np.array([model.score(found).score for found in kind], dtype=np.float64)
        for kind in (normal, anomalous)
    ]
    together = np.concatenate(scores)
    truth = np.repeat((0, 1), [len(kind) for kind in scores])
    threshold = model.calibration.threshold
    return MachineResult(
        name=name,
        model=model,
        normal=scores[0],
        anomalous=scores[1],
        auc=float(roc_auc_score(truth, together)),
        partial_auc=float(roc_auc_score(truth, together, max_fpr=MAX_FALSE_ALARMS)),
        false_alarms=float((scores[0] > threshold).mean()),
        detected=float((scores[1] > threshold).mean()),
        roc=np.stack(roc_curve(truth, together)[:2]),
    )


def mean_of(results: Sequence[MachineResult]) -> dict[str, float]:
    """Return the means of the measures over machines."""
    rows = [found.to_json() for found in results]
    names = ("auc", "partial_auc", "false_alarm_rate", "observed_false_alarms", "detected")
    return {name: round(float(np.mean([row[name] for row in rows])), 6) for name in names}
