"""The voices of the toy sounds: one function a class, each making one dry mono clip.

A voice takes a `Scene` and returns `duration_s` seconds of samples of any level; the room,
the background noise and the final level are added by ``make_toy_data.py``.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
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
    damped_tones,
    faded,
    gain_of,
    harmonic_tone,
    resampled,
    resonated,
    wandering,
    with_peak,
)

# Partials of a church bell relative to its prime, how long each rings and how loud it is.
BELL_RATIOS = (0.5, 1.0, 1.19, 1.5, 2.0, 2.51, 2.66, 3.01, 4.17, 5.43, 6.8, 8.21, 9.7, 11.3)
BELL_DECAYS_S = (3.2, 2.0, 1.6, 1.1, 1.2, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.2, 0.15, 0.12)
BELL_AMPLITUDES = (0.35, 0.6, 0.8, 0.35, 1.0, 0.4, 0.35, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2)

# MIDI note numbers of open-position guitar chords, and of progressions over them.
CHORDS = {
    "C": (48, 52, 55, 60, 64),
    "G": (43, 47, 50, 55, 59, 67),
    "D": (50, 57, 62, 66),
    "A": (45, 52, 57, 61, 64),
    "E": (40, 47, 52, 56, 59, 64),
    "Am": (45, 52, 57, 60, 64),
    "Em": (40, 47, 52, 55, 59, 64),
    "Dm": (50, 57, 62, 65),
    "F": (41, 48, 53, 57, 60, 65),
}
PROGRESSIONS = (
    ("G", "D", "Em", "C"),
    ("Am", "F", "C", "G"),
    ("E", "A", "E", "D"),
    ("Dm", "Am", "G", "C"),
    ("C", "Am", "Dm", "G"),
    ("Em", "G", "D", "A"),
)
SIREN_PATTERNS = ("wail", "yelp", "wail", "hi-lo", "wail", "yelp")


class Talk(NamedTuple):
    """One spoken text: the espeak-ng voice that says it and the words."""

    voice: str
    words: str


TALKS = (
    Talk(
        "en-gb+m3",
        "Good morning. The boat to the island leaves at half past nine from the second pier. "
        "Please keep your ticket until you come back, and take nothing home but pictures. "
        "The last boat returns at six, and it does not wait for anyone.",
    ),
    Talk(
        "en-us+f2",
        "To make the bread, mix the flour with warm water and a little salt. Let it rest under "
        "a cloth for one hour, then fold it four times. Bake it hot until the crust sounds "
        "hollow when you knock on it, and let it cool before you cut it.",
    ),
    Talk(
        "en-gb-scotland+m1",
        "The weather tomorrow will be dry in the east, with showers moving over the hills in "
        "the afternoon. Winds are light at first and grow stronger towards the evening. "
        "Temperatures reach twelve degrees on the coast and eight further inland.",
    ),
    Talk(
        "en-us+f4",
        "I have read the letter twice now, and I still do not know what she wanted to tell us. "
        "Perhaps it is better to ask her directly. We could visit her on Sunday, if the train "
        "is running, and bring some of the apples from the garden.",
    ),
    Talk(
        "en-gb+f3",
        "Turn left behind the library and follow the river for about ten minutes. You will see "
        "a small stone bridge. Do not cross it, but take the path on the right, up to the mill.",
    ),
    Talk(
        "en-us+m7",
        "Every summer the swifts come back to the same tower. They sleep in the air, they eat "
        "in the air, and they hardly ever touch the ground. By August they are gone again.",
    ),
)


def bird_song(scene: Scene) -> FloatArray:
    """Return the song of one bird: phrases made of its own few whistles, chirps and trills."""
    rng, rate = scene.rng, scene.sample_rate_hz
    centre_hz = rng.uniform(2700.0, 4600.0)
    repertoire = [_bird_syllable(rng, centre_hz, rate) for _ in range(4)]
    song, now_s = scene.silence(), rng.uniform(0.05, 0.5)
    while now_s < scene.duration_s - 0.2:
        for choice in rng.integers(0, len(repertoire), rng.integers(2, 5)):
            syllable = repertoire[choice]
            length_s = syllable.size / rate
            repeats = int(rng.integers(3, 9)) if length_s < 0.1 else int(rng.integers(1, 3))
            for _ in range(repeats):
                add_at(song, rng.uniform(0.5, 1.0) * syllable, now_s, rate)
                now_s += length_s * rng.uniform(1.15, 1.35)
            now_s += rng.uniform(0.03, 0.15)
        now_s += rng.uniform(0.3, 1.1)
    return song


def _bird_syllable(rng: np.random.Generator, centre_hz: float, rate: int) -> FloatArray:
    """Return one syllable: a short tone that glides over three pitches, sometimes quivering."""
    duration_s = rng.choice([rng.uniform(0.04, 0.09), rng.uniform(0.12, 0.3)])
    first_hz, middle_hz, last_hz = centre_hz * 2.0 ** rng.uniform(-0.45, 0.45, 3)
    place = np.linspace(0.0, 1.0, round(duration_s * rate))
    glide_hz = (1 - place) ** 2 * first_hz + place**2 * last_hz
    glide_hz += 2 * place * (1 - place) * middle_hz
    quiver = rng.choice([0.0, rng.uniform(0.01, 0.06)])
    glide_hz *= 1.0 + quiver * np.sin(2 * np.pi * rng.uniform(25, 60) * place * duration_s)
    loudness = np.sin(np.pi * place) ** rng.uniform(0.5, 1.2)
    return loudness * harmonic_tone(glide_hz, (1.0, rng.uniform(0.01, 0.1), 0.02), rate)


def dog_bark(scene: Scene) -> FloatArray:
    """Return the barking of one dog, in groups of one to four barks."""
    rng, rate = scene.rng, scene.sample_rate_hz
    size = rng.uniform(0.0, 1.0)
    pitch_hz, throat = 480.0 * 2.0 ** (-1.3 * size), 1.25 - 0.45 * size
    barking, now_s = scene.silence(), rng.uniform(0.1, 0.6)
    while now_s < scene.duration_s - 0.1:
        for _ in range(rng.integers(1, 5)):
            bark = _one_bark(rng, pitch_hz * rng.uniform(0.9, 1.12), throat, rate)
            add_at(barking, rng.uniform(0.6, 1.0) * bark, now_s, rate)
            now_s += bark.size / rate + rng.uniform(0.08, 0.25)
        now_s += rng.uniform(0.2, 0.9)
    return barking


def _one_bark(rng: np.random.Generator, pitch_hz: float, throat: float, rate: int) -> FloatArray:
    """Return one bark: a rough voiced burst with breath, shaped by the mouth's formants."""
    duration_s = rng.uniform(0.13, 0.26)
    place = np.linspace(0.0, 1.0, round(duration_s * rate))
    contour_hz = pitch_hz * (0.8 + 0.5 * np.sin(np.pi * place**0.7))
    contour_hz *= 1.0 + 0.05 * wandering(rng, place.size, rate, 0.006)
    voice = harmonic_tone(contour_hz, [order**-0.7 for order in range(1, 45)], rate)
    breath = coloured_noise(rng, place.size, rate, -2.0, (300.0, 6000.0))
    loudness = np.minimum(place / 0.08, 1.0) * np.exp(-2.2 * place) * (1.0 - place**6)
    source = np.tanh(1.5 * voice + 0.6 * breath) * loudness
    formants = (
        Resonance(620.0 * throat, 2.5, 1.0),
        Resonance(1250.0 * throat, 3.5, 0.8),
        Resonance(2500.0 * throat, 4.0, 0.45),
        Resonance(3900.0 * throat, 4.0, 0.25),
    )
    return with_peak(faded(resonated(source, rate, formants, 0.03), rate, 0.004), 1.0)


def engine(scene: Scene) -> FloatArray:
    """Return a four-stroke engine that idles and is revved up now and then."""
    rng, rate, times_s = scene.rng, scene.sample_rate_hz, scene.times_s()
    idle_rpm, cylinders = rng.uniform(750.0, 1500.0), int(rng.choice([2, 3, 4, 6]))
    speed_rpm = idle_rpm * (1.0 + 0.04 * wandering(rng, times_s.size, rate, 0.25))
    for start_s in np.arange(rng.uniform(0.5, 3.0), scene.duration_s, rng.uniform(2.5, 5.0)):
        since_s = np.maximum(times_s - start_s, 0.0)
        push = np.minimum(since_s / 0.5, 1.0) * np.exp(-np.maximum(since_s - 0.7, 0.0) / 0.6)
        speed_rpm += idle_rpm * rng.uniform(0.3, 1.3) * push
    cycles = np.cumsum(speed_rpm / 120.0) / rate
    strength, spread = rng.uniform(0.6, 1.0, cylinders), rng.normal(0.0, 0.008, cylinders)
    table_place = np.linspace(0.0, 1.0, 4096, endpoint=False)
    table = np.zeros(table_place.size)
    for number in range(cylinders):
        behind = (table_place - number / cylinders - spread[number]) % 1.0
        table += strength[number] * (behind / 0.012) * np.exp(1.0 - behind / 0.012)
    firing = np.interp(cycles % 1.0, table_place, table, period=1.0)
    load = speed_rpm / idle_rpm
    hiss = coloured_noise(rng, times_s.size, rate, -3.0, (200.0, 5000.0))
    source = (firing - firing.mean() + (0.05 + 0.25 * firing) * hiss) * load**0.7
    pipe_hz = rng.uniform(70.0, 130.0)
    body = [Resonance(pipe_hz * k, 2.0, 1.0 / k**0.6) for k in (1.0, 2.7, 5.1, 11.0, 19.0)]
    return np.tanh(0.8 * with_peak(resonated(source, rate, body, 0.08), 1.6))


def rain(scene: Scene) -> FloatArray:
    """Return rain, from drizzle to downpour: a hiss that swells, and single drops in front."""
    rng, rate, count = scene.rng, scene.sample_rate_hz, scene.silence().size
    heaviness = rng.uniform(0.0, 1.0)
    band_hz = (rng.uniform(150.0, 900.0), rng.uniform(3500.0, 9000.0))
    swell_db = rng.uniform(1.0, 4.0) * wandering(rng, count, rate, rng.uniform(0.8, 2.0))
    hiss = coloured_noise(rng, count, rate, rng.uniform(-4.0, 0.0), band_hz)
    hiss *= gain_of(-18.0 * (1.0 - heaviness)) * 10.0 ** (swell_db / 20.0)
    drops, ground_hz = scene.silence(), rng.uniform(500.0, 2200.0)
    ringing_s = rng.uniform(0.002, 0.009)
    for _ in range(int(scene.duration_s * rng.uniform(25.0, 60.0) * (1.0 + 3.0 * heaviness))):
        pitch_hz = min(ground_hz * 2.0 ** rng.uniform(0.0, 2.4), 7000.0)
        loudness = min(rng.lognormal(-0.4, 0.7), 3.0)
        decay_s = ringing_s * rng.uniform(0.4, 1.0)
        drop = damped_tones([pitch_hz], [decay_s], [loudness], 0.04, rate)
        add_at(drops, drop, rng.uniform(0.0, scene.duration_s), rate)
    return hiss + drops


def siren(scene: Scene) -> FloatArray:
    """Return a warning siren: a wail, a quick yelp or a two-tone horn, by the variant."""
    rng, rate, times_s = scene.rng, scene.sample_rate_hz, scene.times_s()
    pattern = SIREN_PATTERNS[scene.variant % len(SIREN_PATTERNS)]
    low_hz, high_hz = rng.uniform(480.0, 680.0), rng.uniform(1150.0, 1500.0)
    if pattern == "wail":
        turn = times_s / rng.uniform(2.0, 4.5) + rng.uniform(0.0, 1.0)
        height = 0.5 - 0.5 * np.cos(2.0 * np.pi * turn)
    elif pattern == "yelp":
        turn = (times_s / rng.uniform(0.28, 0.42)) % 1.0
        height = np.minimum(turn / 0.75, (1.0 - turn) / 0.25)
    else:
        turn = times_s / rng.uniform(0.9, 1.3) + rng.uniform(0.0, 1.0)
        height, high_hz = 0.5 + 0.5 * np.tanh(25.0 * np.sin(2 * np.pi * turn)), 1.36 * low_hz
    nearing = 1.0 + 0.02 * wandering(rng, times_s.size, rate, 4.0)
    pitch_hz = low_hz * (high_hz / low_hz) ** height * nearing
    brightness = rng.uniform(0.35, 0.65)
    tone = harmonic_tone(pitch_hz, [brightness**order for order in range(9)], rate)
    horn = (Resonance(rng.uniform(900.0, 1300.0), 1.2, 1.0), Resonance(2600.0, 2.0, 0.6))
    distance = 10.0 ** (3.0 / 20.0 * wandering(rng, times_s.size, rate, 3.0))
    return resonated(tone, rate, horn, 0.2) * distance


def church_bell(scene: Scene) -> FloatArray:
    """Return one to three tuned bells, struck in turn."""
    rng, rate = scene.rng, scene.sample_rate_hz
    prime_hz = 300.0 * 2.0 ** rng.uniform(-0.6, 0.6)
    bells = [_one_bell(rng, prime_hz * ratio, rate) for ratio in (1.0, 1.125, 1.25)]
    bells = bells[: rng.integers(1, 4)]
    ringing, now_s, number = scene.silence(), rng.uniform(0.05, 0.5), 0
    pace_s = rng.uniform(0.9, 1.7) / len(bells) ** 0.4
    while now_s < scene.duration_s:
        add_at(ringing, rng.uniform(0.7, 1.0) * bells[number % len(bells)], now_s, rate)
        now_s += pace_s * rng.uniform(0.93, 1.07)
        number += 1
    return ringing


def _one_bell(rng: np.random.Generator, prime_hz: float, rate: int) -> FloatArray:
    """Return one stroke: the bell's slightly mistuned, beating partials and the clapper."""
    count, slowness = len(BELL_RATIOS), (300.0 / prime_hz) ** 0.5
    tuned_hz = prime_hz * np.array(BELL_RATIOS) * (1.0 + 0.004 * rng.standard_normal(count))
    partials_hz = np.concatenate([tuned_hz, tuned_hz + rng.uniform(0.3, 2.0, count)])
    decays_s = np.tile(np.array(BELL_DECAYS_S) * slowness * rng.uniform(0.8, 1.2, count), 2)
    amplitudes = np.tile(np.array(BELL_AMPLITUDES) * rng.uniform(0.6, 1.3, count), 2)
    amplitudes[count:] *= 0.4
    stroke = damped_tones(list(partials_hz), list(decays_s), list(amplitudes), 7.0, rate)
    clapper = coloured_noise(rng, round(0.03 * rate), rate, 0.0, (1500.0, 7000.0))
    clapper *= np.exp(-np.arange(clapper.size) / (0.006 * rate))
    add_at(stroke, 0.6 * clapper, 0.0, rate)
    return faded(stroke, rate, 0.001)


def clock_tick(scene: Scene) -> FloatArray:
    """Return a mechanical clock: tick and tock, each a small cluster of clicks."""
    rng, rate = scene.rng, scene.sample_rate_hz
    period_s, case_hz = rng.choice([0.25, 0.4, 0.5, 0.75]), rng.uniform(250.0, 700.0)
    clicks = [_one_click(rng, case_hz, rate) for _ in range(2)]
    clock, number = scene.silence(), 0
    lag_s = rng.uniform(-0.06, 0.06) * period_s
    start_s = rng.uniform(0.05, period_s)
    while (now_s := start_s + number * period_s + (number % 2) * lag_s) < scene.duration_s:
        loudness = rng.uniform(0.85, 1.0)
        add_at(clock, loudness * clicks[number % 2], now_s + rng.normal(0.0, 0.0008), rate)
        number += 1
    return clock


def _one_click(rng: np.random.Generator, case_hz: float, rate: int) -> FloatArray:
    """Return one tick: lever, wheel and case sounding within a few hundredths of a second."""
    click = np.zeros(round(0.15 * rate))
    for delay_s, loudness in ((0.0, 0.5), (rng.uniform(0.006, 0.014), 1.0), (0.024, 0.35)):
        wheel_hz = rng.uniform(1800.0, 6500.0, 6)
        decays_s = rng.uniform(0.0015, 0.007, 6)
        part = damped_tones(list(wheel_hz), list(decays_s), [1.0 / 6.0] * 6, 0.06, rate)
        add_at(click, loudness * part, delay_s, rate)
    case = damped_tones([case_hz, 2.3 * case_hz], [0.018, 0.01], [0.3, 0.2], 0.1, rate)
    add_at(click, case, 0.008, rate)
    return faded(click, rate, 0.0005)


def speech(scene: Scene) -> FloatArray:
    """Return a text read aloud by espeak-ng, which must be installed.

    Raises
    ------
    RuntimeError
        If there is no espeak-ng, or it fails.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError("espeak-ng is needed to make the speech clips; please install it")
    talk = TALKS[scene.variant % len(TALKS)]
    words_per_minute, pitch = scene.rng.integers(135, 185), scene.rng.integers(35, 65)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        options = ["-s", str(words_per_minute), "-p", str(pitch), "-v", talk.voice]
        command = [program, *options, "-w", str(path), talk.words]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"espeak-ng failed: {result.stderr.strip()}")
        spoken, spoken_rate_hz = soundfile.read(path)
    wanted = np.zeros(round(scene.duration_s * spoken_rate_hz))
    add_at(wanted, spoken, 0.0, spoken_rate_hz)
    return resampled(faded(wanted, spoken_rate_hz), scene.silence().size)


def guitar(scene: Scene) -> FloatArray:
    """Return strummed or picked chords on a plucked-string (Karplus-Strong) guitar."""
    rng, rate = scene.rng, scene.sample_rate_hz
    progression = PROGRESSIONS[scene.variant % len(PROGRESSIONS)]
    beat_s, strummed = 60.0 / rng.uniform(80.0, 130.0), bool(rng.integers(0, 2))
    capo, damping = int(rng.integers(0, 5)), rng.uniform(0.994, 0.998)
    music, now_s, beat = scene.silence(), rng.uniform(0.05, 0.3), 0
    while now_s < scene.duration_s - 0.05:
        chord = CHORDS[progression[beat // 4 % len(progression)]]
        if strummed:
            plucks = [(note, number * 0.014) for number, note in enumerate(chord)]
        else:
            plucks = [(chord[beat % 4], 0.0), (chord[(beat + 2) % len(chord)], beat_s / 2)]
        for note, delay_s in plucks:
            string = _plucked_string(rng, 440.0 * 2 ** ((note + capo - 69) / 12), damping, rate)
            start_s = now_s + delay_s + rng.normal(0.0, 0.003)
            add_at(music, rng.uniform(0.7, 1.0) * string, start_s, rate)
        now_s, beat = now_s + beat_s, beat + 1
    body = (Resonance(105.0, 3.0, 0.7), Resonance(210.0, 3.0, 0.6), Resonance(420.0, 2.0, 0.3))
    return resonated(music, rate, body, 0.8)


def _plucked_string(rng: np.random.Generator, pitch_hz: float, damping: float, rate: int) -> FloatArray:
    """Return a plucked string of 2.5 s: noise going round a damped, averaging delay line."""
    period = rate / pitch_hz - 0.5
    delay, fraction = int(period), period - int(period)
    burst = coloured_noise(rng, delay + 2, rate, -2.5, (60.0, 6000.0))
    burst -= 0.8 * np.roll(burst, round(0.17 * delay))
    string = np.zeros(round(2.5 * rate))
    string[: delay + 2] = burst[: string.size]
    weights = damping * np.array([0.5 * (1 - fraction), 0.5, 0.5 * fraction])
    for first in range(delay + 2, string.size, delay):
        last = min(first + delay, string.size)
        history = string[first - delay - 2 : last - delay]
        string[first:last] = (
            weights[0] * history[2:] + weights[1] * history[1:-1] + weights[2] * history[:-2]
        )
    return faded(string, rate, 0.003)


VOICES = {
    "bird_song": bird_song,
    "church_bell": church_bell,
    "clock_tick": clock_tick,
    "dog_bark": dog_bark,
    "engine": engine,
    "guitar": guitar,
    "rain": rain,
    "siren": siren,
    "speech": speech,
}
