"""VGGish as an ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from soundalike.audio import front_end
from soundalike.encoders.graph import Graph
from soundalike.encoders.vggish.layout import CONV_BLOCKS, EMBEDDING_LAYER, HIDDEN_LAYERS, layers_of
from soundalike.types import FloatArray

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT = "log_mel", "embedding"


def build(variables: Mapping[str, FloatArray], *, half: bool = False) -> onnx.ModelProto:
    """Return the network with the variables of a checkpoint.

    Input ``log_mel``, ``(n, 96, 64)`` float32; output ``embedding``, ``(n, 128)`` float32.

    Parameters
    ----------
    variables : mapping of str to array
        By their published names.
    half : bool
        Keep the weights in half precision, which halves the file. It is closer to float32 than bfloat16
        is.
    """
    from onnx import TensorProto

    graph = Graph()
    add, constant = graph.add, graph.constant

    def weight(name: str, values: FloatArray) -> str:
        if not half:
            return constant(name, values)
        kept = constant(f"{name}/half", values, np.float16)
        return add("Cast", [kept], name, to=TensorProto.FLOAT)

    def parameters(layer: str) -> tuple[FloatArray, FloatArray]:
        return variables[f"vggish/{layer}/weights"], variables[f"vggish/{layer}/biases"]

    flow = add("Unsqueeze", [INPUT, constant("axis", [1], np.int64)], "picture")
    for block in CONV_BLOCKS:
        for layer in layers_of(block):
            kernel, bias = parameters(layer)
            # TensorFlow keeps height, width, input, output.
            given = [
                flow,
                weight(f"{layer}/kernel", kernel.transpose(3, 2, 0, 1)),
                constant(f"{layer}/bias", bias),
            ]
            add("Conv", given, layer, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            flow = add("Relu", [layer], f"{layer}/relu")
        flow = add("MaxPool", [flow], f"{block}/pool", kernel_shape=[2, 2], strides=[2, 2])
    # TensorFlow flattens with channels last.
    flow = add("Transpose", [flow], "channels_last", perm=[0, 2, 3, 1])
    flow = add("Flatten", [flow], "flat")
    for layer in (*HIDDEN_LAYERS, EMBEDDING_LAYER):
        matrix, bias = parameters(layer)
        made = OUTPUT if layer == EMBEDDING_LAYER else layer
        add("Gemm", [flow, weight(f"{layer}/matrix", matrix), constant(f"{layer}/bias", bias)], made)
        if layer != EMBEDDING_LAYER:
            flow = add("Relu", [layer], f"{layer}/relu")
    shape = (front_end.PATCH_FRAMES, front_end.N_MEL_BANDS)
    return graph.model("vggish", INPUT, shape, OUTPUT, front_end.EMBEDDING_DIM)
