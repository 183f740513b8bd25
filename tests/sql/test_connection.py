"""A lost connection heals, a missing server is said in a sentence, and no password is ever shown."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from soundalike.config import Settings
from soundalike.errors import SoundalikeError, StoreError, StoreUnavailable
from soundalike.store import PostgresStore
from soundalike.store.stores import open_store

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

pytestmark = pytest.mark.new_database
Sql = Callable[..., Any]
PASSWORD = "Geheimnis"


def _terminate_others(sql: Sql) -> int:
    ((count,),) = sql(
        "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )
    return int(count)


def test_an_idle_connection_that_was_lost_is_replaced(collection: Collection, sql: Sql):
    collection.add("/a/one.wav")
    assert _terminate_others(sql) == 1

    assert collection.add("/a/two.wav") == "added"
    _terminate_others(sql)
    assert set(collection.found()) == {"/a/one.wav", "/a/two.wav"}


def test_a_closed_store_may_be_used_again(collection: Collection):
    collection.add("/a/one.wav")
    collection.store.close()
    collection.store.close()

    assert collection.counts() == (1, 1, 4)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_paths_are_what_they_are_in_whatever_encoding_the_database_keeps_them(
    collection: Collection, database_server: DatabaseServer, encoding: str
):
    options = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    with database_server.database(options) as url:
        collection.store = _store_at(url)
        collection.add("/a/pölser.wav", label="Bär")
        assert {path: file.label for path, file in collection.found().items()} == {
            "/a/pölser.wav": "Bär"
        }
        collection.store.close()


def test_an_error_does_not_hold_a_transaction_open(collection: Collection, sql: Sql):
    collection.add("/a/one.wav")
    rows = collection.vectors(4)
    rows[0, 0] = 1e6
    with pytest.raises(StoreError):
        collection.add("/a/two.wav", rows)
    collection.counts()

    states = sql(
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    assert states == [("idle",)]


def _store_at(url: str) -> PostgresStore:
    return open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))


def _raised(call: Callable[[], Any]) -> SoundalikeError:
    with pytest.raises(SoundalikeError) as raised:
        call()
    return raised.value


def test_a_server_that_is_not_there_is_said_in_one_line(free_port: Callable[[], int]):
    store = _store_at(f"postgresql://ann:{PASSWORD}@127.0.0.1:{free_port()}/sounds")

    for call in (store.status, store.reset, store.finish_batch, lambda: store.delete("/a")):
        error = _raised(call)
        assert isinstance(error, StoreUnavailable)
        assert "postgresql://ann@127.0.0.1" in error.message
        assert "SOUNDALIKE_DATABASE_URL" in error.message
        assert "\n" not in error.message


def test_a_database_that_does_not_exist_is_said(database_server: DatabaseServer):
    name = f"missing_{uuid.uuid4().hex}"

    assert name in _raised(_store_at(database_server.url_of(name)).status).message


#: What people write into URLs. Some of these are no URL at all, and the reason must not be quoted
#: with the secret in it.
SECRETIVE_URLS = {
    "plain": f"postgresql://ann:{PASSWORD}@127.0.0.1:1/db",
    "postgres scheme": f"postgres://ann:{PASSWORD}@127.0.0.1:1/db",
    "a parameter": f"postgresql://127.0.0.1:1/db?user=ann&password={PASSWORD}",
    "a hash in it": f"postgresql://ann:#{PASSWORD}@127.0.0.1:1/db",
    "a hash after it": f"postgresql://ann:{PASSWORD}#@127.0.0.1:1/db",
    "a slash after it": f"postgresql://ann:{PASSWORD}/@127.0.0.1:1/db",
    "a question mark after it": f"postgresql://ann:{PASSWORD}?@127.0.0.1:1/db",
    "a per cent sign in it": f"postgresql://ann:100%{PASSWORD}@127.0.0.1:1/db",
    "an at sign in it": f"postgresql://ann:at@{PASSWORD}@127.0.0.1:1/db",
    "a colon in it": f"postgresql://ann:1:{PASSWORD}@127.0.0.1:1/db",
    "a space in it": f"postgresql://ann:my {PASSWORD}@127.0.0.1:1/db",
    "two hosts": f"postgresql://ann:{PASSWORD}@127.0.0.1:1,127.0.0.1:2/db",
    "no end of IPv6": f"postgresql://ann:{PASSWORD}@[::1/db",
    "a port out of range": f"postgresql://ann:{PASSWORD}@127.0.0.1:99999/db",
    "a port that is none": f"postgresql://ann:{PASSWORD}@127.0.0.1:http/db",
    "an unknown parameter": f"postgresql://ann:{PASSWORD}@127.0.0.1:1/db?nonsense=1",
    "another scheme": f"mysql://ann:{PASSWORD}@127.0.0.1/db",
    "no scheme": f"ann:{PASSWORD}@127.0.0.1/db",
    "keywords": f"password={PASSWORD} host=127.0.0.1",
}


@pytest.mark.parametrize("url", SECRETIVE_URLS.values(), ids=SECRETIVE_URLS.keys())
def test_a_wrong_url_is_refused_without_showing_the_password(url: str):
    error = _raised(lambda: _store_at(url).status())

    shown = "".join([str(error), repr(error), *map(str, error.args)])
    assert PASSWORD not in shown
    assert PASSWORD not in str(error.__cause__), "a traceback would show it"
    assert PASSWORD not in "".join(traceback.format_exception(error)).replace(url, "")


@pytest.fixture
def as_role(database_server: DatabaseServer, database_url: str) -> Iterator[Callable[[str], Any]]:
    """Open the test's database as a role of no rights; return the role's name and the store."""
    with ExitStack() as stack:

        def login(password: str) -> tuple[str, PostgresStore]:
            name, url = stack.enter_context(database_server.role(database_url, password))
            store = _store_at(url)
            stack.callback(store.close)
            return name, store

        yield login


def test_a_password_with_signs_that_urls_reserve_works_when_quoted(as_role: Callable[[str], Any]):
    password = "p#a/s?s%w@o:r d"
    _, store = as_role(password)

    status = store.status()
    assert status.spec is None
    assert password not in status.database


def test_nothing_of_a_working_store_shows_the_password(as_role: Callable[[str], Any]):
    name, store = as_role(PASSWORD)

    status = store.status()
    assert name in status.database
    assert PASSWORD not in repr(status) + repr(store) + repr(vars(store))


def test_a_role_that_may_not_create_extensions_is_told_what_to_do(
    as_role: Callable[[str], Any], collection: Collection
):
    _, collection.store = as_role(PASSWORD)

    error = _raised(lambda: collection.add("/a/one.wav"))
    assert type(error) is StoreError
    assert "CREATE EXTENSION vector" in error.message
    assert "permission denied" in error.message
    assert PASSWORD not in repr(error)


def test_a_role_without_superuser_rights_can_use_a_prepared_database(
    as_role: Callable[[str], Any], collection: Collection, sql: Sql, database_server: DatabaseServer
):
    """An administrator has created the extensions, as the message above asks for."""
    name, collection.store = as_role(PASSWORD)
    for extension in ["vector"] + ["timescaledb"] * database_server.has_timescaledb:
        sql(f"CREATE EXTENSION {extension}")
    ((database,),) = sql("SELECT current_database()")
    sql(f"GRANT CREATE ON DATABASE {database} TO {name}")

    assert collection.add("/a/one.wav") == "added"
    assert len(collection.hits(collection.vectors(1))) == 4
    collection.store.reset()
    assert collection.counts() == (0, 0, 0)


def test_a_wrong_password_is_refused_without_showing_it(
    database_server: DatabaseServer, database_url: str
):
    with database_server.role(database_url, "right") as (_, url):
        wrong = url.replace(":right@", f":{PASSWORD}@")
        try:
            database_server.sql("SELECT 1", url=wrong)
        except psycopg2.OperationalError:
            error = _raised(_store_at(wrong).status)
            assert isinstance(error, StoreUnavailable)
            assert PASSWORD not in repr(error)
        else:
            pytest.skip("this server trusts everybody")
