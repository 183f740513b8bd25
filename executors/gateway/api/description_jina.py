"""Describe Jina's own endpoints; Jina says little about them."""

from __future__ import annotations

import json
from typing import Any, Dict

from fastapi import FastAPI
from fastapi.routing import APIRoute

from executors.gateway.api.described import (
    BODY,
    JSON,
    MACHINE,
    RAIN,
    SCRATCH,
    SEARCH,
    SEARCH_FILE,
    SIREN,
    SIREN_ID,
    SPEAKER,
    only_problems,
)

_QUERY = [{"uri": SIREN}]
_SEARCH = {"name": SEARCH}
_VECTORS = {"uri": "heron.wav", "vectors": [[0.6, 0.8]], "bounds": [[0.0, 3.0]]}
#: Summary of each endpoint, and an example of a request.
_ENDPOINTS: Dict[str, tuple[str, Dict[str, Any]]] = {
    "index": ("Index recordings", {"data": _QUERY}),
    "index_vectors": (
        "Index vectors of another program",
        {"data": [_VECTORS], "parameters": {"collection": "vectors"}},
    ),
    "search": ("Search", {"data": _QUERY, "parameters": {"top_k": 3}}),
    "timeline": ("Count matches over time", {"data": _QUERY, "parameters": {"min_score": 0.5}}),
    "events": ("Search for events", {"data": _QUERY}),
    "listen": (
        "Check sound for a query",
        {"data": [{"uri": SIREN, "end_s": 10.0}], "parameters": {"query_uri": SIREN}},
    ),
    "duplicates": ("List candidates of copies", {"data": [{"recording_id": SIREN_ID}]}),
    "motifs": ("List parts that stand out", {"data": [{"recording_id": SIREN_ID}]}),
    "recordings": ("List or look up recordings", {"data": [{"recording_id": SIREN_ID}]}),
    "labels": ("List labels", {"data": []}),
    "folders": ("List folders", {"data": []}),
    "annotations": ("List annotations", {"data": []}),
    "annotation_labels": ("List labels of annotations", {"data": []}),
    "annotate": (
        "Upload annotations",
        {"data": [{"recording_id": SIREN_ID, "start_s": 1.0, "end_s": 2.5, "label": "siren"}]},
    ),
    "remove_annotations": ("Delete annotations", {"data": [], "parameters": {"label": SCRATCH}}),
    "collections": ("List collections", {"data": []}),
    "status": ("Get the status of the index", {"data": []}),
    "delete": ("Delete recordings", {"data": [{"uri": RAIN}]}),
    "drop": ("Delete collections", {"data": [{"name": SCRATCH}]}),
    "enrol": ("Enrol a speaker", {"data": _QUERY, "parameters": {"speaker": SPEAKER}}),
    "identify": ("Identify speakers", {"data": _QUERY}),
    "verify": ("Verify a speaker", {"data": _QUERY, "parameters": {"speaker": SPEAKER}}),
    "speakers": ("List speakers", {"data": []}),
    "utterances": ("List a speaker's recordings", {"data": [], "parameters": {"speaker": SPEAKER}}),
    "map": ("Draw the map of a collection", {"data": [], "parameters": {"method": "pca"}}),
    "normal_models": ("List models of what is normal", {"data": []}),
    "normal_learn": (
        "Learn what is normal",
        {"data": [], "parameters": {"name": MACHINE, "collection": "default"}},
    ),
    "normal_score": ("Score recordings", {"data": _QUERY, "parameters": {"name": MACHINE}}),
    "normal_events": ("List watched recordings", {"data": [], "parameters": {"name": MACHINE}}),
    "normal_remove": ("Remove a model of what is normal", {"data": [], "parameters": {"name": MACHINE}}),
    "searches": ("List named searches", {"data": []}),
    "search_save": ("Save a search", {"data": _QUERY, "parameters": {**_SEARCH, "replace": True}}),
    "search_run": ("Run a named search", {"data": [], "parameters": _SEARCH}),
    "search_mark": (
        "Mark what a named search has found",
        {"data": [], "parameters": {**_SEARCH, "uri": SIREN, "verdict": "right"}},
    ),
    "search_undo": ("Take back the latest mark of a search", {"data": [], "parameters": _SEARCH}),
    "search_accept": (
        "Annotate what is right",
        {"data": [], "parameters": {**_SEARCH, "label": SCRATCH}},
    ),
    "search_review": ("List hits to review", {"data": [], "parameters": _SEARCH}),
    "search_estimate": ("Get the precision of a search", {"data": [], "parameters": _SEARCH}),
    "search_export": ("Export a named search", {"data": [], "parameters": _SEARCH}),
    "search_import": (
        "Import named searches",
        {"data": [{"content": json.dumps(SEARCH_FILE)}], "parameters": {"replace": True}},
    ),
    "search_remove": ("Remove a named search", {"data": [], "parameters": _SEARCH}),
    "remove_speaker": ("Remove a speaker", {"data": [], "parameters": {"speaker": SPEAKER}}),
}
_FAILURES = (*BODY, 401, 403, 409, 422, 429, 500, 503, 507)


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
            route.description = "Errors of single documents are in their `error_code` and `error`."
            route.responses = only_problems(*_FAILURES)


def with_examples(made: Dict[str, Any]) -> None:
    """Add a request that works to each of Jina's endpoints, in place."""
    for path, operations in made["paths"].items():
        operation = operations.get("post", {})
        if operation.get("tags") == ["jina"] and _name_of(path) in _ENDPOINTS:
            _, example = _ENDPOINTS[_name_of(path)]
            operation["requestBody"]["content"][JSON]["example"] = example


def _name_of(path: str) -> str:
    return path.strip("/").replace("/", "_")
