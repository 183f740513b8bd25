"""Store windows and find nearest neighbours: in PostgreSQL, or exactly in memory."""

from soundalike.store.base import Content, Outcome, SearchResult, StoredFile, StoreStatus
from soundalike.store.memory import MemoryStore
from soundalike.store.opening import is_made
from soundalike.store.postgres import PostgresStore
from soundalike.store.protocol import Store
from soundalike.store.sharded import ShardedStore
from soundalike.store.stores import open_store

__all__ = [
    "Content",
    "MemoryStore",
    "Outcome",
    "PostgresStore",
    "SearchResult",
    "ShardedStore",
    "Store",
    "StoreStatus",
    "StoredFile",
    "is_made",
    "open_store",
]
