"""The VGGish network, served without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from soundalike.config import PRECISIONS
from soundalike.encoders.base import OneNetwork
from soundalike.encoders.runtime import has_bfloat16, open_session
from soundalike.encoders.vggish.conversion import converted, keeping_beside
from soundalike.encoders.vggish.onnx_graph import INPUT, OUTPUT
from soundalike.errors import ParameterError
from soundalike.types import FloatArray


class VGGishNetwork(OneNetwork):
    """VGGish with loaded weights: an `soundalike.encoders.base.Network`.

    Parameters
    ----------
    checkpoint : Path
        A TensorFlow checkpoint of the single-file (V1) format, as published, or the prefix of a
        later one. It is converted when it is first used, which takes some seconds and TensorFlow.
    precision : str
        ``float32``, ``bfloat16``, or ``auto``; see `soundalike.encoders.runtime.open_session`. The
        cosine between embeddings of both is above 0.999, so they share a fingerprint.

    Attributes
    ----------
    precision : str
        The number format in use: ``float32`` or ``bfloat16``.

    Raises
    ------
    WeightsCorrupt
        The file is not a checkpoint, or a variable of the network is missing or has another shape.
    ParameterError
        `precision` is invalid.
    """

    name = "vggish"
    description = "VGGish, trained by Google on millions of YouTube sound tracks"

    def __init__(self, checkpoint: Path, precision: str = "auto") -> None:
        if precision not in PRECISIONS:
            raise ParameterError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
        half = precision != "float32" and has_bfloat16()
        path, self.fingerprint = converted(checkpoint, half=half)
        self._session = open_session(
            path, INPUT, OUTPUT, precision=precision, keeping=keeping_beside(path)
        )
        self.precision = self._session.precision

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed ``(n, 96, 64)`` float32 log-mel patches into ``(n, 128)`` float32 vectors."""
        if not len(log_mel):
            return np.empty((0, self.layout.dimension), np.float32)
        return self._session(np.asarray(log_mel, dtype=np.float32))
