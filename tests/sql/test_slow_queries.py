"""Slow statements are logged by name, with their plan and without values."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from soundalike.config import Settings
from soundalike.filters import Filters
from soundalike.store import PostgresStore
from soundalike.store import sql as statements
from soundalike.store.connection import Database
from soundalike.store.opening import open_database
from soundalike.store.slow_queries import logging_cursor, statement_name

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

#: Every statement takes longer.
ALWAYS_S = 1e-9


@pytest.fixture
def watched(database_url: str, collection: Collection) -> Iterator[PostgresStore]:
    """Open a store that finds every statement slow, on a filled database."""
    collection.add("/secret place/one.wav", label="secret label")
    database = Database(
        lambda: psycopg2.connect(database_url), "test", cursor_class=logging_cursor(ALWAYS_S)
    )
    store = PostgresStore(database)
    yield store
    store.close()


def _logged(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [text for text in caplog.messages if text.startswith(f"slow statement {name}:")]


@pytest.mark.parametrize("filters", [Filters(), Filters(labels=("secret label",))])
def test_a_search_is_logged_with_its_plan(
    watched: PostgresStore,
    collection: Collection,
    caplog: pytest.LogCaptureFixture,
    filters: Filters,
):
    vectors = collection.vectors(2)
    for _ in range(2):
        # The second time the statement is prepared already.
        caplog.clear()
        with caplog.at_level(logging.WARNING, "soundalike.slow"):
            found = watched.search(vectors, collection.spec, top_k=3, filters=filters)
        assert found.recordings
        (text,) = _logged(caplog, "search")
        assert "\nNested Loop" in text
        # TimescaleDB reads chunks.
        assert "windows_" in text or "_hyper_" in text
        assert "secret" not in "".join(caplog.messages)
        # Vectors travel as integers, scaled to this.
        assert "60000" not in "".join(caplog.messages)


def test_a_transaction_goes_on_after_its_plan(
    watched: PostgresStore, collection: Collection, caplog: pytest.LogCaptureFixture
):
    collection.store = watched
    with caplog.at_level(logging.WARNING, "soundalike.slow"):
        collection.add("/secret place/two.wav")
    assert watched.status().recordings == 2
    assert caplog.messages
    assert "secret" not in "".join(caplog.messages)


def test_a_statement_without_a_plan_is_logged_alone(database_url: str, caplog: pytest.LogCaptureFixture):
    database = Database(
        lambda: psycopg2.connect(database_url), "test", cursor_class=logging_cursor(ALWAYS_S)
    )

    def work(cursor: Any) -> int:
        cursor.execute("CREATE TEMPORARY TABLE numbers (n integer)")
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])

    with caplog.at_level(logging.WARNING, "soundalike.slow"):
        assert database.run(work) == 1
    assert [text.partition("\n")[0].partition(":")[0] for text in caplog.messages] == [
        "slow statement other"
    ] * 2
    assert "\n" not in caplog.messages[0]
    assert "\nResult" in caplog.messages[1]
    database.close()


@pytest.mark.parametrize("in_transaction", [True, False])
def test_nothing_runs_twice_and_a_plan_that_fails_harms_nothing(
    database_url: str, caplog: pytest.LogCaptureFixture, in_transaction: bool
):
    database = Database(
        lambda: psycopg2.connect(database_url), "test", cursor_class=logging_cursor(ALWAYS_S)
    )

    def work(cursor: Any) -> list[Any]:
        # A plan would be refused: the table is there by then.
        cursor.execute("SELECT 1 AS n INTO TEMPORARY numbers")
        cursor.execute("SELECT 1; INSERT INTO numbers VALUES (2)")
        cursor.execute("SELECT n FROM numbers ORDER BY n")
        return [n for (n,) in cursor.fetchall()]

    with caplog.at_level(logging.WARNING, "soundalike.slow"):
        assert database.run(work, in_transaction=in_transaction) == [1, 2]
    assert ["\n" in text for text in caplog.messages] == [False, False, True]
    database.close()


def test_fast_statements_are_not_logged(
    database_url: str, collection: Collection, caplog: pytest.LogCaptureFixture
):
    database = Database(lambda: psycopg2.connect(database_url), "test", cursor_class=logging_cursor(60))
    with caplog.at_level(logging.WARNING, "soundalike.slow"):
        PostgresStore(database).status()
    assert caplog.messages == []
    database.close()


def test_every_statement_has_its_name_back():
    wrong = {}
    for name, text in statements.queries().items():
        filled = text.replace("{collection}", "7").replace("%(limit)s", "40")
        found = statement_name(f"SET LOCAL a.b = 1; {filled}")
        if found != name and statements.queries().get(found) != text:
            wrong[name] = found
    # Settings precede a statement, and have no plan of their own.
    assert wrong.keys() <= {"search_settings"}


def test_the_setting_reaches_the_database(database_url: str):
    settings = Settings.from_env(
        {"SOUNDALIKE_DATABASE_URL": database_url, "SOUNDALIKE_SLOW_QUERY_S": "0.25"}
    )
    assert settings.to_env()["SOUNDALIKE_SLOW_QUERY_S"] == "0.25"
    assert open_database(settings)[0]._cursor_class is logging_cursor(0.25)
