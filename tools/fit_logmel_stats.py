"""Compute the constants of the weight-free encoder from the toy data.

Run it only on purpose: other constants make another encoder, and every index made with the old one
must be made again. Usage: ``python tools/fit_logmel_stats.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from soundalike.audio import load_audio
from soundalike.files import find_files
from soundalike.logmel_stats import raw_statistics
from soundalike.vggish.features import log_mel_spectrogram
from soundalike.vggish.params import PATCH_SAMPLES, SAMPLE_RATE_HZ

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "soundalike" / "logmel_stats.npz"


def main() -> None:
    """Write each statistic's mean and standard deviation over all seconds of the toy data."""
    files = find_files([str(ROOT / "toy-data")]).files
    per_file = [seconds_of(path) for path in files if path.parent.name != "queries"]
    statistics = np.concatenate(per_file)
    np.savez_compressed(TARGET, centre=statistics.mean(axis=0), scale=statistics.std(axis=0))
    print(f"{TARGET}: {len(statistics)} seconds of {len(per_file)} recordings")


def seconds_of(path: Path) -> np.ndarray:
    """Return the raw statistics of each whole second of a file, ``(n_seconds, 128)``."""
    samples = load_audio(path).samples
    starts = range(0, len(samples) - PATCH_SAMPLES + 1, SAMPLE_RATE_HZ)
    patches = np.stack([samples[start : start + PATCH_SAMPLES] for start in starts])
    return raw_statistics(log_mel_spectrogram(patches, sample_rate=SAMPLE_RATE_HZ))


if __name__ == "__main__":
    main()
