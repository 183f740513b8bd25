"""The weight-free encoder: spectral shape and modulation of the log-mel spectrum.

It needs neither a download nor TensorFlow. It describes the patch of each second by its energy per rate
(modulation in time) and scale (modulation along frequency), which depends little on the position of an
event in the second and on its pitch. It is not a trained model, and its description says so.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import scipy.fft

from soundalike.audio import front_end
from soundalike.types import FloatArray

_CONSTANTS = "modulation.npz"
N_CEPSTRA = 24
#: First DCT line of each cell along time, about an octave each; line k is k * 0.52 Hz of modulation.
RATES = (0, 1, 2, 4, 8, 16, 32)
#: First DCT line of each cell along the mel bands.
SCALES = (0, 1, 2, 4, 7, 12, 21, 37)
N_GROUPS = 8
_BANDS_PER_GROUP = front_end.N_MEL_BANDS // N_GROUPS
#: Keeps the logarithm of an empty cell finite.
_ENERGY_OFFSET = 0.05
_SILENCE_LOG_MEL = float(np.log(front_end.LOG_OFFSET))
#: Patches whose mean log-mel lies less than this above silence get a vector of zeros.
_AUDIBLE_LEVEL = 1e-4
#: Share of the common directions that is removed.
_COMMON_SHARE = 0.5


class Constants(NamedTuple):
    """Constants that standardise the features of `Modulation`.

    Attributes
    ----------
    centre, gain : (128,) float32
        Subtracted from the raw features, and factor.
    common : (128, 4) float32
        Orthonormal directions of the largest variance.
    """

    centre: FloatArray
    gain: FloatArray
    common: FloatArray


class Modulation:
    """Cepstra, rate-scale cells and band modulations of a second: 128 numbers.

    A `soundalike.encoders.base.Encoder`. The length of a vector is the level of its second, so silent
    parts of a window have no weight and quiet ones little.
    """

    name = "logmel-modulation"
    description = "weight-free: shape and movement of 64 log-mel bands, nothing learned"

    def __init__(self) -> None:
        self._constants = _shipped_constants()
        self.fingerprint = hashlib.sha256(b"".join(c.tobytes() for c in self._constants)).hexdigest()

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed ``(n, 96, 64)`` float32 log-mel patches into ``(n, 128)`` float32 vectors.

        Row ``i`` has the length of patch ``i``'s mean log-mel above silence.
        """
        centre, gain, common = self._constants
        vectors = (raw_features(log_mel) - centre) * gain
        vectors -= _COMMON_SHARE * (vectors @ common) @ common.T
        level = log_mel.mean(axis=(1, 2)) - _SILENCE_LOG_MEL
        level = np.where(level < _AUDIBLE_LEVEL, 0.0, level)
        length = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
        result: FloatArray = (vectors * (level / length)[:, np.newaxis]).astype(np.float32)
        return result


def raw_features(log_mel: FloatArray) -> FloatArray:
    """Return the features of patches before standardisation.

    Parameters
    ----------
    log_mel : (n, 96, 64) float32
        Patches.

    Returns
    -------
    features : (n, 128) float32
        24 cepstra of the mean spectrum; then natural logarithms of root-mean-square energies: 56 cells
        of 7 rates by 8 scales of the two-dimensional DCT, and 48 of 6 rates by 8 band groups.
    """
    n_patches = len(log_mel)
    in_time = scipy.fft.dct(log_mel, axis=1, norm="ortho")
    both = scipy.fft.dct(in_time, axis=2, norm="ortho")
    n_rates = np.diff((*RATES, front_end.PATCH_FRAMES))
    n_scales = np.diff((*SCALES, front_end.N_MEL_BANDS))
    cells = np.add.reduceat(np.add.reduceat(both**2, RATES, axis=1), SCALES, axis=2)
    cells /= np.outer(n_rates, n_scales).astype(np.float32)
    by_rate = np.add.reduceat(in_time**2, RATES, axis=1)[:, 1:]
    grouped = by_rate.reshape(n_patches, len(RATES) - 1, N_GROUPS, _BANDS_PER_GROUP).sum(axis=3)
    grouped /= (n_rates[1:, np.newaxis] * _BANDS_PER_GROUP).astype(np.float32)
    energies = np.concatenate([cells.reshape(n_patches, -1), grouped.reshape(n_patches, -1)], axis=1)
    logarithms = np.log(np.sqrt(energies) + np.float32(_ENERGY_OFFSET))
    return np.concatenate([both[:, 0, :N_CEPSTRA], logarithms], axis=1)


@lru_cache(maxsize=1)
def _shipped_constants() -> Constants:
    file = resources.files("soundalike.encoders").joinpath(_CONSTANTS)
    with resources.as_file(file) as path, np.load(path) as stored:
        return Constants(*(stored[name].astype(np.float32) for name in Constants._fields))
