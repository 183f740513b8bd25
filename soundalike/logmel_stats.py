"""The weight-free encoder: statistics of the log-mel bands, standardised.

It needs no download and no TensorFlow. It hears spectral shape and how much it moves, not what a
trained network has learned to hear, so it says what it is wherever its results are shown.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources

import numpy as np

from soundalike.types import FloatArray

_CONSTANTS = "logmel_stats.npz"


class LogMelStats:
    """Mean and standard deviation over time of each of the 64 log-mel bands.

    An `soundalike.embedding.Encoder`: 128 numbers a second, each minus its mean and divided by its
    standard deviation over a reference set of synthetic sounds; the constants ship with the code.
    """

    name = "logmel-stats"
    description = "weight-free: mean and deviation of 64 log-mel bands, nothing learned"

    def __init__(self) -> None:
        centre, scale = _constants()
        self._centre, self._scale = centre, scale
        self.fingerprint = hashlib.sha256(centre.tobytes() + scale.tobytes()).hexdigest()

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed ``(n, 96, 64)`` float32 log-mel patches into ``(n, 128)`` float32 vectors."""
        return (raw_statistics(log_mel) - self._centre) / self._scale


def raw_statistics(log_mel: FloatArray) -> FloatArray:
    """Return each band's mean, then each band's standard deviation, over the frames of a patch.

    Parameters
    ----------
    log_mel : (n, n_frames, 64) float32
        Patches.

    Returns
    -------
    statistics : (n, 128) float32
    """
    return np.concatenate([log_mel.mean(axis=1), log_mel.std(axis=1)], axis=1)


@lru_cache(maxsize=1)
def _constants() -> tuple[FloatArray, FloatArray]:
    file = resources.files("soundalike").joinpath(_CONSTANTS)
    with resources.as_file(file) as path, np.load(path) as constants:
        return constants["centre"].astype(np.float32), constants["scale"].astype(np.float32)
