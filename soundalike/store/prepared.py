"""Prepared statements, which the server plans once per connection."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from psycopg2 import errors as pg_errors

from soundalike.store.connection import Connection, Cursor

_PLACEHOLDER = re.compile(r"%\((\w+)\)s::(\w+(?:\[\])?)")
#: By default the server would plan each time, because it overestimates lists of unknown length.
_KEEP_PLAN = "SET LOCAL plan_cache_mode = force_generic_plan;"
#: Maximum number of prepared statements of a connection; each takes about 60 kB and is never freed.
_MOST = 64
#: Names of the prepared statements of each connection.
_known: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()


def execute(cursor: Cursor, statement: str, parameters: Mapping[str, Any], *, before: str = "") -> None:
    """Execute a prepared statement, and prepare it if necessary.

    Parameters
    ----------
    cursor : cursor
        Not in a transaction: an unknown name would abort it, after a connection pool has switched to
        another server process.
    statement : str
        With placeholders like ``%(name)s``, each followed by its type (``::text``).
    parameters : mapping
        Exactly one value for each placeholder.
    before : str
        Statements to send in the same message, and thus in the same transaction.
    """
    name, make, call = _commands(statement, tuple(parameters))
    known = _known.setdefault(cursor.connection, set())
    if name not in known and len(known) >= _MOST:
        cursor.execute(before + statement, parameters)
        return
    before += _KEEP_PLAN
    messages = [before + call, before + make + call]
    for message in messages if name in known else reversed(messages):
        try:
            cursor.execute(message, parameters)
        except (pg_errors.InvalidSqlStatementName, pg_errors.DuplicatePreparedStatement):
            continue
        known.add(name)
        return
    # Behind a pool each message may reach another server process, with or without the prepared name.
    cursor.execute(before + statement, parameters)


@lru_cache(maxsize=256)
def _commands(statement: str, keys: tuple[str, ...]) -> tuple[str, str, str]:
    """Return the name of a prepared statement, and the commands that prepare and execute it."""
    # The name depends on the text: behind a pool another version may have prepared a statement.
    digest = hashlib.sha256(" ".join((statement, *keys)).encode()).hexdigest()
    name = f"soundalike_{digest[:16]}"
    numbered = {key: f"${number}" for number, key in enumerate(keys, 1)}
    types = dict(_PLACEHOLDER.findall(statement))
    values = ", ".join(f"%({key})s::{types[key]}" for key in keys)
    make = f"PREPARE {name} AS {statement.rstrip(';') % numbered};"
    return name, make, f"EXECUTE {name} ({values})"
