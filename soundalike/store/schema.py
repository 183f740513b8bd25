"""Making the tables, on plain PostgreSQL and on TimescaleDB, and bringing older ones up to date."""

from __future__ import annotations

from psycopg2 import errors as pg_errors

from soundalike.errors import ExtensionMissing, SchemaMismatch
from soundalike.store import sql
from soundalike.store.connection import Cursor, one_line
from soundalike.types import IndexSpec

SCHEMA_VERSION = 4
MIN_PGVECTOR = (0, 8)
#: pgvector indexes halfvec columns of up to this many dimensions.
_MAX_DIMENSION = 4000
#: Long chunks: the cost of a vector search grows with their number; see docs/adr/0012.
_HYPERTABLE = (
    "WITH (tsdb.hypertable, tsdb.partition_column = 'window_time', "
    "tsdb.chunk_interval = '10 years', tsdb.create_default_indexes = false, tsdb.columnstore = false)"
)


def has_schema(cursor: Cursor) -> bool:
    """Tell whether the tables are there, and are those of this program.

    Raises
    ------
    SchemaMismatch
        They were made by another version of Soundalike.
    """
    version = stored_version(cursor)
    if version is None:
        return False
    if version != SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the database has schema version {version}, this program knows {SCHEMA_VERSION}; update "
            "Soundalike, or give SOUNDALIKE_DATABASE_URL another database"
        )
    return True


def stored_version(cursor: Cursor) -> int | None:
    """Return the version of the tables, or None where there are none."""
    if not exists(cursor, "schema_version"):
        return None
    cursor.execute(sql.queries()["schema_version"])
    row = cursor.fetchone()
    return row[0] if row else None


def migrate_once(cursor: Cursor) -> bool:
    """Bring older tables one version forward; tell whether there was anything to do.

    Raises
    ------
    SchemaMismatch
        The tables belong to another role, or something of a user's hangs on them.
    """
    version = stored_version(cursor)
    if version is None or version >= SCHEMA_VERSION:
        return False
    lock_schema(cursor)
    if stored_version(cursor) == version:
        try:
            cursor.execute(sql.migrations()[version + 1])
        except (pg_errors.InsufficientPrivilege, pg_errors.FeatureNotSupported) as exc:
            raise SchemaMismatch(
                f"the tables of schema version {version} could not be brought to {version + 1} "
                f"({one_line(exc)}); drop views that use them, and run as the role that owns them: "
                "soundalike status"
            ) from exc
        cursor.execute(sql.queries()["set_schema_version"], {"version": version + 1})
    return True


def lock_schema(cursor: Cursor) -> None:
    """Keep every other process from changing the tables until the transaction ends."""
    cursor.execute(sql.queries()["lock_schema"])


def exists(cursor: Cursor, name: str) -> bool:
    """Tell whether a table or index of that name is in Soundalike's schema."""
    cursor.execute(sql.queries()["table_exists"], {"name": name})
    return cursor.fetchone() == (True,)


def ensure_schema(cursor: Cursor, spec: IndexSpec) -> str | None:
    """Create extensions and shared tables unless they are there; return TimescaleDB's version.

    Raises
    ------
    SchemaMismatch
        The tables were made by another version of Soundalike.
    ExtensionMissing
        The server has no pgvector, or one before 0.8, or it cannot index that many dimensions.
    """
    if spec.dimension > _MAX_DIMENSION:
        raise ExtensionMissing(
            f"pgvector indexes up to {_MAX_DIMENSION} dimensions, this index has {spec.dimension}; "
            f"choose windows of up to {_MAX_DIMENSION // 128} s"
        )
    timescaledb = _create_extensions(cursor)
    if not has_schema(cursor):
        cursor.execute(sql.schema())
    return timescaledb


def create_windows(cursor: Cursor, collection_id: int, dimension: int, timescaledb: str | None) -> None:
    """Create the table of a collection's windows, a hypertable where there is TimescaleDB."""
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
    """Create the extensions that the server offers; return TimescaleDB's version, or None."""
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
    """Return installed and offered version of each extension that matters, where it is offered."""
    cursor.execute(sql.queries()["extensions"])
    return {name: (installed, offered) for name, installed, offered in cursor.fetchall()}


def timescaledb_is_preloaded(cursor: Cursor) -> bool:
    """Tell whether the server loads TimescaleDB when it starts."""
    # Without preloading, CREATE EXTENSION timescaledb ends the connection instead of failing. The list
    # of preloaded libraries is shown to few roles; that a setting of the loader exists is shown to all.
    cursor.execute("SELECT current_setting('timescaledb.disable_load', true) IS NOT NULL")
    return cursor.fetchone() == (True,)


def version_of(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    parts = text.split("-")[0].split(".")
    return tuple(int(part) for part in parts[:2] if part.isdigit())
