"""Verify VGGish on this machine with upstream's smoke test.

References
----------
tensorflow/models, research/audioset/vggish/vggish_smoke_test.py, at commit 09093db.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.audio import front_end
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.encoders.compiled import lowest_cosine
from soundalike.encoders.vggish.conversion import MIN_COSINE
from soundalike.encoders.vggish.network import VGGishNetwork
from soundalike.encoders.vggish.postprocess import Postprocessor
from soundalike.encoders.vggish.reference import reference_embeddings
from soundalike.types import FloatArray

_DURATION_S, _FREQUENCY_HZ = 3, 1000
_RELATIVE_TOLERANCE = 0.1
_MIN_COSINES = {"float32": MIN_COSINE, "bfloat16": 0.999}


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected results of the smoke test; the defaults belong to the published weights.

    Attributes
    ----------
    embedding_mean, embedding_std : float
        Statistics of the raw embeddings.
    postprocessed_mean, postprocessed_std : float
        Statistics after PCA, whitening and quantisation to 0-255.
    """

    embedding_mean: float = 0.000657
    embedding_std: float = 0.343
    postprocessed_mean: float = 126.0
    postprocessed_std: float = 89.3


@dataclass(frozen=True, slots=True)
class Check:
    """One number of the smoke test.

    Attributes
    ----------
    name : str
        Name of the number.
    precision : str or None
        Number format of the network; None for its input.
    expected, found : float, or tuple of int
        A number or a shape; `found` may be NaN or infinite.
    ok : bool
        Whether `found` is close enough: within 10 % for the numbers of upstream.
    """

    name: str
    precision: str | None
    expected: float | tuple[int, ...]
    found: float | tuple[int, ...]
    ok: bool


def sine_patches() -> FloatArray:
    """Return the smoke test's input: 3 s of a sine of 1 kHz, ``(3, 96, 64)`` float32 log-mel patches."""
    time_s = np.arange(_DURATION_S * front_end.SAMPLE_RATE_HZ) / front_end.SAMPLE_RATE_HZ
    sine = np.sin(2 * np.pi * _FREQUENCY_HZ * time_s)
    hop = round(front_end.EXAMPLE_HOP_S * front_end.SAMPLE_RATE_HZ)
    patches = np.lib.stride_tricks.sliding_window_view(sine, front_end.PATCH_SAMPLES)[::hop]
    return log_mel_spectrogram(patches, sample_rate=front_end.SAMPLE_RATE_HZ)


def verify(
    checkpoint: Path,
    postprocessor: Postprocessor | None = None,
    *,
    expected: Expected | None = None,
    precision: str = "auto",
) -> list[Check]:
    """Run upstream's smoke test.

    The published numbers are those of the tf-slim graph in float32, and the mean is so close to zero
    that bfloat16's rounding alone may move it by more than the 10 % that upstream allows. What serves
    is therefore held to the tf-slim graph by the cosine of their embeddings.

    Parameters
    ----------
    checkpoint : Path
        Weights, as for `VGGishNetwork`.
    postprocessor : Postprocessor, optional
        None: post-processing is not checked.
    expected : Expected, optional
        By default the published numbers.
    precision : str
        The number format in use, as for `VGGishNetwork`.

    Returns
    -------
    checks : list of Check
        One for each number, correct or not.

    Raises
    ------
    WeightsCorrupt
        The checkpoint does not belong to this network.
    """
    expected = expected or Expected()
    patches = sine_patches()
    shape = (_DURATION_S, front_end.PATCH_FRAMES, front_end.N_MEL_BANDS)
    checks = [Check("log-mel patches", None, shape, patches.shape, patches.shape == shape)]
    reference = reference_embeddings(checkpoint, patches)
    checks += _statistics("embedding", reference, expected.embedding_mean, expected.embedding_std)
    if postprocessor is not None:
        mean, std = expected.postprocessed_mean, expected.postprocessed_std
        with np.errstate(invalid="ignore"):  # NaN is reported above
            numbers = postprocessor(reference)
        checks += _statistics("post-processed", numbers, mean, std)
    served = VGGishNetwork(checkpoint, precision)
    cosine = lowest_cosine(served.embed_patches(patches), reference)
    least = _MIN_COSINES[served.precision]
    checks.append(Check("cosine to tf-slim", served.precision, 1.0, cosine, cosine >= least))
    return checks


def _statistics(name: str, numbers: npt.NDArray[Any], mean: float, std: float) -> list[Check]:
    found = {"mean": float(np.mean(numbers)), "std": float(np.std(numbers))}
    return [
        Check(
            f"{name} {what}",
            "float32",
            wanted,
            found[what],
            abs(found[what] - wanted) <= _RELATIVE_TOLERANCE * abs(wanted),
        )
        for what, wanted in (("mean", mean), ("std", std))
    ]
