"""Check that a model file gives here what its manifest says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundalike.encoders.installed import Installed
from soundalike.encoders.model_file import ModelFile
from soundalike.types import FloatArray

#: Of the deviation of a vector's numbers: bfloat16 rounds by less.
_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """One number of a manifest.

    Attributes
    ----------
    name : str
        The signal, and what was measured.
    expected, found : float
    ok : bool
        Whether they differ by less than a tenth of the deviation of the vector's numbers.
    """

    name: str
    expected: float
    found: float
    ok: bool


def check_model(installed: Installed, *, precision: str = "auto") -> list[ModelCheck]:
    """Compare a model with the numbers that its manifest carries; empty where it carries none.

    Raises
    ------
    WeightsCorrupt
        The file cannot be used at all.
    """
    network = ModelFile(installed.path, installed.manifest, precision=precision)
    found: list[ModelCheck] = []
    for check in installed.manifest.checks:
        vector = example_vector(network, check.signal)
        numbers = [
            *((f"number {n + 1}", wanted, vector[n]) for n, wanted in enumerate(check.first)),
            ("mean", check.mean, vector.mean()),
            ("deviation", check.deviation, vector.std()),
        ]
        found += [
            ModelCheck(
                f"{check.signal}: {name}",
                wanted,
                float(number),
                bool(abs(number - wanted) <= _TOLERANCE * check.deviation),
            )
            for name, wanted, number in numbers
        ]
    return found


def example_vector(network: ModelFile, signal: str) -> FloatArray:
    """Return the vector of one example of a signal, ``(dimension,)`` float32.

    Parameters
    ----------
    network : ModelFile
    signal : str
        ``sine``, 1 kHz at -6 dBFS; or ``noise``, white, seeded, with a deviation of 0.1.
    """
    n_samples, rate_hz = network.layout.n_samples, network.layout.sample_rate_hz
    if signal == "sine":
        samples = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(n_samples) / rate_hz)
    else:
        samples = 0.1 * np.random.default_rng(0).standard_normal(n_samples)
    vectors = network.embed_patches(network.front_end(samples[np.newaxis].astype(np.float32)))
    found: FloatArray = vectors[0]
    return found
