"""PCA, whitening and 8-bit quantisation of the AudioSet release. Off by default."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundalike.audio import front_end
from soundalike.errors import DimensionMismatch, WeightsCorrupt
from soundalike.types import FloatArray

_MATRIX, _MEANS = "pca_eigen_vectors", "pca_means"
_CLIP = 2.0
_LEVELS = 255.0


class Postprocessor:
    """Converts raw VGGish embeddings to the format of the AudioSet release.

    Parameters
    ----------
    pca_params : Path
        The published ``vggish_pca_params.npz``, with ``pca_eigen_vectors`` (128, 128) and
        ``pca_means`` (128, 1).

    Raises
    ------
    WeightsCorrupt
        The file is not an npz file, or an array is missing or has another shape.

    Notes
    -----
    The last components saturate: whitened components with tiny variance are mostly 0 or 255. Raw
    embeddings are better for retrieval; see docs/adr/0010.

    References
    ----------
    tensorflow/models, research/audioset/vggish/vggish_postprocess.py, at commit 4b2f15f.
    """

    def __init__(self, pca_params: Path) -> None:
        try:
            with np.load(pca_params) as arrays:
                matrix, means = arrays[_MATRIX], arrays[_MEANS]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
            raise WeightsCorrupt(
                f"{pca_params} cannot be used ({exc}); download the published one with: "
                "soundalike models download"
            ) from exc
        size = front_end.EMBEDDING_DIM
        if matrix.shape != (size, size) or means.size != size:
            raise WeightsCorrupt(
                f"{pca_params}: {_MATRIX} has shape {matrix.shape} and {_MEANS} {means.shape}; "
                f"expected ({size}, {size}) and ({size}, 1)"
            )
        self._matrix = matrix
        self._means = means.reshape(1, size)

    def __call__(self, embeddings: FloatArray) -> npt.NDArray[np.uint8]:
        """Return PCA-transformed, whitened, clipped and quantised embeddings.

        Parameters
        ----------
        embeddings : (n, 128) float32
            Output of the network.

        Returns
        -------
        quantised : (n, 128) uint8
            -2 becomes 0 and 2 becomes 255; values between are truncated, not rounded, as in upstream.

        Raises
        ------
        DimensionMismatch
            `embeddings` is not of shape ``(n, 128)``.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != front_end.EMBEDDING_DIM:
            raise DimensionMismatch(
                f"embeddings have shape {embeddings.shape}; expected (n, {front_end.EMBEDDING_DIM})"
            )
        whitened = (embeddings - self._means) @ self._matrix.T
        clipped = np.clip(whitened, -_CLIP, _CLIP)
        scaled = (clipped + _CLIP) * (_LEVELS / (2 * _CLIP))
        return np.asarray(scaled, dtype=np.float64).astype(np.uint8)
