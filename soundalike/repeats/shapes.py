"""The shape of a sound: its spectrogram above the background, compared at the best offset in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from soundalike.events.activity import COLUMN_FRAMES, FRAMES_PER_S, Columns
from soundalike.types import FloatArray

_Offsets = npt.NDArray[np.int64]

#: Score from which two sounds are one: the cosine of their shapes.
LEAST = 0.8
#: Columns that are kept of a sound, 8 s, and columns before and after it, in which it may begin and end.
_LONGEST, _MARGIN = 200, 5
#: Share of what a cosine has above `LEAST` that a pair loses if only the steady parts are alike.
_DOUBT = 0.75
#: Cosine of what remains up to which a pair loses all of it, and from which nothing.
_SAME_REST = (0.1, 0.4)
#: A tone varies less than the first around its steady part, and noise more than the second, in the
#: natural logarithm of the amplitude; measured where the steady part is at least so strong.
_VARIATION, _STRONG = (0.08, 0.13), 0.3
#: Steps of the power method.
_STEPS = 8
#: Shapes that one is compared with at a time, so that memory is bounded.
_TOGETHER = 32
#: Columns of the Fourier transform, at least as many as a shape has; its frequencies that are one, and
#: the bands that are one; numbers that remain.
_COLUMNS, _FREQUENCIES, _BANDS, _NUMBERS = 256, 4, 2, 128
#: Lowest score of the sketches of two shapes whose cosine is `LEAST`: what remains differs a little.
LEAST_OF_SKETCHES = LEAST - 0.1


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


def sketches(shapes: Sequence[Columns]) -> FloatArray:
    """Return a vector of each shape, the same wherever in the shape the sound begins.

    The vectors are magnitudes of the Fourier transform of each band, pooled and projected at random.
    Before the projection, their cosine is never lower than that of two shapes at any offset.

    Parameters
    ----------
    shapes : sequence of (n_columns, 64) float16

    Returns
    -------
    vectors : (n, 128) float32
        Rows of length 1.
    """
    rng = np.random.default_rng(0)
    vectors = np.zeros((len(shapes), _NUMBERS), np.float32)
    projection: FloatArray | None = None
    for row, shape in enumerate(shapes):
        powers = np.abs(scipy.fft.rfft(shape.astype(np.float32), _COLUMNS, axis=0)[:-1]) ** 2
        # Every other frequency stands for its negative one too.
        powers[0] /= 2
        pooled = powers.reshape(len(powers) // _FREQUENCIES, _FREQUENCIES, -1, _BANDS).sum(axis=(1, 3))
        magnitudes = np.sqrt(pooled).ravel()
        if projection is None:
            projection = rng.standard_normal((len(magnitudes), _NUMBERS), np.float32)
        vectors[row] = magnitudes @ projection
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = vectors / np.maximum(lengths, 1e-9)
    return scaled


class Shapes:
    """Compares shapes.

    Parameters
    ----------
    shapes : sequence of (n_columns, 64) float16
    """

    def __init__(self, shapes: Sequence[Columns]) -> None:
        self._shapes = shapes
        self._steady = [_steady(each.astype(np.float32)) for each in shapes]
        self._norms = np.array([one.norm for one in self._steady], np.float32)
        self._rests = np.array([one.rest for one in self._steady], np.float32)
        self._variations = np.array([one.variation for one in self._steady], np.float32)

    def compare(self, row: int, others: npt.NDArray[np.int64]) -> FloatArray:
        """Return the cosines of one shape with others, each at its best offset."""
        return self._compare(row, others)[0]

    def confirm(self, row: int, others: npt.NDArray[np.int64]) -> FloatArray:
        """Return the cosines of one shape with others, less where only the steady parts are alike.

        The steady part of a shape is the best product of one spectrum and one envelope. All noises of
        one colour have nearly the same; what remains is the same only for the same sound. Where hardly
        anything remains, as of a hum, the steady part decides.
        """
        cosines, offsets = self._compare(row, others)
        rests = np.zeros(len(others), np.float32)
        one, is_near = self._rest(row), cosines >= LEAST
        for place in np.flatnonzero(is_near):
            rests[place] = _product(one, self._rest(int(others[place])), int(offsets[place]))
        rests /= np.maximum(self._rests[row] * self._rests[others], 1e-9)
        variation = np.sqrt(self._variations[row] * self._variations[others])
        doubts = _DOUBT * (1.0 - _between(rests, _SAME_REST)) * _between(variation, _VARIATION)
        confirmed: FloatArray = np.where(is_near, cosines - doubts * (cosines - LEAST), cosines)
        return confirmed

    def _compare(self, row: int, others: npt.NDArray[np.int64]) -> tuple[FloatArray, _Offsets]:
        # Backwards, so that the products at one offset lie on one diagonal of the reshaped array.
        one = self._shapes[row][::-1].astype(np.float32)
        found = np.zeros(len(others), np.float32)
        offsets = np.zeros(len(others), np.int64)
        # Short ones together, so that few are padded to the length of a long one.
        by_length = np.argsort([len(self._shapes[other]) for other in others])
        for begin in range(0, len(others), _TOGETHER):
            some = by_length[begin : begin + _TOGETHER]
            found[some], offsets[some] = _highest(one, [self._shapes[other] for other in others[some]])
        cosines: FloatArray = found / np.maximum(self._norms[row] * self._norms[others], 1e-9)
        return cosines, offsets

    def _rest(self, row: int) -> FloatArray:
        steady = self._steady[row]
        rest: FloatArray = self._shapes[row] - np.outer(steady.envelope, steady.spectrum)
        return rest


@dataclass(frozen=True, slots=True)
class _Steady:
    """The best product of an envelope and a spectrum for a shape.

    Attributes
    ----------
    envelope : (n_columns,) float32
    spectrum : (64,) float32
    norm, rest : float
        Lengths of the shape, and of the shape without the product.
    variation : float
        Standard deviation of the shape around the product.
    """

    envelope: FloatArray
    spectrum: FloatArray
    norm: float
    rest: float
    variation: float


def _steady(shape: FloatArray) -> _Steady:
    products = shape.T @ shape
    # The strongest direction is far ahead of the others: a few steps of the power method are enough.
    spectrum = products.sum(axis=1)
    for _ in range(_STEPS):
        spectrum = products @ spectrum
        spectrum /= max(float(np.linalg.norm(spectrum)), 1e-9)
    envelope = shape @ spectrum
    steady = np.outer(envelope, spectrum)
    rest = shape - steady
    strong = rest[steady > _STRONG]
    variation = float(np.sqrt((strong**2).mean())) if len(strong) else 0.0
    return _Steady(
        envelope, spectrum, float(np.linalg.norm(shape)), float(np.linalg.norm(rest)), variation
    )


def _between(values: FloatArray, bounds: tuple[float, float]) -> FloatArray:
    """Return 0 up to the lower bound, 1 from the upper one, and a straight line between."""
    low, high = bounds
    shares: FloatArray = np.clip((values - low) / (high - low), 0.0, 1.0)
    return shares


def _product(one: FloatArray, other: FloatArray, offset: int) -> float:
    """Return the sum of products of two shapes, the second as many columns later as the offset."""
    begin, end = max(0, -offset), min(len(one), len(other) - offset)
    return float(np.vdot(one[begin:end], other[begin + offset : end + offset]))


def _highest(backwards: FloatArray, others: Sequence[Columns]) -> tuple[FloatArray, _Offsets]:
    """Return, for each other shape, the greatest sum of products over all offsets, and its offset."""
    size, longest = len(backwards), max(map(len, others))
    padded = np.zeros((len(others), longest, backwards.shape[1]), np.float32)
    for row, other in enumerate(others):
        padded[row, : len(other)] = other
    products = np.zeros((len(others), longest, size + longest), np.float32)
    # One product of two matrices: many small ones spend their time on starting threads.
    both = padded.reshape(-1, padded.shape[2]) @ backwards.T
    products[:, :, :size] = both.reshape(len(others), longest, size)
    # A row that is one shorter moves each next row by one column.
    flat = products.reshape(len(others), -1)[:, : longest * (size + longest - 1)]
    sums = flat.reshape(len(others), longest, -1).sum(axis=1)
    best = sums.argmax(axis=1)
    highest: FloatArray = sums[np.arange(len(others)), best]
    return highest, best - (size - 1)
