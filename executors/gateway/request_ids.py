"""Give every request an id: the client's, or a new one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from jina.types.request.data import DataRequest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from executors.jina_fixes.request_steps import Forward
from executors.monitoring.request_ids import HEADER, REQUEST_ID, usable_id
from executors.monitoring.traces import mark_span


class Identified:
    """Middleware that takes the id of an HTTP request from ``X-Request-ID``, and returns it there.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = usable_id(Headers(scope=scope).get(HEADER))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        token = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            REQUEST_ID.reset(token)


class CallIds(grpc.aio.ServerInterceptor):
    """Takes the id of a gRPC call from the metadata ``x-request-id``, and returns it there.

    Without it, each message has its own: the ``request_id`` that Jina's clients send.
    """

    async def intercept_service(
        self, continuation: Callable[..., Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler of a call."""
        handler = await continuation(handler_call_details)
        given = dict(handler_call_details.invocation_metadata or ()).get(HEADER)
        if given is None or handler is None or handler.stream_stream is None:
            return handler
        request_id = usable_id(given if isinstance(given, str) else None)
        return grpc.stream_stream_rpc_method_handler(
            functools.partial(_answered, handler.stream_stream, request_id),
            handler.request_deserializer,
            handler.response_serializer,
        )


async def _answered(
    behaviour: Any, request_id: str, messages: Any, context: grpc.aio.ServicerContext
) -> AsyncIterator[Any]:
    REQUEST_ID.set(request_id)
    await context.send_initial_metadata(((HEADER, request_id),))
    if inspect.isasyncgenfunction(behaviour):
        async for answer in behaviour(messages, context):
            yield answer
    else:
        await behaviour(messages, context)


async def identify(request: DataRequest, forward: Forward) -> DataRequest:
    """Forward a request under its id, which all executors get with it: a step."""
    request_id = REQUEST_ID.get() or usable_id(request.header.request_id)
    REQUEST_ID.set(request_id)
    request.header.request_id = request_id
    mark_span(request_id)
    return await forward(request)
