"""What all methods of a library need: the store, the pipeline and filters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from soundalike.errors import ParameterError
from soundalike.filters import Filters
from soundalike.indexing.pipeline import Pipeline
from soundalike.library.asking import Filtering, filters_of
from soundalike.library.opening import find_place
from soundalike.search.queries import EmbeddedQuery, Query, query_without_sound
from soundalike.store import Store
from soundalike.store.base import check_collection_name, not_indexed
from soundalike.types import IndexSpec

if TYPE_CHECKING:
    from soundalike.events.listening import Listener


class Opened:
    """A collection at a place; see `soundalike.library.library.Library` for the parameters."""

    def __init__(
        self,
        path_or_url: str | Path | None,
        collection: str,
        model: str | None,
        window_s: float | None,
        stride_s: float | None,
    ) -> None:
        check_collection_name(collection)
        self._place = find_place(path_or_url, model, window_s, stride_s)
        self._shown = None if path_or_url is None else str(path_or_url)
        self.collection = collection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; it is opened again when it is needed."""
        self._place.close()

    @property
    def store(self) -> Store:
        """The store, for lower-level functions.

        Raises
        ------
        ParameterError
            The library is a service.
        """
        if self._place.service is not None:
            raise ParameterError(
                "a service does not hand out its vectors; open a folder or a database for this"
            )
        return self._place.store

    @property
    def pipeline(self) -> Pipeline:
        """The collection with its encoder and windows, for lower-level functions."""
        return self._pipeline(self.collection)

    def _filters(self, given: Filtering) -> Filters:
        return filters_of(self._place.settings.time_zone, **given)

    def _spec(self) -> IndexSpec:
        spec = self.store.status(collection=self.collection).spec
        if spec is None:
            raise not_indexed(self.collection)
        return spec

    def _pipeline(self, collection: str) -> Pipeline:
        spec = self.store.status(collection=collection).spec
        return Pipeline(self.store, self._place.encoder(spec), self._place.plan(spec), collection)

    def _embedded(self, query: Query, collections: Sequence[str]) -> EmbeddedQuery:
        """Return a query with its vectors; the encoder is loaded only for a sound or a text."""
        if query.source is None and query.text is None:
            return query_without_sound(self.store, query, [*collections, self.collection])
        return self._pipeline(collections[0]).embedded(query, collections)

    def _listener(self) -> Listener | None:
        """Return what reads sound again; None if the encoder is another one than that of the index."""
        from soundalike.events.listening import Listener

        spec = self._spec()
        if spec.is_external:
            return None
        pipeline = self.pipeline
        return Listener(pipeline.encoder, pipeline.decoding) if pipeline.spec == spec else None
