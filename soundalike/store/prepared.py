"""Statements that the server plans once for each connection, and not each time."""

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
#: Otherwise the server prefers to plan anew, as it takes lists of unknown length to be longer than ours.
_KEEP_PLAN = "SET LOCAL plan_cache_mode = force_generic_plan;"
#: Statements that a connection's server keeps plans of, about 60 kB each; it never forgets one.
_MOST = 64
#: What the server of each connection was told already.
_known: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()


def execute(cursor: Cursor, statement: str, parameters: Mapping[str, Any], *, before: str = "") -> None:
    """Execute a statement under a name of its own, by which the server finds its plan.

    Parameters
    ----------
    cursor : cursor
        Not in a transaction: that would be broken where a connection pool in between has given this
        program to another server process, which does not know the name.
    statement : str
        With placeholders like ``%(name)s``, each with its type behind it (``::text``).
    parameters : mapping
        A value for each placeholder and no others.
    before : str
        Statements that go to the server in the same message, and so in the same transaction.
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
    # Each message may come to another server process, of which one knew the name and one did not.
    cursor.execute(before + statement, parameters)


@lru_cache(maxsize=256)
def _commands(statement: str, keys: tuple[str, ...]) -> tuple[str, str, str]:
    """Return the name of a prepared statement, what makes it, and what calls it."""
    # By its text: behind a connection pool a program of another version may have made it.
    digest = hashlib.sha256(" ".join((statement, *keys)).encode()).hexdigest()
    name = f"soundalike_{digest[:16]}"
    numbered = {key: f"${number}" for number, key in enumerate(keys, 1)}
    types = dict(_PLACEHOLDER.findall(statement))
    values = ", ".join(f"%({key})s::{types[key]}" for key in keys)
    make = f"PREPARE {name} AS {statement.rstrip(';') % numbered};"
    return name, make, f"EXECUTE {name} ({values})"
