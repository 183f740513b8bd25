"""A search goes by what earlier ones found out, and sees what others have changed since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest

from soundalike.errors import DimensionMismatch, IndexEmpty, ModelMismatch
from soundalike.store import PostgresStore, prepared
from soundalike.store.base import rebuild_name
from soundalike.store.connection import Database

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

Sql = Callable[..., Any]


@pytest.fixture
def searched(collection: Collection) -> Collection:
    """Return a collection of one recording, which was searched a moment ago."""
    collection.add("/a/one.wav")
    assert set(collection.found()) == {"/a/one.wav"}
    return collection


@pytest.fixture
def elsewhere(searched: Collection, connect_store: Callable[..., PostgresStore]) -> PostgresStore:
    """Open the store of another process."""
    return connect_store()


def test_what_another_process_adds_is_found(searched: Collection, elsewhere: PostgresStore):
    mine, searched.store = searched.store, elsewhere
    searched.add("/a/two.wav")
    searched.store = mine

    assert set(searched.found()) == {"/a/one.wav", "/a/two.wav"}


def test_a_collection_that_another_process_drops_is_gone(searched: Collection, elsewhere: PostgresStore):
    elsewhere.drop_collection("default")

    with pytest.raises(IndexEmpty):
        searched.found()


def test_a_store_that_another_process_resets_is_empty(searched: Collection, elsewhere: PostgresStore):
    elsewhere.reset()

    with pytest.raises(IndexEmpty):
        searched.found()
    searched.add("/a/two.wav")
    assert set(searched.found()) == {"/a/two.wav"}


@pytest.mark.parametrize("filters", [{}, {"uri_prefix": "/a/"}], ids=["all", "narrowed"])
def test_a_collection_that_was_renamed_does_not_answer_for_its_old_name(
    searched: Collection, elsewhere: PostgresStore, filters: dict[str, Any]
):
    elsewhere.rename_collection("default", "older")

    with pytest.raises(IndexEmpty):
        searched.found(**filters)


def test_an_empty_collection_of_another_name_does_not_answer_for_its_old_one(
    searched: Collection, elsewhere: PostgresStore
):
    searched.store.delete("/a")
    assert searched.found() == {}
    elsewhere.rename_collection("default", "older")
    mine, searched.store = searched.store, elsewhere
    searched.add("/a/two.wav")
    searched.store = mine

    assert set(searched.found()) == {"/a/two.wav"}


def test_a_successor_takes_over_at_once(searched: Collection, elsewhere: PostgresStore):
    recording = searched.recording("/a/one.wav")
    rows = searched.vectors(4)
    elsewhere.add(
        recording, searched.windows(4), rows, searched.spec, collection=rebuild_name("default")
    )
    assert elsewhere.replace_collection("default", rebuild_name("default"))

    assert searched.hits(rows[2])[0].score > 0.999


def test_one_that_was_made_anew_with_something_else_is_refused(
    searched: Collection, elsewhere: PostgresStore
):
    elsewhere.drop_collection("default")
    elsewhere.create_collection("default", replace(searched.spec, encoder="another"))

    with pytest.raises(ModelMismatch, match="another"):
        searched.found()


@pytest.mark.parametrize("filters", [{}, {"uri_prefix": "/a/"}], ids=["all", "narrowed"])
@pytest.mark.parametrize(
    "change", [{"encoder": "another"}, {"dimension": 24}, {"stride_s": 1.0}], ids=str
)
def test_what_was_made_with_something_else_after_a_reset_is_refused(
    searched: Collection, elsewhere: PostgresStore, change: dict[str, Any], filters: dict[str, Any]
):
    """Its number and its table have the names of those before."""
    spec = replace(searched.spec, **change)
    elsewhere.reset()
    rows = np.ones((4, spec.dimension), dtype=np.float32)
    elsewhere.add(searched.recording("/a/two.wav"), searched.windows(4), rows, spec)

    with pytest.raises((ModelMismatch, DimensionMismatch)):
        searched.found(**filters)


def test_what_is_still_empty_after_a_reset_is_refused_too(
    searched: Collection, elsewhere: PostgresStore
):
    elsewhere.reset()
    elsewhere.create_collection("default", replace(searched.spec, encoder="another"))

    with pytest.raises(ModelMismatch, match="another"):
        searched.found()


class ForgetfulCursor(psycopg2.extensions.cursor):
    """Of a connection pool that hands out another server process for each message."""

    def execute(self, query: Any, values: Any = None) -> None:
        """Execute where nothing is prepared."""
        super().execute("DEALLOCATE ALL")
        super().execute(query, values)


class AwareCursor(psycopg2.extensions.cursor):
    """Of a connection pool that hands out a server process which somebody else has prepared."""

    def execute(self, query: Any, values: Any = None) -> None:
        """Execute where the statement is prepared already."""
        text = str(query)
        if "PREPARE" in text:
            begin = text.index("PREPARE")
            super().execute(text[begin : text.index(";", begin)])
        super().execute(query, values)


class ContraryCursor(AwareCursor):
    """Of a connection pool whose next server process always lacks what the message takes for granted."""

    def execute(self, query: Any, values: Any = None) -> None:
        """Execute where nothing is prepared, or where all is that is about to be."""
        psycopg2.extensions.cursor.execute(self, "DEALLOCATE ALL")
        super().execute(query, values)


@pytest.mark.parametrize("kind", [ForgetfulCursor, AwareCursor, ContraryCursor])
def test_pools_that_change_the_server_process_do_no_harm(
    collection: Collection, database_url: str, kind: type
):
    connections = []

    def connect() -> Any:
        connections.append(psycopg2.connect(database_url, cursor_factory=kind))
        return connections[-1]

    collection.store = PostgresStore(Database(connect, "test"))
    collection.add("/a/one.wav")

    for _ in range(3):
        assert set(collection.found()) == {"/a/one.wav"}
    assert len(connections) == 1
    collection.store.close()


def test_statements_that_differ_are_prepared_under_names_that_differ(database_url: str):
    """In a pool, programs of two versions share what is prepared."""
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        for statement in ("SELECT %(n)s::int", "SELECT 10 * %(n)s::int"):
            prepared.execute(cursor, statement, {"n": 1})
        assert cursor.fetchall() == [(10,)]
    connection.close()


def test_the_server_plans_once_for_a_connection(searched: Collection, database_url: str):
    connection = psycopg2.connect(database_url)
    searched.store = PostgresStore(Database(lambda: connection, "test"))
    for _ in range(12):
        searched.found()

    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements")
        plans = cursor.fetchall()
    assert plans == [(12, 0), (12, 0)]
    searched.store.close()


def test_a_connection_keeps_no_more_plans_than_it_should(
    searched: Collection, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prepared, "_MOST", 3)
    connection = psycopg2.connect(database_url)
    searched.store = PostgresStore(Database(lambda: connection, "test"))
    for top_k in (1, 20, 40, 80, 160):
        assert len(searched.hits(searched.vectors(1), top_k=top_k)) == 4

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (3,)
    searched.store.close()


def test_windows_of_another_age_are_found_by_a_kept_plan(searched: Collection):
    """Where there is TimescaleDB they lie in a part of the table that was not there before."""
    for year in (1930, 1960, 1990):
        searched.add(f"/a/{year}.wav", recorded_at=datetime(year, 5, 1, tzinfo=UTC))
        assert f"/a/{year}.wav" in searched.found()
    assert len(searched.found()) == 4
