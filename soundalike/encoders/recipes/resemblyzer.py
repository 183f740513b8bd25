"""The speaker encoder of the wheel ``Resemblyzer``, as an ONNX file.

Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018, arXiv:1710.10467. The
architecture is that of the package's ``voice_encoder.py``, version 0.1.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from soundalike.encoders.graph import Graph
from soundalike.encoders.torch_file import Tensors
from soundalike.errors import WeightsCorrupt

if TYPE_CHECKING:
    import onnx

_PREFIX = "model_state."
_LAYERS, _HIDDEN, _DIMENSION = 3, 256, 256
_FRAMES, _BANDS = 160, 40
#: PyTorch keeps the gates as input, forget, cell, output; ONNX as input, output, forget, cell.
_GATES = (0, 3, 1, 2)


def build(tensors: Tensors) -> onnx.ModelProto:
    """Return the network from mel examples to embeddings.

    Input ``mel``, ``(n, 160, 40)`` float32: frames by mel bands. Output ``embedding``, ``(n, 256)``
    float32, of length 1 and not negative. Three layers of LSTM, a linear layer on the last hidden state,
    a rectifier, and a division by the length.

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

    def tensor(name: str) -> Any:
        try:
            return tensors[_PREFIX + name]
        except KeyError as exc:
            raise WeightsCorrupt(f"the checkpoint of Resemblyzer has no tensor {exc.args[0]!r}") from exc

    # ONNX wants time first, and gives a direction between time and examples.
    flow = add("Transpose", ["mel"], ["time_first"], perm=[1, 0, 2])
    direction = keep("axis_of_directions", [1], np.int64)
    for layer in range(_LAYERS):
        given = [
            flow,
            keep(f"input_{layer}", _gates(tensor(f"lstm.weight_ih_l{layer}"))[None]),
            keep(f"hidden_{layer}", _gates(tensor(f"lstm.weight_hh_l{layer}"))[None]),
            keep(f"bias_{layer}", _biases(tensor, layer)),
        ]
        add("LSTM", given, [f"states_{layer}", f"last_{layer}"], hidden_size=_HIDDEN)
        flow = add("Squeeze", [f"states_{layer}", direction], [f"flow_{layer}"])
    last = add("Squeeze", [f"last_{_LAYERS - 1}", keep("axis_0", [0], np.int64)], ["last"])
    given = [last, keep("linear", tensor("linear.weight")), keep("linear_bias", tensor("linear.bias"))]
    flow = add("Relu", [add("Gemm", given, ["linear_out"], transB=1)], ["rectified"])
    length = add("ReduceL2", [flow, keep("axis_1", [1], np.int64)], ["length"], keepdims=1)
    # Without speech all may be zero.
    add("Div", [flow, add("Max", [length, keep("tiny", [1e-12])], ["divisor"])], ["embedding"])
    return graph.model("resemblyzer", "mel", (_FRAMES, _BANDS), "embedding", _DIMENSION)


def _gates(values: Any) -> Any:
    parts = values.reshape(4, _HIDDEN, *values.shape[1:])
    return parts[list(_GATES)].reshape(values.shape)


def _biases(tensor: Any, layer: int) -> Any:
    both = [_gates(tensor(f"lstm.bias_{kind}_l{layer}")) for kind in ("ih", "hh")]
    return np.concatenate(both)[None]
