"""Making the tables, on plain PostgreSQL and on TimescaleDB, and refusing tables of other versions."""

from __future__ import annotations

from soundalike import sql
from soundalike.errors import ExtensionMissing, SchemaMismatch
from soundalike.store.base import check_spec
from soundalike.store.connection import Cursor
from soundalike.types import IndexSpec

SCHEMA_VERSION = 1
_MIN_PGVECTOR = (0, 8)
#: pgvector indexes halfvec columns of up to this many dimensions.
_MAX_DIMENSION = 4000
#: Long chunks: the cost of a vector search grows with their number.
_HYPERTABLE = (
    "WITH (tsdb.hypertable, tsdb.partition_column = 'window_time', "
    "tsdb.chunk_interval = '1 year', tsdb.create_default_indexes = false, tsdb.columnstore = false)"
)


def is_current(cursor: Cursor) -> bool:
    """Tell whether the schema is there.

    Raises
    ------
    SchemaMismatch
        It was made by another version of Soundalike.
    """
    if not exists(cursor, "schema_version"):
        return False
    cursor.execute(sql.queries()["schema_version"])
    row = cursor.fetchone()
    version = row[0] if row else None
    if version != SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the database has schema version {version}, this program knows {SCHEMA_VERSION}; use "
            "the Soundalike that made it, or start anew with: soundalike reset"
        )
    return True


def exists(cursor: Cursor, name: str) -> bool:
    """Tell whether a table or index of that name is in Soundalike's schema."""
    cursor.execute(sql.queries()["table_exists"], {"name": name})
    return cursor.fetchone() == (True,)


def stored_spec(cursor: Cursor) -> IndexSpec | None:
    """Return what the index was made with, or None while there is none."""
    if not is_current(cursor):
        return None
    cursor.execute(sql.queries()["get_spec"])
    row = cursor.fetchone()
    return IndexSpec(*row) if row else None


def ensure_schema(cursor: Cursor, spec: IndexSpec) -> None:
    """Create extensions and tables for an index, or check that those that are there fit.

    Raises
    ------
    ModelMismatch
        The index was made with something else.
    SchemaMismatch
        The tables were made by another version of Soundalike.
    ExtensionMissing
        The server has no pgvector, or one before 0.8.
    """
    stored = stored_spec(cursor)
    if stored is None:
        cursor.execute(sql.queries()["lock_schema"])
        stored = stored_spec(cursor)
    if stored is None:
        _create(cursor, spec)
    else:
        check_spec(stored, spec)


def _create(cursor: Cursor, spec: IndexSpec) -> None:
    if spec.dimension > _MAX_DIMENSION:
        raise ExtensionMissing(
            f"pgvector indexes up to {_MAX_DIMENSION} dimensions, this index has {spec.dimension}; "
            f"choose windows of up to {_MAX_DIMENSION // 128} s"
        )
    timescaledb = _create_extensions(cursor)
    if not is_current(cursor):
        cursor.execute(sql.schema())
    cursor.execute(sql.queries()["put_spec"], _as_parameters(spec))
    table = sql.windows_table().format(dimension=int(spec.dimension))
    if timescaledb is None:
        cursor.execute(table)
    elif _version(timescaledb) >= (2, 20):
        cursor.execute(table + _HYPERTABLE)
    else:
        cursor.execute(table)
        cursor.execute(sql.queries()["create_hypertable"])


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
    if installed is None or _version(installed) < _MIN_PGVECTOR:
        raise ExtensionMissing(
            f"the database has pgvector {installed}, 0.8 or later is needed; "
            "install it and run: ALTER EXTENSION vector UPDATE"
        )
    if "timescaledb" not in offered or not _timescaledb_is_preloaded(cursor):
        return None
    cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return extensions(cursor)["timescaledb"][0]


def extensions(cursor: Cursor) -> dict[str, tuple[str | None, str | None]]:
    """Return installed and offered version of each extension that matters, where it is offered."""
    cursor.execute(sql.queries()["extensions"])
    return {name: (installed, offered) for name, installed, offered in cursor.fetchall()}


def _timescaledb_is_preloaded(cursor: Cursor) -> bool:
    # Without preloading, CREATE EXTENSION timescaledb ends the connection instead of failing. The list
    # of preloaded libraries is shown to few roles; that a setting of the loader exists is shown to all.
    cursor.execute("SELECT current_setting('timescaledb.disable_load', true) IS NOT NULL")
    return cursor.fetchone() == (True,)


def _version(text: str) -> tuple[int, ...]:
    parts = text.split("-")[0].split(".")
    return tuple(int(part) for part in parts[:2] if part.isdigit())


def _as_parameters(spec: IndexSpec) -> dict[str, object]:
    return {name: getattr(spec, name) for name in IndexSpec.__dataclass_fields__}
