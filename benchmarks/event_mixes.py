"""Long recordings with sounds at known times: clips, or made sounds, mixed into made backgrounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
import soxr

from soundalike.audio.files import find_files
from soundalike.events.activity import active_part
from soundalike.types import FloatArray

RATE_HZ = 16_000
_PEAK = 0.97
_NOISE_RMS = 0.02
_GAP_S = (6.0, 16.0)


@dataclass(frozen=True)
class Clip:
    """The loud part of a sound."""

    name: str
    label: str
    fold: str
    samples: FloatArray


@dataclass(frozen=True)
class Mixed:
    """A recording, and where its sounds begin and end: ``(clip, start_s, end_s)``."""

    samples: FloatArray
    events: list[tuple[Clip, float, float]]


def clips_of(folder: Path, fold_pattern: str) -> list[Clip]:
    """Read labelled clips; the first group of the pattern is a file's fold."""
    found = []
    for path in find_files([str(folder)]).files:
        fold = re.search(fold_pattern, Path(path).name)
        if fold is None:
            continue
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(samples.mean(axis=1), rate, RATE_HZ).astype(np.float32)
        begin, end = active_part(mono, RATE_HZ)
        found.append(Clip(str(path), Path(path).parent.name, fold.group(1), mono[begin:end]))
    return found


def made_clips(per_label: int = 8, folds: Sequence[str] = ("1", "2")) -> list[Clip]:
    """Make chirps, warbles, knocks, bursts of noise, hums and clicks; each a little different."""
    rng = np.random.default_rng(7)
    makers: dict[str, Callable[[], FloatArray]] = {
        "chirp": lambda: _chirp(rng, 1.0),
        "fall": lambda: _chirp(rng, -1.0),
        "warble": lambda: _warble(rng),
        "knock": lambda: _knock(rng),
        "burst": lambda: _burst(rng),
        "hum": lambda: _hum(rng),
    }
    return [
        Clip(f"{label}-{fold}-{number}", label, fold, make().astype(np.float32))
        for fold in folds
        for label, make in makers.items()
        for number in range(per_label)
    ]


def _time(seconds: float) -> FloatArray:
    return np.arange(round(seconds * RATE_HZ), dtype=np.float32) / RATE_HZ


def _faded(samples: FloatArray, fade_s: float = 0.02) -> FloatArray:
    size = min(len(samples) // 2, round(fade_s * RATE_HZ))
    ramp = np.ones(len(samples), np.float32)
    ramp[:size] = np.linspace(0, 1, size)
    ramp[len(ramp) - size :] = np.linspace(1, 0, size)
    return samples * ramp


def _chirp(rng: np.random.Generator, direction: float) -> FloatArray:
    time_s = _time(rng.uniform(0.5, 1.2))
    low, high = rng.uniform(700, 1200), rng.uniform(2500, 4500)
    begin, end = (low, high) if direction > 0 else (high, low)
    once = scipy.signal.chirp(time_s, begin, time_s[-1], end)
    return np.tile(_faded(once), int(rng.integers(1, 4)))


def _warble(rng: np.random.Generator) -> FloatArray:
    time_s = _time(rng.uniform(1.5, 3.5))
    rate, depth = rng.uniform(6, 10), rng.uniform(150, 300)
    phase = 2 * np.pi * rng.uniform(1500, 2500) * time_s
    return _faded(np.sin(phase + depth / rate * np.sin(2 * np.pi * rate * time_s)), 0.05)


def _knock(rng: np.random.Generator) -> FloatArray:
    count, distance_s = int(rng.integers(3, 7)), rng.uniform(0.25, 0.4)
    samples = np.zeros(round((count * distance_s + 0.2) * RATE_HZ), np.float32)
    time_s = _time(0.15)
    one = np.sin(2 * np.pi * rng.uniform(180, 350) * time_s) * np.exp(-time_s * rng.uniform(25, 45))
    one += 0.5 * rng.standard_normal(len(one)) * np.exp(-time_s * 90)
    for number in range(count):
        begin = round(number * distance_s * RATE_HZ)
        samples[begin : begin + len(one)] += one
    return samples


def _burst(rng: np.random.Generator) -> FloatArray:
    samples = rng.standard_normal(round(rng.uniform(0.4, 1.0) * RATE_HZ))
    centre = rng.uniform(2500, 4000)
    band = scipy.signal.butter(2, (centre / 1.5, centre * 1.5), "bandpass", fs=RATE_HZ, output="sos")
    return _faded(scipy.signal.sosfilt(band, samples))


def _hum(rng: np.random.Generator) -> FloatArray:
    time_s = _time(rng.uniform(2.5, 4.5))
    base = rng.uniform(120, 180)
    parts = [np.sin(2 * np.pi * base * n * time_s + rng.uniform(0, 6)) / n for n in range(1, 12)]
    return _faded(np.sum(parts, axis=0), 0.2)


def background(kind: str, n_samples: int, rng: np.random.Generator) -> FloatArray:
    """Return ``pink`` or ``brown`` noise, or ``street``: noise that swells, with cars and steps."""
    power = {"pink": 1.0, "brown": 2.0, "street": 1.3}[kind]
    size = scipy.fft.next_fast_len(n_samples)
    frequencies = np.fft.rfftfreq(size, 1 / RATE_HZ)
    shape = np.where(frequencies < 20, 0.0, np.maximum(frequencies, 1.0) ** (-power / 2))
    spectrum = shape * (rng.standard_normal(len(shape)) + 1j * rng.standard_normal(len(shape)))
    noise = np.fft.irfft(spectrum, size)[:n_samples]
    noise /= np.sqrt((noise**2).mean())
    if kind == "street":
        noise = _with_traffic(noise, rng)
    found: FloatArray = (_NOISE_RMS * noise / np.sqrt((noise**2).mean())).astype(np.float32)
    return found


def _with_traffic(noise: FloatArray, rng: np.random.Generator) -> FloatArray:
    time_s = np.arange(len(noise)) / RATE_HZ
    level = np.ones(len(noise))
    for at in rng.uniform(0, time_s[-1], max(1, int(time_s[-1] / 40))):
        loudness, width_s = rng.uniform(0.5, 2.0), rng.uniform(2, 5)
        begin, end = np.searchsorted(time_s, (at - 6 * width_s, at + 6 * width_s))
        level[begin:end] += loudness * np.exp(-(((time_s[begin:end] - at) / width_s) ** 2))
    noise = noise * level
    step = rng.standard_normal(round(0.06 * RATE_HZ)) * np.exp(-_time(0.06) * 60)
    for at in rng.uniform(0, time_s[-1] - 5, max(1, int(time_s[-1] / 30))):
        for number in range(int(rng.integers(3, 8))):
            begin = int((at + 0.55 * number) * RATE_HZ)
            noise[begin : begin + len(step)] += 2.5 * step
    return noise


def mix(clips: Sequence[Clip], kind: str, snr_db: float, seed: int) -> Mixed:
    """Mix clips into a background, each at this level above it, in random order with pauses between."""
    rng = np.random.default_rng(seed)
    at_s, places = rng.uniform(3, 8), []
    for number in rng.permutation(len(clips)):
        places.append((clips[number], at_s))
        at_s += len(clips[number].samples) / RATE_HZ + rng.uniform(*_GAP_S)
    samples = background(kind, round((at_s + 5) * RATE_HZ), rng)
    events = []
    for clip, begin_s in places:
        begin = round(begin_s * RATE_HZ)
        end = begin + len(clip.samples)
        gain = _NOISE_RMS * 10 ** (snr_db / 20) / np.sqrt((clip.samples**2).mean())
        samples[begin:end] += gain * clip.samples
        events.append((clip, begin / RATE_HZ, end / RATE_HZ))
    peak = float(np.abs(samples).max())
    return Mixed(samples * min(1.0, _PEAK / peak), events)
