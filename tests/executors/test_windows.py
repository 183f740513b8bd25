"""Those who ask for the windows of a collection at the same time share one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from jina.types.request.data import DataRequest

from executors.gateway.flow.windows import CollectionWindows
from executors.messages.listings import CollectionDoc


class _Streamer:
    """Answers when it is told to, and keeps the parameters that reach the executors."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.sent: list[dict[str, Any]] = []

    async def forward(self, request: DataRequest) -> DataRequest:
        self.sent.append(dict(request.parameters))
        return request

    async def stream_docs(self, **_: Any) -> AsyncIterator[Any]:
        await self.gate.wait()
        status = SimpleNamespace(code=0)
        docs = [CollectionDoc(name="birds", window_s=1.0, stride_s=0.5)]
        yield SimpleNamespace(header=SimpleNamespace(status=status), docs=docs)


def test_who_gives_up_takes_nothing_from_the_others():
    async def run() -> list[dict[str, Any]]:
        streamer = _Streamer()
        windows = CollectionWindows(streamer)  # type: ignore[arg-type]
        tasks = []
        for _ in range(2):
            request = DataRequest()
            request.header.exec_endpoint = "/search"
            request.parameters = {"collection": "birds"}
            tasks.append(asyncio.ensure_future(windows(request, streamer.forward)))
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        await asyncio.sleep(0.01)
        streamer.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        await tasks[1]
        return streamer.sent

    assert asyncio.run(run()) == [{"collection": "birds", "window_size": 1.0, "stride": 0.5}]
