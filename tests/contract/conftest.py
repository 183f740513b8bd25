"""Every store at hand: one suite for all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from soundalike.store import MemoryStore, Store


@pytest.fixture(params=["memory", "postgres", "shards"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    name = {"postgres": "connect_store", "shards": "connect_shards"}[request.param]
    connect: Callable[[], Store] = request.getfixturevalue(name)
    return connect()
