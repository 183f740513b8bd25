"""A store over several databases."""

from __future__ import annotations

from soundalike.store.protocol import Store
from soundalike.store.sharded.home import ShardedHome
from soundalike.store.sharded.named import ShardedNamedSearches
from soundalike.store.sharded.reading import ShardedReader
from soundalike.store.sharded.searching import ShardedSearcher
from soundalike.store.sharded.writing import ShardedWriter


class ShardedStore(
    ShardedWriter,
    ShardedReader,
    ShardedSearcher,
    ShardedNamedSearches,
    ShardedHome,
    Store,
):
    """Recordings in several databases. A thread-safe `soundalike.store.Store`.

    A recording is whole in one database, which a hash of its id chooses; searches ask all of them. See
    docs/sharding.md.

    Parameters
    ----------
    stores : sequence of PostgresStore
        At least two, opened with ``is_shard``, in the order in which they were set up.
    """

    def missing_shards(self) -> tuple[str, ...]:
        """Return the databases that cannot be reached."""
        _, away = self._shards.each_reachable(lambda store: store.collections())
        return away

    def close(self) -> None:
        """Close the connections."""
        self._shards.close()
