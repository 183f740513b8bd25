"""Checks of the database: server, extensions, tables and collections."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from psycopg2 import errors as pg_errors

from soundalike.config import DEFAULT_COLLECTION
from soundalike.doctor.checks import Check, command, failed
from soundalike.errors import ExtensionMissing, SchemaMismatch, StoreError
from soundalike.store import sql
from soundalike.store.base import is_unfinished
from soundalike.store.connection import Cursor, Database
from soundalike.store.contents import begin_snapshot
from soundalike.store.schema import (
    MIN_PGVECTOR,
    SCHEMA_VERSION,
    exists,
    extensions,
    stored_version,
    timescaledb_is_preloaded,
    version_of,
)

_INDEX_SOMETHING = command("index", "PATH")


def psql(cursor: Cursor, *statements: str) -> str:
    """Return a command that runs statements in this database; it may ask for a password."""
    info = cursor.connection.info
    place = ["-h", info.host, "-p", str(info.port), "-U", info.user, "-d", info.dbname]
    return shlex.join(["psql", "-X", *place, *(word for text in statements for word in ("-c", text))])


def quoted(cursor: Cursor, name: str) -> str:
    """Return a name as an SQL identifier."""
    cursor.execute("SELECT quote_ident(%s)", (name,))
    row = cursor.fetchone()
    assert row is not None
    return str(row[0])


def server(cursor: Cursor, description: str) -> Check:
    """Check that the server answers, and report its version."""
    cursor.execute("SELECT current_setting('server_version')")
    row = cursor.fetchone()
    assert row is not None
    return Check("server", "ok", f"PostgreSQL {row[0]}, {description}")


def vector(cursor: Cursor) -> Check:
    """Check that pgvector is installed and up to date."""
    name = "pgvector"
    found = extensions(cursor)
    if "vector" not in found:
        missing = ExtensionMissing("the server does not offer pgvector 0.8 or later")
        major = cursor.connection.server_version // 10_000
        return failed(name, missing, f"sudo apt install postgresql-{major}-pgvector")
    installed, offered = found["vector"]
    if installed is None:
        return _not_created(cursor, name, offered)
    update = psql(cursor, "ALTER EXTENSION vector UPDATE")
    if version_of(installed) < MIN_PGVECTOR:
        old = ExtensionMissing(f"pgvector is {installed} in this database, 0.8 or later is needed")
        return failed(name, old, update)
    if offered is not None and version_of(installed) < version_of(offered):
        return Check(name, "warn", f"{installed}; the server has {offered}", update)
    return Check(name, "ok", installed)


def _not_created(cursor: Cursor, name: str, offered: str | None) -> Check:
    if exists(cursor, "schema_version"):
        gone = ExtensionMissing(
            "pgvector and all vectors were dropped from this database; reset it, and index again"
        )
        return failed(name, gone, command("reset", "--yes"))
    cursor.execute(sql.queries()["may_create_vector"])
    if cursor.fetchone() == (True,):
        return Check(name, "ok", f"{offered} is available; the first index command creates it")
    denied = StoreError("this role may not create the extension vector; let an administrator create it")
    return failed(name, denied, psql(cursor, "CREATE EXTENSION vector"))


def timescaledb(cursor: Cursor) -> Check:
    """Check that TimescaleDB, if used, is loaded and up to date."""
    name = "timescaledb"
    found = extensions(cursor)
    installed, offered = found.get("timescaledb", (None, None))
    is_loaded = timescaledb_is_preloaded(cursor)
    scale = found.get("vectorscale", (None, None))[0]
    also = f", vectorscale {scale}" if scale else ""
    if installed is None:
        reason = (
            "not available" if offered is None else "not loaded" if not is_loaded else "not used yet"
        )
        return Check(name, "ok", f"{reason}; the windows are in an ordinary table{also}")
    if not is_loaded:
        return failed(
            name,
            StoreError(
                f"{installed} is in this database, but the server does not load it; restart it after"
            ),
            psql(cursor, "ALTER SYSTEM SET shared_preload_libraries = 'timescaledb'"),
        )
    if offered is not None and version_of(installed) < version_of(offered):
        update = psql(cursor, "ALTER EXTENSION timescaledb UPDATE")
        return Check(name, "warn", f"{installed}; the server has {offered}{also}", update)
    return Check(name, "ok", f"{installed}{also}")


@dataclass(frozen=True, slots=True)
class Tables:
    """Result of the check of the tables.

    Attributes
    ----------
    check : Check
    usable : bool
        Whether later checks can read the tables.
    """

    check: Check
    usable: bool


def tables(database: Database) -> Tables:
    """Check that the tables exist with this program's version."""
    try:
        return database.run(_tables)
    except StoreError as exc:
        if not isinstance(exc.__cause__, pg_errors.InsufficientPrivilege):
            raise
        return Tables(failed("tables", exc, database.run(_grant)), usable=False)


def _tables(cursor: Cursor) -> Tables:
    begin_snapshot(cursor)
    version = stored_version(cursor)
    if version is None:
        return Tables(
            Check("tables", "ok", f"none yet; the first index command creates them: {_INDEX_SOMETHING}"),
            usable=False,
        )
    if version > SCHEMA_VERSION:
        newer = SchemaMismatch(
            f"version {version}, this program supports {SCHEMA_VERSION}; update Soundalike, or delete "
            "everything"
        )
        return Tables(failed("tables", newer, command("reset", "--yes")), usable=False)
    if version < SCHEMA_VERSION:
        older = f"version {version}; the next command migrates them to {SCHEMA_VERSION}"
        return Tables(Check("tables", "warn", older, command("status")), usable=False)
    return Tables(Check("tables", "ok", f"version {version}"), usable=True)


def _grant(cursor: Cursor) -> str:
    """Return a command that grants this role the rights of the tables' owner."""
    cursor.execute(sql.queries()["schema_owner"])
    row = cursor.fetchone()
    owner = row[0] if row else cursor.connection.info.user
    return psql(
        cursor, f"GRANT {quoted(cursor, owner)} TO {quoted(cursor, cursor.connection.info.user)}"
    )


def collections(cursor: Cursor, wanted: str) -> Check:
    """Check that the collection exists, and that no unfinished ones are left."""
    cursor.execute(sql.queries()["list_collections"])
    names = [row[1] for row in cursor.fetchall()]
    left = [name for name in names if is_unfinished(name)]
    whole = [name for name in names if name not in left]
    if left:
        return Check(
            "collections",
            "warn",
            f"unfinished: {', '.join(left)}; unless a reindex or import is running, it was interrupted: "
            "run it again, or delete the rest",
            command("collections drop", left[0], "--yes"),
        )
    if wanted in whole:
        return Check("collections", "ok", ", ".join(whole))
    there = ", ".join(whole) or "none"
    if wanted == DEFAULT_COLLECTION and not whole:
        return Check(
            "collections", "ok", f"none yet; the first index command creates one: {_INDEX_SOMETHING}"
        )
    return Check(
        "collections",
        "warn",
        f"{wanted!r} does not exist; there are: {there}",
        command("index", "PATH", collection=wanted),
    )
