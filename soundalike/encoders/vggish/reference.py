"""The reference: VGGish as a tf-slim graph, with weights from the published single-file checkpoint.

What serves is converted from it once and held to it. TensorFlow is imported by the functions that need
it, not by importing this module.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from soundalike.audio import front_end
from soundalike.encoders.vggish.layout import (
    CONV_BLOCKS,
    EMBEDDING_LAYER,
    HIDDEN_UNITS,
    flat_size,
    variable_shapes,
)
from soundalike.errors import WeightsCorrupt
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


def reference_embeddings(checkpoint: Path, log_mel: FloatArray) -> FloatArray:
    """Embed ``(n, 96, 64)`` float32 patches with the tf-slim graph in float32, ``(n, 128)``.

    Raises
    ------
    WeightsCorrupt
        The file is not a checkpoint, or lacks a variable of the network, or has one of another shape,
        or a damaged one; the message names it.
    """
    _prepare_tensorflow()
    check_checkpoint(checkpoint)
    with readable(checkpoint):
        return load_float32(checkpoint)(np.asarray(log_mel, dtype=np.float32))


def variables(checkpoint: Path) -> dict[str, FloatArray]:
    """Return the network's variables by their published names.

    Raises
    ------
    WeightsCorrupt
        As for `reference_embeddings`.
    """
    _prepare_tensorflow()
    import tensorflow as tf

    check_checkpoint(checkpoint)
    with readable(checkpoint):
        reader = tf.train.load_checkpoint(str(checkpoint))
        return {name: reader.get_tensor(name) for name in variable_shapes()}


@contextlib.contextmanager
def readable(checkpoint: Path) -> Iterator[None]:
    """Say what is wrong where names and shapes are right and values are damaged."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, RuntimeError) as exc:
        reason = str(exc).splitlines()[0][:200]
        raise WeightsCorrupt(
            f"{checkpoint} is damaged ({reason}); delete it and run: soundalike models download"
        ) from exc


def _prepare_tensorflow() -> None:
    """Set what TensorFlow reads when it is first imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def load_float32(checkpoint: Path) -> Callable[[FloatArray], FloatArray]:
    """Return a function that embeds patches with the tf-slim graph in float32.

    Parameters
    ----------
    checkpoint : Path
        Has been checked by `check_checkpoint`.
    """
    import tensorflow.compat.v1 as tf

    tf.get_logger().setLevel("ERROR")
    graph = tf.Graph()
    with graph.as_default(), warnings.catch_warnings():
        # tf-slim calls layers by a name that Keras calls deprecated.
        warnings.filterwarnings("ignore", message="`layer.apply` is deprecated")
        log_mel = tf.placeholder(
            tf.float32, (None, front_end.PATCH_FRAMES, front_end.N_MEL_BANDS), "log_mel"
        )
        embeddings = define_vggish(log_mel)
        session = tf.Session(graph=graph)
        # Outside of the graph's context TensorFlow 2 would restore eagerly, and fail.
        tf.train.Saver().restore(session, str(checkpoint))

    def run(patches: FloatArray) -> FloatArray:
        found: FloatArray = session.run(embeddings, {log_mel: patches})
        return found

    return run


def check_checkpoint(checkpoint: Path) -> None:
    """Raise `WeightsCorrupt` unless the file holds every variable of the network.

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
