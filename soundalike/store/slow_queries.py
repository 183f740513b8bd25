"""Log slow statements with their plans, without the values in them."""

from __future__ import annotations

import logging
import re
import time
from functools import lru_cache
from typing import Any

import psycopg2

from soundalike.store import sql
from soundalike.store.connection import Cursor

_LOG = logging.getLogger("soundalike.slow")
#: Settings of a transaction, and the making of a prepared statement, before the statement itself.
_BEFORE = re.compile(r"(?:\s*SET LOCAL [^;]*;)*", re.IGNORECASE)
_PREPARE = re.compile(r"\s*PREPARE (\w+) AS (.*?);\s*(?=EXECUTE \1\b)", re.DOTALL)
_EXECUTE = re.compile(r"EXECUTE (\w+)")
_PLANNED = re.compile(r"\s*(?:SELECT|WITH|INSERT|UPDATE|DELETE|EXECUTE)\b", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_GAP = re.compile(r"\{\w+\}|%\(\w+\)s|\$\d+|%%?")
_SPACES = re.compile(r"\s+")
#: Texts of prepared statements by name.
_prepared: dict[str, str] = {}


@lru_cache(maxsize=4)
def logging_cursor(slow_s: float) -> type[Cursor]:
    """Return a cursor class that logs statements that take longer than a number of seconds.

    Parameters
    ----------
    slow_s : float
        Above 0.
    """

    class LoggingCursor(psycopg2.extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name
            begun = time.perf_counter()
            super().execute(query, vars)
            seconds = time.perf_counter() - begun
            text = query if isinstance(query, str) else ""
            if made := _PREPARE.search(text):
                _prepared[made[1]] = made[2]
            if seconds >= slow_s:
                _log(self, text, vars, seconds)

    return LoggingCursor


def _log(cursor: Cursor, query: str, values: Any, seconds: float) -> None:
    name = statement_name(query)
    plan = _plan(cursor, query, values)
    _LOG.warning(
        "slow statement %s: %.3f s%s",
        *(name, seconds, f"\n{plan}" if plan else ""),
        extra={"fields": {"statement": name, "seconds": round(seconds, 6)}},
    )


def _plan(cursor: Cursor, query: str, values: Any) -> str:
    """Return the plan of a statement; empty where it has none, or cannot be had."""
    before = _BEFORE.match(query)
    settings = before[0] if before else ""
    statement = _PREPARE.sub("", query[len(settings) :], count=1)
    # EXPLAIN holds for one statement: a second one would run again.
    if not _PLANNED.match(statement) or ";" in statement.rstrip("; \n"):
        return ""
    connection = cursor.connection
    in_transaction = not connection.autocommit
    try:
        # The rows of the statement itself are still to be fetched from its own cursor.
        with connection.cursor(cursor_factory=psycopg2.extensions.cursor) as other:
            if in_transaction:
                other.execute("SAVEPOINT soundalike_plan")
            try:
                other.execute(f"{settings} EXPLAIN {statement}", values)
                return without_values("\n".join(line for (line,) in other.fetchall()))
            finally:
                if in_transaction:
                    other.execute("ROLLBACK TO SAVEPOINT soundalike_plan")
    except psycopg2.Error:
        return ""


def without_values(plan: str) -> str:
    """Return a plan without its literals: vectors, paths and labels.

    Examples
    --------
    >>> without_values("Order By: (embedding <=> '[1,2]'::halfvec)")
    "Order By: (embedding <=> '...'::halfvec)"
    """
    return _LITERAL.sub("'...'", plan)


def statement_name(query: str) -> str:
    """Return the name of a statement in ``queries.sql``; ``other`` where it is not from there.

    Parameters
    ----------
    query : str
        As it was sent: with settings before it, prepared or not.
    """
    before = _BEFORE.match(query)
    text = query[len(before[0]) if before else 0 :]
    if made := _PREPARE.search(text):
        text = made[2]
    elif called := _EXECUTE.match(text.strip()):
        text = _prepared.get(called[1], "")
    plain = _spaced(text)
    return next((name for name, pattern in _patterns() if pattern.fullmatch(plain)), "other")


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Return a pattern for each statement: its text, with anything in the place of placeholders."""
    found = []
    # The longest first: a short one might match a part that was filled in.
    for name, text in sorted(sql.queries().items(), key=lambda item: -len(item[1])):
        fixed = [re.escape(_spaced(part)) for part in _GAP.split(text)]
        found.append((name, re.compile(".*?".join(fixed), re.DOTALL)))
    return found


def _spaced(text: str) -> str:
    return _SPACES.sub("", text).rstrip(";")
