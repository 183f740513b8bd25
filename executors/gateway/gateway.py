"""The gateway: Jina's typed endpoints over HTTP and gRPC, with errors that programs can read."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Dict

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jina.enums import ProtocolType
from jina.serve.runtimes.gateway.gateway import BaseGateway
from jina.serve.runtimes.servers.composite import CompositeBaseServer
from jina.serve.runtimes.servers.grpc import GRPCServer
from jina.serve.runtimes.servers.http import HTTPServer
from starlette.exceptions import HTTPException
from starlette.responses import Response

from executors.gateway.problems import problem_of
from executors.gateway.windows import CollectionWindows
from soundalike.errors import ParameterError

_DOC_FILES = "/_docs"
_DESCRIPTION = "Find recordings that contain something like a given sound, and at which second."
#: Jina cuts an HTTP request into requests of 100 documents and returns only the first one's results.
#: With this size nothing is ever cut.
_UNCUT = 1_000_000


class SoundalikeHTTPServer(HTTPServer):
    """Jina's HTTP server with Swagger UI that needs no internet, and with problem documents."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["title"] = kwargs.get("title") or "Soundalike"
        kwargs["description"] = kwargs.get("description") or _DESCRIPTION
        super().__init__(**kwargs)

    @property
    def app(self) -> FastAPI:
        """Return the application; Jina asks for it once."""
        self.streamer.stream_docs = _uncut_and_counted(self.streamer.stream_docs)
        app: FastAPI = super().app
        _serve_documentation(app)
        _answer_with_problems(app)
        return app


class SoundalikeGateway(CompositeBaseServer, BaseGateway):
    """HTTP and gRPC in one process."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Both servers share the streamer.
        CollectionWindows(self.streamer)
        classes = {ProtocolType.GRPC: GRPCServer, ProtocolType.HTTP: SoundalikeHTTPServer}
        self.servers = [
            classes[_protocol(server_kwargs)](**server_kwargs) for server_kwargs in self._server_kwargs
        ]

    async def setup_server(self) -> None:
        """Start both servers, and let both stop when an executor fails to start.

        Jina's composite gateway does not tell its servers that the start was cancelled; they would
        wait for ever for an executor that has died.
        """
        for server in self.servers:
            server.is_cancel = self.is_cancel
        await super().setup_server()


def _uncut_and_counted(stream_docs: Callable[..., Any]) -> Callable[..., Any]:
    """Return `stream_docs` for whole requests, with the number of failed documents in the answer."""

    @functools.wraps(stream_docs)
    async def stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for answer in stream_docs(*args, **{**kwargs, "request_size": _UNCUT}):
            if kwargs.get("return_results"):
                docs = answer.data.docs
                failed = sum(bool(getattr(doc, "error_code", None)) for doc in docs)
                counts = {"documents": len(docs), "failed": failed}
                answer.parameters = {**answer.parameters, **counts}
            yield answer

    return stream


def _protocol(server_kwargs: Dict[str, Any]) -> ProtocolType:
    return ProtocolType.from_string(str(server_kwargs["runtime_args"]["protocol"]))


def _serve_documentation(app: FastAPI) -> None:
    """Serve Swagger UI from this machine instead of from a content network.

    ReDoc goes: its bundle loads a logo from its makers' server.
    """
    app.router.routes[:] = [
        route for route in app.router.routes if getattr(route, "path", None) not in ("/docs", "/redoc")
    ]
    folder = Path(fastapi_offline.__file__).parent / "static"
    app.mount(_DOC_FILES, StaticFiles(directory=folder), name="documentation")

    @app.get("/docs", include_in_schema=False)
    async def swagger() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"{_DOC_FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{_DOC_FILES}/swagger-ui.css",
            swagger_favicon_url=f"{_DOC_FILES}/favicon.png",
        )


def _answer_with_problems(app: FastAPI) -> None:
    """Turn failures of a whole request into a status and a JSON body with a stable code."""

    @app.exception_handler(HTTPException)
    async def on_http_exception(_: Request, exc: HTTPException) -> Response:
        return _response(exc.status_code, str(exc.detail), exc.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(_: Request, exc: RequestValidationError) -> Response:
        found = [
            f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in exc.errors()
        ]
        return _response(422, f"{ParameterError.code}: {'; '.join(found[:5])}", None)

    @app.exception_handler(Exception)
    async def on_exception(_: Request, exc: Exception) -> Response:
        if isinstance(exc, UnicodeEncodeError):
            # Half of a surrogate pair: JSON can say it, a message to an executor cannot.
            detail = f"{ParameterError.code}: the text holds a character that is no Unicode; remove it"
            return _response(422, detail, None)
        # Jina raises UnboundLocalError where it means that an executor cannot be reached.
        unreachable = isinstance(exc, UnboundLocalError)
        detail = "an executor cannot be reached" if unreachable else type(exc).__name__
        return _response(503 if unreachable else 500, detail, None)


def _response(status: int, detail: str, headers: Any) -> JSONResponse:
    problem = problem_of(status, detail)
    return JSONResponse(
        problem, problem["status"], headers=headers, media_type="application/problem+json"
    )
