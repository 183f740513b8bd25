"""Save a search under a name, and make its vectors fit a collection that was rebuilt."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from soundalike.errors import ModelMismatch, RecordingNotFound, SilentQuery
from soundalike.search.examples import Example
from soundalike.search.marked import stored_example, usable_rows
from soundalike.search.queries import EmbeddedQuery, annotated_query, stored_query
from soundalike.searches.definition import Definition, Source, definition_from
from soundalike.searches.requests import SaveRequest, check_kind
from soundalike.store.base import check_filters, check_spec, not_indexed
from soundalike.store.named_searches import SearchSummary, checked_search_name
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec


def save_search(store: Store, request: SaveRequest, query: EmbeddedQuery) -> SearchSummary:
    """Save a search under a name.

    Parameters
    ----------
    store : Store
    request : SaveRequest
    query : EmbeddedQuery
        The vectors of the query, which are kept.

    Raises
    ------
    SearchExists
        The name is taken.
    ModelMismatch, IndexEmpty
        The query does not fit the collection, or the collection does not exist.
    RecordingNotFound, SilentQuery
        An example is not stored, or has nothing to look for.
    ParameterError
        The name or a filter is invalid, or the search is too large.
    """
    checked_search_name(request.name)
    check_kind(request.kind)
    check_filters(request.settings.filters())
    spec = _spec_of(store, request.collection)
    check_spec(spec, query.spec)
    like, unlike = (
        tuple(_example(store, one, request.collection) for one in some)
        for some in (request.like, request.unlike)
    )
    definition = Definition(
        Source(query, request.excerpt, request.kind), like, unlike, spec, request.settings
    )
    store.save_named_search(
        request.name,
        definition.to_json(),
        definition.vectors(),
        replace=request.replace,
        collection=request.collection,
    )
    return store.named_search(request.name, collection=request.collection)[0]


def load_search(store: Store, name: str, *, collection: str) -> Definition:
    """Return what a named search looks for, as it was saved.

    Raises
    ------
    SearchNotFound
        The collection has none of this name.
    """
    summary, vectors = store.named_search(name, collection=collection)
    return definition_from(summary.definition, vectors)


def fitted(
    store: Store, definition: Definition, *, collection: str
) -> tuple[EmbeddedQuery, list[EmbeddedQuery], list[EmbeddedQuery]]:
    """Return the query, the right and the wrong examples with vectors that fit the collection.

    The kept vectors are used as long as the collection has the same encoder and windows; otherwise those
    of the stored recordings. Examples that are not stored are then left out with a warning.

    Raises
    ------
    ModelMismatch
        The collection was rebuilt with another encoder or other windows, and the query is not stored.
    IndexEmpty
        The collection does not exist.
    """
    spec = _spec_of(store, collection)
    sources = (definition.query, definition.like, definition.unlike)
    if spec == definition.spec:
        query, like, unlike = sources
        return query.query, [one.query for one in like], [one.query for one in unlike]
    query_now = _found_again(store, definition.query, collection)
    if query_now is None:
        raise ModelMismatch(
            f"the search was saved with {definition.spec.describe()}, the collection {collection!r} now "
            f"has {spec.describe()}, and {definition.query.query.name or 'a vector'!r} is not stored in "
            "it; save the search again with --replace, which keeps its marks"
        )
    missing: list[str] = []
    examples: tuple[list[EmbeddedQuery], list[EmbeddedQuery]] = ([], [])
    for some, found in zip((definition.like, definition.unlike), examples, strict=True):
        for one in some:
            now = _found_again(store, one, collection)
            if now is None:
                missing.append(one.query.name)
            else:
                found.append(now)
    warnings = [
        f"the example {name!r} has vectors of an earlier encoder and is not stored; it is not used"
        for name in missing
    ]
    return replace(query_now, warnings=(*query_now.warnings, *warnings)), *examples


def _found_again(store: Store, source: Source, collection: str) -> EmbeddedQuery | None:
    """Return the current vectors of a source; None if it is not stored."""
    with suppress(RecordingNotFound, SilentQuery):
        if source.kind == "label":
            label = source.query.name.removeprefix("label:")
            return annotated_query(store, label, [collection])
        if source.query.recording_id is not None:
            return stored_query(store, source.query.recording_id, source.excerpt, [collection])
    return None


def _example(store: Store, example: Example, collection: str) -> Source:
    found = stored_example(store, example, [collection])
    rows = usable_rows(found.embeddings)
    if not len(rows):
        raise SilentQuery(f"the example {str(example)!r} holds no sound to look for")
    return Source(replace(found, embeddings=rows), example.excerpt)


def _spec_of(store: Store, collection: str) -> IndexSpec:
    spec = store.collections().get(collection)
    if spec is None:
        raise not_indexed(collection)
    return spec
