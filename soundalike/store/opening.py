"""From settings to a database: a server of one's own, or the embedded one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2

from soundalike.config import Settings
from soundalike.store.connection import Connection, Database, parse_url, redacted
from soundalike.store.embedded import EmbeddedServer

_CONNECT_TIMEOUT_S = 10


def open_database(settings: Settings) -> tuple[Database, Callable[[], None]]:
    """Return the database that the settings name; nothing is connected or started yet.

    Parameters
    ----------
    settings : Settings
        `database_url` names a server; None stands for the embedded one in `data_dir`.

    Returns
    -------
    database : Database
    release : callable
        To be called when the database was closed: stops the embedded server where nobody needs it.

    Raises
    ------
    ConfigError
        The URL cannot be read.
    """
    url = settings.database_url
    if url is None:
        server = EmbeddedServer(settings.data_dir)
        name = f"embedded:{settings.data_dir}"
        return Database(server.acquire, name, settings.data_dir), server.release

    parameters = parse_url(url)
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "application_name": "soundalike",
        # Otherwise a database that keeps bytes as they are takes nothing but ASCII from Python.
        "client_encoding": "UTF8",
        **parameters,
    }

    def connect() -> Connection:
        connection: Connection = psycopg2.connect(**options)
        return connection

    return Database(connect, redacted(parameters)), lambda: None


def is_made(settings: Settings) -> bool:
    """Tell whether the server that the settings name is there without being made first."""
    return settings.database_url is not None or EmbeddedServer.is_made(settings.data_dir)
