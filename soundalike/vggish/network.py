"""The VGGish network: tf-slim graph, weights from the published single-file checkpoint.

TensorFlow is imported by the functions that need it, not by importing this module.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from soundalike.errors import WeightsCorrupt
from soundalike.types import FloatArray
from soundalike.vggish import params

#: Convolution blocks: output channels of each 3x3 layer; a 2x2 max-pooling ends a block.
_CONV_BLOCKS = {"conv1": (64,), "conv2": (128,), "conv3": (256, 256), "conv4": (512, 512)}
_HIDDEN_UNITS = 4096


def variable_shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the network's variables, as in the published checkpoint."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add(name: str, *weights: int) -> None:
        shapes[f"vggish/{name}/weights"] = weights
        shapes[f"vggish/{name}/biases"] = weights[-1:]

    channels = 1
    for block, widths in _CONV_BLOCKS.items():
        for number, width in enumerate(widths, start=1):
            # tf-slim names a lone layer after its block, repeated layers block/block_1, block/block_2.
            name = block if len(widths) == 1 else f"{block}/{block}_{number}"
            add(name, 3, 3, channels, width)
            channels = width
    add("fc1/fc1_1", _flat_size(), _HIDDEN_UNITS)
    add("fc1/fc1_2", _HIDDEN_UNITS, _HIDDEN_UNITS)
    add("fc2", _HIDDEN_UNITS, params.EMBEDDING_DIM)
    return shapes


def _flat_size() -> int:
    """Return how many numbers the last pooling layer leaves of a patch."""
    pooling: int = 2 ** len(_CONV_BLOCKS)
    channels = _CONV_BLOCKS["conv4"][-1]
    return (params.PATCH_FRAMES // pooling) * (params.N_MEL_BANDS // pooling) * channels


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
        for block, widths in _CONV_BLOCKS.items():
            if len(widths) == 1:
                net = slim.conv2d(net, widths[0], scope=block)
            else:
                net = slim.repeat(net, len(widths), slim.conv2d, widths[0], scope=block)
            net = slim.max_pool2d(net, scope=block.replace("conv", "pool"))
        net = tf.reshape(net, (-1, _flat_size()))
        net = slim.repeat(net, 2, slim.fully_connected, _HIDDEN_UNITS, scope="fc1")
        return slim.fully_connected(net, params.EMBEDDING_DIM, scope="fc2", activation_fn=None)


class VGGishNetwork:
    """VGGish with loaded weights: an `soundalike.embedding.Encoder`.

    Parameters
    ----------
    checkpoint : Path
        A TensorFlow checkpoint of the single-file (V1) format, as published, or the prefix of a
        later one.

    Raises
    ------
    WeightsCorrupt
        The file is no checkpoint, or lacks a variable of the network, or has one of another shape;
        the message names it.
    """

    name = "vggish"
    description = "VGGish, trained by Google on millions of YouTube sound tracks"

    def __init__(self, checkpoint: Path) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        import tensorflow.compat.v1 as tf

        tf.get_logger().setLevel("ERROR")
        check_checkpoint(checkpoint)
        self.fingerprint = file_sha256(checkpoint)
        graph = tf.Graph()
        with graph.as_default():
            self._input = tf.placeholder(
                tf.float32, (None, params.PATCH_FRAMES, params.N_MEL_BANDS), "log_mel"
            )
            self._output = define_vggish(self._input)
            self._session = tf.Session(graph=graph)
            # Outside of the graph's context TensorFlow 2 would restore eagerly, and fail.
            tf.train.Saver().restore(self._session, str(checkpoint))

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed ``(n, 96, 64)`` float32 log-mel patches into ``(n, 128)`` float32 vectors."""
        embeddings: FloatArray = self._session.run(self._output, {self._input: log_mel})
        return embeddings

    def close(self) -> None:
        """Free the session's memory."""
        self._session.close()


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
            "fetch the published one with: soundalike models download"
        ) from exc
    for name, shape in variable_shapes().items():
        if name not in found:
            raise WeightsCorrupt(f"{checkpoint} lacks the variable {name}; it is not VGGish's")
        if tuple(found[name]) != shape:
            raise WeightsCorrupt(
                f"{checkpoint}: {name} has shape {tuple(found[name])}, VGGish's is {shape}"
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
