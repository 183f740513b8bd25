"""Requests that no executor gets to see, whatever protocol they come by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Optional, Tuple

from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from jina.types.request.data import DataRequest

from executors.gateway.safety_content import check_finite
from soundalike.errors import ParameterError

_Handler = Callable[..., Tuple["Awaitable[DataRequest]", Optional["Awaitable[Any]"]]]


def refuse_requests(streamer: GatewayStreamer) -> None:
    """Let a streamer refuse what would do harm in the Flow.

    That is: requests that name executors, or with a parameter that is NaN or infinite.

    Parameters
    ----------
    streamer : GatewayStreamer
    """
    # The one place that all requests of all protocols go through; Jina has no public name for it.
    inner: _Handler = streamer._streamer._request_handler

    def handle(
        request: DataRequest, return_type: Any
    ) -> Tuple[Awaitable[DataRequest], Optional[Awaitable[Any]]]:
        try:
            _check_executors(request)
            # Over HTTP that was done; over gRPC they come as protobuf, which holds such numbers and
            # cannot hand them out.
            check_finite(request.proto_wo_data.parameters, "parameters")
        except ParameterError as exc:
            return asyncio.ensure_future(_refused(request, exc)), None
        return inner(request=request, return_type=return_type)

    streamer._streamer._request_handler = handle


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


async def _refused(request: DataRequest, error: ParameterError) -> DataRequest:
    request.add_exception(error)
    # Numbers that cannot be handed out, the caller could not read either.
    request.proto_wo_data.parameters.Clear()
    return request
