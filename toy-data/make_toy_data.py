"""Make the toy data: SYNTHETIC sound clips to try and test a sound similarity search with.

Not one clip is a recording. Every sound is computed by this script and the modules next to it,
from random numbers that are seeded by the clip's own name, so a clip comes out the same
whichever others are made. The speech is spoken by espeak-ng, which is needed only to make
these clips, never to use them.

Run it with numpy, soundfile and PyAV (``pip install numpy soundfile av``)::

    python toy-data/make_toy_data.py
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from acoustics import (
    FloatArray,
    Scene,
    add_at,
    coloured_noise,
    faded,
    gain_of,
    harmonic_tone,
    in_room,
    wandering,
    with_peak,
    with_rms,
)
from encoding import write_audio
from synthesis import VOICES

TAKE_COUNT, TAKE_DURATION_S = 4, 10.0
QUERY_COUNT = 2
LONG_LABEL, LONG_FILE = "long_recording", "long_recording/harbour_75s.ogg"
LONG_DURATION_S, LONG_SAMPLE_RATE_HZ = 75.0, 22_050
EVENT_LABEL, EVENT_START_S, EVENT_DURATION_S = "siren", 42.0, 4.0
EVENT_VARIANT = 1  # a quick yelp: every second of it sounds alike
EVENT_QUERY_FILE = "queries/event_in_long.mp3"
LOUDEST_PEAK_DB = -1.5


class Place(NamedTuple):
    """Where a class is heard; every pair is the range that a clip draws from.

    Attributes
    ----------
    decay_s : tuple of float
        Reverberation time (60 dB), in seconds.
    wetness_db : tuple of float
        Level of the reverberation relative to the dry sound, in dB.
    noise_db : tuple of float
        Level of the background noise, in dB relative to full scale.
    """

    decay_s: tuple[float, float]
    wetness_db: tuple[float, float]
    noise_db: tuple[float, float]


OUTDOORS = Place((0.2, 0.8), (-20.0, -10.0), (-60.0, -50.0))
PLACES = {
    "church_bell": Place((1.2, 2.5), (-12.0, -6.0), (-60.0, -50.0)),
    "clock_tick": Place((0.2, 0.5), (-14.0, -6.0), (-66.0, -56.0)),
    "guitar": Place((0.3, 0.9), (-16.0, -8.0), (-68.0, -58.0)),
    "speech": Place((0.2, 0.6), (-18.0, -10.0), (-62.0, -52.0)),
}


class Encoding(NamedTuple):
    """File extension, sample rate and channel count of a clip."""

    extension: str
    sample_rate_hz: int
    channel_count: int = 1


USUAL_ENCODINGS = (
    Encoding("mp3", 44_100),
    Encoding("mp3", 22_050),
    Encoding("mp3", 48_000),
    Encoding("mp3", 44_100),
)
SPECIAL_ENCODINGS = {
    "bird_song_3": Encoding("flac", 16_000),
    "church_bell_2": Encoding("ogg", 44_100, 2),
    "clock_tick_2": Encoding("wav", 16_000),
    "engine_4": Encoding("opus", 48_000),
    "guitar_1": Encoding("mp3", 44_100, 2),
    "guitar_3": Encoding("m4a", 44_100, 2),
    "rain_3": Encoding("ogg", 22_050),
    "siren_2": Encoding("m4a", 48_000),
    "speech_2": Encoding("opus", 16_000),
    "speech_4": Encoding("mp3", 16_000),
}


class Clip(NamedTuple):
    """One clip to make.

    Attributes
    ----------
    file : str
        Path of the clip inside the output folder.
    label : str
        Class of the sound.
    variant : int
        Number of the clip within its class, the queries after the takes.
    duration_s : float
        Length, in seconds.
    encoding : Encoding
        How the clip is stored.
    """

    file: str
    label: str
    variant: int
    duration_s: float
    encoding: Encoding


def random_for(name: str) -> np.random.Generator:
    """Return the random number generator that belongs to a name, the same on every run."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def takes_of(label: str) -> list[Clip]:
    """Return the clips of a class that are meant to be indexed."""
    clips = []
    for number in range(1, TAKE_COUNT + 1):
        name = f"{label}_{number}"
        encoding = SPECIAL_ENCODINGS.get(name, USUAL_ENCODINGS[number - 1])
        file = f"{label}/{name}.{encoding.extension}"
        clips.append(Clip(file, label, number - 1, TAKE_DURATION_S, encoding))
    return clips


def queries_of(label: str) -> list[Clip]:
    """Return the query clips of a class, 5 to 8 seconds long."""
    clips = []
    for number in range(1, QUERY_COUNT + 1):
        file = f"queries/{label}_query_{number}.mp3"
        duration_s = float(random_for(f"duration of {file}").integers(10, 17)) / 2.0
        encoding = USUAL_ENCODINGS[number - 1]
        clips.append(Clip(file, label, TAKE_COUNT + number - 1, duration_s, encoding))
    return clips


def event_query() -> Clip:
    """Return the query for the event in the long recording."""
    return Clip(EVENT_QUERY_FILE, EVENT_LABEL, EVENT_VARIANT, EVENT_DURATION_S, USUAL_ENCODINGS[0])


def rendered(clip: Clip) -> FloatArray:
    """Return the finished sound of a clip, of shape (samples, channels)."""
    rng, rate = random_for(clip.file), clip.encoding.sample_rate_hz
    scene = Scene(rng, clip.duration_s, rate, clip.variant)
    dry = with_peak(VOICES[clip.label](scene), 1.0)
    place = PLACES.get(clip.label, OUTDOORS)
    decay_s, wetness = rng.uniform(*place.decay_s), gain_of(rng.uniform(*place.wetness_db))
    peak = gain_of(rng.uniform(-9.0, LOUDEST_PEAK_DB))
    noise_rms, slope = gain_of(rng.uniform(*place.noise_db)), rng.uniform(-5.0, -2.0)
    balance = rng.uniform(0.6, 1.0, clip.encoding.channel_count)
    channels = []
    for loudness in balance / balance.max():
        wet = with_peak(in_room(dry, rng, rate, decay_s, wetness), peak * loudness)
        noise = noise_rms * coloured_noise(rng, wet.size, rate, slope)
        channels.append(faded(np.clip(wet + noise, -1.0, 1.0), rate))
    return np.stack(channels, axis=1)


def harbour_recording() -> FloatArray:
    """Return the long recording: waves, wind and a distant hum, and the event in the middle."""
    rng, rate = random_for(LONG_FILE), LONG_SAMPLE_RATE_HZ
    scene = Scene(rng, LONG_DURATION_S, rate, 0)
    count = scene.silence().size
    swell = 10.0 ** (5.0 / 20.0 * wandering(rng, count, rate, 3.5))
    gusts = 10.0 ** (4.0 / 20.0 * wandering(rng, count, rate, 2.0))
    waves = 0.007 * swell * coloured_noise(rng, count, rate, -4.0, (150.0, 3000.0))
    wind = 0.012 * gusts * coloured_noise(rng, count, rate, -6.0, (40.0, 400.0))
    hum_hz = 49.0 * (1.0 + 0.01 * wandering(rng, count, rate, 5.0))
    hum = with_rms(harmonic_tone(hum_hz, (0.6, 1.0, 0.5, 0.4, 0.2, 0.1), rate), 0.005)
    sound = waves + wind + hum
    event_scene = Scene(rng, EVENT_DURATION_S, rate, EVENT_VARIANT)
    event = in_room(VOICES[EVENT_LABEL](event_scene), rng, rate, 0.6, gain_of(-12.0))
    add_at(sound, with_peak(faded(event, rate, 0.03), 0.4), EVENT_START_S, rate)
    return faded(sound, rate)[:, np.newaxis]


def expected_results() -> dict[str, object]:
    """Return what a good search finds: the label of each query, the time of the event."""
    queries = [clip for label in VOICES for clip in queries_of(label)]
    event = {
        "file": LONG_FILE,
        "start_s": EVENT_START_S,
        "end_s": EVENT_START_S + EVENT_DURATION_S,
        "query": EVENT_QUERY_FILE,
    }
    return {
        "classes": sorted(VOICES),
        "queries": [{"file": clip.file, "label": clip.label} for clip in queries],
        "events": [event],
    }


def make(output: Path, only: str | None) -> None:
    """Make the clips of one class, or of all, below a folder.

    Parameters
    ----------
    output : pathlib.Path
        The folder to write to.
    only : str, optional
        The one class (or ``long_recording``) to make; None makes all, and ``expected.json``.
    """
    labels = [label for label in VOICES if only in (None, label)]
    clips = [clip for label in labels for clip in takes_of(label) + queries_of(label)]
    if only in (None, LONG_LABEL):
        clips.append(event_query())
        print(LONG_FILE)
        write_audio(output / LONG_FILE, harbour_recording(), LONG_SAMPLE_RATE_HZ)
    for clip in clips:
        print(clip.file)
        write_audio(output / clip.file, rendered(clip), clip.encoding.sample_rate_hz)
    if only is None:
        text = json.dumps(expected_results(), indent=2) + "\n"
        (output / "expected.json").write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description="Make the synthetic toy clips. The speech clips need espeak-ng."
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).resolve().parent,
        metavar="DIR",
        help="folder to write the clips to (default: the folder of this script)",
    )
    parser.add_argument(
        "--only",
        choices=[*sorted(VOICES), LONG_LABEL],
        metavar="CLASS",
        help="make this class only: %(choices)s (default: all of them)",
    )
    options = parser.parse_args(arguments)
    if options.only in (None, "speech") and shutil.which("espeak-ng") is None:
        print("error: espeak-ng is needed to make the speech clips", file=sys.stderr)
        return 1
    try:
        make(options.output, options.only)
    except (OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
