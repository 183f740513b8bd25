"""VGGish in bfloat16: the same network, faster on processors with bfloat16 instructions.

Weights and activations are bfloat16 throughout: casting the 72 million weights at every call would cost
more than it saves. The code uses TensorFlow's functions, because tf-slim's layers need a session, which
is slower here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from soundalike.audio import front_end
from soundalike.encoders.vggish.layout import CONV_BLOCKS, HIDDEN_LAYERS, layers_of, variable_shapes
from soundalike.types import FloatArray

_CPU_FLAGS = Path("/proc/cpuinfo")


def is_supported() -> bool:
    """Return whether the processor has bfloat16 instructions; without them float32 is faster."""
    try:
        text = _CPU_FLAGS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    lines = (line for line in text.splitlines() if line.startswith(("flags", "Features")))
    flags = next(lines, "").split()
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags))


def load(checkpoint: Path) -> Callable[[FloatArray], FloatArray]:
    """Return a function that embeds ``(n, 96, 64)`` float32 patches into ``(n, 128)`` float32.

    Parameters
    ----------
    checkpoint : Path
        Checked by `soundalike.encoders.vggish.network.check_checkpoint`.
    """
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(checkpoint))
    # Cast by NumPy: TensorFlow would not release the memory of the float32 tensors.
    weights = {
        name: tf.Variable(reader.get_tensor(name).astype(tf.bfloat16.as_numpy_dtype), trainable=False)
        for name in variable_shapes()
    }
    signature = tf.TensorSpec((None, front_end.PATCH_FRAMES, front_end.N_MEL_BANDS), tf.float32)

    @tf.function(input_signature=[signature])  # type: ignore[untyped-decorator]
    def embed(log_mel: Any) -> Any:
        return _forward(tf, weights, log_mel)

    def run(log_mel: FloatArray) -> FloatArray:
        return np.asarray(embed(tf.constant(log_mel)).numpy(), dtype=np.float32)

    # The first call traces the graph and lets oneDNN arrange the weights for its kernels.
    run(np.zeros((1, front_end.PATCH_FRAMES, front_end.N_MEL_BANDS), dtype=np.float32))
    return run


def _forward(tf: Any, weights: dict[str, Any], log_mel: Any) -> Any:
    def parameters(layer: str) -> tuple[Any, Any]:
        return weights[f"vggish/{layer}/weights"], weights[f"vggish/{layer}/biases"]

    net = tf.cast(log_mel, tf.bfloat16)[..., tf.newaxis]
    for block in CONV_BLOCKS:
        for layer in layers_of(block):
            kernel, bias = parameters(layer)
            net = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(net, kernel, 1, "SAME"), bias))
        net = tf.nn.max_pool2d(net, 2, 2, "SAME")
    net = tf.reshape(net, (-1, variable_shapes()["vggish/fc1/fc1_1/weights"][0]))
    for layer in HIDDEN_LAYERS:
        kernel, bias = parameters(layer)
        net = tf.nn.relu(tf.nn.bias_add(tf.matmul(net, kernel), bias))
    kernel, bias = parameters("fc2")
    return tf.cast(tf.nn.bias_add(tf.matmul(net, kernel), bias), tf.float32)
