"""Building blocks of the toy sounds: tones, noise, filters, rooms and levels.

Everything here is plain numpy, works on mono signals unless said otherwise, and draws its
random numbers from the generator it is handed: there is no global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class Scene:
    """What a voice needs to know to make one clip.

    Attributes
    ----------
    rng : numpy.random.Generator
        The clip's own random numbers.
    duration_s : float
        Length of the clip, in seconds.
    sample_rate_hz : int
        Samples per second.
    variant : int
        Number of the take, counted from 0 over the indexed takes and then the queries.
    """

    rng: np.random.Generator
    duration_s: float
    sample_rate_hz: int
    variant: int

    def times_s(self) -> FloatArray:
        """Return the time of every sample, in seconds."""
        return time_axis_s(self.duration_s, self.sample_rate_hz)

    def silence(self) -> FloatArray:
        """Return a silent signal of the clip's length."""
        return np.zeros(self.times_s().size)


class Resonance(NamedTuple):
    """One resonance of a body: its frequency (Hz), its quality factor and its gain."""

    frequency_hz: float
    quality: float
    gain: float


def time_axis_s(duration_s: float, sample_rate_hz: int) -> FloatArray:
    """Return the times (seconds) of `duration_s` seconds of samples."""
    return np.arange(round(duration_s * sample_rate_hz), dtype=np.float64) / sample_rate_hz


def gain_of(level_db: float) -> float:
    """Return the amplitude factor of a level in decibels."""
    return float(10.0 ** (level_db / 20.0))


def with_rms(signal: FloatArray, rms: float) -> FloatArray:
    """Return the signal scaled to a root-mean-square amplitude; silence stays silence."""
    present = float(np.sqrt(np.mean(np.square(signal)))) if signal.size else 0.0
    return signal * (rms / present) if present > 0.0 else signal


def with_peak(signal: FloatArray, peak: float) -> FloatArray:
    """Return the signal scaled to a highest absolute amplitude; silence stays silence."""
    present = float(np.max(np.abs(signal), initial=0.0))
    return signal * (peak / present) if present > 0.0 else signal


def faded(signal: FloatArray, sample_rate_hz: int, fade_s: float = 0.01) -> FloatArray:
    """Return the signal with a raised-cosine fade of `fade_s` seconds at both ends."""
    count = min(round(fade_s * sample_rate_hz), signal.size // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / max(count, 1))
    shaped = signal.copy()
    shaped[:count] *= ramp
    shaped[signal.size - count :] *= ramp[::-1]
    return shaped


def add_at(target: FloatArray, sound: FloatArray, start_s: float, sample_rate_hz: int) -> None:
    """Add a sound to `target` in place from `start_s` seconds on; what sticks out is cut."""
    first = max(round(start_s * sample_rate_hz), 0)
    kept = sound[: max(target.size - first, 0)]
    target[first : first + kept.size] += kept


def harmonic_tone(
    frequency_hz: FloatArray, amplitudes: Sequence[float], sample_rate_hz: int
) -> FloatArray:
    """Return a tone of changing pitch as a sum of its harmonics.

    Parameters
    ----------
    frequency_hz : FloatArray
        Fundamental frequency at every sample, in Hz.
    amplitudes : sequence of float
        Amplitude of the first, second, ... harmonic.
    sample_rate_hz : int
        Samples per second.

    Returns
    -------
    FloatArray
        The tone; harmonics above 45 % of the sample rate are left out.
    """
    phase = 2.0 * np.pi * np.cumsum(frequency_hz) / sample_rate_hz
    tone = np.zeros(frequency_hz.size)
    for order, amplitude in enumerate(amplitudes, start=1):
        audible = order * frequency_hz < 0.45 * sample_rate_hz
        if not audible.any():
            break
        tone += amplitude * audible * np.sin(order * phase)
    return tone


def damped_tones(
    frequencies_hz: Sequence[float],
    decays_s: Sequence[float],
    amplitudes: Sequence[float],
    duration_s: float,
    sample_rate_hz: int,
) -> FloatArray:
    """Return a struck sound: sines that die away by a factor e in `decays_s` seconds each."""
    times_s = time_axis_s(duration_s, sample_rate_hz)
    sound = np.zeros(times_s.size)
    for frequency_hz, decay_s, amplitude in zip(frequencies_hz, decays_s, amplitudes, strict=True):
        if frequency_hz < 0.45 * sample_rate_hz:
            tone = np.sin(2.0 * np.pi * frequency_hz * times_s)
            sound += amplitude * np.exp(-times_s / decay_s) * tone
    return sound


def coloured_noise(
    rng: np.random.Generator,
    count: int,
    sample_rate_hz: int,
    slope_db_per_octave: float = -3.0,
    band_hz: tuple[float, float] = (40.0, 20_000.0),
) -> FloatArray:
    """Return `count` samples of noise of unit RMS with a sloping, band-limited spectrum.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the random numbers.
    count : int
        Number of samples.
    sample_rate_hz : int
        Samples per second.
    slope_db_per_octave : float
        Tilt of the spectrum: 0 is white, -3 pink, -6 brown.
    band_hz : tuple of float
        Lower and upper edge, in Hz; both roll off at 12 dB an octave.

    Returns
    -------
    FloatArray
        The noise.
    """
    frequencies_hz = np.fft.rfftfreq(count, 1.0 / sample_rate_hz) + 1e-3
    gain = (frequencies_hz / 1000.0) ** (slope_db_per_octave / 6.02)
    gain /= 1.0 + (band_hz[0] / frequencies_hz) ** 2
    gain /= 1.0 + (frequencies_hz / band_hz[1]) ** 2
    spectrum = np.fft.rfft(rng.standard_normal(count))
    return with_rms(np.fft.irfft(gain * spectrum, count), 1.0)


def wandering(rng: np.random.Generator, count: int, sample_rate_hz: int, step_s: float) -> FloatArray:
    """Return a smooth random curve between about -1 and 1 that turns every `step_s` seconds."""
    times_s = np.arange(count) / sample_rate_hz
    knots = rng.uniform(-1.0, 1.0, int(count / sample_rate_hz / step_s) + 3)
    position = times_s / step_s
    left = position.astype(np.int64)
    weight = 0.5 - 0.5 * np.cos(np.pi * (position - left))
    return knots[left] * (1.0 - weight) + knots[left + 1] * weight


def resonated(
    signal: FloatArray, sample_rate_hz: int, resonances: Sequence[Resonance], direct: float = 0.0
) -> FloatArray:
    """Return the signal sent through parallel band-pass resonances, plus `direct` of itself."""
    padded = 2 * signal.size
    frequencies_hz = np.fft.rfftfreq(padded, 1.0 / sample_rate_hz) + 1e-3
    response: ComplexArray = np.full(frequencies_hz.size, direct, dtype=np.complex128)
    for resonance in resonances:
        ratio = frequencies_hz / resonance.frequency_hz
        response += resonance.gain / (1.0 + 1j * resonance.quality * (ratio - 1.0 / ratio))
    return np.fft.irfft(response * np.fft.rfft(signal, padded), padded)[: signal.size]


def resampled(signal: FloatArray, count: int) -> FloatArray:
    """Return the signal stretched to `count` samples by band-limited interpolation."""
    return np.fft.irfft(np.fft.rfft(signal), count) * (count / signal.size)


def in_room(
    signal: FloatArray,
    rng: np.random.Generator,
    sample_rate_hz: int,
    decay_s: float,
    wetness: float,
) -> FloatArray:
    """Return the signal with the reverberation of a room, cut to the signal's length.

    Parameters
    ----------
    signal : FloatArray
        The dry sound.
    rng : numpy.random.Generator
        Source of the random echo pattern.
    sample_rate_hz : int
        Samples per second.
    decay_s : float
        Time in which the reverberation falls by 60 dB, in seconds.
    wetness : float
        Amplitude of the reverberation, relative to the dry sound.

    Returns
    -------
    FloatArray
        Dry sound and reverberation together.
    """
    times_s = time_axis_s(decay_s, sample_rate_hz)
    echoes = coloured_noise(rng, times_s.size, sample_rate_hz, -2.0, (80.0, 5000.0))
    echoes *= np.exp(-6.9 * times_s / decay_s) * (times_s > 0.006)
    echoes /= np.sqrt(np.sum(np.square(echoes)))
    length = signal.size + echoes.size
    wet = np.fft.irfft(np.fft.rfft(signal, length) * np.fft.rfft(echoes, length), length)
    return signal + wetness * wet[: signal.size]
