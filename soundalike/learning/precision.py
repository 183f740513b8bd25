"""Expected precision: the probability that a hit with a score is right, from marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.learning.rules import Scores

#: Marks, and right and wrong ones among them, from which precision can be expected.
MIN_MARKS, MIN_OF_EACH = 8, 2
#: Standard deviations of a 95 % interval.
_TWO_SIDED = 1.959964
#: Variance of the normal prior of intercept and slope; the slope is for scores of unit spread.
_PRIOR = 4.0
_STEPS, _CLOSE = 50, 1e-9


class Estimate(NamedTuple):
    """A value with a 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic model of the probability that a hit is right.

    Attributes
    ----------
    centre, spread : float
        Mean and standard deviation of the scores of the marks.
    coefficients : (2,) float64
        Intercept and slope for scaled scores.
    covariance : (2, 2) float64
        Of the coefficients.
    """

    centre: float
    spread: float
    coefficients: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]

    def expected(self, scores: npt.ArrayLike) -> list[Estimate]:
        """Return the expected precision of hits with these scores."""
        rows = _rows((np.asarray(scores, dtype=float) - self.centre) / self.spread)
        middle = rows @ self.coefficients
        width = _TWO_SIDED * np.sqrt(np.einsum("ni,ij,nj->n", rows, self.covariance, rows))
        bounds = (_logistic(values) for values in (middle, middle - width, middle + width))
        return [Estimate(*map(float, row)) for row in np.stack(list(bounds), axis=1)]


def calibrate(scores: Scores, is_right: npt.NDArray[np.bool_]) -> Calibration | None:
    """Return the model of marked hits; None if there are too few marks.

    Logistic regression of right and wrong on the score, as by Platt (Probabilistic outputs for support
    vector machines, 1999), with a normal prior, which keeps it finite where all right hits score higher.
    The interval is that of Laplace's approximation (MacKay, The evidence framework applied to
    classification networks, 1992). A higher score never has a lower precision.

    Parameters
    ----------
    scores : (n_marks,) float64
        Scores of models that have not seen the mark.
    is_right : (n_marks,) bool
    """
    n_right = int(is_right.sum())
    if len(scores) < MIN_MARKS or min(n_right, len(scores) - n_right) < MIN_OF_EACH:
        return None
    centre, spread = float(scores.mean()), float(scores.std())
    spread = spread if spread > 0 else 1.0
    rows, truth = _rows((scores - centre) / spread), is_right.astype(float)
    coefficients, covariance = _fitted(rows, truth)
    if coefficients[1] < 0:
        # Marks that contradict the order say nothing about single scores.
        coefficients, covariance = _fitted(rows * [1.0, 0.0], truth)
    return Calibration(centre, spread, coefficients, covariance)


def likely_right(expected: list[Estimate], min_precision: float) -> int:
    """Return the number of hits whose expected precision is at least this."""
    return sum(one.value >= min_precision for one in expected)


def expected_right(expected: list[Estimate]) -> Estimate:
    """Return how many of these hits are expected to be right; the bounds hold for all of them together.

    All hits share one model, so their errors do not average out.
    """
    return Estimate(*(float(sum(values)) for values in zip(*expected, strict=True))) if expected else _NO


_NO = Estimate(0.0, 0.0, 0.0)


def _fitted(
    rows: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the coefficients by Newton's method, and their covariance."""
    coefficients = np.zeros(rows.shape[1])
    precision = np.eye(rows.shape[1]) / _PRIOR
    for _ in range(_STEPS):
        shares = _logistic(rows @ coefficients)
        gradient = rows.T @ (truth - shares) - precision @ coefficients
        hessian = (rows * (shares * (1 - shares))[:, None]).T @ rows + precision
        step = np.linalg.solve(hessian, gradient)
        # Newton's steps are too long far from the optimum.
        coefficients = coefficients + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _CLOSE:
            break
    return coefficients, np.asarray(np.linalg.inv(hessian), dtype=np.float64)


def _rows(scaled: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.stack([np.ones(len(scaled)), scaled], axis=1)


def _logistic(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    return found
