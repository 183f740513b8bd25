"""Store windows and find nearest neighbours: in PostgreSQL, or exactly in memory."""

from soundalike.store.base import Content, Outcome, SearchResult, StoredFile, StoreStatus
from soundalike.store.memory import MemoryStore
from soundalike.store.opening import is_made
from soundalike.store.postgres import PostgresStore, open_store
from soundalike.store.protocol import Store

__all__ = [
    "Content",
    "MemoryStore",
    "Outcome",
    "PostgresStore",
    "SearchResult",
    "Store",
    "StoreStatus",
    "StoredFile",
    "is_made",
    "open_store",
]
