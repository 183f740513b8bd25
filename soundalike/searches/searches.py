"""Named searches of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from soundalike.config import DEFAULT_COLLECTION
from soundalike.events.types import Event, FoundEvents
from soundalike.search.examples import Example
from soundalike.search.queries import EmbeddedQuery
from soundalike.searches import exchange, listing, review, reviewing, running, saving
from soundalike.searches.exchange import ImportedSearch
from soundalike.searches.requests import RunRequest, SaveRequest
from soundalike.searches.review_requests import EstimateRequest, ReviewRequest
from soundalike.searches.reviewing import Accepted
from soundalike.searches.running import Found
from soundalike.store.named_searches import SearchMark, Undone, checked_search_name, search_not_found
from soundalike.store.protocol import Store

_AS_SAVED = RunRequest()


class Searches:
    """Saves, runs and removes the named searches of a collection, and marks what they find.

    Parameters
    ----------
    store : Store
    collection : str
    """

    def __init__(self, store: Store, collection: str = DEFAULT_COLLECTION) -> None:
        self._store = store
        self._collection = collection

    def save(self, request: SaveRequest, query: EmbeddedQuery) -> dict[str, Any]:
        """Save a search; see `soundalike.searches.saving.save_search`. Returns what `show` does."""
        saving.save_search(self._store, request, query)
        return self.show(request.name)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each search, by name."""
        return listing.list_searches(self._store, collection=self._collection)

    def show(self, name: str) -> dict[str, Any]:
        """Return the row of a search with its marks."""
        return listing.show_search(self._store, name, collection=self._collection)

    def run(self, name: str, request: RunRequest = _AS_SAVED) -> Found:
        """Search again; see `soundalike.searches.running.run_search`."""
        return running.run_search(self._store, name, request, collection=self._collection)

    def events(
        self, name: str, request: RunRequest = _AS_SAVED
    ) -> tuple[FoundEvents, Iterator[Event], tzinfo]:
        """Find every occurrence; see `soundalike.searches.running.run_events`."""
        return running.run_events(self._store, name, request, collection=self._collection)

    def mark(self, name: str, place: Example, *, is_right: bool, by: str = "") -> SearchMark:
        """Mark a place; see `soundalike.searches.reviewing.mark_place`."""
        return reviewing.mark_place(
            self._store, name, place, is_right=is_right, by=by, collection=self._collection
        )

    def clear(self, name: str, place: Example, *, by: str = "") -> list[SearchMark]:
        """Clear marks; see `soundalike.searches.reviewing.clear_place`."""
        return reviewing.clear_place(self._store, name, place, by=by, collection=self._collection)

    def marks(self, name: str) -> list[SearchMark]:
        """Return the marks that count, in the order of marking."""
        return self._store.search_marks(name, collection=self._collection)

    def undo(self, name: str) -> Undone | None:
        """Take back the latest mark, clearing or acceptance; return None if there is none."""
        return self._store.undo_search(name, collection=self._collection)

    def accept(self, name: str, label: str, *, by: str = "") -> Accepted:
        """Annotate the right places; see `soundalike.searches.reviewing.accept_marks`."""
        return reviewing.accept_marks(self._store, name, label, by=by, collection=self._collection)

    def review(self, name: str, request: ReviewRequest) -> list[dict[str, Any]]:
        """Return the hits to review; see `soundalike.searches.review.review_search`."""
        return review.review_search(self._store, name, request, collection=self._collection)

    def estimate(self, name: str, request: EstimateRequest) -> dict[str, Any]:
        """Return the precision of the hits; see `soundalike.searches.review.estimate_search`."""
        return review.estimate_search(self._store, name, request, collection=self._collection)

    def export(self, name: str) -> dict[str, Any]:
        """Return the JSON object of a search; see `soundalike.searches.exchange`."""
        return exchange.export_search(self._store, name, collection=self._collection)

    def load(
        self, row: Mapping[str, Any], *, name: str | None = None, replace: bool = False
    ) -> ImportedSearch:
        """Import the JSON object of a search; see `soundalike.searches.exchange.import_search`."""
        return exchange.import_search(
            self._store, row, name=name, replace_existing=replace, collection=self._collection
        )

    def remove(self, name: str) -> None:
        """Remove a search with its marks.

        Raises
        ------
        SearchNotFound
            The collection has none of this name.
        """
        if not self._store.remove_named_search(checked_search_name(name), collection=self._collection):
            raise search_not_found(name, self._collection)
