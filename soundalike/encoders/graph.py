"""Build ONNX graphs node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

_OPSET, _IR_VERSION = 18, 8


class Graph:
    """Nodes and constants of a network with one input and one output."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, given: list[str], made: str | list[str], **attributes: Any) -> str:
        """Add a node; return the name of its first output."""
        from onnx import helper

        names = [made] if isinstance(made, str) else made
        self._nodes.append(helper.make_node(kind, given, names, **attributes))
        return names[0]

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant; return its name."""
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name

    def model(
        self, name: str, given: str, given_shape: tuple[int, ...], wanted: str, dimension: int
    ) -> onnx.ModelProto:
        """Return the network: ``(n, *given_shape)`` float32 in, ``(n, dimension)`` float32 out."""
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(given, TensorProto.FLOAT, ["n", *given_shape])],
            [helper.make_tensor_value_info(wanted, TensorProto.FLOAT, ["n", dimension])],
            self._constants,
        )
        opset = helper.make_opsetid("", _OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
