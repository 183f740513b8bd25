"""Every statement is used, and the server takes every statement."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from psycopg2.extras import Json, execute_values

import soundalike
from soundalike import sql as statements

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

#: How the code takes a statement: from the store's dictionary, from the module, or to ask yes or no.
_USE = re.compile(r'(?:_sql|queries\(\))\["(\w+)"\]|_flag\(cursor, "(\w+)"\)')
_ID = "6d255136-80ea-549e-b634-6a0e7f408e39"
_KEY = {"recording_id": _ID}
_FILTERS = {"labels": ["dog"], "tags": Json({"n": 1}), "uri_prefix": "/a", "excluded": _ID}
_VECTOR = "[" + ",".join(["0.25"] * 16) + "]"

#: Values for each statement's parameters.
VALUES: dict[str, dict[str, Any]] = {
    "extensions": {},
    "table_exists": {"name": "windows"},
    "schema_version": {},
    "lock_schema": {},
    "drop_schema": {},
    "get_spec": {},
    "put_spec": {
        **{"encoder": "toy", "fingerprint": "f00d", "dimension": 16},
        **{"window_s": 4.0, "stride_s": 2.0},
    },
    "count_rows": {},
    "lock_recording": {"keys": [_ID, "/a/one.wav"]},
    "find_file": {"uri": "/a/one.wav"},
    "find_recording": _KEY,
    "files_of": _KEY,
    "delete_recording": _KEY,
    "put_recording": {**_KEY, "duration_s": 10.0, "recorded_at": None, "n_windows": 4},
    "put_file": {**_KEY, "uri": "/a/one.wav", "label": "dog", "tags": Json({})},
    "delete_orphan": _KEY,
    "delete_files": {"key": _ID, "folder": "/a/"},
    "lock_recordings_of": {"key": "/a/b", "folder": "/a/b/"},
    "lock_recording_row": {"recording_id": _ID},
    "known_ids": {"recording_ids": [_ID]},
    "search": {**_FILTERS, "vectors": [_VECTOR, _VECTOR], "limit": 40},
    "describe": {**_FILTERS, "recording_ids": [_ID]},
    "estimate_windows": {"limit": 100},
    "create_index": {},
    "analyze": {},
}
#: Run in another way, below.
SPECIAL = {"put_windows", "filter_files", "filter_excluded"}
TIMESCALEDB = {"create_hypertable", "is_hypertable"} & statements.queries().keys()


def test_every_statement_is_used_and_every_name_exists():
    used = set()
    for path in Path(soundalike.__file__).parent.rglob("*.py"):
        found = _USE.findall(path.read_text(encoding="utf-8"))
        used |= {name for groups in found for name in groups if name}

    assert used == statements.queries().keys()


def test_every_statement_is_tested():
    assert statements.queries().keys() == VALUES.keys() | SPECIAL | TIMESCALEDB


@pytest.fixture
def cursor(collection: Collection, database_url: str) -> Any:
    """Yield a cursor on a database that holds the schema and nothing else."""
    collection.add("/a/one.wav")
    collection.store.delete("/a")
    connection = psycopg2.connect(database_url)
    with connection.cursor() as found:
        # One index is at most one row.
        found.execute("DELETE FROM soundalike.index_spec")
        yield found
    connection.close()


@pytest.mark.parametrize("name", VALUES)
def test_the_server_takes_the_statement(cursor: Any, name: str):
    if name == "put_file":
        cursor.execute(statements.queries()["put_recording"], VALUES["put_recording"])
    filters = "filter_files", "filter_excluded"
    statement = statements.queries()[name].replace(
        "{filters}", "\n".join(statements.queries()[part] for part in filters)
    )

    cursor.execute(statement, VALUES[name])
    assert cursor.statusmessage


def test_windows_are_put_by_many_rows_a_statement(cursor: Any):
    cursor.execute(statements.queries()["put_recording"], VALUES["put_recording"])
    rows = [(_ID, n, "1970-01-01T00:00:00Z", 0.0, 4.0, _VECTOR if n else None) for n in range(4)]
    execute_values(cursor, statements.queries()["put_windows"], rows)

    cursor.execute("SELECT count(*), count(embedding) FROM soundalike.windows")
    assert cursor.fetchone() == (4, 3)


def test_older_timescaledb_gets_the_same_hypertable(cursor: Any, database_server: DatabaseServer):
    """Before 2.20, CREATE TABLE cannot make one."""
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    cursor.execute("DROP TABLE soundalike.windows")
    cursor.execute(statements.windows_table().format(dimension=16))
    cursor.execute(statements.queries()["create_hypertable"])

    cursor.execute(
        "SELECT compression_enabled FROM timescaledb_information.hypertables "
        "WHERE hypertable_schema = 'soundalike' AND hypertable_name = 'windows'"
    )
    assert cursor.fetchall() == [(False,)]


def test_comments_do_not_reach_the_server():
    for name, statement in statements.queries().items():
        assert statement, name
        assert "--" not in statement, name


def test_nothing_is_created_outside_of_the_schema(collection: Collection, sql: Callable[..., Any]):
    collection.add("/a/one.wav")

    assert not sql(
        "SELECT c.relname FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace "
        "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')"
    )


def test_reset_leaves_no_schema(collection: Collection, sql: Callable[..., Any]):
    collection.add("/a/one.wav")
    assert sql("SELECT to_regnamespace('soundalike') IS NOT NULL") == [(True,)]
    collection.store.reset()

    assert sql("SELECT to_regnamespace('soundalike') IS NOT NULL") == [(False,)]
