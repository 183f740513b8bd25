"""A gateway that is about to stop says so, and lets nobody keep a connection."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from executors.gateway.guard.stopping import ClosedConnections, Stopping, drain_s_from_env
from soundalike.errors import ConfigError


async def _headers(app: Any) -> dict[str, str]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "headers": []}, None, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_answers_end_their_connections_once_it_stops():
    async def run() -> None:
        stopping = Stopping()
        app = ClosedConnections(PlainTextResponse("x"), stopping)
        assert "connection" not in await _headers(app)
        await stopping.drain()
        assert (await _headers(app))["connection"] == "close"

    asyncio.run(run())


def test_it_drains_once():
    async def run() -> None:
        stopping = Stopping(0.1)
        begun = time.monotonic()
        await stopping.drain()
        assert time.monotonic() - begun >= 0.1
        await asyncio.wait_for(stopping.drain(), 0.05)

    asyncio.run(run())


def test_seconds_come_from_the_environment():
    assert drain_s_from_env({}) == drain_s_from_env({"SOUNDALIKE_DRAIN_S": ""}) == 0
    assert drain_s_from_env({"SOUNDALIKE_DRAIN_S": "2.5"}) == 2.5


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "3601"])
def test_other_values_are_refused(text: str):
    with pytest.raises(ConfigError, match=r"SOUNDALIKE_DRAIN_S is '.+'; give seconds from 0 to 3600"):
        drain_s_from_env({"SOUNDALIKE_DRAIN_S": text})
