"""Threads with a bound."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from executors.gateway.background.workers import Workers


def most_at_once(workers: Workers, n_calls: int) -> int:
    """Return how many of so many calls ran at the same time at most."""
    running, most, lock = 0, 0, threading.Lock()

    def call(step_s: float, *, times: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        for _ in range(times):
            time.sleep(step_s)
        with lock:
            running -= 1

    async def run() -> None:
        await asyncio.gather(*(workers.run(call, 0.02, times=2) for _ in range(n_calls)))

    asyncio.run(run())
    return most


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_calls_run_at_once(most: int):
    assert most_at_once(Workers(most), 2 * most) == most


@pytest.mark.parametrize(("processors", "most"), [(2, 2), (None, 1)])
def test_as_many_as_there_are_processors(
    processors: int | None, most: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert most_at_once(Workers(), 2 * most + 1) == most


def test_an_exception_is_raised_where_the_call_was_made():
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Workers(1).run(divmod, 1, 0))
