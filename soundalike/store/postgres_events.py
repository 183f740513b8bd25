"""Models of the scores of events in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

from soundalike.config import DEFAULT_COLLECTION
from soundalike.scores.event_model import EventModel, Step
from soundalike.store import sampling
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.event_models import EventModelStore
from soundalike.store.null_models import Sample
from soundalike.store.reading import PostgresReader


class PostgresEvents(PostgresReader, EventModelStore):
    """The part of `PostgresStore` for the scores of events in unrelated recordings."""

    def sample(self, count: int, *, collection: str = DEFAULT_COLLECTION) -> Sample:
        """Return windows of random recordings; see `soundalike.store.event_models.EventModelStore`."""

        def work(cursor: Cursor, found: Collection) -> Sample:
            return sampling.sample(cursor, found, count)

        return self._run_in(collection, work, Sample([], 0), reads=True)

    def event_models(self, *, collection: str = DEFAULT_COLLECTION) -> dict[Step, EventModel]:
        """Return the stored models."""
        return self._run_in(collection, sampling.load_event_models, {}, reads=True)

    def save_event_models(
        self, models: Mapping[Step, EventModel], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Store models in place of earlier ones; nothing happens without a null model."""

        def work(cursor: Cursor, found: Collection) -> None:
            sampling.save_event_models(cursor, found, models)

        self._run_in(collection, work, None)
