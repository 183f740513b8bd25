"""JSON objects of named searches, which the command line, HTTP and the client share."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from soundalike.errors import SearchNotFound
from soundalike.searches.definition import name_of
from soundalike.searches.reviewing import counts, mark_to_json
from soundalike.store.named_searches import SearchSummary
from soundalike.store.protocol import Store

_SETTINGS = ("exclude_self", "top_k", "min_score", "max_false_alarms", "group_by")


def list_searches(store: Store, *, collection: str) -> list[dict[str, Any]]:
    """Return a row for each named search of a collection, by name."""
    rows = []
    for summary in store.named_searches(collection=collection):
        # Another process may have removed it meanwhile.
        with suppress(SearchNotFound):
            marks = store.search_marks(summary.name, collection=collection)
            rows.append(_described(summary, collection, counts(marks)))
    return rows


def show_search(store: Store, name: str, *, collection: str) -> dict[str, Any]:
    """Return the row of a named search with its marks.

    Raises
    ------
    SearchNotFound
        The collection has none of this name.
    """
    summary, _ = store.named_search(name, collection=collection)
    marks = store.search_marks(name, collection=collection)
    row = _described(summary, collection, counts(marks))
    return {**row, "marks": [mark_to_json(mark) for mark in marks]}


def _described(summary: SearchSummary, collection: str, numbers: Mapping[str, int]) -> dict[str, Any]:
    given = summary.definition
    query = given["query"]
    return {
        "name": summary.name,
        "collection": collection,
        "query": name_of(query["name"], query),
        "kind": query["kind"],
        "recording_id": query["recording_id"],
        "like": [name_of(one["name"], one) for one in given["like"]],
        "unlike": [name_of(one["name"], one) for one in given["unlike"]],
        "filters": dict(given["filters"]),
        **{name: given[name] for name in _SETTINGS},
        "encoder": given["encoder"]["encoder"],
        **numbers,
        "version": summary.version,
        "created_at": summary.created_at.isoformat(),
        "updated_at": summary.updated_at.isoformat(),
    }
