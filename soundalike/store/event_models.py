"""Models of the scores of events in unrelated recordings: the interface of stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from soundalike.config import DEFAULT_COLLECTION
from soundalike.scores.event_model import EventModel, Step
from soundalike.store.null_models import Sample


class EventModelStore(Protocol):
    """Keeps the event models of each collection beside its null model, which they disappear with."""

    def sample(self, count: int, *, collection: str = DEFAULT_COLLECTION) -> Sample:
        """Return adjacent windows of up to `count` random recordings, always the same ones.

        Empty if the collection has fewer than 20 searchable recordings, or does not exist.
        """
        ...

    def event_models(self, *, collection: str = DEFAULT_COLLECTION) -> dict[Step, EventModel]:
        """Return the stored models."""
        ...

    def save_event_models(
        self, models: Mapping[Step, EventModel], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Store models in place of earlier ones; nothing happens without a null model."""
        ...
