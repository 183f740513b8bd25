"""A gateway starts where the schemas that its executors declare fit."""

# Before Jina: it keeps DocArray from importing TensorFlow, which takes every worker seconds.
import executors  # noqa: F401

# isort: split
import logging
from typing import Any

import pytest
from google.protobuf import json_format
from jina.proto import jina_pb2
from jina.serve.runtimes.gateway.graph.topology_graph import TopologyGraph
from pydantic import BaseModel

from executors.jina_fixes.declared_schemas import compare_declared_schemas


class Text(BaseModel):
    """A text."""

    value: str


class Number(BaseModel):
    """A number, which does not fit a text."""

    value: int


def graph_of(monkeypatch: pytest.MonkeyPatch, declared: type[BaseModel], made: type[BaseModel]) -> Any:
    """Return a graph whose second executor declares one model, and has another one in the gateway."""
    inner = TopologyGraph._validate_flow_docarray_compatibility
    monkeypatch.setattr(TopologyGraph, "_validate_flow_docarray_compatibility", inner)
    compare_declared_schemas()
    graph = TopologyGraph(graph_representation={"start-gateway": ["one"], "one": ["two"], "two": []})
    for node, shown, used in zip(graph.all_nodes, (Text, declared), (Text, made), strict=True):
        proto = jina_pb2.EndpointsProto()
        schemas = {way: {"name": "Doc", "model": shown.schema()} for way in ("input", "output")}
        json_format.ParseDict({"/search": schemas}, proto.schemas)
        node._endpoints_proto = (proto, None)
        node._pydantic_models_by_endpoint = {"/search": {"input": used, "output": used}}
    return graph


def test_models_that_fit_pass(monkeypatch: pytest.MonkeyPatch):
    graph_of(monkeypatch, Text, Text)._validate_flow_docarray_compatibility()


def test_a_model_that_differs_from_its_schema_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    graph = graph_of(monkeypatch, Text, Number)
    with caplog.at_level(logging.WARNING):
        graph._validate_flow_docarray_compatibility()
    assert "the declared schemas fit" in caplog.text


def test_schemas_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch):
    graph = graph_of(monkeypatch, Number, Number)
    with pytest.raises(Exception, match="/search endpoint is incompatible"):
        graph._validate_flow_docarray_compatibility()
