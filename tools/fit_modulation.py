"""Compute the constants of the weight-free encoder from the toy data.

Run it only on purpose: other constants make another encoder, and every index made with the old one
must be made again. Usage: ``python tools/fit_modulation.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from soundalike.audio.files import find_files
from soundalike.audio.front_end import PATCH_SAMPLES, SAMPLE_RATE_HZ
from soundalike.audio.loading import load_audio
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.encoders.modulation import (
    N_CEPSTRA,
    Constants,
    magnitudes,
    raw_features,
    relative_log_mel,
)
from soundalike.types import FloatArray

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "soundalike" / "encoders" / "modulation.npz"
_N_CELLS, _N_FEATURES, _N_COMMON = 56, 128, 4
#: Numbers, the power of their standard deviation that they are divided by, and the weight of the group.
#: Cepstra are divided by the root only: the high ones vary little and say little.
GROUPS = (
    (slice(0, N_CEPSTRA), 0.5, 0.7),
    (slice(N_CEPSTRA, N_CEPSTRA + _N_CELLS), 1.0, 1.0),
    (slice(N_CEPSTRA + _N_CELLS, _N_FEATURES), 1.0, 0.7),
)


def main() -> None:
    """Write the constants."""
    files = find_files([str(ROOT / "toy-data")]).files
    patches = [patches_of(path) for path in files if path.parent.name != "queries"]
    constants = fit(np.concatenate(patches))
    np.savez_compressed(TARGET, **constants._asdict())
    print(f"{TARGET}: {sum(map(len, patches))} seconds of {len(patches)} recordings")


def patches_of(path: Path) -> FloatArray:
    """Return the log-mel patch of each whole second of a file, ``(n_seconds, 96, 64)``."""
    samples = load_audio(path).samples
    starts = range(0, len(samples) - PATCH_SAMPLES + 1, SAMPLE_RATE_HZ)
    patches = np.stack([samples[start : start + PATCH_SAMPLES] for start in starts])
    return log_mel_spectrogram(patches, sample_rate=SAMPLE_RATE_HZ)


def fit(log_mel: FloatArray) -> Constants:
    """Return the constants that give each group of features its weight; no labels are used."""
    raw = raw_features(relative_log_mel(magnitudes(log_mel))).astype(np.float64)
    centre, deviation = raw.mean(axis=0), raw.std(axis=0) + 1e-3
    gain = np.empty(_N_FEATURES)
    for part, power, weight in GROUPS:
        energy = (deviation[part] ** (2 - 2 * power)).sum()
        gain[part] = weight / np.sqrt(energy) / deviation[part] ** power
    directions = np.linalg.eigh(np.cov(((raw - centre) * gain).T))[1]
    return Constants(*(c.astype(np.float32) for c in (centre, gain, directions[:, -_N_COMMON:])))


if __name__ == "__main__":
    main()
