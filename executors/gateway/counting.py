"""Count requests to the Flow and gRPC calls; the gateway's own look-ups are counted apart."""

from __future__ import annotations

import functools
import inspect
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Tuple

import grpc
from jina.proto import jina_pb2
from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from jina.types.request.data import DataRequest

from executors.gateway.metrics import Metrics
from executors.gateway.problems import problem_of
from executors.jina_fixes.request_steps import Forward
from executors.monitoring.logs import log_request
from soundalike.errors import ServiceError

_OTHER = "other"
#: Endpoints of the gateway's own look-ups; requests of routes to other endpoints are work of users.
_LOOKUPS = frozenset(
    (
        *("/status", "/recordings", "/labels", "/folders", "/collections"),
        *("/annotations", "/annotation_labels"),
    )
)
_IS_LOOKUP: ContextVar[bool] = ContextVar("is_lookup", default=False)
_IS_GRPC: ContextVar[bool] = ContextVar("is_grpc", default=False)
#: gRPC's own services; health is asked every few seconds.
_OWN = "/grpc."
_METHODS = frozenset(
    f"/{service.full_name}/{method.name}"
    for service in jina_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)


@contextmanager
def asked_by_gateway(endpoint: str) -> Iterator[None]:
    """Count requests in this context as look-ups, if the endpoint is one that only tells something."""
    token = _IS_LOOKUP.set(endpoint in _LOOKUPS)
    try:
        yield
    finally:
        _IS_LOOKUP.reset(token)


class Counting:
    """Count all requests and their documents, whatever protocol they come by: a step.

    Parameters
    ----------
    streamer : GatewayStreamer
        Knows the endpoints.
    metrics : Metrics
    """

    def __init__(self, streamer: GatewayStreamer, metrics: Metrics) -> None:
        self._streamer = streamer
        self._metrics = metrics

    async def __call__(self, request: DataRequest, forward: Forward) -> DataRequest:
        """Forward a request and count its answer."""
        # A stranger may name as many endpoints as it likes.
        asked = request.header.exec_endpoint
        endpoint = asked if asked in (self._streamer._endpoints_models_map or ()) else _OTHER
        begun, is_ok, answer = time.perf_counter(), False, None
        try:
            answer = await forward(request)
            is_ok = answer.header.status.code != jina_pb2.StatusProto.ERROR
            return answer
        finally:
            seconds = time.perf_counter() - begun
            failure = None if is_ok else _code_in(answer)
            _note(self._metrics, endpoint, answer if is_ok else None, seconds, failure)


def _note(
    metrics: Metrics, endpoint: str, answer: DataRequest | None, seconds: float, failure: str | None
) -> None:
    """Count a request; without an answer it has failed as a whole."""
    is_ok = answer is not None
    if _IS_LOOKUP.get():
        metrics.count_lookup(endpoint, is_ok=is_ok)
        return
    documents, codes = (0, Tally()) if answer is None else _documents_in(answer)
    metrics.count_documents(endpoint, documents, codes.total())
    metrics.count_failures("document", codes)
    if _IS_GRPC.get():
        metrics.count_grpc_request(endpoint, seconds, is_ok=is_ok)
        if failure is not None:
            metrics.count_failures("grpc", {failure: 1})
        log_request("answered", endpoint=endpoint, seconds=round(seconds, 6), code=failure)


def _documents_in(answer: DataRequest) -> Tuple[int, Tally[str]]:
    """Return how many documents an answer holds, and how many of them have failed by code."""
    docs = answer.proto_with_data.data.docs.docs
    # Looking for a key that is missing would add it.
    codes = [doc.data["error_code"].text for doc in docs if "error_code" in doc.data]
    return len(docs), Tally(code for code in codes if code)


def _code_in(answer: DataRequest | None) -> str:
    """Return the code of a request that failed as a whole; without an answer the Flow is at fault."""
    if answer is None:
        return ServiceError.code
    return str(problem_of(500, answer.header.status.description)["code"])


class CallCounter(grpc.aio.ServerInterceptor):
    """Counts gRPC calls by method and status code, refused calls too.

    Parameters
    ----------
    metrics : Metrics
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def intercept_service(
        self, continuation: Callable[..., Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler of a call, which counts it when it ends."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.stream_stream is None or method.startswith(_OWN):
            return handler
        name = method if method in _METHODS else _OTHER
        return grpc.stream_stream_rpc_method_handler(
            functools.partial(self._counted, handler.stream_stream, name),
            handler.request_deserializer,
            handler.response_serializer,
        )

    async def _counted(
        self, behaviour: Any, method: str, messages: Any, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[Any]:
        _IS_GRPC.set(True)
        code = "CANCELLED"
        try:
            if inspect.isasyncgenfunction(behaviour):
                async for answer in behaviour(messages, context):
                    yield answer
            else:
                await behaviour(messages, context)
            code = _code_of(context, grpc.StatusCode.OK)
        except Exception:
            code = _code_of(context, grpc.StatusCode.UNKNOWN)
            raise
        finally:
            self._metrics.count_grpc_call(method, code)


def _code_of(context: grpc.aio.ServicerContext, default: grpc.StatusCode) -> str:
    """Return the name of the status that a handler has set."""
    given = context.code()
    named = [code for code in grpc.StatusCode if given and given in (code, code.value[0])]
    return str((named or [default])[0].name)
