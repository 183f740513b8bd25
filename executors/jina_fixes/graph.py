"""Copy only what changes in the graph of executors, for each request.

Jina copies its graph deeply for each request, with the JSON schemas of all endpoints; that took longer
than a hop to an executor.

It can go when ``TopologyGraph`` shares the schemas between its copies.
"""

from __future__ import annotations

import copy
from typing import Any, Dict

from jina.serve.runtimes.gateway.graph.topology_graph import TopologyGraph


def copy_graph_shallowly() -> None:
    """Let copies of a graph share the executors' schemas; each has only the state of its request."""
    TopologyGraph.__deepcopy__ = _copy_of_graph
    TopologyGraph._ReqReplyNode.__deepcopy__ = _copy_of_node


def _copy_of_graph(graph: Any, memo: Dict[int, Any]) -> Any:
    copied = copy.copy(graph)
    memo[id(graph)] = copied
    copied._origin_nodes = copy.deepcopy(graph._origin_nodes, memo)
    return copied


def _copy_of_node(node: Any, memo: Dict[int, Any]) -> Any:
    copied = copy.copy(node)
    memo[id(node)] = copied
    copied.outgoing_nodes = copy.deepcopy(node.outgoing_nodes, memo)
    copied.parts_to_send = list(node.parts_to_send)
    return copied
