"""Let every request of the gateway take some steps on its way to the executors, in a stated order.

HTTP, gRPC and the gateway's own routes meet in one place of Jina's streamer, which has no public name
(``_request_handler``). This is the only module that replaces it.

It can go when Jina lets a gateway add middleware that sees the requests of all protocols.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Optional, Tuple

from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from jina.types.request.data import DataRequest

#: Sends a request on to the next step; the last one hands it to the executors.
Forward = Callable[[DataRequest], Awaitable[DataRequest]]
#: Answers a request itself, or changes it and forwards it.
Step = Callable[[DataRequest, Forward], Awaitable[DataRequest]]


def add_steps(streamer: GatewayStreamer, steps: Sequence[Step]) -> None:
    """Let all requests of a streamer take some steps.

    Parameters
    ----------
    streamer : GatewayStreamer
        Changed in place.
    steps : sequence of Step
        The first one sees a request first and its answer last.
    """
    handler: Any = streamer._streamer._request_handler

    def handle(
        request: DataRequest, return_type: Any
    ) -> Tuple[Awaitable[DataRequest], Optional[Awaitable[Any]]]:
        async def send(request: DataRequest) -> DataRequest:
            answer, _ = handler(request=request, return_type=return_type)
            answered: DataRequest = await answer
            return answered

        forward: Forward = send
        for step in reversed(steps):
            forward = _before(step, forward)
        return asyncio.ensure_future(forward(request)), None

    streamer._streamer._request_handler = handle


def _before(step: Step, forward: Forward) -> Forward:
    return lambda request: step(request, forward)
