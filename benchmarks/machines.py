"""Make recordings of machines: a hum in the noise of a hall, with and without a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile

RATE_HZ = 16_000
#: Levels of a fault relative to the machine, over the whole recording.
LEVELS_DB = (-6, 0, 6)
_HUM_RMS = 0.05
#: Level of the hall relative to the machine, and how it varies between recordings.
_HALL_DB, _HALL_VARIES_DB = 0.0, 3.0
_Samples = npt.NDArray[np.float64]


def hum(rng: np.random.Generator, speed_hz: float, seconds: float, drift: float = 0.0) -> _Samples:
    """Return a healthy machine: harmonics of its speed, which wanders by one per cent, and a hall.

    Parameters
    ----------
    rng : Generator
    speed_hz : float
        Turns per second.
    seconds : float
    drift : float
        0 to 1: how far the machine has aged. Its speed falls by 4 %, its level rises by 3 dB, and its
        upper harmonics grow.
    """
    n = round(seconds * RATE_HZ)
    speed = speed_hz * (1 - 0.04 * drift) * (1 + 0.01 * _slow(rng, n))
    phase = 2 * np.pi * np.cumsum(speed) / RATE_HZ
    tilt = 1.0 - 0.3 * drift
    harmonics = np.arange(1, 25)
    # The machine's own colour is the same in all its recordings.
    colour = np.random.default_rng(round(speed_hz * 1000)).uniform(0.3, 1.0, harmonics.size)
    found = np.zeros(n)
    for number, share in zip(harmonics, colour, strict=True):
        swell = 1 + 0.2 * _slow(rng, n)
        found += share * number**-tilt * swell * np.sin(number * phase + rng.uniform(0, 2 * np.pi))
    level = _HUM_RMS * 10 ** (3 * drift / 20) * 10 ** (rng.normal(0, 1) / 20)
    hall_db = _HALL_DB + rng.normal(0, _HALL_VARIES_DB)
    return _scaled(found, level) + _scaled(_hall(rng, n), level * 10 ** (hall_db / 20))


def bearing_tick(rng: np.random.Generator, speed_hz: float, n: int) -> _Samples:
    """Return a damaged bearing: a resonance that is struck some times in each turn."""
    found = np.zeros(n)
    period = RATE_HZ / (speed_hz * rng.uniform(0.35, 0.45))
    places = np.arange(rng.uniform(0, period), n - 400, period)
    decay = np.exp(-np.arange(400) / 50)
    ring = decay * np.sin(2 * np.pi * rng.uniform(2500, 4500) * np.arange(400) / RATE_HZ)
    for place in places:
        start = int(place + rng.normal(0, 0.01 * period)) % (n - 400)
        found[start : start + 400] += ring * rng.uniform(0.7, 1.3)
    return found


def belt_squeal(rng: np.random.Generator, speed_hz: float, n: int) -> _Samples:
    """Return a slipping belt: tones of a second that wander, a few in a recording."""
    del speed_hz
    found = np.zeros(n)
    for _ in range(max(1, n // (3 * RATE_HZ))):
        length = min(n, round(rng.uniform(0.5, 1.5) * RATE_HZ))
        start = rng.integers(0, max(1, n - length))
        pitch = rng.uniform(1200, 2600) * (1 + 0.05 * _slow(rng, length))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
        tone = np.sin(phase) + 0.5 * np.sin(2 * phase)
        found[start : start + length] += tone * scipy.signal.windows.tukey(length, 0.2)
    return found


def air_leak(rng: np.random.Generator, speed_hz: float, n: int) -> _Samples:
    """Return escaping air: steady noise above 2 kHz."""
    del speed_hz
    above = scipy.signal.butter(4, rng.uniform(1800, 2800), "highpass", fs=RATE_HZ, output="sos")
    found: _Samples = scipy.signal.sosfilt(above, rng.normal(size=n))
    return found


#: Faults by their names.
FAULTS: dict[str, Callable[[np.random.Generator, float, int], _Samples]] = {
    "bearing_tick": bearing_tick,
    "belt_squeal": belt_squeal,
    "air_leak": air_leak,
}


def faulty(rng: np.random.Generator, speed_hz: float, seconds: float, fault: str, db: float) -> _Samples:
    """Return a machine with a fault, so many decibels above the machine itself."""
    healthy = hum(rng, speed_hz, seconds)
    sound = FAULTS[fault](rng, speed_hz, len(healthy))
    return healthy + _scaled(sound, _rms(healthy) * 10 ** (db / 20))


def write_machine(
    folder: Path,
    speed_hz: float,
    *,
    n_train: int = 20,
    n_test: int = 20,
    seconds: float = 10.0,
    is_healthy: bool = False,
) -> None:
    """Write a machine's recordings as ``train/normal``, ``test/OK_*``, ``test/KO_*`` and ``drift``.

    A machine that `is_healthy` has no ``KO`` and no ``drift``.
    """
    rng = np.random.default_rng(round(speed_hz * 1000) + 1)
    for name, samples in _recordings(rng, speed_hz, n_train, n_test, seconds, is_healthy):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.clip(samples, -1, 1), RATE_HZ, subtype="PCM_16")


def _recordings(
    rng: np.random.Generator,
    speed_hz: float,
    n_train: int,
    n_test: int,
    seconds: float,
    is_healthy: bool,
) -> Iterator[tuple[str, _Samples]]:
    for number in range(n_train):
        yield f"train/normal/{number:03d}.wav", hum(rng, speed_hz, seconds)
    for number in range(n_test):
        yield f"test/OK_{number:03d}.wav", hum(rng, speed_hz, seconds)
        if is_healthy:
            continue
        yield f"drift/{number:03d}.wav", hum(rng, speed_hz, seconds, number / (n_test - 1))
        for fault in FAULTS:
            for db in LEVELS_DB:
                name = f"test/KO_{fault}_{db:+d}dB_{number:03d}.wav"
                yield name, faulty(rng, speed_hz, seconds, fault, db)


def _slow(rng: np.random.Generator, n: int) -> _Samples:
    """Return noise that changes within a second or so, with a deviation of about one."""
    knots = np.linspace(0, n, max(2, n // RATE_HZ + 2))
    found: _Samples = np.interp(np.arange(n), knots, rng.normal(size=knots.size))
    return found


def _coloured(rng: np.random.Generator, n: int) -> _Samples:
    """Return noise that falls by 3 dB an octave."""
    spectrum = np.fft.rfft(rng.normal(size=n))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1))
    return np.fft.irfft(spectrum, n)


def _hall(rng: np.random.Generator, n: int) -> _Samples:
    """Return the noise of a hall: a rumble that falls with frequency, and things that are put down."""
    found = _scaled(_coloured(rng, n), 1.0)
    for _ in range(rng.poisson(n / RATE_HZ / 4)):
        length = round(rng.uniform(0.05, 0.4) * RATE_HZ)
        start = int(rng.integers(0, max(1, n - length)))
        part = found[start : start + length]
        ring = np.sin(2 * np.pi * rng.uniform(300, 3000) * np.arange(len(part)) / RATE_HZ)
        noise = rng.normal(size=len(part))
        part += rng.uniform(1, 3) * (noise + ring) * np.exp(-4 * np.arange(len(part)) / length)
    return found


def _rms(samples: _Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _scaled(samples: _Samples, rms: float) -> _Samples:
    return samples * (rms / max(_rms(samples), 1e-12))
