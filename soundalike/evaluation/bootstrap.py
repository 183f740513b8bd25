"""Percentile bootstrap intervals of means over queries.

Sources: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile
intervals); T. Sakai, "Evaluating evaluation metrics based on the bootstrap", SIGIR 2006 (resampling the
queries of a retrieval experiment, paired for the comparison of two systems).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SEED = 1993
N_RESAMPLES = 2000
CONFIDENCE = 0.95
#: Number of values in memory at once (16 MiB).
_BLOCK_VALUES = 1 << 21

FloatRows = npt.NDArray[np.float64]


def intervals(values: FloatRows) -> FloatRows:
    """Return the 95 % percentile bootstrap interval of the mean of each row.

    The columns (queries) are drawn with replacement 2000 times, with a fixed seed. All rows, and all
    calls with the same number of queries, use the same draws: for the differences of two settings this
    is the paired bootstrap.

    Only queries are resampled, not the searched clips and the classes. If all values of a row are equal,
    the interval has zero width, even for few queries.

    Parameters
    ----------
    values : (n_metrics, n_queries) float64
        Value of each metric for each query; at least one query.

    Returns
    -------
    intervals : (n_metrics, 2) float64
        Lower and upper bound.

    Examples
    --------
    >>> low, high = intervals(np.array([[0.0, 1.0] * 50]))[0]
    >>> bool(0.35 < low < 0.45 and 0.55 < high < 0.65)
    True
    """
    n_metrics, n_queries = values.shape
    rng = np.random.default_rng(SEED)
    means = np.empty((n_metrics, N_RESAMPLES))
    block = max(1, _BLOCK_VALUES // n_queries)
    for begin in range(0, N_RESAMPLES, block):
        count = min(block, N_RESAMPLES - begin)
        drawn = rng.integers(n_queries, size=(count, n_queries))
        for row, of_row in zip(values, means, strict=True):
            of_row[begin : begin + count] = row[drawn].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    bounds: FloatRows = np.quantile(means, (tail, 1 - tail), axis=1).T
    return bounds
