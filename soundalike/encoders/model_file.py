"""An encoder from an ONNX file and its manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from soundalike.encoders.base import OneNetwork
from soundalike.encoders.manifest import Manifest
from soundalike.encoders.runtime import Session, open_session
from soundalike.errors import WeightsCorrupt
from soundalike.types import FloatArray

_BLOCK_BYTES = 1 << 20


class ModelFile(OneNetwork):
    """A network of an ONNX file. A `soundalike.encoders.base.Network`.

    Parameters
    ----------
    path : Path
        The ONNX file.
    manifest : Manifest
        Its facts.
    precision : str
        As for `soundalike.encoders.runtime.open_session`, which raises the same.
    """

    def __init__(self, path: Path, manifest: Manifest, *, precision: str = "auto") -> None:
        self.name = manifest.name
        self.layout = manifest.layout
        self.level = manifest.shown_level
        self.fingerprint = fingerprint(path, manifest)
        self._facts = manifest.input
        # It keeps its window and its bands.
        self._spectrogram = manifest.input.spectrogram() if manifest.input.kind == "log_mel" else None
        self._level = manifest.level
        self._centre = manifest.centre_vector
        self._path = path
        self._session: Session = open_session(
            path, manifest.input.tensor, manifest.output.tensor, precision=precision
        )
        mark = "" if manifest.status == "verified" else ", unverified"
        self.description = f"{manifest.title}, in {self._session.precision}{mark}"
        self._check()

    def window_gain(self, samples: FloatArray) -> float:
        """Return the factor that brings a window to the level of the manifest."""
        return 1.0 if self._level is None else self._level.gain(samples)

    def front_end(self, samples: FloatArray) -> FloatArray:
        """Return what the network takes of ``(n, n_samples)`` float32 examples."""
        facts = self._facts
        if self._spectrogram is not None:
            found = self._spectrogram(samples)
            if facts.axes in ("mel_time", "channel_mel_time"):
                found = found.swapaxes(1, 2)
            return np.ascontiguousarray(found[:, None] if facts.axes.startswith("channel") else found)
        scaled = (samples * np.float32(facts.input_gain)).astype(np.float32)
        return scaled[:, None] if facts.axes == "channel_time" else scaled

    def embed_patches(self, patches: FloatArray) -> FloatArray:
        """Return ``(n, dimension)`` float32 vectors."""
        if not len(patches):
            return np.empty((0, self.layout.dimension), np.float32)
        found = self._session(patches)
        if found.shape != (len(patches), self.layout.dimension):
            raise WeightsCorrupt(
                f"{self._path} gives {found.shape} for {len(patches)} examples; the manifest says "
                f"({len(patches)}, {self.layout.dimension})"
            )
        return found

    def pool(self, vectors: FloatArray) -> FloatArray:
        """Return the vectors of windows, less the centre."""
        if self.layout.pooling == "concatenate":
            return super().pool(vectors)
        pooled: FloatArray = (vectors.max if self.layout.pooling == "max" else vectors.mean)(axis=1)
        return pooled if self._centre is None else pooled - self._centre

    def _check(self) -> None:
        """Raise `WeightsCorrupt` unless the file takes and gives what the manifest says."""
        self.embed_patches(self.front_end(np.zeros((2, self.layout.n_samples), np.float32)))


def fingerprint(path: Path, manifest: Manifest) -> str:
    """Return the identity of an encoder: of its file and of all facts that decide on the vectors."""
    digest = hashlib.sha256(manifest.digest().encode())
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
