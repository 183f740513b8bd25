"""Random recordings of all databases, and the scores of unrelated recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import StoreUnavailable
from soundalike.scores.event_model import EventModel, Step
from soundalike.scores.fitting import MIN_RECORDINGS
from soundalike.scores.null_model import NullModel
from soundalike.store.blocks import SAMPLE_RECORDINGS, choose_blocks
from soundalike.store.collections import Collection
from soundalike.store.null_models import NullModels, Sample
from soundalike.store.partial import collected, whole_answers
from soundalike.store.postgres import PostgresStore
from soundalike.store.sharded.shards import Shards
from soundalike.types import IndexSpec

#: The database of everything that belongs to no recording: speakers, named searches, models, maps.
HOME = 0


class ShardedSampling:
    """The part of `ShardedStore` for samples and models of scores, which the first database keeps.

    Parameters
    ----------
    stores : sequence of PostgresStore
        At least two, in the order in which they were set up.
    """

    def __init__(self, stores: Sequence[PostgresStore]) -> None:
        self._shards = Shards(stores)
        self._null_models = NullModels[Collection](
            lambda key: self._shards.at(HOME, lambda home: home.load_null_model(collection=key.name)),
            lambda key, model: self._shards.at(
                HOME, lambda home: home.save_null_model(model, collection=key.name)
            ),
            lambda key: self._whole_sample(key.name),
            lambda key: self._count(key.name),
        )

    def _spec(self, collection: str) -> IndexSpec | None:
        """Return the specification of a collection; None if it does not exist."""
        return self.collections().get(collection)

    def collections(self) -> dict[str, IndexSpec]:
        """Return the specifications of all collections by name; every database has them."""
        found, _ = self._shards.each_reachable(lambda store: store.collections())
        merged = {name: spec for specs in found.values() for name, spec in specs.items()}
        return dict(sorted(merged.items()))

    def null_model(self, *, collection: str = DEFAULT_COLLECTION) -> NullModel | None:
        """Return the scores of unrelated recordings of all databases; see `soundalike.store.Store`."""
        found = self._current(collection)
        return self._null_models.current(found) if found else None

    def _current(self, collection: str, *, is_fresh: bool = False) -> Collection | None:
        """Return the collection as the first database has it; None if that cannot be reached."""
        try:
            return self._shards.at(HOME, lambda home: home.current(collection, is_fresh=is_fresh))
        except StoreUnavailable:
            return None

    def _look_for_growth(self, collection: str) -> None:
        found = self._current(collection, is_fresh=True)
        if found is not None:
            self._null_models.look_for_growth(found)

    def sample(self, count: int, *, collection: str = DEFAULT_COLLECTION) -> Sample:
        """Return adjacent windows of random recordings; see `soundalike.store.Store`."""
        limit = max(count, MIN_RECORDINGS)
        parts = self._shards.each(lambda store: store.first_recordings(limit, collection=collection))
        known = sorted(row for part in parts.values() for row in part)[:limit]
        spec = self._spec(collection)
        if len(known) < MIN_RECORDINGS or spec is None:
            return Sample([], len(known))
        blocks = choose_blocks([(key, n) for key, n, _ in known], spec.dimension)
        labels = {key: found for key, _, found in known}
        owned = self._shards.owned(blocks, lambda block: block.recording_id)
        read = self._shards.each_of(
            owned, lambda store, some: store.sample_blocks(some, labels, collection=collection)
        )
        recordings = [one for part in read.values() for one in part]
        recordings.sort(key=lambda one: one.recording_id)
        return Sample(recordings, self._count(collection))

    def _whole_sample(self, collection: str) -> Sample:
        """Return a sample of all databases, for a model that is kept."""
        with whole_answers():
            return self.sample(SAMPLE_RECORDINGS, collection=collection)

    def _count(self, collection: str) -> int:
        counts = self._shards.each(lambda store: store.count_recordings(collection=collection))
        return sum(counts.values())

    def event_models(self, *, collection: str = DEFAULT_COLLECTION) -> dict[Step, EventModel]:
        """Return the stored models of events."""
        try:
            return self._shards.at(HOME, lambda home: home.event_models(collection=collection))
        except StoreUnavailable:
            if collected() is None:
                raise
            return {}

    def save_event_models(
        self, models: Mapping[Step, EventModel], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Store models of events, unless recordings were missing when they were made."""
        missing = collected()
        if missing is None or not missing.shards:
            self._shards.at(HOME, lambda home: home.save_event_models(models, collection=collection))
