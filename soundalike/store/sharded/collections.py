"""Create, rename, replace and drop collections in all databases."""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import suppress

from soundalike.errors import SchemaMismatch
from soundalike.store import collections, writing
from soundalike.store.base import check_collection_name, not_indexed
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.schema import has_schema
from soundalike.store.sharded.sampling import ShardedSampling
from soundalike.types import IndexSpec


class ShardedCollections(ShardedSampling):
    """The part of `ShardedStore` for collections, which every database has."""

    def create_collection(self, name: str, spec: IndexSpec, *, like: str | None = None) -> None:
        """Create an empty collection; an existing one must have the same specification."""
        check_collection_name(name)
        self._shards.claim()

        def work(cursors: Sequence[Cursor]) -> None:
            for cursor in cursors:
                collections.ensure(cursor, name, spec, like=like)

        self._shards.together(work)

    def drop_collection(self, name: str) -> bool:
        """Delete a collection with its content; return whether it existed."""
        check_collection_name(name)

        def work(cursors: Sequence[Cursor]) -> bool:
            found = _found(cursors, name)
            for cursor, collection in found:
                collections.drop(cursor, collection)
            return bool(found)

        return self._shards.together(work)

    def rename_collection(self, name: str, new_name: str) -> None:
        """Rename a collection; the new name must be free."""
        check_collection_name(name)
        check_collection_name(new_name)

        def work(cursors: Sequence[Cursor]) -> None:
            found = _found(cursors, name)
            if not found:
                raise not_indexed(name)
            for cursor, collection in found:
                collections.rename(cursor, collection, new_name)

        self._shards.together(work)

    def replace_collection(self, name: str, successor: str, *, without: Set[str] = frozenset()) -> bool:
        """Replace a collection with another one under its name; see `soundalike.store.Store`.

        All databases are locked while their paths are compared: a file that was changed may be in
        another database than before.
        """

        def work(cursors: Sequence[Cursor]) -> bool:
            olds, news = _found(cursors, name), _found(cursors, successor)
            if len(olds) < len(cursors) or len(news) < len(cursors):
                raise not_indexed(successor if len(olds) == len(cursors) else name)
            for (cursor, old), (_, new) in zip(olds, news, strict=True):
                collections.lock(cursor, old, new)
            missing = {uri for uris in _moved(olds, news) for uri in uris}
            if missing - without:
                return False
            for (cursor, new), vanished in zip(news, _moved(news, olds), strict=True):
                writing.delete_files(cursor, new, sorted(vanished))
            for (cursor, old), (_, new) in zip(olds, news, strict=True):
                collections.swap(cursor, old, new)
            return True

        return self._shards.together(work)

    def reset(self) -> None:
        """Delete all data of Soundalike in these databases, unless one belongs to another index."""
        # Tables of another version go too; their records cannot be read.
        with suppress(SchemaMismatch):
            self._shards.require_all()
        for store in self._shards.stores:
            store.reset()
        self._shards.forget()


#: A collection in each database, with the cursor to use.
_Parts = list[tuple[Cursor, Collection]]


def _found(cursors: Sequence[Cursor], name: str) -> _Parts:
    """Return a collection in the databases that have it."""
    found = [(cursor, collections.find(cursor, name)) for cursor in cursors if has_schema(cursor)]
    return [(cursor, collection) for cursor, collection in found if collection is not None]


def _moved(olds: _Parts, news: _Parts) -> list[set[str]]:
    """Return, for each database, the paths of a collection that its successor has in none of them."""
    gone = [
        collections.missing_paths(cursor, old, new)
        for (cursor, old), (_, new) in zip(olds, news, strict=True)
    ]
    everywhere = {uri for uris in gone for uri in uris}
    kept = {
        uri for cursor, new in news for uri in collections.paths_among(cursor, new, sorted(everywhere))
    }
    return [uris - kept for uris in gone]
