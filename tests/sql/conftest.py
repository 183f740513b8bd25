"""The store on PostgreSQL, in a database of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from soundalike.store import PostgresStore


@pytest.fixture
def store(connect_store: Callable[..., PostgresStore]) -> PostgresStore:
    return connect_store()
