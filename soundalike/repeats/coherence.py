"""Tell copies of one sound from two takes of it: by the waveforms, aligned to a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from soundalike.types import FloatArray

#: Rate at which waveforms are compared. Copies of lower rates agree below their own limit.
RATE_HZ = 16_000
#: Exponent of the whitening before the correlation: tones count less, so that a hum that two recordings
#: share does not align them, and noise between the harmonics of a copy does not hide it.
_WHITENING = 0.75
_LEAST_AMPLITUDE = 1e-6
#: Height of a correlation's peak above its deviation. Unrelated sounds reach 5 to 15.
_RARE = 20.0
_FRAME = 512
#: Phases are compared within blocks of this length, all at one offset.
_BLOCK_S = 4.0


@dataclass(frozen=True, slots=True)
class Overlap:
    """The parts of two sounds that lie at one time, as samples of the same length."""

    first: FloatArray
    second: FloatArray


def align(first: FloatArray, second: FloatArray) -> int | None:
    """Return where the second sound begins in the first, in samples; None if nothing aligns them.

    The whitened cross-correlation has one sharp peak for copies, whatever their levels, formats and
    filters; the waveforms of two takes have none.

    Parameters
    ----------
    first, second : (n_samples,) float32
        At `RATE_HZ`.
    """
    if not first.any() or not second.any():
        return None
    size = scipy.fft.next_fast_len(len(first) + len(second), real=True)
    cross = _whitened(first, size) * np.conj(_whitened(second, size))
    correlation = np.abs(scipy.fft.irfft(cross, size))
    lag = int(correlation.argmax())
    if correlation[lag] < _RARE * float(np.sqrt((correlation**2).mean())):
        return None
    # A negative lag is found at the end of the circle.
    return lag if lag < len(first) else lag - size


def _whitened(samples: FloatArray, size: int) -> npt.NDArray[np.complex64]:
    spectrum = scipy.fft.rfft(samples, size)
    amplitudes = np.abs(spectrum)
    found: npt.NDArray[np.complex64] = (
        spectrum / np.maximum(amplitudes, _LEAST_AMPLITUDE * amplitudes.max()) ** _WHITENING
    )
    return found


def overlap(first: FloatArray, second: FloatArray, lag: int) -> Overlap:
    """Return what two sounds share if the second begins at a sample of the first."""
    begin, end = max(0, lag), min(len(first), lag + len(second))
    if end <= begin:
        return Overlap(first[:0], second[:0])
    return Overlap(first[begin:end], second[begin - lag : end - lag])


def coherence(shared: Overlap) -> float:
    """Return how far the phases of two aligned sounds agree, 0 to 1.

    In each block and band, the cross-spectrum is summed over time: phases that agree add up, others
    cancel. Loud blocks and bands count more, bands by the root of their power, so that one common tone
    does not decide. A constant delay below a sample, and a band that one copy lacks, change little.
    """
    size = round(_BLOCK_S * RATE_HZ)
    count = max(1, len(shared.first) // size)
    agreeing = np.zeros(_FRAME // 2 + 1)
    total = np.zeros(_FRAME // 2 + 1)
    for first, second in zip(
        np.array_split(shared.first, count), np.array_split(shared.second, count), strict=True
    ):
        if len(first) < _FRAME:
            continue
        one, other = _frames(first), _frames(second)
        agreeing += np.abs((one * np.conj(other)).sum(axis=1))
        total += np.sqrt((np.abs(one) ** 2).sum(axis=1) * (np.abs(other) ** 2).sum(axis=1))
    weights = np.sqrt(total)
    if not weights.any():
        return 0.0
    shares = agreeing / np.maximum(total, np.finfo(float).tiny)
    return float((weights * shares).sum() / weights.sum())


def _frames(samples: FloatArray) -> npt.NDArray[np.complex128]:
    # Here: it takes half a second to import, and the gateway imports this module when it starts.
    from scipy.signal import stft

    found: npt.NDArray[np.complex128] = stft(
        samples.astype(np.float64), nperseg=_FRAME, boundary=None, padded=False
    )[2]
    return found
