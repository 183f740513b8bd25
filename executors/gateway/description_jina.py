"""The description of Jina's own endpoints, of which Jina says little."""

from __future__ import annotations

import json
import re
from typing import Any, Dict

from fastapi import FastAPI
from fastapi.routing import APIRoute

from executors.gateway.described import (
    BODY,
    JSON,
    RAIN,
    SCRATCH,
    SIREN,
    SIREN_ID,
    camel,
    only_problems,
)

_QUERY = [{"uri": SIREN}]
#: What each endpoint does, and a request that it answers.
_ENDPOINTS: Dict[str, tuple[str, Dict[str, Any]]] = {
    "index": ("Index recordings", {"data": _QUERY}),
    "search": ("Search", {"data": _QUERY, "parameters": {"top_k": 3}}),
    "timeline": ("Count matches over time", {"data": _QUERY, "parameters": {"min_score": 0.5}}),
    "recordings": ("List or look up recordings", {"data": [{"recording_id": SIREN_ID}]}),
    "labels": ("List labels", {"data": []}),
    "folders": ("List folders", {"data": []}),
    "collections": ("List collections", {"data": []}),
    "status": ("Get what is indexed, and with what", {"data": []}),
    "delete": ("Delete recordings", {"data": [{"uri": RAIN}]}),
    "drop": ("Delete collections", {"data": [{"name": SCRATCH}]}),
}
_FAILURES = (*BODY, 401, 403, 409, 422, 429, 500, 503, 507)
_MODEL = re.compile(r"^(\w+)_(input|output)_model$")
_SUFFIX = {"input": "Request", "output": "Answer"}


def describe_endpoints(app: FastAPI) -> None:
    """Give Jina's routes ids, tags and failures.

    Parameters
    ----------
    app : FastAPI
        With Jina's routes only.
    """
    for route in app.routes:
        if isinstance(route, APIRoute) and "POST" in (route.methods or ()):
            name = _name_of(route.path)
            summary, _ = _ENDPOINTS.get(name, (f"Call the endpoint /{name}", {}))
            route.tags, route.operation_id = ["jina"], f"jina_{name}"
            route.summary = f"{summary}, with documents"
            route.description = "What is wrong with one document is in its `error_code` and `error`."
            route.responses = only_problems(*_FAILURES)


def renamed(made: Dict[str, Any], names: Dict[str, str]) -> Dict[str, Any]:
    """Return a description whose schemas have other names.

    Parameters
    ----------
    made : dict
    names : dict of str to str
        New names by the old ones; those of Jina's models need not be among them.
    """
    schemas = made["components"]["schemas"]
    matches = filter(None, map(_MODEL.match, schemas))
    jinas = {found[0]: f"Jina{camel(found[1])}{_SUFFIX[found[2]]}" for found in matches}
    every = {**jinas, "Header": "JinaHeader", **names}
    text = re.sub(
        r'"#/components/schemas/(\w+)"',
        lambda found: json.dumps(f"#/components/schemas/{every.get(found[1], found[1])}"),
        json.dumps(made),
    )
    changed: Dict[str, Any] = json.loads(text)
    schemas = {every.get(name, name): one for name, one in changed["components"]["schemas"].items()}
    for new in every.values():
        if new in schemas:
            schemas[new]["title"] = new
    changed["components"]["schemas"] = dict(sorted(schemas.items()))
    return changed


def with_examples(made: Dict[str, Any]) -> None:
    """Add a request that works to each of Jina's endpoints, in place."""
    for path, operations in made["paths"].items():
        operation = operations.get("post", {})
        if operation.get("tags") == ["jina"] and _name_of(path) in _ENDPOINTS:
            _, example = _ENDPOINTS[_name_of(path)]
            operation["requestBody"]["content"][JSON]["example"] = example
    # Jina makes one up whenever it starts.
    for name, field in made["components"]["schemas"].get("JinaHeader", {}).get("properties", {}).items():
        field.pop("example", None)
        field.setdefault("description", name)


def _name_of(path: str) -> str:
    return path.strip("/").replace("/", "_")
