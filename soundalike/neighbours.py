"""Hits in one or several collections, and enough of them for the grouping that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from soundalike.queries import EmbeddedQuery, check_same_kind
from soundalike.ranking import check_group_by, group_of
from soundalike.store.base import SearchResult
from soundalike.store.protocol import Store
from soundalike.types import Filters, Hit, Recording


def find_hits(
    store: Store,
    query: EmbeddedQuery,
    *,
    top_k: int,
    filters: Filters,
    collections: Sequence[str],
    group_by: str = "recording",
) -> dict[str, SearchResult]:
    """Return hits that make up the `top_k` best matches, where there are that many.

    Parameters
    ----------
    store : Store
    query : EmbeddedQuery
    top_k : int
        From 1 to 1000.
    filters : Filters
        Which recordings may answer.
    collections : sequence of str
        Where to look, at least one; all of them made with the same encoder and windows.
    group_by : str
        As for `soundalike.ranking.rank_collections`.

    Returns
    -------
    results : dict of str to SearchResult
        By collection.

    Raises
    ------
    ModelMismatch
        The collections are of different kinds, or the query does not fit them.
    IndexEmpty, ParameterError, StoreError
        As their names say.
    """
    check_group_by(group_by)
    names = list(dict.fromkeys(collections))
    check_same_kind(store, names)

    def search_in(name: str) -> SearchResult:
        def search(narrowed: Filters) -> SearchResult:
            return store.search(
                query.embeddings, query.spec, top_k=top_k, filters=narrowed, collection=name
            )

        return search(filters) if group_by == "recording" else _of_groups(search, top_k, filters)

    return {name: search_in(name) for name in names}


def _of_groups(search: Callable[[Filters], SearchResult], top_k: int, filters: Filters) -> SearchResult:
    """Search again without the labels that were found until there are `top_k` groups, or no more.

    A recording that has several labels counts for the one that it is found with first.
    """
    hits: list[Hit] = []
    recordings: dict[str, Recording] = {}
    labels = list(filters.without_labels)
    while True:
        found = search(replace(filters, without_labels=tuple(labels)))
        new = found.recordings.keys() - recordings.keys()
        hits += [hit for hit in found.hits if hit.recording_id in new]
        recordings |= {key: found.recordings[key] for key in new}
        labels += {file.label for file in found.recordings.values() if file.label is not None}
        n_groups = len({group_of(file) for file in recordings.values()})
        if n_groups >= top_k or len(found.recordings) < top_k or not new:
            return SearchResult(hits, recordings)
