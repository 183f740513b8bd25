"""An encoder from an ONNX file and its manifest."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np

from soundalike.encoders.base import OneNetwork
from soundalike.encoders.compiled import Keeping
from soundalike.encoders.manifest import Manifest
from soundalike.encoders.runtime import Session, open_session
from soundalike.encoders.text import TEXT, TOKENIZER, TextNetwork
from soundalike.errors import WeightsCorrupt
from soundalike.types import FloatArray

_BLOCK_BYTES = 1 << 20
#: Folder beside the file.
_KEPT = "compiled"


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
    is_kept : bool
        Whether OpenVINO's form of the network may be kept beside the file.
    """

    def __init__(
        self, path: Path, manifest: Manifest, *, precision: str = "auto", is_kept: bool = False
    ) -> None:
        self.name = manifest.name
        self.layout = manifest.layout
        self.level = manifest.shown_level
        self._facts, self._output = manifest.input, manifest.output
        # It keeps its window and its bands.
        self._spectrogram = manifest.input.spectrogram() if manifest.input.kind == "log_mel" else None
        self._level = manifest.level
        self._centre = manifest.centre_vector
        self._path, self._manifest, self._precision, self._is_kept = path, manifest, precision, is_kept
        self._text: TextNetwork | None = None
        self._lock = threading.Lock()
        keeping = Keeping(path.parent / _KEPT, lambda: (self._example(),)) if is_kept else None
        self._session: Session = open_session(
            path, manifest.input.tensor, manifest.output.tensor, precision=precision, keeping=keeping
        )
        mark = "" if manifest.status == "verified" else ", unverified"
        self.description = f"{manifest.title}, in {self._session.precision}{mark}"
        self._check()
        self.fingerprint = fingerprint(path, manifest)

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
        found = self._outputs(patches)
        frames = self._output.frames
        if frames != "none" and found.ndim == 3 and found.shape[1]:
            found = found.max(axis=1) if frames == "max" else found.mean(axis=1)
        if found.shape != (len(patches), self.layout.dimension):
            raise WeightsCorrupt(
                f"{self._path} gives {found.shape} for {len(patches)} examples; the manifest says "
                f"({len(patches)}, {self.layout.dimension})"
            )
        return found

    def _outputs(self, patches: FloatArray) -> FloatArray:
        """Return what the network gives for each example, the examples first."""
        if self._facts.axes != "samples":
            return self._session(patches)
        each = [self._session(example) for example in patches]
        if len({one.shape for one in each}) > 1:
            raise WeightsCorrupt(f"{self._path} gives different shapes for examples of one length")
        found = np.stack(each)
        is_alone = self._output.frames == "none" and found.ndim == 3 and found.shape[1] == 1
        return found[:, 0] if is_alone else found

    def pool(self, vectors: FloatArray) -> FloatArray:
        """Return the vectors of windows, less the centre."""
        if self.layout.pooling == "concatenate":
            return super().pool(vectors)
        pooled: FloatArray = (vectors.max if self.layout.pooling == "max" else vectors.mean)(axis=1)
        return pooled if self._centre is None else pooled - self._centre

    def embed_text(self, text: str) -> FloatArray:
        """Return the vector of a text, ``(dimension,)`` float32 of length 1."""
        if self._manifest.text is None:
            return super().embed_text(text)
        with self._lock:
            # The first text loads its network: most services never see one.
            if self._text is None:
                self._text = text_network(
                    self._path.parent, self._manifest, precision=self._precision, is_kept=self._is_kept
                )
        return self._text(text)

    def _example(self) -> FloatArray:
        """Return two examples of noise, as the network takes them."""
        noise = np.random.default_rng(0).standard_normal((2, self.layout.n_samples))
        return self.front_end((0.1 * noise).astype(np.float32))

    def _check(self) -> None:
        """Raise `WeightsCorrupt` unless the file takes and gives what the manifest says."""
        self.embed_patches(self.front_end(np.zeros((2, self.layout.n_samples), np.float32)))


def text_network(
    folder: Path, manifest: Manifest, *, precision: str = "auto", is_kept: bool = False
) -> TextNetwork:
    """Return a model's network for texts, from the files beside its own.

    Raises
    ------
    WeightsMissing, WeightsCorrupt, ModelError
        As for `soundalike.encoders.text.TextNetwork`.
    """
    assert manifest.text is not None
    return TextNetwork(
        folder / TEXT,
        folder / TOKENIZER,
        manifest.text,
        manifest.output.dimension,
        precision=precision,
        folder=folder / _KEPT if is_kept else None,
    )


def fingerprint(path: Path, manifest: Manifest) -> str:
    """Return the identity of an encoder: of its file and of all facts that decide on the vectors."""
    digest = hashlib.sha256(manifest.digest().encode())
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
