"""The VGGish network: tf-slim graph, weights from the published single-file checkpoint.

Importing this module does not import TensorFlow; the functions do.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from soundalike.audio import front_end
from soundalike.config import PRECISIONS
from soundalike.encoders.vggish import bfloat16
from soundalike.encoders.vggish.layout import (
    CONV_BLOCKS,
    EMBEDDING_LAYER,
    HIDDEN_UNITS,
    flat_size,
    variable_shapes,
)
from soundalike.errors import ParameterError, WeightsCorrupt
from soundalike.types import FloatArray


def define_vggish(log_mel: Any) -> Any:
    """Add the network to the default TensorFlow 1 graph.

    Parameters
    ----------
    log_mel : tensor, (n, 96, 64) float32
        Patches.

    Returns
    -------
    embeddings : tensor, (n, 128) float32
        The embedding layer's output, without activation.
    """
    import tensorflow.compat.v1 as tf
    import tf_slim as slim

    with (
        slim.arg_scope([slim.conv2d, slim.fully_connected], activation_fn=tf.nn.relu, trainable=False),
        slim.arg_scope([slim.conv2d], kernel_size=[3, 3], stride=1, padding="SAME"),
        slim.arg_scope([slim.max_pool2d], kernel_size=[2, 2], stride=2, padding="SAME"),
        tf.variable_scope("vggish"),
    ):
        net = tf.expand_dims(log_mel, axis=-1)
        for block, widths in CONV_BLOCKS.items():
            if len(widths) == 1:
                net = slim.conv2d(net, widths[0], scope=block)
            else:
                net = slim.repeat(net, len(widths), slim.conv2d, widths[0], scope=block)
            net = slim.max_pool2d(net, scope=block.replace("conv", "pool"))
        net = tf.reshape(net, (-1, flat_size()))
        net = slim.repeat(net, 2, slim.fully_connected, HIDDEN_UNITS, scope="fc1")
        return slim.fully_connected(
            net, front_end.EMBEDDING_DIM, scope=EMBEDDING_LAYER, activation_fn=None
        )


class VGGishNetwork:
    """VGGish with loaded weights: a `soundalike.encoders.base.Encoder`.

    Parameters
    ----------
    checkpoint : Path
        A TensorFlow checkpoint in the published single-file (V1) format, or the prefix of one in the
        V2 format.
    precision : str
        ``float32`` (the tf-slim graph, the reference), ``bfloat16``, or ``auto``: bfloat16 if the
        processor supports it. Embeddings of both are comparable: their cosine is above 0.999, so they
        share a fingerprint.

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
        fast = precision == "bfloat16" or (precision == "auto" and bfloat16.is_supported())
        self.precision = "bfloat16" if fast else "float32"
        _prepare_tensorflow(fast)
        check_checkpoint(checkpoint)
        self.fingerprint = file_sha256(checkpoint)
        self._embed = _loaded(bfloat16.load if fast else load_float32, checkpoint)

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed ``(n, 96, 64)`` float32 log-mel patches into ``(n, 128)`` float32 vectors."""
        return self._embed(np.asarray(log_mel, dtype=np.float32))


def _loaded(
    load: Callable[[Path], Callable[[FloatArray], FloatArray]], checkpoint: Path
) -> Callable[[FloatArray], FloatArray]:
    """Load weights with correct names and shapes; their values may still be damaged."""
    import tensorflow as tf

    try:
        return load(checkpoint)
    except (tf.errors.OpError, RuntimeError) as exc:
        reason = str(exc).splitlines()[0][:200]
        raise WeightsCorrupt(
            f"{checkpoint} is damaged ({reason}); delete it and run: soundalike models download"
        ) from exc


def _prepare_tensorflow(fast: bool) -> None:
    """Set the environment variables that TensorFlow reads at its first import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if fast:
        # The weights never change, so oneDNN may keep its arrangement of them between calls.
        os.environ.setdefault("TF_ONEDNN_ASSUME_FROZEN_WEIGHTS", "1")


def load_float32(checkpoint: Path) -> Callable[[FloatArray], FloatArray]:
    """Return a function that embeds patches with the tf-slim graph in float32.

    Parameters
    ----------
    checkpoint : Path
        Checked by `check_checkpoint`.
    """
    import tensorflow.compat.v1 as tf

    tf.get_logger().setLevel("ERROR")
    graph = tf.Graph()
    with graph.as_default(), warnings.catch_warnings():
        # tf-slim uses a method that Keras deprecates.
        warnings.filterwarnings("ignore", message="`layer.apply` is deprecated")
        log_mel = tf.placeholder(
            tf.float32, (None, front_end.PATCH_FRAMES, front_end.N_MEL_BANDS), "log_mel"
        )
        embeddings = define_vggish(log_mel)
        session = tf.Session(graph=graph)
        # Outside of the graph's context TensorFlow 2 would restore eagerly and fail.
        tf.train.Saver().restore(session, str(checkpoint))

    def run(patches: FloatArray) -> FloatArray:
        found: FloatArray = session.run(embeddings, {log_mel: patches})
        return found

    return run


def check_checkpoint(checkpoint: Path) -> None:
    """Raise `WeightsCorrupt` unless the file has every variable of the network.

    Parameters
    ----------
    checkpoint : Path
        Single-file checkpoint or checkpoint prefix.
    """
    import tensorflow as tf

    try:
        found = tf.train.load_checkpoint(str(checkpoint)).get_variable_to_shape_map()
    except (tf.errors.OpError, RuntimeError, ValueError) as exc:
        reason = str(exc).splitlines()[0][:200]
        raise WeightsCorrupt(
            f"{checkpoint} is not a TensorFlow checkpoint ({reason}); "
            "download the published one with: soundalike models download"
        ) from exc
    for name, shape in variable_shapes().items():
        if name not in found:
            raise WeightsCorrupt(
                f"{checkpoint} lacks the variable {name}; it is not a checkpoint of VGGish"
            )
        if tuple(found[name]) != shape:
            raise WeightsCorrupt(
                f"{checkpoint}: {name} has shape {tuple(found[name])}, expected {shape}"
            )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a checkpoint: of the file, or of all files of a checkpoint prefix."""
    files = [path] if path.is_file() else sorted(path.parent.glob(f"{path.name}.*"))
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
