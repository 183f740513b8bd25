"""One call from a file to its embedding, for those who want vectors and no index."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from soundalike.audio import load_audio, resolve_path
from soundalike.config import Settings
from soundalike.embedding import BATCH_PATCHES, Encoder, normalised
from soundalike.encoders import load_encoder
from soundalike.errors import ParameterError, WeightsMissing
from soundalike.segmenter import check_long_enough, pad_to
from soundalike.types import FloatArray
from soundalike.vggish import params
from soundalike.vggish.features import log_mel_spectrogram
from soundalike.vggish.postprocess import Postprocessor
from soundalike.weights import PCA_PARAMS, verified_path

Pooling = Literal["mean", "sum"]
_POOLINGS: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum}


def embed_audio(
    path: str | Path,
    pooling: Pooling | None = None,
    postprocess: bool = False,
    *,
    encoder: Encoder | None = None,
    example_hop_s: float = 1.0,
) -> npt.NDArray[Any]:
    """Embed a file, second by second or as one vector.

    Parameters
    ----------
    path : str or Path
        Any format that Soundalike reads.
    pooling : {"mean", "sum"}, optional
        Pool the seconds into one vector of length 1. None: a vector for each second.
    postprocess : bool
        Apply PCA, whitening and 8-bit quantisation as in the AudioSet release. VGGish only.
    encoder : Encoder, optional
        By default the one that the environment configures; it is loaded once.
    example_hop_s : float
        Seconds between vectors: 1.0, or 0.96 as in the published pipeline.

    Returns
    -------
    embedding : (128,) float32, or (n_seconds, 128) float32 or uint8
        uint8 only without pooling and with `postprocess`. A file shorter than 0.975 s is repeated
        until it is long enough, and has one second.

    Raises
    ------
    ParameterError
        `pooling` is neither, `example_hop_s` is not above 0, or `postprocess` is asked of an encoder
        other than VGGish.
    WeightsMissing
        `postprocess` needs ``vggish_pca_params.npz``, which is not there.
    AudioError
        The file cannot be used.
    """
    if pooling is not None and pooling not in _POOLINGS:
        raise ParameterError(f"pooling is {pooling!r}; choose mean or sum, or leave it out")
    used = encoder or _configured_encoder()
    vectors: npt.NDArray[Any] = embed_seconds(path, used, example_hop_s=example_hop_s)
    if postprocess:
        if used.name != "vggish":
            raise ParameterError(f"postprocess belongs to vggish; the encoder is {used.name}")
        vectors = _postprocessor()(vectors)
    if pooling is None:
        return vectors
    # In float: the sum of 8-bit numbers would overflow.
    pooled = _POOLINGS[pooling](vectors.astype(np.float32), axis=0)
    return normalised(pooled)


def embed_seconds(path: str | Path, encoder: Encoder, *, example_hop_s: float = 1.0) -> FloatArray:
    """Return the encoder's raw vector of each second of a file, ``(n_seconds, 128)`` float32."""
    hop = round(example_hop_s * params.SAMPLE_RATE_HZ)
    if hop < 1:
        raise ParameterError(f"example_hop_s is {example_hop_s}; it must be above 0")
    waveform = load_audio(resolve_path(path))
    check_long_enough(waveform)
    samples = pad_to(waveform.samples, params.PATCH_SAMPLES)
    patches = np.lib.stride_tricks.sliding_window_view(samples, params.PATCH_SAMPLES)[::hop]
    batches = [
        encoder.embed_patches(
            log_mel_spectrogram(
                patches[begin : begin + BATCH_PATCHES], sample_rate=params.SAMPLE_RATE_HZ
            )
        )
        for begin in range(0, len(patches), BATCH_PATCHES)
    ]
    return np.concatenate(batches)


@lru_cache(maxsize=1)
def _configured_encoder() -> Encoder:
    settings = Settings.from_env()
    return load_encoder(
        settings.model, settings.weights_dir, settings.checkpoint, precision=settings.precision
    )


@lru_cache(maxsize=1)
def _postprocessor() -> Postprocessor:
    return load_postprocessor(Settings.from_env().weights_dir)


def load_postprocessor(folder: Path) -> Postprocessor:
    """Return the post-processing of the AudioSet release, with the published parameters in a folder.

    Raises
    ------
    WeightsMissing
        They are not there.
    WeightsCorrupt
        What is there is not the published file.
    """
    path = verified_path(PCA_PARAMS, folder)
    if path is None:
        raise WeightsMissing(
            f"{PCA_PARAMS.name} is not in {folder}; fetch it with: soundalike models download"
        )
    return Postprocessor(path)
