"""The gateway: Jina's typed endpoints over HTTP and gRPC, with errors that programs can read."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Dict, List, Optional

import fastapi_offline
from fastapi import Depends, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jina.enums import ProtocolType
from jina.serve.runtimes.gateway.gateway import BaseGateway
from jina.serve.runtimes.servers.composite import CompositeBaseServer
from jina.serve.runtimes.servers.grpc import GRPCServer
from jina.serve.runtimes.servers.http import HTTPServer

from executors.gateway.api import (
    description,
    routes_annotations,
    routes_events,
    routes_export,
    routes_jobs,
    routes_library,
    routes_map,
    routes_media,
    routes_normal,
    routes_repeats,
    routes_search,
    routes_searches,
    routes_service,
    routes_speakers,
    routes_vectors,
)
from executors.gateway.api.context import Context
from executors.gateway.api.description_jina import describe_endpoints
from executors.gateway.api.resuming import resume_jobs
from executors.gateway.api.unknown_fields import refuse_unknown_fields
from executors.gateway.counting import CallCounter, Counting
from executors.gateway.flow.admission import Admission
from executors.gateway.flow.bodies import check_bodies, pass_parameters_on
from executors.gateway.flow.client import FlowClient
from executors.gateway.flow.reports import Reports
from executors.gateway.flow.request_names import KnownNames, RequestNames
from executors.gateway.flow.windows import CollectionWindows
from executors.gateway.guard.content import check_request
from executors.gateway.guard.grpc import CallGuard, SlotTurns
from executors.gateway.guard.load import Load
from executors.gateway.guard.middleware import protect
from executors.gateway.guard.policy import Access
from executors.gateway.guard.stopping import ClosedConnections, Stopping, drain_s_from_env
from executors.gateway.metrics import Measured, Metrics
from executors.gateway.problems import answer_with_problems
from executors.gateway.request_ids import CallIds, Identified, identify
from executors.jina_fixes.declared_schemas import compare_declared_schemas
from executors.jina_fixes.graph import copy_graph_shallowly
from executors.jina_fixes.json_logs import format_jinas_logs_with
from executors.jina_fixes.orderly_stop import stop_accepting
from executors.jina_fixes.request_steps import add_steps
from executors.monitoring.logs import JsonLines, log_as_configured
from executors.monitoring.traces import trace_with
from soundalike.config import Settings
from soundalike.limits import Limits

_DOC_FILES = "/_docs"
_ROUTES = (
    *(routes_search, routes_events, routes_export, routes_library, routes_jobs, routes_vectors),
    *(routes_media, routes_annotations, routes_map, routes_normal, routes_speakers, routes_searches),
    routes_repeats,
)
#: Jina cuts an HTTP request into requests of 100 documents and returns only the first one's results.
#: With this size nothing is ever cut.
_UNCUT = 1_000_000
#: Between accepting a connection and reading its request.
_ACCEPTED_S = 0.2


class SoundalikeHTTPServer(HTTPServer):
    """Jina's HTTP server with Swagger UI that needs no internet, and with problem documents."""

    def __init__(self, load: Load, metrics: Metrics, stopping: Stopping, **kwargs: Any) -> None:
        kwargs["title"] = kwargs.get("title") or "Soundalike"
        kwargs["description"] = kwargs.get("description") or description.TEXT
        # Names and versions of the server would only help attackers.
        # Proxies are known to the layers before the routes (`Forwarded`), and to gRPC as well.
        own = {"server_header": False, "proxy_headers": False}
        kwargs["uvicorn_kwargs"] = {**own, **(kwargs.get("uvicorn_kwargs") or {})}
        # Ours stands before the refusal of pages elsewhere, and Jina's behind it.
        self._any_origin = bool(kwargs.pop("cors", False))
        super().__init__(**kwargs)
        self._context: Optional[Context] = None
        self._load = load
        self._metrics = metrics
        self._stopping = stopping

    @property
    def app(self) -> FastAPI:
        """Return the application; Jina asks for it once."""
        settings, reports = Settings.from_env(), Reports(self.streamer)
        context = Context.of(FlowClient(self.streamer), reports, settings, self._metrics, self._stopping)
        self._context = context
        self.streamer.stream_docs = _uncut_and_counted(self.streamer.stream_docs)
        pass_parameters_on(self.streamer)
        app: FastAPI = super().app
        app.version = version("soundalike")
        describe_endpoints(app)
        check_bodies(app, self.streamer)
        _drop(app, "/docs", "/redoc", "/status", "/dry_run")
        _serve_documentation(app)
        answer_with_problems(app)
        app.state.context = context
        context.uploads.prepare()
        resume_jobs(context)
        app.include_router(routes_service.router)
        app.include_router(routes_map.page)
        for routes in _ROUTES:
            app.include_router(routes.router, dependencies=[Depends(refuse_unknown_fields)])
        routes_service.serve_page(app)
        access = Access.from_env(self.host, any_origin=self._any_origin)
        description.describe(app, has_key=access.api_key is not None)
        protect(app, access, Limits.from_env(), self._load)
        app.add_middleware(ClosedConnections, stopping=self._stopping)
        app.add_middleware(Measured, metrics=context.metrics)
        app.add_middleware(Identified)
        return app

    async def shutdown(self) -> None:
        """Stop the jobs, which also ends the event streams, and then the server."""
        if self._context is not None:
            await self._context.jobs.close()
        for listening in self.server.servers:
            listening.close()
        # Of a connection that was just accepted, the request is read; otherwise Uvicorn would close it.
        await asyncio.sleep(_ACCEPTED_S)
        await super().shutdown()
        if self._context is not None:
            self._context.isolated.close()


class SoundalikeGRPCServer(GRPCServer):
    """Jina's gRPC server with the API key and with limits of messages, rate and concurrency."""

    def __init__(self, load: Load, metrics: Metrics, stopping: Stopping, **kwargs: Any) -> None:
        # Jina asks for the interceptors while it makes the server.
        self._load = load
        self._metrics = metrics
        most_bytes = Limits.from_env().max_body_mb << 20
        options = {"grpc.max_receive_message_length": most_bytes}
        kwargs["grpc_server_options"] = {**options, **(kwargs.get("grpc_server_options") or {})}
        super().__init__(**kwargs)

    def aio_tracing_server_interceptors(self) -> List[Any]:
        """Return the interceptors of a call."""
        own = CallGuard(Access.from_env(self.host), self._load, Limits.from_env().max_running)
        return [
            CallIds(),
            CallCounter(self._metrics),
            own,
            *(super().aio_tracing_server_interceptors() or []),
        ]

    async def shutdown(self) -> None:
        """Answer the calls that have begun; the gateway closes the connections to the executors."""
        await stop_accepting(self)


class SoundalikeGateway(CompositeBaseServer, BaseGateway):
    """HTTP and gRPC in one process."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        format_jinas_logs_with(JsonLines())
        log_as_configured()
        trace_with(self.tracer)
        copy_graph_shallowly()
        compare_declared_schemas()
        # Both servers share the streamer.
        names = RequestNames(self.streamer)
        load = Load.of(Limits.from_env(), os.environ.get("SOUNDALIKE_RATE_LIMIT"))
        metrics = Metrics()
        self._stopping = Stopping(drain_s_from_env())
        metrics.watch_slots(load.slots)
        steps = (
            identify,
            Counting(self.streamer, metrics),
            SlotTurns(load.slots),
            Admission(names),
            CollectionWindows(self.streamer),
            KnownNames(names),
        )
        add_steps(self.streamer, steps)
        classes: Dict[ProtocolType, Any] = {
            ProtocolType.GRPC: SoundalikeGRPCServer,
            ProtocolType.HTTP: SoundalikeHTTPServer,
        }
        self.servers = [
            classes[_protocol(server_kwargs)](
                load=load, metrics=metrics, stopping=self._stopping, **server_kwargs
            )
            for server_kwargs in self._server_kwargs
        ]

    async def setup_server(self) -> None:
        """Start both servers, and let both stop when an executor fails to start.

        Jina's composite gateway does not tell its servers that the start was cancelled; they would
        wait for ever for an executor that has died.
        """
        for server in self.servers:
            server.is_cancel = self.is_cancel
        await super().setup_server()

    async def shutdown(self) -> None:
        """Let callers go elsewhere, answer what has begun, and leave the executors last."""
        await self._stopping.drain()
        await super().shutdown()
        await self._request_handler.close()


def _uncut_and_counted(stream_docs: Callable[..., Any]) -> Callable[..., Any]:
    """Return `stream_docs` for whole and checked requests; its answers count failed documents."""
    most_documents = Limits.from_env().max_documents

    @functools.wraps(stream_docs)
    async def stream(docs: Any, **kwargs: Any) -> AsyncIterator[Any]:
        check_request(docs, kwargs.get("parameters"), most_documents)
        async for answer in stream_docs(docs, **{**kwargs, "request_size": _UNCUT}):
            if kwargs.get("return_results"):
                docs = answer.data.docs
                failed = sum(bool(getattr(doc, "error_code", None)) for doc in docs)
                counts = {"documents": len(docs), "failed": failed}
                answer.parameters = {**answer.parameters, **counts}
            yield answer

    return stream


def _protocol(server_kwargs: Dict[str, Any]) -> ProtocolType:
    return ProtocolType.from_string(str(server_kwargs["runtime_args"]["protocol"]))


def _drop(app: FastAPI, *paths: str) -> None:
    """Remove routes of Jina or FastAPI.

    Jina's ``GET /status`` shows the names of the environment's variables to anybody, and its
    ``/dry_run`` says that all is well with a dead executor.
    """
    app.router.routes[:] = [
        route
        for route in app.router.routes
        if getattr(route, "path", None) not in paths or "POST" in getattr(route, "methods", ())
    ]


def _serve_documentation(app: FastAPI) -> None:
    """Serve Swagger UI from this machine instead of from a content network.

    ReDoc is left out: its bundle loads a logo from its makers' server.
    """
    folder = Path(fastapi_offline.__file__).parent / "static"
    files = _DOC_FILES.removeprefix("/")
    app.mount(_DOC_FILES, StaticFiles(directory=folder), name="documentation")

    @app.get("/redoc", include_in_schema=False)
    async def redoc() -> RedirectResponse:
        # Jina's start-up message names this address.
        return RedirectResponse("docs")

    @app.get("/docs", include_in_schema=False)
    async def swagger() -> HTMLResponse:
        return get_swagger_ui_html(
            # Relative to this page, so that a prefix of a proxy goes before them.
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url=f"{files}/swagger-ui-bundle.js",
            swagger_css_url=f"{files}/swagger-ui.css",
            swagger_favicon_url=f"{files}/favicon.png",
        )
