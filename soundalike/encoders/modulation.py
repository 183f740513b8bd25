"""The weight-free encoder: spectral shape and modulation of the log-mel spectrum.

It needs neither a download nor TensorFlow. It describes the patch of each second by its energy per rate
(modulation in time) and scale (modulation along frequency), which depends little on the position of an
event in the second and on its pitch. It is not a trained model, and its description says so.

Magnitudes are relative to the level of their second, so that a gain changes nothing. Empty bands above
the bandwidth of a recording continue the bands below them.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import scipy.fft

from soundalike.audio import front_end
from soundalike.encoders.base import OneNetwork
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
#: Added to the magnitudes, as a share of the level: what lies further below it than 20 dB counts little.
_OFFSET = 0.1
#: Lower levels are not raised: that of a sine at -80 dBFS, which counts as silence, and of the rounding
#: noise of 16-bit files.
_LOWEST_LEVEL = 4e-4
#: Seconds of a lower level get a vector of zeros.
_INAUDIBLE_LEVEL = 1e-6
#: Bands whose mean lies 60 dB below that of the strongest band are empty.
_EMPTY_BAND = 1e-3
#: Empty bands below this one, at 2.8 kHz, belong to the sound; no recorder is that narrow.
_NARROWEST_BAND = 40
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


class Modulation(OneNetwork):
    """Cepstra, rate-scale cells and band modulations of a second: 128 numbers.

    A `soundalike.encoders.base.Encoder`. The direction of a vector does not depend on the level of its
    second. Its length is the level, so that within a window quiet seconds have little weight and silent
    ones none.
    """

    name = "logmel-modulation"
    description = "weight-free: shape and movement of 64 log-mel bands, nothing learned"
    level = "relative to the loudest frame of each second"

    def __init__(self) -> None:
        self._constants = _shipped_constants()
        facts = (_OFFSET, _LOWEST_LEVEL, _EMPTY_BAND, _NARROWEST_BAND)
        digest = hashlib.sha256(b"".join(c.tobytes() for c in self._constants))
        digest.update(repr(facts).encode())
        self.fingerprint = digest.hexdigest()

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed ``(n, 96, 64)`` float32 log-mel patches into ``(n, 128)`` float32 vectors.

        Row ``i`` has the length ``ln(1 + level / 0.0004)``, where the level is that of `levels`.
        """
        centre, gain, common = self._constants
        mel = magnitudes(log_mel)
        vectors = (raw_features(relative_log_mel(mel)) - centre) * gain
        vectors -= _COMMON_SHARE * (vectors @ common) @ common.T
        level = levels(mel)
        wanted = np.log1p(np.where(level < _INAUDIBLE_LEVEL, 0.0, level) / _LOWEST_LEVEL)
        length = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
        result: FloatArray = (vectors * (wanted / length)[:, np.newaxis]).astype(np.float32)
        return result

    def pool(self, vectors: FloatArray) -> FloatArray:
        """Return the seconds' vectors side by side, with lengths relative to the loudest one.

        A second of the level ``x``, as a share of the loudest one of its window, gets the length
        ``ln(1 + x / 0.1)``.
        """
        lengths = np.linalg.norm(vectors, axis=2)
        level = np.expm1(lengths)
        share = level / np.maximum(level.max(axis=1, keepdims=True), 1.0)
        factor = np.log1p(share / _OFFSET) / np.maximum(lengths, 1e-9)
        return super().pool(vectors * factor[:, :, np.newaxis])


def magnitudes(log_mel: FloatArray) -> FloatArray:
    """Return the mel magnitudes of VGGish's log-mel patches."""
    mel: FloatArray = np.maximum(np.exp(log_mel) - np.float32(front_end.LOG_OFFSET), 0.0)
    return mel


def levels(mel: FloatArray) -> FloatArray:
    """Return the level of each patch: the mean magnitude of its loudest frame.

    A short event thus has the level of its own loudest moment, however short it is.
    """
    level: FloatArray = mel.mean(axis=2).max(axis=1)
    return level


def relative_log_mel(mel: FloatArray) -> FloatArray:
    """Return the logarithm of mel magnitudes relative to the level of their patch.

    Parameters
    ----------
    mel : (n, 96, 64) float32
        Mel magnitudes.

    Returns
    -------
    log_mel : (n, 96, 64) float32
        ``ln(magnitude / level + 0.1)``, the same for any gain; levels below 0.0004 count as 0.0004.
    """
    level = np.maximum(levels(mel), np.float32(_LOWEST_LEVEL))
    log_mel: FloatArray = np.log(mel / level[:, np.newaxis, np.newaxis] + np.float32(_OFFSET))
    _continue_bands(log_mel, mel.mean(axis=1))
    return log_mel


def _continue_bands(log_mel: FloatArray, band_means: FloatArray) -> None:
    """Let empty bands above a recording's bandwidth continue the eight bands below them.

    Otherwise the edge of a telephone's band would be the strongest feature of each of its sounds. The
    highest band that is not empty is replaced too, because the edge may lie in it.
    """
    is_present = band_means > _EMPTY_BAND * band_means.max(axis=1, keepdims=True)
    n_present = front_end.N_MEL_BANDS - is_present[:, ::-1].argmax(axis=1)
    is_narrow = (n_present > _NARROWEST_BAND) & (n_present < front_end.N_MEL_BANDS)
    for patch in np.flatnonzero(is_narrow):
        edge = n_present[patch] - 1
        below = log_mel[patch, :, edge - _BANDS_PER_GROUP : edge]
        log_mel[patch, :, edge:] = below.mean(axis=1, keepdims=True)


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
