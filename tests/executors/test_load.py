"""Counts of clients and of requests that run and wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from limits import RateLimitItemPerSecond

from executors.gateway.guard import load
from executors.gateway.guard.load import Slots
from soundalike.limits import Limits


@pytest.fixture
def few_hits(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(load, "_HITS_BETWEEN", 20)
    return 20


def test_clients_that_have_gone_are_forgotten(few_hits: int, wait_until: Callable[..., Any]):
    counts, rate = load._Counts(), RateLimitItemPerSecond(2)
    for number in range(10 * few_hits):
        assert counts.hit(rate, f"2001:db8::{number:x}")

    def asked_again() -> bool:
        for _ in range(few_hits):
            counts.hit(rate, "127.0.0.1")
        return len(counts._storage.events) == 1

    wait_until(asked_again, "all others are forgotten", 30.0)


def test_clients_that_count_are_kept(few_hits: int):
    counts, rate = load._Counts(), RateLimitItemPerSecond(1, 3600)
    clients = [f"2001:db8::{number:x}" for number in range(3 * few_hits)]
    assert all(counts.hit(rate, client) for client in clients)
    assert not any(counts.hit(rate, client) for client in clients)


def test_a_burst_that_was_admitted_counts_before_it_waits():
    async def run() -> None:
        slots = Slots(Limits(max_running=1, max_waiting=2))
        admitted = []
        while slots.rejection() is None:
            admitted.append(slots.reserve())
        assert len(admitted) == 3
        admitted[0].release()
        await slots.take()
        assert slots.rejection() is not None
        for reservation in admitted:
            reservation.release()
            reservation.release()
        waiting = [asyncio.ensure_future(slots.take()) for _ in range(2)]
        await asyncio.sleep(0)
        rejection = slots.rejection()
        assert rejection is not None
        assert "2 requests are waiting" in rejection.error.message
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert slots.rejection() is None
        slots.give_back()
        await waiting[1]
        slots.give_back()
        assert slots.rejection() is None

    asyncio.run(run())
