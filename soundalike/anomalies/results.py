"""Values: a normal recording, an unusual stretch, a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.types import FloatArray

#: Scores and statistics.
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NormalRecording:
    """The searchable windows of a recording, normal or to be scored.

    Attributes
    ----------
    recording_id : str
        Id of its content; the same audio is learned once.
    uri : str
        Absolute path, or the name of an upload.
    spans : sequence of (start_s, end_s)
        The windows, in seconds.
    vectors : (n_windows, dimension) float32
        Of length 1.
    group : str
        Recordings of one group, as of one session, are left out together; by default each is its own.
    is_accepted : bool
        It was learned later, after a person had checked it.
    """

    recording_id: str
    uri: str
    spans: Sequence[tuple[float, float]]
    vectors: FloatArray
    group: str = ""
    is_accepted: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """An unusual stretch of a recording.

    Attributes
    ----------
    start_s, end_s : float
    score : float
        The highest score of its windows.
    """

    start_s: float
    end_s: float
    score: float


class Nearest(NamedTuple):
    """The normal recording, and its second, that is most similar to the most unusual window."""

    recording_id: str
    uri: str
    start_s: float
    end_s: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a recording, and what explains it.

    Attributes
    ----------
    score : float
        Mean score of the most unusual windows.
    threshold : float
        Recordings above it are anomalous.
    is_anomalous : bool
    false_alarm_rate : float
        Expected share of normal recordings above the threshold.
    p_value : float
        Share of normal recordings that would score at least as high.
    windows : sequence of Region
        Each window with its score.
    regions : sequence of Region
        The stretches that are unusual.
    worst : Region
        The most unusual window.
    nearest : Nearest
        The normal clip that is nearest to the most unusual window.
    """

    score: float
    threshold: float
    is_anomalous: bool
    false_alarm_rate: float
    p_value: float
    windows: Sequence[Region]
    regions: Sequence[Region]
    worst: Region
    nearest: Nearest

    def to_json(self) -> dict[str, Any]:
        """Return the score as JSON; the windows are left out."""
        return {
            "score": round(self.score, 6),
            "threshold": round(self.threshold, 6),
            "is_anomalous": self.is_anomalous,
            "false_alarm_rate": round(self.false_alarm_rate, 6),
            "p_value": round(self.p_value, 6),
            "regions": [_region(found) for found in self.regions],
            "worst": _region(self.worst),
            "nearest": {
                "recording_id": self.nearest.recording_id,
                "uri": self.nearest.uri,
                "start_s": round(self.nearest.start_s, 3),
                "end_s": round(self.nearest.end_s, 3),
                "similarity": round(self.nearest.similarity, 6),
            },
        }


def score_from_json(row: Mapping[str, Any]) -> Score:
    """Return the score that `Score.to_json` has written; it has no windows.

    Examples
    --------
    >>> region = {"start_s": 0.0, "end_s": 4.0, "score": 2.0}
    >>> nearest = {"recording_id": "a", "uri": "/a", "start_s": 0.0, "end_s": 4.0, "similarity": 0.5}
    >>> rates = {"false_alarm_rate": 0.05, "p_value": 0.05}
    >>> row = {"score": 2.0, "threshold": 1.5, "is_anomalous": True, **rates}
    >>> row |= {"regions": [region], "worst": region, "nearest": nearest}
    >>> score_from_json(row).to_json() == row
    True
    """
    numbers = ("score", "threshold", "false_alarm_rate", "p_value")
    return Score(
        **{name: float(row[name]) for name in numbers},
        is_anomalous=bool(row["is_anomalous"]),
        windows=(),
        regions=tuple(_region_from(found) for found in row["regions"]),
        worst=_region_from(row["worst"]),
        nearest=Nearest(**{name: row["nearest"][name] for name in Nearest._fields}),
    )


def _region_from(row: Mapping[str, Any]) -> Region:
    return Region(**{name: float(row[name]) for name in ("start_s", "end_s", "score")})


def _region(found: Region) -> dict[str, float]:
    return {
        "start_s": round(found.start_s, 3),
        "end_s": round(found.end_s, 3),
        "score": round(found.score, 6),
    }
