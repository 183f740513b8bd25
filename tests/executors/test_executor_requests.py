"""A function runs around each request of an executor, and its context reaches the threads."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest
from jina.serve.runtimes.worker.request_handling import WorkerRequestHandler

from executors.jina_fixes.executor_requests import call_around_requests

_NAME: ContextVar[str] = ContextVar("name", default="none")


def test_the_function_sees_request_and_answer(monkeypatch: pytest.MonkeyPatch):
    async def process_data(self: Any, requests: list[Any], context: Any, http: bool = False) -> Any:
        found = await asyncio.get_running_loop().run_in_executor(None, _NAME.get)
        return f"answer to {requests[0]} in {found} for {context}, {http}"

    seen: list[Any] = []

    async def around(executor: Any, request: Any, work: Any) -> Any:
        _NAME.set(f"the context of {request}")
        seen.extend([executor, request, await work()])
        return seen[-1]

    monkeypatch.setattr(WorkerRequestHandler, "process_data", process_data)
    call_around_requests(around)
    # A second time replaces the first.
    call_around_requests(around)
    handler: Any = SimpleNamespace(_executor="an executor")
    asyncio.run(WorkerRequestHandler.process_data(handler, ["one"], "grpc", http=True))
    assert seen == ["an executor", "one", "answer to one in the context of one for grpc, True"]
