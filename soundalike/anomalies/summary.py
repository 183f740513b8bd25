"""What a model says of itself: for lists, and for the database beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from soundalike.anomalies.model import NormalModel

#: Rates of a summary are rounded.
_ROUNDED = 1e-6


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


def learned_rows(model: NormalModel) -> list[dict[str, Any]]:
    """Return the recordings of a model, with their scores by models without them, as JSON."""
    scores = model.held_out.scores.tolist()
    return [
        {
            "uri": found.uri,
            "recording_id": found.recording_id,
            "session": found.group,
            "score": round(score, 6),
            "accepted": found.is_accepted,
        }
        for found, score in zip(model.recordings, scores, strict=True)
    ]


def warnings_of(summary: Mapping[str, Any]) -> list[str]:
    """Return what a user must know about the threshold of a model with this summary."""
    rate, wanted = summary["false_alarm_rate"], summary["wanted_false_alarm_rate"]
    if rate <= wanted + _ROUNDED:
        return []
    n_sessions = summary["sessions"]
    what = "recordings" if n_sessions == summary["recordings"] else "sessions of recordings"
    low, high = summary["false_alarm_interval"]
    return [
        f"{n_sessions} normal {what} promise no less than {rate:.1%} false alarms "
        f"(95 % interval {low:.1%} to {high:.1%}), not {wanted:.1%}; "
        f"learn at least {round(1 / wanted) - 1}"
    ]
