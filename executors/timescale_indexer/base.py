"""What all endpoints of the indexer share."""

from jina import Executor

from soundalike.config import DEFAULT_COLLECTION
from soundalike.store import Store
from soundalike.store.base import not_indexed


class StoreExecutor(Executor):
    """An executor with a store, which a subclass opens."""

    _store: Store

    def _check_known(self, is_found: bool, collection: str) -> None:
        """Raise `IndexEmpty` where nothing was found because a collection does not exist.

        The default one does not exist before the first file is indexed, so its name is not a mistake.
        """
        if is_found or collection == DEFAULT_COLLECTION:
            return
        if collection not in self._store.collections():
            raise not_indexed(collection)
