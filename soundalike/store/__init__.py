"""Where windows are kept and found again: one protocol, PostgreSQL, and an exact store in memory."""

from soundalike.store.base import Outcome, SearchResult, Store, StoreStatus
from soundalike.store.memory import MemoryStore
from soundalike.store.postgres import PostgresStore, is_made, open_store

__all__ = [
    "MemoryStore",
    "Outcome",
    "PostgresStore",
    "SearchResult",
    "Store",
    "StoreStatus",
    "is_made",
    "open_store",
]
