"""Merge the statuses of several databases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from soundalike.store.base import (
    START_SOURCES,
    CollectionSummary,
    StoreStatus,
)


def merged_status(
    found: Mapping[int, StoreStatus], names: Sequence[str], away: Sequence[str], *, home: int
) -> StoreStatus:
    """Return the status of a collection in several databases.

    Parameters
    ----------
    found : mapping of int to StoreStatus
        By number of the database; only databases that can be reached.
    names : sequence of str
        Names of all databases.
    away : sequence of str
        Names of the databases that cannot be reached.
    home : int
        Number of the database that keeps the models.
    """
    parts = list(found.values())
    starts: Counter[str] = Counter()
    for part in parts:
        starts.update(part.starts)
    order = [source or "unknown" for source in reversed(START_SOURCES)]
    models = found.get(home)
    return StoreStatus(
        database=" ".join(names),
        spec=next((part.spec for part in parts if part.spec), None),
        recordings=sum(part.recordings for part in parts),
        files=sum(part.files for part in parts),
        windows=sum(part.windows for part in parts),
        extensions=_versions(parts),
        index="hnsw" if any(part.index == "hnsw" for part in parts) else "exact",
        starts={source: starts[source] for source in order if starts[source]},
        earliest_start=min((part.earliest_start for part in parts if part.earliest_start), default=None),
        latest_start=max((part.latest_start for part in parts if part.latest_start), default=None),
        earlier_decoder=sum(part.earlier_decoder for part in parts),
        unsearchable=sum(part.unsearchable for part in parts),
        null_model=models.null_model if models else None,
        layout=_layout([part.layout for part in parts if part.spec]),
        event_models=models.event_models if models else {},
        missing_shards=tuple(away),
    )


def merged_summaries(found: Mapping[int, Sequence[CollectionSummary]]) -> list[CollectionSummary]:
    """Return all collections of several databases, sorted by name, with the sums of their counts."""
    by_name: dict[str, list[CollectionSummary]] = defaultdict(list)
    for summaries in found.values():
        for summary in summaries:
            by_name[summary.name].append(summary)
    return [
        replace(
            parts[0],
            recordings=sum(part.recordings for part in parts),
            files=sum(part.files for part in parts),
            windows=sum(part.windows for part in parts),
            layout=_layout([part.layout for part in parts]),
        )
        for _, parts in sorted(by_name.items())
    ]


def _layout(layouts: Sequence[str]) -> str:
    """Return ``bit`` if one of the indexes has this layout."""
    return "bit" if "bit" in layouts else "halfvec"


def _versions(parts: Sequence[StoreStatus]) -> dict[str, str]:
    versions: dict[str, dict[str, None]] = defaultdict(dict)
    for part in parts:
        for name, version in part.extensions.items():
            versions[name][version] = None
    return {name: ", ".join(some) for name, some in versions.items()}
