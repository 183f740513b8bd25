"""An executor answers Jina's status call with a report, and with nothing of its environment."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jina.serve.runtimes.worker.request_handling import WorkerRequestHandler

from executors.jina_fixes.executor_reports import KEY, answer_status_with


def test_the_answer_is_the_report(monkeypatch: pytest.MonkeyPatch):
    async def report(executor: Any) -> str:
        return f"of {executor}"

    monkeypatch.setattr(WorkerRequestHandler, "_status", WorkerRequestHandler._status)
    answer_status_with(report)
    handler: Any = SimpleNamespace(_executor="an executor")
    answer = asyncio.run(WorkerRequestHandler._status(handler, None, None))
    assert dict(answer.envs) == {KEY: "of an executor"}
    assert dict(answer.jina) == {}
