"""Check the bodies of Jina's HTTP endpoints: refuse unknown names, accept aliases.

FastAPI drops names that its models do not have, before any executor could see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Dict, Type

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from pydantic import BaseModel
from pydantic_core import core_schema

from executors.gateway.flow.admission import check_executor
from executors.messages.names import FIELD_ALIASES, aliases_of
from soundalike.parameters import refuse_unknown, resolve_aliases

#: Fields that Jina's client sends and Jina does not read.
_JINAS_CLIENT = ("exec_endpoint", "target_executor", "routes", "status", "request_id", "execEndpoint")
_BODY = ("data", "parameters", "header")
_HEADER = ("request_id", "requestId", "target_executor", "targetExecutor")
_HEADER_OF_CLIENT = ("exec_endpoint", "execEndpoint", "status", "max_attempts", "timeout")


def pass_parameters_on(streamer: GatewayStreamer) -> None:
    """Let the HTTP server hand the parameters on as they came; their models are only described.

    Jina's server would drop unknown names and fill in every default.

    Parameters
    ----------
    streamer : GatewayStreamer
        Knows its executors.
    """
    for models in (streamer._endpoints_models_map or {}).values():
        if models["parameters"] is not None:
            models["parameters"] = _described_by(models["parameters"])


def check_bodies(app: FastAPI, streamer: GatewayStreamer) -> None:
    """Let Jina's routes refuse bodies with unknown names.

    Parameters
    ----------
    app : FastAPI
        With Jina's own routes only.
    streamer : GatewayStreamer
    """
    models = streamer._endpoints_models_map or {}
    inputs = {f"/{endpoint.strip('/')}": parts["input"] for endpoint, parts in models.items()}

    async def check(request: Request) -> None:
        try:
            # FastAPI has read it already, and reads the same object after this.
            body = await request.json()
        except ValueError:
            # No JSON: FastAPI says so.
            return
        _check_body(body, inputs[request.scope["route"].path])

    jinas = APIRouter()
    for route in list(app.router.routes):
        if isinstance(route, APIRoute) and route.path in inputs and "POST" in (route.methods or ()):
            app.router.routes.remove(route)
            jinas.routes.append(route)
    app.include_router(jinas, dependencies=[Depends(check)])


def _check_body(body: Any, model: Type[BaseModel]) -> None:
    if not isinstance(body, dict):
        return
    refuse_unknown(_unusual(body, _JINAS_CLIENT), _BODY, kind="field")
    if isinstance(header := body.get("header"), dict):
        refuse_unknown(_unusual(header, _HEADER_OF_CLIENT), _HEADER, "header", kind="field")
    check_executor(body.get("target_executor"))
    data = body.get("data")
    for number, doc in enumerate(data if isinstance(data, list) else [data]):
        if isinstance(doc, dict):
            _check_document(doc, model, f"data[{number}]" if isinstance(data, list) else "data")


def _check_document(doc: Dict[str, Any], model: Type[BaseModel], place: str) -> None:
    names = model.model_fields
    aliases = aliases_of(names, FIELD_ALIASES)
    if not aliases.keys().isdisjoint(doc):
        proper = resolve_aliases(doc, aliases)
        doc.clear()
        doc.update(proper)
    refuse_unknown(doc, names, place, kind="field")


def _unusual(given: Mapping[str, Any], usual: Iterable[str]) -> list[str]:
    return [name for name in given if name not in usual]


def _described_by(model: Type[BaseModel]) -> Any:
    """Return a type of dictionaries that are described as a model is."""

    class Parameters(dict):  # type: ignore[type-arg]
        def __init__(self) -> None:
            # Jina asks whether parameters may be left out by making some.
            model()

        @classmethod
        def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
            return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())

        @classmethod
        def __get_pydantic_json_schema__(cls, _: Any, handler: Any) -> Any:
            schema = model.model_json_schema()
            schema["properties"].pop("id", None)
            return schema

    Parameters.__name__ = Parameters.__qualname__ = model.__name__
    return Parameters
