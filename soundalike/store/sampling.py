"""Read and write null models, and sample the recordings that they are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from pgvector import HalfVector
from psycopg2.extras import Json

from soundalike.scores.event_model import EventModel, Step, models_from_json
from soundalike.scores.fitting import MIN_RECORDINGS, SampledRecording
from soundalike.scores.null_model import NullModel
from soundalike.store import sql
from soundalike.store.blocks import SAMPLE_RECORDINGS, Block, choose_blocks
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.null_models import Sample

#: Id, number of windows, and labels.
FirstRecording = tuple[str, int, frozenset[str]]


def load(cursor: Cursor, collection: Collection) -> NullModel | None:
    """Return the stored null model; None if there is none, or one of another version."""
    cursor.execute(sql.queries()["load_null_model"], {"collection": collection.collection_id})
    row = cursor.fetchone()
    try:
        return NullModel.from_json(row[0]) if row else None
    except (KeyError, TypeError, ValueError):
        return None


def save(cursor: Cursor, collection: Collection, model: NullModel) -> None:
    """Store a null model in place of an earlier one."""
    values = {"collection": collection.collection_id, "made_at": model.made_at}
    cursor.execute(sql.queries()["save_null_model"], {**values, "model": Json(model.to_json())})


def load_event_models(cursor: Cursor, collection: Collection) -> dict[Step, EventModel]:
    """Return the stored models of events."""
    cursor.execute(sql.queries()["load_event_models"], {"collection": collection.collection_id})
    row = cursor.fetchone()
    return models_from_json(row[0] if row else None)


def save_event_models(cursor: Cursor, collection: Collection, models: Mapping[Step, EventModel]) -> None:
    """Store models of events beside the null model, if there is one."""
    events = Json({step: model.to_json() for step, model in models.items()})
    values = {"collection": collection.collection_id, "events": events}
    cursor.execute(sql.queries()["save_event_models"], values)


def count(cursor: Cursor, collection: Collection) -> int:
    """Return the number of recordings."""
    cursor.execute(sql.queries()["count_recordings"], {"collection": collection.collection_id})
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def sample(cursor: Cursor, collection: Collection, limit: int = SAMPLE_RECORDINGS) -> Sample:
    """Return a random sample of up to `limit` recordings; empty if there are fewer than 20."""
    known = first_recordings(cursor, collection, max(limit, MIN_RECORDINGS))
    if len(known) < MIN_RECORDINGS:
        return Sample([], len(known))
    blocks = choose_blocks([(key, n) for key, n, _ in known], collection.spec.dimension)
    labels = {key: found for key, _, found in known}
    return Sample(read_blocks(cursor, collection, blocks, labels), count(cursor, collection))


def first_recordings(cursor: Cursor, collection: Collection, limit: int) -> list[FirstRecording]:
    """Return the first searchable recordings by id: number of windows, and labels of the paths."""
    keys = {"collection": collection.collection_id, "limit": limit}
    cursor.execute(sql.queries()["sample_recordings"], keys)
    return [(key, n_windows, frozenset(labels or ())) for key, n_windows, labels in cursor.fetchall()]


def read_blocks(
    cursor: Cursor,
    collection: Collection,
    blocks: Sequence[Block],
    labels: Mapping[str, frozenset[str]],
) -> list[SampledRecording]:
    """Return the vectors of adjacent windows, with the labels of their recordings."""
    if not blocks:
        return []
    ids, firsts, lengths = (list(column) for column in zip(*blocks, strict=True))
    values = {"recording_ids": ids, "firsts": firsts, "lengths": lengths}
    cursor.execute(collection.statement("sample_blocks"), values)
    first_windows = dict(zip(ids, firsts, strict=True))
    return [
        SampledRecording(
            labels[key],
            np.stack([HalfVector.from_binary(vector).to_numpy() for _, vector in rows]),
            key,
            first_windows[key],
        )
        for key, rows in groupby(cursor.fetchall(), lambda row: row[0])
    ]
