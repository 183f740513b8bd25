"""Open the configured database: an external server, or the embedded one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import psycopg2

from soundalike.config import Settings
from soundalike.errors import ConfigError
from soundalike.store.connection import Connection, Database, parse_url, redacted
from soundalike.store.embedded import EmbeddedServer
from soundalike.store.replicas import PATIENCE, ReplicatedDatabase, has_several_hosts, targets
from soundalike.store.slow_queries import logging_cursor

_CONNECT_TIMEOUT_S = 10


def open_database(settings: Settings, *, is_shard: bool = False) -> tuple[Database, Callable[[], None]]:
    """Return the configured database, which connects on first use.

    Parameters
    ----------
    settings : Settings
        `database_url` is the address of a server, or of a primary and its standbys; None for the
        embedded one in `data_dir`.
    is_shard : bool
        Whether it is one of several of an index, so that others answer while it is away.

    Returns
    -------
    database : Database
    release : callable
        Call it after closing the database: stops the embedded server if it is unused.

    Raises
    ------
    ConfigError
        The URL cannot be parsed, or there are several.
    """
    if (count := len(settings.database_urls)) > 1:
        raise ConfigError(
            f"SOUNDALIKE_DATABASE_URL names {count} databases, and this command works on one; choose it "
            "with --database-url"
        )
    url, slow_s = next(iter(settings.database_urls), None), settings.slow_query_s
    cursor_class = logging_cursor(slow_s) if slow_s else None
    if url is None:
        server = EmbeddedServer(settings.data_dir)
        name = f"embedded:{settings.data_dir}"
        return Database(server.acquire, name, settings.data_dir, cursor_class), server.release

    parameters = parse_url(url)
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "application_name": "soundalike",
        # Otherwise a database with the encoding SQL_ASCII accepts only ASCII from Python.
        "client_encoding": "UTF8",
        **(PATIENCE if is_shard else {}),
        **parameters,
    }

    name = redacted(parameters)
    if not has_several_hosts(parameters):
        return Database(_connecting(options), name, cursor_class=cursor_class), lambda: None
    to_write, to_read = targets(parameters)
    shared = {**options, **PATIENCE}
    return ReplicatedDatabase(
        _connecting({**shared, **to_write}),
        _connecting({**shared, **to_read}),
        name,
        settings.replica_wait_s,
        cursor_class,
    ), lambda: None


def _connecting(options: Mapping[str, Any]) -> Callable[[], Connection]:
    def connect() -> Connection:
        connection: Connection = psycopg2.connect(**options)
        return connection

    return connect


def is_made(settings: Settings) -> bool:
    """Return whether the configured database exists already."""
    return settings.database_url is not None or EmbeddedServer.is_made(settings.data_dir)
