"""The scores of unrelated recordings of a collection, and the false-alarm rate of a score.

The *null model* describes the best cosine of two unrelated recordings. Its rate falls exponentially in
``atanh(score)``: for random directions in d dimensions the chance of a cosine of at least s falls with
``((1 - s) / (1 + s)) ** ((d - 1) / 2)`` towards 1, so the slope of the tail is an effective number of
dimensions.

A score is the best of n x m pairs of windows. The number of chances grows with ``(n * m) ** growth``,
where a growth of 1 means independent windows; windows of one recording resemble each other, so it is
smaller. Between recordings of the collection it is smaller still, or nothing: a recording with fewer
windows may also be of another kind, such as a short sound, that resembles more recordings. So
`usual_growth` holds between the usual numbers of windows, and `growth` beyond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.errors import ParameterError

#: Identical vectors, stored as 16-bit floats, have cosines slightly above and below 1.
_MAX_SCORE = 1 - 1e-6
#: A collection that has grown or shrunk by this factor needs another model.
_MAX_GROWTH = 1.3
#: Of the number of chances; more make a rate of 1.
_MAX_LOG = 10.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NullModel:
    """Scores of unrelated recordings of a collection.

    Attributes
    ----------
    scores : tuple of float
        Increasing scores.
    log_rates : tuple of float
        For each score, the logarithm of the expected number of pairs of windows that reach it, for two
        unrelated recordings with `size` pairs; decreasing.
    size : float
        Number of pairs of windows that `log_rates` refer to.
    usual_sizes : tuple of float
        Nine in ten pairs of recordings have a number of pairs of windows between these two.
    usual_growth : float
        Exponent of the number of pairs of windows between `usual_sizes`, 0 to `growth`.
    growth : float
        Exponent of the number of pairs of windows outside of `usual_sizes`, 0 to 1.
    n_pairs, n_recordings : int
        Numbers of pairs and of recordings that were compared.
    collection_size : int
        Number of recordings in the collection at that time.
    made_at : datetime
        When the pairs were compared, with time zone.
    """

    scores: tuple[float, ...]
    log_rates: tuple[float, ...]
    size: float
    usual_sizes: tuple[float, float]
    usual_growth: float
    growth: float
    n_pairs: int
    n_recordings: int
    collection_size: int
    made_at: datetime

    def rate(self, score: float, n_query_windows: int = 1, n_windows: int = 1) -> float:
        """Return the false-alarm rate of a score.

        That is the probability that one unrelated recording of the collection, with this number of
        windows, scores at least this for a query with this number of windows. Smaller rates than one
        over the number of compared pairs were not observed: that rate is the smallest result, and means
        "at most".

        Parameters
        ----------
        score : float
            Cosine of the best pair of windows.
        n_query_windows, n_windows : int
            Numbers of searchable windows, at least 1.
        """
        return float(self.rates([score], n_query_windows, [n_windows])[0])

    def rates(
        self, scores: Sequence[float], n_query_windows: int, n_windows: Sequence[int]
    ) -> npt.NDArray[np.float64]:
        """Return the false-alarm rates of several recordings for one query; see `rate`.

        Parameters
        ----------
        scores : sequence of float
        n_query_windows : int
        n_windows : sequence of int
            As many as `scores`.
        """
        chances = self._log_chances(n_query_windows, np.asarray(n_windows))
        line, log_rates = self._line(), np.asarray(self.log_rates)
        found = _interpolated(to_line(np.asarray(scores)), line, log_rates) + chances
        rates = -np.expm1(-np.exp(np.minimum(found, _MAX_LOG)))
        return np.asarray(np.maximum(rates, self.finest_rate))

    def threshold(self, rate: float, n_query_windows: int = 1, n_windows: int = 1) -> float:
        """Return the score from which the false-alarm rate is at most `rate`.

        Unlike `rate`, the result is extrapolated beyond `finest_rate`.

        Parameters
        ----------
        rate : float
            Above 0 and below 1.
        n_query_windows, n_windows : int
            Numbers of searchable windows, at least 1.

        Raises
        ------
        ParameterError
            `rate` is out of its range.
        """
        if not 0 < rate < 1:
            raise ParameterError(f"the false-alarm rate is {rate}; choose a number between 0 and 1")
        wanted = np.log(-np.log1p(-rate)) - float(self._log_chances(n_query_windows, n_windows))
        return self._score_at(wanted)

    @property
    def finest_rate(self) -> float:
        """The smallest rate that was measured: one over the number of compared pairs."""
        return 1 / self.n_pairs

    def quantile(self, share: float) -> float:
        """Return the score that a share of unrelated pairs, of the usual size, stays below."""
        return self._score_at(np.log(-np.log(share)))

    def fits(self, collection_size: int) -> bool:
        """Return whether the collection still has about as many recordings as it had."""
        return 1 / _MAX_GROWTH < collection_size / self.collection_size < _MAX_GROWTH

    def to_json(self) -> dict[str, Any]:
        """Return the model as a JSON object."""
        return {**asdict(self), "made_at": self.made_at.isoformat()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NullModel:
        """Return the model of a JSON object.

        Raises
        ------
        KeyError, TypeError, ValueError
            The object has another form.
        """
        names = ("scores", "log_rates", "usual_sizes")
        found = {**values, "made_at": datetime.fromisoformat(values["made_at"])}
        found |= {name: tuple(map(float, found[name])) for name in names}
        return cls(**found)

    def summary(self) -> dict[str, Any]:
        """Return what people want to know of the model."""
        return {
            "median": round(self.quantile(0.5), 3),
            "p99": round(self.quantile(0.99), 3),
            "pairs": self.n_pairs,
            "recordings": self.n_recordings,
            "made_at": self.made_at.isoformat(timespec="seconds"),
        }

    def _line(self) -> Floats:
        return to_line(np.asarray(self.scores))

    def _score_at(self, log_rate: float) -> float:
        falling = np.asarray(self.log_rates)[::-1], self._line()[::-1]
        return float(np.tanh(_interpolated(np.array([log_rate]), *falling)[0]))

    def _log_chances(self, n_query_windows: int, n_windows: Any) -> Any:
        """Return the logarithm of the number of chances, relative to `size`."""
        pairs = max(1, n_query_windows) * np.maximum(1, n_windows)
        usual = np.clip(pairs, *self.usual_sizes)
        return self.usual_growth * np.log(usual / self.size) + self.growth * np.log(pairs / usual)


def to_line(scores: Floats) -> Floats:
    """Map scores to the whole line, where the logarithm of the rate is nearly straight."""
    return np.arctanh(np.clip(scores, -_MAX_SCORE, _MAX_SCORE))


def _interpolated(at: Floats, x: Floats, y: Floats) -> Floats:
    """Interpolate linearly, and extrapolate with the slopes of the first and the last segment."""
    segment = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
    slope = (y[segment + 1] - y[segment]) / (x[segment + 1] - x[segment])
    return np.asarray(y[segment] + (at - x[segment]) * slope)
