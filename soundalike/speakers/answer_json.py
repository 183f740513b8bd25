"""Answers as JSON objects, the same for the command line and the service."""

from __future__ import annotations

from typing import Any

from soundalike.speakers.thresholds import Threshold
from soundalike.speakers.values import Identification, Verification

_DIGITS = 6


def identification_json(found: Identification) -> dict[str, Any]:
    """Return the object of an identification; `speaker` is null for an unknown voice."""
    return {
        "uri": found.uri,
        "speaker": found.speaker,
        "score": round(found.score, _DIGITS),
        **_threshold_json(found.threshold),
        "candidates": [
            {"speaker": one.speaker, "score": round(one.score, _DIGITS)} for one in found.candidates
        ],
        "speech_s": found.speech_s,
        "encoder": found.encoder,
        "warnings": list(found.warnings),
    }


def verification_json(found: Verification) -> dict[str, Any]:
    """Return the object of a verification."""
    return {
        "uri": found.uri,
        "speaker": found.speaker,
        "accepted": found.accepted,
        "score": round(found.score, _DIGITS),
        **_threshold_json(found.threshold),
        "speech_s": found.speech_s,
        "encoder": found.encoder,
        "warnings": list(found.warnings),
    }


def _threshold_json(threshold: Threshold) -> dict[str, Any]:
    return {
        "threshold": threshold.score,
        "false_accept_rate": threshold.false_accept_rate,
        "false_accept_interval": threshold.interval and list(threshold.interval),
        "measured_on": threshold.measured_on,
    }
