"""Every store at hand: one suite for all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from soundalike.store import MemoryStore, Store

_FIXTURES = {"postgres": "connect_store", "shards": "connect_shards"}
#: Tests of what reads a store by calls that other tests make on two databases.
_NOT_ON_SHARDS = {
    *("test_duplicates.py", "test_groups.py", "test_label_queries.py", "test_maps.py"),
    *("test_marks.py", "test_motifs.py", "test_searches.py"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a store with each of them."""
    if "store" in metafunc.fixturenames:
        is_on_shards = metafunc.definition.path.name not in _NOT_ON_SHARDS
        names = ["memory", "postgres", *(["shards"] if is_on_shards else [])]
        metafunc.parametrize("store", names, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    connect: Callable[[], Store] = request.getfixturevalue(_FIXTURES[request.param])
    return connect()
