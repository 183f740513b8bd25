"""Models of what is normal in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from soundalike.store.normal_models import (
    NormalStore,
    NormalSummary,
    WatchedFile,
    WatchEvent,
    check_event_limit,
    check_model,
    checked_model_name,
    normal_not_found,
)


class MemoryNormal(NormalStore):
    """The part of `soundalike.store.MemoryStore` that keeps models of what is normal."""

    def __init__(self) -> None:
        super().__init__()
        self._normal: dict[str, tuple[NormalSummary, bytes]] = {}
        self._watched: dict[tuple[str, WatchedFile], WatchEvent] = {}
        self._told: set[str] = set()

    def normal_models(self) -> list[NormalSummary]:
        """Return all models without their vectors, sorted by name."""
        return [self._normal[name][0] for name in sorted(self._normal)]

    def normal_model(self, name: str) -> tuple[NormalSummary, bytes]:
        """Return a model; see `soundalike.store.normal_models.NormalStore`."""
        if checked_model_name(name) not in self._normal:
            raise normal_not_found(name)
        return self._normal[name]

    def save_normal_model(
        self, name: str, model: bytes, summary: Mapping[str, Any], *, version: int | None
    ) -> bool:
        """Store a model; see `soundalike.store.normal_models.NormalStore`."""
        check_model(model, summary)
        known = self._normal.get(checked_model_name(name))
        if (known and known[0].version) != version:
            return False
        now = datetime.now(UTC)
        before = known[0] if known else NormalSummary(name, 0, summary, now, now)
        after = replace(before, version=before.version + 1, summary=summary, updated_at=now)
        self._normal[name] = after, model
        return True

    def remove_normal_model(self, name: str) -> bool:
        """Delete a model with its watched recordings; return whether it existed."""
        self._watched = {key: event for key, event in self._watched.items() if key[0] != name}
        return self._normal.pop(checked_model_name(name), None) is not None

    def put_watch_event(self, event: WatchEvent) -> bool:
        """Store the score of a file; return False, without a change, if it has one."""
        if event.name not in self._normal:
            raise normal_not_found(event.name)
        return self._watched.setdefault((event.name, event.file), event) is event

    def watched(self, name: str, files: Sequence[WatchedFile]) -> set[WatchedFile]:
        """Return the files among these that have a score."""
        return {file for file in files if (name, file) in self._watched}

    def rename_watched(self, name: str, file: WatchedFile, uri: str) -> bool:
        """Note that a file has another path; return False, without a change, if it has no score."""
        target = (name, replace(file, uri=uri))
        if (name, file) not in self._watched or target in self._watched:
            return False
        self._watched[target] = self._watched.pop((name, file))
        return True

    def watch_events(
        self,
        name: str,
        *,
        since: datetime | None = None,
        only_anomalous: bool = False,
        limit: int = 100,
    ) -> list[WatchEvent]:
        """Return events, the latest first."""
        check_event_limit(limit)
        found = [
            event
            for event in self._watched.values()
            if event.name == name
            and (since is None or event.occurred_at >= since)
            and (event.is_anomalous or not only_anomalous)
        ]
        return sorted(found, key=lambda event: (event.occurred_at, event.event_id), reverse=True)[:limit]

    def untold_events(self, name: str) -> list[WatchEvent]:
        """Return anomalous events that the hooks have not been told, the earliest first."""
        found = [
            event
            for event in self._watched.values()
            if event.name == name and event.is_anomalous and event.event_id not in self._told
        ]
        return sorted(found, key=lambda event: (event.occurred_at, event.event_id))

    def mark_told(self, event: WatchEvent) -> None:
        """Note that the hooks were told an event."""
        self._told.add(event.event_id)

    def forget_normal_models(self) -> None:
        """Delete all models and watched recordings."""
        self._normal.clear()
        self._watched.clear()
        self._told.clear()
