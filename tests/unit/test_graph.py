"""Requests have a graph of their own, and share what does not change."""

# Before Jina: it keeps DocArray from importing TensorFlow, which takes every worker seconds.
import executors  # noqa: F401

# isort: split
import copy
from typing import Any

import pytest
from jina.serve.runtimes.gateway.graph.topology_graph import TopologyGraph

from executors.jina_fixes.graph import copy_graph_shallowly


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Any:
    for kind in (TopologyGraph, TopologyGraph._ReqReplyNode):
        monkeypatch.setattr(kind, "__deepcopy__", None, raising=False)
    copy_graph_shallowly()
    made = TopologyGraph(
        graph_representation={"start-gateway": ["a"], "a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
    )
    for node in made.all_nodes:
        node._pydantic_models_by_endpoint = {"/search": {"input": dict}}
    return made


def nodes(graph: Any) -> dict[str, Any]:
    return {node.name: node for node in graph.all_nodes}


def test_the_state_of_a_request_is_its_own(graph: Any):
    copied = copy.deepcopy(graph)
    nodes(copied)["a"].parts_to_send.append("request")
    nodes(copied)["a"].status = "failed"
    assert nodes(graph)["a"].parts_to_send == []
    assert nodes(graph)["a"].status is None
    assert all(nodes(copied)[name] is not node for name, node in nodes(graph).items())


def test_a_node_that_two_lead_to_stays_one(graph: Any):
    copied = nodes(copy.deepcopy(graph))
    assert copied["b"].outgoing_nodes[0] is copied["c"].outgoing_nodes[0] is copied["d"]


def test_schemas_are_shared(graph: Any):
    copied = nodes(copy.deepcopy(graph))
    for name, node in nodes(graph).items():
        assert copied[name]._pydantic_models_by_endpoint is node._pydantic_models_by_endpoint
