"""aiSFX: the convolutional network of the wheel ``aisfx``, as an ONNX file.

Ma and Lerch, "Representation Learning for the Automatic Indexing of Sound Effects Libraries", ISMIR
2022. The architecture is that of the package's ``models/cnn2d.py``, version 0.1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from soundalike.encoders.graph import Graph
from soundalike.encoders.torch_file import Tensors
from soundalike.errors import WeightsCorrupt

if TYPE_CHECKING:
    import onnx

_PREFIX = "0.embedding_net."
_EPSILON = 1e-5
_N_BLOCKS, _DIMENSION = 4, 512
_FRAMES, _BANDS = 100, 96


def build(tensors: Tensors) -> onnx.ModelProto:
    """Return the network from log-mel examples to embeddings.

    Input ``log_mel``, ``(n, 100, 96)`` float32: frames by mel bands, scaled as the manifest says. Output
    ``embedding``, ``(n, 512)`` float32. Each of four blocks has two 3x3 convolutions with batch
    normalisation, which is folded into them, and rectifiers; the first three end with a 2x2 maximum.
    Then the mean over bands and the maximum over time.

    Parameters
    ----------
    tensors : dict of str to array
        Of the checkpoint, as `soundalike.encoders.torch_file.read_tensors` gives them.

    Raises
    ------
    WeightsCorrupt
        A tensor of the network is missing.
    """
    graph = Graph()
    add, keep = graph.add, graph.constant
    flow = add("Unsqueeze", ["log_mel", keep("axis_1", [1], np.int64)], "picture")
    for block in range(1, _N_BLOCKS + 1):
        for layer in (1, 2):
            name = f"block{block}_{layer}"
            kernel, bias = _folded(tensors, block, layer)
            given = [flow, keep(f"{name}_kernel", kernel), keep(f"{name}_bias", bias)]
            add("Conv", given, name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            flow = add("Relu", [name], f"{name}_relu")
        if block < _N_BLOCKS:
            flow = add("MaxPool", [flow], f"pool{block}", kernel_shape=[2, 2], strides=[2, 2])
    flow = add("ReduceMean", [flow, keep("axis_3", [3], np.int64)], "over_bands", keepdims=0)
    add("ReduceMax", [flow, keep("axis_2", [2], np.int64)], "embedding", keepdims=0)
    return graph.model("aisfx", "log_mel", (_FRAMES, _BANDS), "embedding", _DIMENSION)


def _folded(tensors: Tensors, block: int, layer: int) -> tuple[Any, Any]:
    """Return kernel and bias of a convolution with the batch normalisation behind it."""
    stem = f"{_PREFIX}conv_block{block}."
    try:
        kernel = tensors[f"{stem}conv{layer}.weight"].astype(np.float64)
        scale, shift, mean, variance = (
            tensors[f"{stem}bn{layer}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
    except KeyError as exc:
        raise WeightsCorrupt(f"the checkpoint of aisfx has no tensor {exc.args[0]!r}") from exc
    gain = scale / np.sqrt(variance + _EPSILON)
    return kernel * gain[:, None, None, None], shift - mean * gain
