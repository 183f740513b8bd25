"""A gRPC server that is asked to stop answers what it has, and closes its executor after that."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health
from jina.serve.runtimes.servers.grpc import GRPCServer

from executors.jina_fixes.orderly_stop import stop_in_order


def test_a_request_that_has_begun_is_answered_before_the_executor_closes(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(GRPCServer, "shutdown", GRPCServer.shutdown)
    stop_in_order()
    done: list[str] = []

    async def answer(_request: bytes, _context: Any) -> bytes:
        begun.set()
        await stopping.wait()
        await asyncio.sleep(0.1)
        done.append("answered")
        return b"all of it"

    async def close() -> None:
        done.append("closed")

    async def run() -> bytes:
        server = grpc.aio.server()
        handlers = {"Call": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        parts = {
            "server": server,
            "health_servicer": health.aio.HealthServicer(),
            "_request_handler": SimpleNamespace(close=close),
            "_teardown_instrumentation": lambda: done.append("instrumentation"),
        }
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/test/Call")(b"", timeout=10)
            await begun.wait()
            ending = asyncio.create_task(GRPCServer.shutdown(SimpleNamespace(**parts)))
            stopping.set()
            answered: bytes = await call
            await ending
        return answered

    begun, stopping = asyncio.Event(), asyncio.Event()
    assert asyncio.run(run()) == b"all of it"
    assert done == ["answered", "closed", "instrumentation"]
