"""Create the tables, on plain PostgreSQL and on TimescaleDB, and migrate older ones."""

from __future__ import annotations

from psycopg2 import errors as pg_errors

from soundalike.errors import ExtensionMissing, SchemaMismatch
from soundalike.faults import one_line
from soundalike.store import sql
from soundalike.store.connection import Cursor

SCHEMA_VERSION = 12
MIN_PGVECTOR = (0, 8)
#: Maximum number of dimensions of a halfvec index of pgvector.
_MAX_DIMENSION = 4000
#: Long chunks, because the cost of a vector search grows with their number; see docs/adr/0012.
_HYPERTABLE = (
    "WITH (tsdb.hypertable, tsdb.partition_column = 'window_time', "
    "tsdb.chunk_interval = '10 years', tsdb.create_default_indexes = false, tsdb.columnstore = false)"
)


def has_schema(cursor: Cursor) -> bool:
    """Return whether the tables exist.

    Raises
    ------
    SchemaMismatch
        The tables have another schema version than this program.
    """
    version = stored_version(cursor)
    if version is None:
        return False
    if version != SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the database has schema version {version}, this program supports {SCHEMA_VERSION}; update "
            "Soundalike, or give SOUNDALIKE_DATABASE_URL another database"
        )
    return True


def stored_version(cursor: Cursor) -> int | None:
    """Return the schema version of the tables, or None without tables."""
    if not exists(cursor, "schema_version"):
        return None
    cursor.execute(sql.queries()["schema_version"])
    row = cursor.fetchone()
    return row[0] if row else None


def migrate_once(cursor: Cursor) -> bool:
    """Migrate older tables to the next version; return whether a migration was needed.

    Raises
    ------
    SchemaMismatch
        The tables belong to another role, or objects of a user depend on them.
    """
    version = stored_version(cursor)
    if version is None or version >= SCHEMA_VERSION:
        return False
    lock_schema(cursor)
    if stored_version(cursor) == version:
        scripts = sql.migrations()
        following = min(number for number in scripts if number > version)
        try:
            cursor.execute(scripts[following])
        except (pg_errors.InsufficientPrivilege, pg_errors.FeatureNotSupported) as exc:
            raise SchemaMismatch(
                f"the tables of schema version {version} could not be migrated to {following} "
                f"({one_line(exc)}); drop views that use them, and run as the role that owns them: "
                "soundalike status"
            ) from exc
        cursor.execute(sql.queries()["set_schema_version"], {"version": following})
    return True


def lock_schema(cursor: Cursor) -> None:
    """Lock the tables against changes by other processes until the transaction ends."""
    cursor.execute(sql.queries()["lock_schema"])


def exists(cursor: Cursor, name: str) -> bool:
    """Return whether Soundalike's schema has a table or index with this name."""
    cursor.execute(sql.queries()["table_exists"], {"name": name})
    return cursor.fetchone() == (True,)


def ensure_schema(cursor: Cursor, dimension: int) -> str | None:
    """Create missing extensions and shared tables; return TimescaleDB's version, or None.

    Raises
    ------
    SchemaMismatch
        The tables have another schema version than this program.
    ExtensionMissing
        The server has no pgvector 0.8 or later, or the dimension is too large for its index.
    """
    if dimension > _MAX_DIMENSION:
        raise ExtensionMissing(
            f"pgvector indexes up to {_MAX_DIMENSION} dimensions, this index has {dimension}; "
            f"choose windows of up to {_MAX_DIMENSION // 128} s"
        )
    timescaledb = _create_extensions(cursor)
    if not has_schema(cursor):
        cursor.execute(sql.schema())
    if timescaledb is not None:
        cursor.execute(sql.queries()["events_to_hypertable"])
    return timescaledb


def create_windows(cursor: Cursor, collection_id: int, dimension: int, timescaledb: str | None) -> None:
    """Create the table of a collection's windows, a hypertable if TimescaleDB is installed."""
    numbers = {"collection": int(collection_id), "dimension": int(dimension)}
    table = sql.windows_table().format(**numbers)
    if timescaledb is None:
        cursor.execute(table)
    elif version_of(timescaledb) >= (2, 20):
        cursor.execute(table + _HYPERTABLE)
    else:
        cursor.execute(table)
        cursor.execute(sql.queries()["create_hypertable"].format(**numbers))
    cursor.execute(sql.queries()["create_time_index"].format(**numbers))


def _create_extensions(cursor: Cursor) -> str | None:
    """Create the extensions; return TimescaleDB's version, or None."""
    offered = extensions(cursor)
    if "vector" not in offered:
        raise ExtensionMissing(
            "the server has no pgvector; install it (Debian: postgresql-<version>-pgvector; "
            "container: timescale/timescaledb-ha), or unset SOUNDALIKE_DATABASE_URL"
        )
    cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
    installed = extensions(cursor)["vector"][0]
    if installed is None or version_of(installed) < MIN_PGVECTOR:
        raise ExtensionMissing(
            f"the database has pgvector {installed}, 0.8 or later is needed; "
            "install it and run: ALTER EXTENSION vector UPDATE"
        )
    if "timescaledb" not in offered or not timescaledb_is_preloaded(cursor):
        return None
    cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return extensions(cursor)["timescaledb"][0]


def extensions(cursor: Cursor) -> dict[str, tuple[str | None, str | None]]:
    """Return the installed and the available version of the available relevant extensions."""
    cursor.execute(sql.queries()["extensions"])
    return {name: (installed, offered) for name, installed, offered in cursor.fetchall()}


def timescaledb_is_preloaded(cursor: Cursor) -> bool:
    """Return whether the server preloads TimescaleDB."""
    # Without preloading, CREATE EXTENSION timescaledb closes the connection instead of failing. Few
    # roles may read the list of preloaded libraries, but all see whether a setting of the loader exists.
    cursor.execute("SELECT current_setting('timescaledb.disable_load', true) IS NOT NULL")
    return cursor.fetchone() == (True,)


def version_of(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    parts = text.split("-")[0].split(".")
    return tuple(int(part) for part in parts[:2] if part.isdigit())
