"""Let an executor see each of its requests as a whole, with a context that reaches its threads.

Jina calls the methods of an executor in a thread pool, where context variables of the request are not
set, and has no hook around a request.

It can go when Jina runs methods in a copy of the request's context, and offers such a hook.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, List

from jina.serve.runtimes.worker.request_handling import WorkerRequestHandler
from jina.types.request.data import DataRequest

#: Does the work of a request and returns the answer.
Work = Callable[[], Awaitable[Any]]
#: Called with an executor, a request, and the work, which it awaits.
Around = Callable[[Any, DataRequest, Work], Awaitable[Any]]


class ContextThreads(ThreadPoolExecutor):
    """Threads that run each call in a copy of the caller's context."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in a thread."""
        return super().submit(copy_context().run, fn, *args, **kwargs)


def call_around_requests(around: Around) -> None:
    """Let the executors of this process call a function around each request.

    Parameters
    ----------
    around : callable
        Sees the first of the requests that Jina handles together.
    """
    inner: Any = WorkerRequestHandler.process_data
    inner = getattr(inner, "inner", inner)
    loops: List[asyncio.AbstractEventLoop] = []

    async def process_data(self: Any, requests: List[DataRequest], context: Any, **keywords: Any) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in loops:
            loop.set_default_executor(ContextThreads(thread_name_prefix="requests"))
            loops.append(loop)
        return await around(
            self._executor, requests[0], lambda: inner(self, requests, context, **keywords)
        )

    process_data.inner = inner  # type: ignore[attr-defined]
    WorkerRequestHandler.process_data = process_data
