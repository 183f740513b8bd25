"""Search one or more collections, by recording or by label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from soundalike.filters import Filters
from soundalike.ranges import MAX_TOP_K, check_group_by
from soundalike.search.marked import search_marked, with_examples
from soundalike.search.queries import EmbeddedQuery, check_same_kind, exclude_query
from soundalike.search.ranking import group_of, rank_collections
from soundalike.search.rates import rated
from soundalike.search.requests import SearchRequest
from soundalike.store.base import SearchResult
from soundalike.store.partial import partial_answers
from soundalike.store.protocol import Store
from soundalike.types import Hit, Match, Recording, Window


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a search.

    Attributes
    ----------
    query : str
        Path or name of the query; empty for a vector.
    recording_id : str or None
        Id of the query's content; None for a vector.
    windows : list of Window
        Windows of the query that are not silent, in seconds of its whole recording.
    matches : list of Match
        Best first.
    warnings : tuple of str
        Damage that did not stop the decoding, and reasons why the answer is partial.
    missing_shards : tuple of str
        Databases of the index that could not be reached; their recordings are missing.
    """

    query: str
    recording_id: str | None
    windows: list[Window]
    matches: list[Match]
    warnings: tuple[str, ...] = ()
    missing_shards: tuple[str, ...] = ()


def answer_to(request: SearchRequest, query: EmbeddedQuery, store: Store) -> Answer:
    """Find the recordings that hold something like a query whose vectors are known.

    Parameters
    ----------
    request : SearchRequest
    query : EmbeddedQuery
        The vectors of the request's query.
    store : Store

    Raises
    ------
    StoreError, ParameterError
        As their names say.
    """
    query = with_examples(store, query, request.like, request.unlike, request.collections)
    with partial_answers() as missing:
        results = find_hits(
            store,
            query,
            top_k=request.top_k,
            filters=exclude_query(request.filters, query, exclude_self=request.exclude_self),
            collections=request.collections,
            group_by=request.group_by,
        )
    matches = rank_collections(
        results,
        query.windows,
        top_k=request.top_k,
        min_score=request.min_score,
        group_by=request.group_by,
        max_false_alarms=request.max_false_alarms,
    )
    warnings = (*query.warnings, *missing.warnings)
    return Answer(query.name, query.recording_id, query.windows, matches, warnings, missing.shards)


def find_hits(
    store: Store,
    query: EmbeddedQuery,
    *,
    top_k: int,
    filters: Filters,
    collections: Sequence[str],
    group_by: str = "recording",
) -> dict[str, SearchResult]:
    """Return the hits of the `top_k` best matches, or of all if there are fewer.

    Parameters
    ----------
    store : Store
    query : EmbeddedQuery
    top_k : int
        1 to 1000.
    filters : Filters
        Filters of the recordings.
    collections : sequence of str
        At least one; all with the same encoder and windows.
    group_by : str
        As for `soundalike.search.ranking.rank_collections`.

    Returns
    -------
    results : dict of str to SearchResult
        By collection, with the false-alarm rates where these are known.

    Raises
    ------
    ModelMismatch
        The collections have different specifications, or the query does not fit them.
    IndexEmpty, ParameterError, StoreError
        A collection does not exist, a parameter is invalid, or the database failed.
    """
    check_group_by(group_by)
    names = list(dict.fromkeys(collections))
    check_same_kind(store, names)

    def search_in(name: str) -> SearchResult:
        if query.marks is not None:
            # Groups are formed from all candidates.
            limit = top_k if group_by == "recording" else None
            return search_marked(
                store, query, query.marks, top_k=limit, filters=filters, collection=name
            )

        def search(narrowed: Filters, limit: int) -> SearchResult:
            return store.search(
                query.embeddings, query.spec, top_k=limit, filters=narrowed, collection=name
            )

        if group_by == "recording":
            return search(filters, top_k)
        return _search_groups(search, top_k, filters)

    found = {name: search_in(name) for name in names}
    if query.is_text or query.marks is not None:
        # The scores of unrelated recordings say nothing about those of texts and of several examples.
        return found
    return {name: rated(found[name], store, name, len(query.windows)) for name in names}


def _search_groups(
    search: Callable[[Filters, int], SearchResult], top_k: int, filters: Filters
) -> SearchResult:
    """Repeat the search without the labels found so far until there are `top_k` groups.

    A recording with several labels counts for the first one found. Later searches find it again under
    the other labels, so their limit must be larger.
    """
    hits: list[Hit] = []
    recordings: dict[str, Recording] = {}
    labels = list(filters.without_labels)
    limit = top_k
    while True:
        found = search(replace(filters, without_labels=tuple(labels)), limit)
        new = found.recordings.keys() - recordings.keys()
        hits += [hit for hit in found.hits if hit.recording_id in new]
        recordings |= {key: found.recordings[key] for key in new}
        labels += {label for key in new if (label := found.recordings[key].label) is not None}
        n_groups = len({group_of(file) for file in recordings.values()})
        is_all = len(found.recordings) < limit
        wider = min(MAX_TOP_K, top_k + len(found.recordings) - len(new))
        if n_groups >= top_k or is_all or not (new or wider > limit):
            return SearchResult(hits, recordings)
        limit = wider
