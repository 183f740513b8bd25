"""A model of what sounds normal: fitted to normal recordings, it scores others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from soundalike.anomalies.calibration import Calibration, calibrate, p_value
from soundalike.anomalies.choice import HeldOut, choose, hold_out, recording_score, stacked
from soundalike.anomalies.distances import METHODS, Distance
from soundalike.anomalies.regions import unusual_regions
from soundalike.anomalies.results import Nearest, NormalRecording, Numbers, Region, Score
from soundalike.errors import DimensionMismatch, ParameterError, SilentQuery
from soundalike.types import FloatArray, IndexSpec

#: So few are enough to begin.
MIN_RECORDINGS = 3
#: Bounds of the number of windows whose mean is a recording's score.
_FEWEST_WINDOWS, _MOST_WINDOWS = 2, 5
#: Windows that are compared with all normal ones at once.
_BLOCK = 1024


@dataclass(frozen=True)
class NormalModel:
    """What sounds normal, and the threshold.

    Attributes
    ----------
    spec : IndexSpec
        Encoder and windows of the vectors.
    recordings : tuple of NormalRecording
        What was learned.
    method : str
        One of `METHODS`.
    asked_method : str
        The same, or ``auto``.
    n_worst : int
        Number of the most unusual windows whose mean is a recording's score.
    false_alarm_rate : float
        The rate that was asked for.
    held_out : HeldOut
        Scores of the normal recordings by models without them.
    power : dict of str to float
        For each method that was compared, how well it tells the normal recordings from shifted ones.
    """

    spec: IndexSpec
    recordings: tuple[NormalRecording, ...]
    method: str
    asked_method: str
    n_worst: int
    false_alarm_rate: float
    held_out: HeldOut
    power: dict[str, float]

    @cached_property
    def calibration(self) -> Calibration:
        """The threshold and its rate."""
        return calibrate(self.held_out.scores, self.held_out.peaks, self.sessions, self.false_alarm_rate)

    @property
    def sessions(self) -> list[str]:
        """The session of each recording."""
        return sessions_of(self.recordings)

    @property
    def n_windows(self) -> int:
        """Number of normal windows."""
        return sum(len(found.vectors) for found in self.recordings)

    @cached_property
    def _distance(self) -> Distance:
        return METHODS[self.method](*stacked(self.recordings))

    @cached_property
    def _stacked(self) -> FloatArray:
        return stacked(self.recordings)[0]

    def score(self, recording: NormalRecording) -> Score:
        """Score a recording by the vectors of its windows.

        Raises
        ------
        SilentQuery
            It has no window with a sound.
        DimensionMismatch
            Its vectors are not those of the model's encoder.
        """
        if not len(recording.vectors):
            raise SilentQuery(f"{recording.uri!r} holds no sound that could be scored")
        if recording.vectors.shape[1] != self.spec.dimension:
            raise DimensionMismatch(
                f"the vectors have {recording.vectors.shape[1]} numbers, the model's have "
                f"{self.spec.dimension}; embed with the encoder of the model"
            )
        vectors = stored_precision(recording.vectors)
        found = np.concatenate(
            [self._distance(vectors[begin : begin + _BLOCK]) for begin in range(0, len(vectors), _BLOCK)]
        )
        return self._explained(recording, found)

    def _explained(self, recording: NormalRecording, found: Numbers) -> Score:
        limits = self.calibration
        score = recording_score(found, self.n_worst)
        worst = int(found.argmax())
        windows = [
            Region(*span, float(value)) for span, value in zip(recording.spans, found, strict=True)
        ]
        is_anomalous = score > limits.threshold
        regions = unusual_regions(windows, limits.window_threshold)
        return Score(
            score=score,
            threshold=limits.threshold,
            is_anomalous=is_anomalous,
            false_alarm_rate=limits.rate,
            p_value=p_value(score, self.held_out.scores, self.sessions),
            windows=windows,
            regions=regions or ([windows[worst]] if is_anomalous else []),
            worst=windows[worst],
            nearest=self._nearest(recording.vectors[worst]),
        )

    def _nearest(self, vector: FloatArray) -> Nearest:
        similarities = self._stacked @ vector
        row = int(similarities.argmax())
        for found in self.recordings:
            if row < len(found.vectors):
                return Nearest(
                    found.recording_id, found.uri, *found.spans[row], min(1.0, float(similarities.max()))
                )
            row -= len(found.vectors)
        raise AssertionError("every row belongs to a recording")


def fit(
    recordings: Sequence[NormalRecording],
    spec: IndexSpec,
    *,
    method: str = "auto",
    false_alarm_rate: float = 0.05,
) -> NormalModel:
    """Fit a model to normal recordings; the same audio counts once.

    Parameters
    ----------
    recordings : sequence of NormalRecording
        At least three different ones with a sound.
    spec : IndexSpec
        Encoder and windows of their vectors.
    method : str
        One of `METHODS`; ``auto`` chooses by leaving recordings out.
    false_alarm_rate : float
        Share of normal recordings that may be called anomalous, above 0 and below 1.

    Raises
    ------
    ParameterError
        There are too few recordings, or a parameter is out of its range.
    """
    if method != "auto" and method not in METHODS:
        raise ParameterError(f"method is {method!r}; choose auto, {', '.join(METHODS)}")
    if not 0 < false_alarm_rate < 1:
        raise ParameterError(f"false_alarm_rate is {false_alarm_rate}; give a share from 0 to 1")
    learned = distinct(recordings)
    if len(learned) < MIN_RECORDINGS:
        raise ParameterError(
            f"there are {len(learned)} different normal recordings with a sound; give at least "
            f"{MIN_RECORDINGS}"
        )
    sessions = sessions_of(learned)
    n_worst = worst_windows([len(found.vectors) for found in learned])
    candidates = tuple(METHODS) if method == "auto" else (method,)
    found = {name: hold_out(learned, sessions, METHODS[name], n_worst) for name in candidates}
    chosen = choose({name: one.power for name, one in found.items()})
    return NormalModel(
        spec=spec,
        recordings=tuple(learned),
        method=chosen,
        asked_method=method,
        n_worst=n_worst,
        false_alarm_rate=false_alarm_rate,
        held_out=found[chosen],
        power={name: one.power for name, one in found.items()},
    )


def sessions_of(recordings: Sequence[NormalRecording]) -> list[str]:
    """Return the session of each recording; too few sessions to leave one out are not believed."""
    groups = [found.group for found in recordings]
    if len(set(groups)) < MIN_RECORDINGS:
        return [found.recording_id for found in recordings]
    return groups


def worst_windows(counts: Sequence[int]) -> int:
    """Return how many of the most unusual windows are averaged, by the lengths of normal recordings.

    A fixed number: the mean of a share of an hour's windows would hide a fault of some seconds.

    Examples
    --------
    >>> worst_windows([2, 2, 2]), worst_windows([4, 4, 6]), worst_windows([1800, 1800])
    (2, 2, 5)
    """
    half = math.ceil(float(np.median(counts)) / 2)
    return max(_FEWEST_WINDOWS, min(_MOST_WINDOWS, half))


def stored_precision(vectors: FloatArray) -> FloatArray:
    """Return vectors as precise as stored ones, so that a learned recording equals itself."""
    return vectors.astype(np.float16).astype(np.float32)


def distinct(recordings: Sequence[NormalRecording]) -> list[NormalRecording]:
    """Return recordings with a sound, each once, with vectors as precise as they are stored."""
    by_id = {found.recording_id: found for found in recordings if len(found.vectors)}
    return [
        replace(
            found,
            vectors=stored_precision(found.vectors),
            group=found.group or found.recording_id,
        )
        for found in by_id.values()
    ]
