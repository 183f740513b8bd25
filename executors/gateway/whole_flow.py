"""Requests go through every executor: nobody chooses which of them are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Optional, Tuple

from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from jina.types.request.data import DataRequest

from soundalike.errors import ParameterError

_Handler = Callable[..., Tuple["Awaitable[DataRequest]", Optional["Awaitable[Any]"]]]


def refuse_chosen_executors(streamer: GatewayStreamer) -> None:
    """Let a streamer refuse requests that name executors, over HTTP and gRPC.

    Who leaves out the segmenter could store any file of an allowed folder as a recording, and have it
    played. And Jina takes the name for a regular expression, of which some never end.

    Parameters
    ----------
    streamer : GatewayStreamer
    """
    # The one place that all requests of all protocols go through; Jina has no public name for it.
    inner: _Handler = streamer._streamer._request_handler

    def handle(
        request: DataRequest, return_type: Any
    ) -> Tuple[Awaitable[DataRequest], Optional[Awaitable[Any]]]:
        if not request.header.target_executor:
            return inner(request=request, return_type=return_type)
        return asyncio.ensure_future(_refused(request)), None

    streamer._streamer._request_handler = handle


async def _refused(request: DataRequest) -> DataRequest:
    named = request.header.target_executor
    request.add_exception(
        ParameterError(
            f"the request names the executor {named[:80]!r}, and requests go through all of them; leave "
            "out target_executor"
        )
    )
    return request
