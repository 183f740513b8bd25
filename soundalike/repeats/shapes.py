"""The shape of a sound: its spectrogram above the background, compared at the best offset in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soundalike.events.activity import COLUMN_FRAMES, FRAMES_PER_S, Columns
from soundalike.types import FloatArray

#: Score from which two sounds are one: the cosine of their shapes.
LEAST = 0.8
#: Columns that are kept of a sound, 8 s, and columns before and after it, in which it may begin and end.
_LONGEST, _MARGIN = 200, 5
#: Shapes that one is compared with at a time, so that memory is bounded.
_TOGETHER = 32


def shape_of(above: Columns, start_s: float, end_s: float) -> Columns:
    """Return the shape of a part of a stretch.

    Parameters
    ----------
    above : (n_columns, 64) float16
        The stretch; see `soundalike.events.activity.above_background`.
    start_s, end_s : float
        Bounds in the stretch.
    """
    columns_per_s = FRAMES_PER_S / COLUMN_FRAMES
    begin = max(0, int(start_s * columns_per_s) - _MARGIN)
    end = int(np.ceil(end_s * columns_per_s)) + _MARGIN
    return above[begin : min(end, begin + _LONGEST)].copy()


class Shapes:
    """Compares shapes.

    Parameters
    ----------
    shapes : sequence of (n_columns, 64) float16
    """

    def __init__(self, shapes: Sequence[Columns]) -> None:
        self._shapes = shapes
        self._norms = np.array([np.linalg.norm(each.astype(np.float32)) for each in shapes], np.float32)

    def compare(self, row: int, others: npt.NDArray[np.int64]) -> FloatArray:
        """Return the cosines of one shape with others, each at its best offset."""
        # Backwards, so that the products at one offset lie on one diagonal of the reshaped array.
        one = self._shapes[row][::-1].astype(np.float32)
        found = np.zeros(len(others), np.float32)
        # Short ones together, so that few are padded to the length of a long one.
        by_length = np.argsort([len(self._shapes[other]) for other in others])
        for begin in range(0, len(others), _TOGETHER):
            some = by_length[begin : begin + _TOGETHER]
            found[some] = _highest(one, [self._shapes[other] for other in others[some]])
        cosines: FloatArray = found / np.maximum(self._norms[row] * self._norms[others], 1e-9)
        return cosines


def _highest(backwards: FloatArray, others: Sequence[Columns]) -> FloatArray:
    """Return, for each other shape, the greatest sum of products over all offsets."""
    size, longest = len(backwards), max(map(len, others))
    padded = np.zeros((len(others), longest, backwards.shape[1]), np.float32)
    for row, other in enumerate(others):
        padded[row, : len(other)] = other
    products = np.zeros((len(others), size, size + longest), np.float32)
    products[:, :, :longest] = backwards @ padded.transpose(0, 2, 1)
    # A row that is one shorter moves each next row by one column.
    flat = products.reshape(len(others), -1)[:, : size * (size + longest - 1)]
    highest: FloatArray = flat.reshape(len(others), size, -1).sum(axis=1).max(axis=1)
    return highest
