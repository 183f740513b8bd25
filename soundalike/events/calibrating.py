"""Compare unrelated recordings of a collection, so that scores of events have false-alarm rates."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from soundalike.errors import StoreError
from soundalike.events.rates import EventRates
from soundalike.events.sampled_stretches import SampledStretch, sample_stretches
from soundalike.events.unrelated import scale_of, stored_model
from soundalike.scores.event_model import COHORT, EventModel, Step
from soundalike.search.queries import EmbeddedQuery
from soundalike.store.blocks import SAMPLE_RECORDINGS
from soundalike.store.null_models import Sample
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec

if TYPE_CHECKING:
    from soundalike.events.listening import Listener


def rates_of(
    store: Store, query: EmbeddedQuery, collection: str, listener: Listener | None = None
) -> EventRates:
    """Return the rates of a query's events; unknown ones for a text.

    Models that the collection lacks are made, that of sound only with a `listener`.
    """
    if query.is_text or store.null_model(collection=collection) is None:
        return EventRates()
    models = store.event_models(collection=collection)
    is_whole = "stored" in models and ("reread" in models or listener is None)
    sample = store.sample(COHORT + 1 if is_whole else SAMPLE_RECORDINGS, collection=collection)
    models |= _made(store, sample, query.spec, collection, models, listener)
    return EventRates(models, scale_of(query, sample.recordings, query.recording_id))


def _made(
    store: Store,
    sample: Sample,
    spec: IndexSpec,
    collection: str,
    known: Mapping[Step, EventModel],
    listener: Listener | None,
) -> dict[Step, EventModel]:
    """Make and store the models that are missing; return them."""
    made: dict[Step, EventModel] = {}
    if "stored" not in known and (
        model := stored_model(sample.recordings, spec, sample.collection_size)
    ):
        made["stored"] = model
    if "reread" not in known and listener is not None:
        # Reads sound, which not every program can that searches for events.
        from soundalike.events.unrelated_sound import heard, reread_model

        sampled = sample_stretches(store, sample.recordings, spec, collection)
        unrelated = [each.unrelated for each in sampled]
        if model := reread_model(unrelated, heard(listener, sampled), sample.collection_size):
            made["reread"] = model
    if made:
        # For example, this role may only read.
        with suppress(StoreError):
            store.save_event_models(made, collection=collection)
    return made


def lacking_stretches(
    store: Store, rates: EventRates, spec: IndexSpec, collection: str
) -> list[SampledStretch]:
    """Return the sound that should be read for the model of events in sound; nothing if it is known."""
    if "stored" not in rates.models or "reread" in rates.models:
        return []
    sample = store.sample(SAMPLE_RECORDINGS, collection=collection)
    return sample_stretches(store, sample.recordings, spec, collection)
