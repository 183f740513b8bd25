"""One store over several databases, each of which holds some of the recordings."""

from soundalike.store.sharded.store import ShardedStore

__all__ = ["ShardedStore"]
