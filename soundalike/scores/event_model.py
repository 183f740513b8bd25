"""The scores of events in unrelated recordings, and the false alarms of a score.

By stored vectors, the scores of one query lie higher than those of another, whatever they are compared
with: noise resembles much, and a whistle little. So each query is first compared with some recordings of
the collection, its *cohort*. What counts is how many standard deviations a score lies above the mean of
the cohort, both taken in ``atanh(score)``; speaker verification calls this Z-norm. One model per
collection says how often unrelated recordings reach it.

Sound that is read again needs no cohort: the query is heard in the background of each recording, which
makes the scores of different queries comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from soundalike.scores.null_model import NullModel, to_line

#: How an event was found: by ``stored`` vectors, or in sound that was ``reread``, with other scores.
Step = Literal["stored", "reread"]
STEPS: tuple[Step, ...] = get_args(Step)
#: Recordings that a query is compared with.
COHORT = 48
#: Fewer tell nothing.
MIN_COHORT = 10
#: Scores are limited, so that a copy of the query in its cohort does not decide.
_HIGHEST = 0.95
#: Least spread, for queries that score the same everywhere.
_LEAST_SPREAD = 0.02
#: A null model describes cosines: deviations are brought to their range, and no further than 20.
_RANGE = 3.0
_HOUR_S = 3600.0

Floats = npt.NDArray[np.float64]


class FalseAlarms(NamedTuple):
    """What the score of an event means.

    Attributes
    ----------
    rate : float
        Probability that one unrelated recording of the collection, as long as the event's, has an event
        that scores at least this.
    per_hour : float
        Expected number of such events in an hour of unrelated sound.
    """

    rate: float
    per_hour: float


@dataclass(frozen=True, slots=True)
class Scale:
    """How high a query scores: mean and standard deviation over its cohort, of ``atanh(score)``."""

    mean: float
    spread: float

    @classmethod
    def of(cls, scores: Sequence[float] | Floats) -> Scale | None:
        """Return the scale of a query whose cohort scores so; None if the cohort is too small."""
        if len(scores) < MIN_COHORT:
            return None
        line = to_line(np.clip(scores, -_HIGHEST, _HIGHEST))
        return cls(float(line.mean()), max(float(line.std()), _LEAST_SPREAD))

    def standard(self, scores: Sequence[float] | npt.NDArray[np.floating]) -> Floats:
        """Return how far scores are above the mean, in the range of cosines."""
        return np.tanh((to_line(np.asarray(scores)) - self.mean) / self.spread / _RANGE)

    def score(self, standard: float) -> float:
        """Return the score of a result of `standard`."""
        return float(np.tanh(self.mean + self.spread * _RANGE * np.arctanh(standard)))


@dataclass(frozen=True, slots=True)
class EventModel:
    """The best events of unrelated recordings.

    Attributes
    ----------
    null : NullModel
        Of standard scores; see `Scale`. Its numbers of windows are those of the recording alone.
    window_s, stride_s : float
        Length of a window and distance between windows, in seconds.
    usual_s : float
        Length of the recordings that were compared, in seconds.
    events_per_chance : float
        Events of a score, for each time that unrelated recordings are expected to have one at least.
    usual : Scale
        The scale of a usual query.
    """

    null: NullModel
    window_s: float
    stride_s: float
    usual_s: float
    events_per_chance: float
    usual: Scale

    def false_alarms(self, score: float, scale: Scale, duration_s: float) -> FalseAlarms:
        """Return the meaning of a score, for a query of this scale and a recording of this length.

        Both numbers have two digits: more mean nothing.
        """
        (standard,) = scale.standard([score])
        rate = self.null.rate(standard, 1, self._windows_in(duration_s))
        usual = self.null.rate(standard, 1, self._windows_in(self.usual_s))
        # In a long time, as many events as in many recordings.
        chances = -np.log1p(-min(usual, 1 - 1e-9))
        per_hour = chances * self.events_per_chance * _HOUR_S / self.usual_s
        return FalseAlarms(float(f"{rate:.2g}"), float(f"{per_hour:.2g}"))

    def _windows_in(self, length_s: float) -> int:
        return max(1, round((length_s - self.window_s) / self.stride_s) + 1)

    def to_json(self) -> dict[str, Any]:
        """Return the model as a JSON object."""
        return {**asdict(self), "null": self.null.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EventModel:
        """Return the model of a JSON object.

        Raises
        ------
        KeyError, TypeError, ValueError
            The object has another form.
        """
        null, usual = NullModel.from_json(values["null"]), Scale(**values["usual"])
        return cls(**{**values, "null": null, "usual": usual})

    def summary(self) -> dict[str, Any]:
        """Return what people want to know of the model, with the scores of a usual query."""
        found = self.null.summary()
        for name, share in (("median", 0.5), ("p99", 0.99)):
            found[name] = round(self.usual.score(self.null.quantile(share)), 3)
        return found


def events_per_chance(counts: Sequence[int]) -> float:
    """Return the events of a score for each time that a recording is expected to have one at least.

    Parameters
    ----------
    counts : sequence of int
        Events of this score in each recording.
    """
    events = np.asarray(counts)
    share = min(float((events > 0).mean()), 1 - 1 / (len(events) + 1))
    return max(1.0, float(events.mean() / -np.log1p(-share))) if share else 1.0


def models_from_json(values: Mapping[str, Any] | None) -> dict[Step, EventModel]:
    """Return stored models; those of another version are left out."""
    found: dict[Step, EventModel] = {}
    for step in STEPS:
        try:
            if values and step in values:
                found[step] = EventModel.from_json(values[step])
        except (KeyError, TypeError, ValueError):
            continue
    return found
