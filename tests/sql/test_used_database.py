"""The database that tests have one after the other is as new, or another one."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest

from tests.fixtures.database import DatabaseServer, UsedDatabase


@pytest.fixture
def used(database_server: DatabaseServer) -> Iterator[UsedDatabase]:
    found = UsedDatabase(database_server)
    yield found
    found.drop()


def test_the_schema_and_connections_go_and_the_database_stays(
    used: UsedDatabase, database_server: DatabaseServer
):
    url = used.take()
    database_server.sql("CREATE SCHEMA soundalike CREATE TABLE files (uri text)", url=url)
    left_open = psycopg2.connect(url)
    left_open.cursor().execute("LOCK TABLE soundalike.files")
    used.give_back()

    assert used.take() == url
    found = database_server.sql("SELECT nspname FROM pg_namespace WHERE nspname = 'soundalike'", url=url)
    assert found == []
    with pytest.raises(psycopg2.OperationalError):
        left_open.cursor().execute("SELECT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "DROP EXTENSION vector",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = off', current_database()); END $$",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    ],
)
def test_a_database_that_is_not_as_new_is_replaced(
    statement: str, used: UsedDatabase, database_server: DatabaseServer
):
    url = used.take()
    database_server.sql(statement, url=url)
    used.give_back()
    assert used.take() != url
