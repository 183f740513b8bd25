"""Layouts of maps: the interface of stores."""

from __future__ import annotations

from typing import Protocol

from soundalike.config import DEFAULT_COLLECTION


class MapStore(Protocol):
    """Keeps the layouts of a collection's maps, until the collection is dropped or replaced."""

    def map_layout(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bytes | None:
        """Return a layout; None if there is none."""
        ...

    def save_map_layout(self, name: str, layout: bytes, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Store a layout in place of an earlier one; a collection that does not exist keeps none."""
        ...
