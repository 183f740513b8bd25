"""What a model says of itself: for lists, and for the database beside the model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from soundalike.anomalies.model import NormalModel


def summary_of(model: NormalModel) -> dict[str, Any]:
    """Return a model's encoder, size, method and threshold as JSON."""
    limits = model.calibration
    return {
        **asdict(model.spec),
        "recordings": len(model.recordings),
        "sessions": len(set(model.sessions)),
        "windows": model.n_windows,
        "accepted": sum(found.is_accepted for found in model.recordings),
        "method": model.method,
        "threshold": round(limits.threshold, 6),
        "window_threshold": round(limits.window_threshold, 6),
        "false_alarm_rate": round(limits.rate, 6),
        "false_alarm_interval": [round(limits.low, 6), round(limits.high, 6)],
        "wanted_false_alarm_rate": model.false_alarm_rate,
        "finest_false_alarm_rate": round(limits.finest, 6),
        "power": {name: round(value, 4) for name, value in model.power.items()},
    }


def warnings_of(model: NormalModel) -> list[str]:
    """Return what a user must know about the threshold of a model."""
    limits = model.calibration
    if limits.rate <= model.false_alarm_rate + 1e-9:
        return []
    n_sessions = len(set(model.sessions))
    what = "recordings" if n_sessions == len(model.recordings) else "sessions of recordings"
    needed = round(1 / model.false_alarm_rate) - 1
    return [
        f"{n_sessions} normal {what} promise no less than {limits.rate:.1%} false alarms "
        f"(95 % interval {limits.low:.1%} to {limits.high:.1%}), not {model.false_alarm_rate:.1%}; "
        f"learn at least {needed}"
    ]
