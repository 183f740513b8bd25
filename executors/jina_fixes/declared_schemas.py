"""Compare the schemas that executors declare, not the models that the gateway made of them.

When it starts, the gateway makes models of the schemas of all endpoints, in an order that differs from
process to process, and compares what an executor returns with what the next one takes by these models.
On rare occasions models of equal schemas differed, and the service did not start.

It can go when Jina compares the schemas themselves.
"""

from __future__ import annotations

import logging
from typing import Any, Dict

from google.protobuf import json_format  # type: ignore[import-untyped]
from jina.serve.runtimes.gateway.graph.topology_graph import TopologyGraph

_log = logging.getLogger(__name__)


def compare_declared_schemas() -> None:
    """Let a gateway start whose executors declare schemas that fit."""
    inner: Any = TopologyGraph._validate_flow_docarray_compatibility
    if getattr(inner, "compares_declared", False):
        return

    def validate(self: Any) -> None:
        try:
            inner(self)
        except Exception as exc:
            if not all(map(_fits, self.all_nodes)):
                raise
            _log.warning("the declared schemas fit, although the check of Jina says: %s", exc)

    validate.compares_declared = True  # type: ignore[attr-defined]
    TopologyGraph._validate_flow_docarray_compatibility = validate


def _fits(node: Any) -> bool:
    """Tell whether the executors after one take what it returns, and have its endpoints."""
    returned = _declared(node)
    for following in node.outgoing_nodes:
        if following._endpoints_proto is None:
            continue
        taken = _declared(following)
        for endpoint, schemas in returned.items():
            other = taken.get(endpoint)
            if other is None or _types(schemas["output"]) != _types(other["input"]):
                return False
    return True


def _declared(node: Any) -> Dict[str, Any]:
    endpoints, _ = node._endpoints_proto
    declared: Dict[str, Any] = json_format.MessageToDict(endpoints.schemas)
    return declared


def _types(schema: Dict[str, Any]) -> Dict[str, Any]:
    """Return the type of each property, as far as Jina compares them."""
    properties = schema["model"].get("properties", {})
    return {name: of.get("type") for name, of in properties.items()}
