"""Make a SYNTHETIC night at a pond: a long recording of five kinds of animals, and where each is heard.

Writes ``night/20250512_220000.flac`` (40 minutes), ``night/truth.csv`` (begin, end and label of every
event) and ``examples/``, one other take of each kind, below a folder::

    python toy-data/make_night.py pond
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile  # type: ignore[import-untyped, unused-ignore]
from acoustics import (
    FloatArray,
    Resonance,
    Scene,
    add_at,
    coloured_noise,
    faded,
    gain_of,
    harmonic_tone,
    in_room,
    resonated,
    wandering,
    with_peak,
    with_rms,
)
from synthesis import bird_song, dog_bark

RATE_HZ = 16_000
MINUTES = 40
#: The name says when the recording began.
NIGHT_FILE = "night/20250512_220000.flac"
#: Animals of each kind; each has a voice of its own.
ANIMALS = 2
#: Events of each kind in the whole night.
COUNTS = {"bird": 12, "dog": 9, "duck": 14, "frog": 24, "owl": 16}
#: Peak of an event, in dB relative to full scale; the background has an RMS of about -45 dB.
PEAKS_DB = (-24.0, -8.0)
#: Silence between two events, at least.
GAP_S = 3.0
#: The background is made in blocks, which overlap by a second.
BLOCK_S, OVERLAP_S = 60, 1

_Call = Callable[[np.random.Generator, np.random.Generator], FloatArray]


class Event(NamedTuple):
    """One sound in the night.

    Attributes
    ----------
    start_s, end_s : float
        Its begin and end, in seconds from the begin of the recording.
    label : str
        Its kind.
    """

    start_s: float
    end_s: float
    label: str


def frog(animal: np.random.Generator, take: np.random.Generator) -> FloatArray:
    """Return one to three croaks: pulses at a steady rate in the two resonances of a throat sac."""
    pulses_hz, low_hz = animal.uniform(38.0, 60.0), animal.uniform(550.0, 800.0)
    parts = []
    for _ in range(take.integers(1, 4)):
        place = np.arange(round(take.uniform(0.45, 0.8) * RATE_HZ)) / RATE_HZ
        pulses = np.maximum(np.sin(2 * np.pi * pulses_hz * take.uniform(0.95, 1.05) * place), 0.0) ** 6
        source = pulses * coloured_noise(take, place.size, RATE_HZ, -3.0, (200.0, 5000.0))
        throat = (Resonance(low_hz, 5.0, 1.0), Resonance(2.4 * low_hz, 6.0, 0.6))
        croak = resonated(source, RATE_HZ, throat) * _swelling(place.size) ** 0.5
        parts += [with_peak(croak, take.uniform(0.7, 1.0)), np.zeros(round(0.15 * RATE_HZ))]
    return np.concatenate(parts[:-1])


def _swelling(count: int) -> FloatArray:
    """Return half a turn of a sine: from 0 to 1 and back."""
    # Rounding gives a last sample below zero, which has no root.
    return np.maximum(np.sin(np.linspace(0.0, np.pi, count)), 0.0)


def owl(animal: np.random.Generator, take: np.random.Generator) -> FloatArray:
    """Return the hoot of an owl: a long note, a pause, and a quavering one."""
    pitch_hz = animal.uniform(330.0, 460.0) * take.uniform(0.98, 1.02)
    return np.concatenate(
        [
            _hoot(pitch_hz, take.uniform(0.5, 0.7), 0.0),
            np.zeros(round(take.uniform(0.35, 0.5) * RATE_HZ)),
            _hoot(1.03 * pitch_hz, take.uniform(0.9, 1.3), 0.03),
        ]
    )


def _hoot(pitch_hz: float, duration_s: float, quaver: float) -> FloatArray:
    """Return a soft tone that rises and falls, with a quaver of that share of its pitch."""
    place = np.linspace(0.0, 1.0, round(duration_s * RATE_HZ))
    contour_hz = pitch_hz * (0.94 + 0.08 * np.sin(np.pi * place))
    contour_hz *= 1.0 + quaver * np.sin(2 * np.pi * 9.0 * duration_s * place)
    return harmonic_tone(contour_hz, (1.0, 0.08, 0.05), RATE_HZ) * _swelling(place.size) ** 0.7


def duck(animal: np.random.Generator, take: np.random.Generator) -> FloatArray:
    """Return a series of three to six quacks, each softer than the one before."""
    pitch_hz, nose_hz = animal.uniform(190.0, 260.0), animal.uniform(1100.0, 1500.0)
    parts = []
    for number in range(take.integers(3, 7)):
        place = np.linspace(0.0, 1.0, round(take.uniform(0.16, 0.24) * RATE_HZ))
        contour_hz = pitch_hz * (1.1 - 0.25 * place) * take.uniform(0.97, 1.03)
        source = harmonic_tone(contour_hz, [order**-0.4 for order in range(1, 30)], RATE_HZ)
        beak = (Resonance(nose_hz, 4.0, 1.0), Resonance(2.1 * nose_hz, 5.0, 0.7))
        quack = resonated(source, RATE_HZ, beak, 0.02) * _swelling(place.size) ** 0.6
        parts += [with_peak(quack, 0.85**number), np.zeros(round(0.12 * RATE_HZ))]
    return np.concatenate(parts[:-1])


def bird(animal: np.random.Generator, take: np.random.Generator) -> FloatArray:
    """Return some phrases of the toy data's bird."""
    return bird_song(Scene(animal, take.uniform(2.0, 3.5), RATE_HZ, 0))


def dog(animal: np.random.Generator, take: np.random.Generator) -> FloatArray:
    """Return some barks of the toy data's dog."""
    return dog_bark(Scene(animal, take.uniform(1.2, 2.5), RATE_HZ, 0))


CALLS: dict[str, _Call] = {"bird": bird, "dog": dog, "duck": duck, "frog": frog, "owl": owl}


def call(label: str, animal: int, take: np.random.Generator) -> FloatArray:
    """Return one event of an animal, from its first to its last audible sample, peak 1.

    The reverberation of the open water is in it. Audible is what is less than 30 dB below the peak.
    """
    # The voice of an animal is the same in all its takes.
    voice = np.random.default_rng([animal, *label.encode()])
    dry = np.concatenate([CALLS[label](voice, take), np.zeros(round(0.3 * RATE_HZ))])
    wet = with_peak(in_room(dry, take, RATE_HZ, 0.4, gain_of(-16.0)), 1.0)
    audible = np.flatnonzero(np.abs(wet) > gain_of(-30.0))
    return faded(wet[audible[0] : audible[-1] + 1], RATE_HZ, 0.005)


def background(rng: np.random.Generator, seconds: int) -> Iterator[FloatArray]:
    """Yield blocks of the pond: wind, water and the hiss of the recorder, ``BLOCK_S`` seconds each."""
    overlap = OVERLAP_S * RATE_HZ
    rise = np.sin(0.5 * np.pi * np.arange(overlap) / overlap)
    tail = np.zeros(overlap)
    for _ in range(seconds // BLOCK_S):
        count = BLOCK_S * RATE_HZ + overlap
        gusts = gain_of(1.0) ** (4.0 * wandering(rng, count, RATE_HZ, 4.0))
        wind = 0.004 * gusts * coloured_noise(rng, count, RATE_HZ, -6.0, (40.0, 400.0))
        water = 0.002 * coloured_noise(rng, count, RATE_HZ, -3.0, (300.0, 4000.0))
        block = wind + water + 0.0005 * rng.standard_normal(count)
        block[:overlap] = rise * block[:overlap] + tail
        tail = rise[::-1] * block[-overlap:]
        yield block[:-overlap]


def planned(rng: np.random.Generator, minutes: int) -> list[tuple[float, str]]:
    """Return begins and labels of the events: in random order, with random gaps."""
    share = minutes / MINUTES
    labels = [label for label, n in COUNTS.items() for _ in range(max(1, round(share * n)))]
    rng.shuffle(labels)
    # No call is longer than five seconds.
    slack = minutes * 60 - len(labels) * (5.0 + GAP_S) - GAP_S
    places = np.sort(rng.uniform(0.0, slack, len(labels)))
    return [
        (GAP_S + place + number * (5.0 + GAP_S), label)
        for number, (place, label) in enumerate(zip(places, labels, strict=True))
    ]


def make(folder: Path, minutes: int = MINUTES) -> list[Event]:
    """Make recording, truth and examples below a folder, and return the events."""
    rng = np.random.default_rng(20250512)
    night = np.concatenate(list(background(rng, minutes * 60)))
    events = []
    for start_s, label in planned(rng, minutes):
        sound = call(label, int(rng.integers(ANIMALS)), rng)
        add_at(night, gain_of(rng.uniform(*PEAKS_DB)) * sound, start_s, RATE_HZ)
        events.append(Event(start_s, start_s + sound.size / RATE_HZ, label))
    _write(folder / NIGHT_FILE, night)
    with (folder / "night" / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file_name", "start_s", "end_s", "label"])
        for event in events:
            times = (f"{event.start_s:.3f}", f"{event.end_s:.3f}")
            table.writerow([Path(NIGHT_FILE).name, *times, event.label])
    for label in CALLS:
        take = 0.5 * call(label, 0, rng)
        quiet = round(0.2 * RATE_HZ)
        example = np.pad(take, quiet)
        noise = coloured_noise(rng, example.size, RATE_HZ, -3.0)
        _write(folder / "examples" / label / f"{label}.wav", example + with_rms(noise, 0.001))
    return events


def _write(path: Path, samples: FloatArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(samples, -1.0, 1.0), RATE_HZ, subtype="PCM_16")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Make a synthetic night at a pond.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--minutes", type=int, default=MINUTES, metavar="N", help="length (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.minutes < 1:
        parser.error(f"--minutes is {options.minutes}; the least is 1")
    try:
        events = make(options.folder, options.minutes)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.folder / NIGHT_FILE}: {options.minutes} minutes, {len(events)} events")
    return 0


if __name__ == "__main__":
    sys.exit(main())
