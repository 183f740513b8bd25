"""Requests that no executor gets to see, whatever protocol they come by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Optional, Tuple

from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from jina.types.request.data import DataRequest

from executors.gateway.flow.request_names import RequestNames
from executors.gateway.guard.content import check_finite
from soundalike.errors import ParameterError

_Handler = Callable[..., Tuple["Awaitable[DataRequest]", Optional["Awaitable[Any]"]]]


def refuse_requests(streamer: GatewayStreamer, names: RequestNames) -> None:
    """Let a streamer refuse what would do harm in the Flow.

    That is: requests that name executors, or with a parameter that is NaN or infinite, or with the name
    of an endpoint or parameter that no executor knows.

    Parameters
    ----------
    streamer : GatewayStreamer
    names : RequestNames
    """
    # The one place that all requests of all protocols go through; Jina has no public name for it.
    inner: _Handler = streamer._streamer._request_handler

    def handle(
        request: DataRequest, return_type: Any
    ) -> Tuple[Awaitable[DataRequest], Optional[Awaitable[Any]]]:
        return asyncio.ensure_future(checked(request, return_type)), None

    async def checked(request: DataRequest, return_type: Any) -> DataRequest:
        try:
            _check_executors(request)
            # Over HTTP that was done; over gRPC they come as protobuf, which holds such numbers and
            # cannot hand them out.
            check_finite(request.proto_wo_data.parameters, "parameters")
            await _check_names(request, names)
        except ParameterError as exc:
            return _refused(request, exc)
        answer, _ = inner(request=request, return_type=return_type)
        return await answer

    streamer._streamer._request_handler = handle


async def _check_names(request: DataRequest, names: RequestNames) -> None:
    """Raise `ParameterError` where a request has an unknown name; give parameters their proper ones."""
    try:
        await names.learn()
    except Exception:
        # An executor cannot be reached: the request will find that out, and is answered with it.
        return
    given = request.parameters
    proper = names.checked(request.header.exec_endpoint, given)
    if proper != given:
        request.parameters = proper


def _check_executors(request: DataRequest) -> None:
    """Raise an error unless a request goes through every executor.

    Who leaves out the segmenter could store any file of an allowed folder as a recording, and have it
    played. And Jina takes the name for a regular expression, of which some never end.
    """
    named = request.header.target_executor
    if named:
        raise ParameterError(
            f"the request names the executor {named[:80]!r}, and requests go through all of them; leave "
            "out target_executor"
        )


def _refused(request: DataRequest, error: ParameterError) -> DataRequest:
    request.add_exception(error)
    # Numbers that cannot be handed out, the caller could not read either.
    request.proto_wo_data.parameters.Clear()
    return request
