"""Open the configured store: of one database, or of several."""

from __future__ import annotations

from dataclasses import replace

from soundalike.config import Settings
from soundalike.store.opening import open_database
from soundalike.store.postgres import PostgresStore
from soundalike.store.sharded import ShardedStore


def open_store(settings: Settings) -> PostgresStore | ShardedStore:
    """Return the configured store, which connects on first use.

    Parameters
    ----------
    settings : Settings
        `database_url` is the address of a server, or those of several databases of one index; None for
        the embedded server in `data_dir`.
    """
    urls = settings.database_urls
    if len(urls) > 1:
        return ShardedStore(
            [_opened(replace(settings, database_url=url), is_shard=True) for url in urls]
        )
    return _opened(settings)


def _opened(settings: Settings, *, is_shard: bool = False) -> PostgresStore:
    database, release = open_database(settings, is_shard=is_shard)
    return PostgresStore(database, on_close=release, is_shard=is_shard)
