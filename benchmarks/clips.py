"""Clips to index: the toy data over and over, each time a little different."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import soundfile

from soundalike.audio.files import find_files

TOY_DATA = Path(__file__).resolve().parents[1] / "toy-data"
CLIP_S = 10.0
_FORMATS = ("mp3", "flac", "ogg", "wav")


def make(folder: Path, minutes: float) -> list[Path]:
    """Write mixed clips of 10 s; the same audio never twice.

    Parameters
    ----------
    folder : Path
        Where to; made here.
    minutes : float
        How much audio in all.

    Returns
    -------
    paths : list of Path
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    sources = [p for p in find_files([str(TOY_DATA)]).files if p.suffix == ".mp3"]
    paths = []
    for number, source in zip(range(round(minutes * 60 / CLIP_S)), itertools.cycle(sources)):
        samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
        samples = np.resize(samples, (round(CLIP_S * rate), samples.shape[1]))
        shifted = np.roll(samples, int(rng.integers(len(samples))), axis=0)
        path = folder / f"clip_{number:05d}.{_FORMATS[number % len(_FORMATS)]}"
        soundfile.write(path, shifted * rng.uniform(0.3, 0.9), rate)
        paths.append(path)
    return paths
