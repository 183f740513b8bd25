"""Checks of a collection: encoder, decoder, quality and integrity."""

from __future__ import annotations

from soundalike.config import MODELS, Settings
from soundalike.doctor.checks import Check, command, failed
from soundalike.doctor.database import psql
from soundalike.encoders.choice import chosen
from soundalike.encoders.weights import GET_WEIGHTS
from soundalike.errors import ModelError, ModelMismatch
from soundalike.scores.fitting import MIN_RECORDINGS
from soundalike.store import sampling, sql
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor
from soundalike.store.listing import shortcomings
from soundalike.store.renewal import earlier_decoder
from soundalike.store.schema import extensions
from soundalike.types import DECODER_VERSION

#: Ids are hashes of the content, so the first ones in order are a random sample.
SAMPLE_RECORDINGS = 500
_MAX_USELESS_SHARE = 0.3
_SHOWN = 3


def encoder(settings: Settings, collection: Collection) -> Check:
    """Check that the configured encoder is that of the collection."""
    stored = collection.spec
    try:
        name, fingerprint = chosen(settings.model, settings.weights_dir, settings.checkpoint)
    except ModelError as exc:
        return failed("encoder", exc, GET_WEIGHTS)
    if (name, fingerprint) == (stored.encoder, stored.fingerprint.partition("+")[0]):
        return Check("encoder", "ok", stored.describe())
    back = (
        f"use it again with SOUNDALIKE_MODEL={stored.encoder}, or " if stored.encoder in MODELS else ""
    )
    other = ModelMismatch(
        f"the index was made with {stored.describe()}; configured is {name} ({fingerprint[:12]}): "
        f"{back}rebuild the index"
    )
    return failed("encoder", other, command("reindex", collection=collection.name))


def decoder(cursor: Cursor, collection: Collection) -> Check:
    """Check for recordings from an earlier decoder."""
    earlier, _ = shortcomings(cursor, collection)
    if not earlier:
        return Check("decoder", "ok", f"version {DECODER_VERSION} has decoded every recording")
    return Check(
        "decoder",
        "warn",
        earlier_decoder(earlier),
        command("reindex", collection=collection.name),
    )


def quality(cursor: Cursor, collection: Collection) -> Check:
    """Check the share of windows that searches skip."""
    cursor.execute(collection.statement("quality_of_sample"), {"limit": SAMPLE_RECORDINGS})
    total, useless = cursor.fetchone() or (0, 0)
    share = useless / total if total else 0.0
    found = f"{share:.1%} of {total} windows are silent or clipped, and searches skip them"
    if share <= _MAX_USELESS_SHARE:
        return Check("quality", "ok", found)
    values = {"limit": SAMPLE_RECORDINGS, "shown": _SHOWN, "share": _MAX_USELESS_SHARE}
    cursor.execute(collection.statement("least_useful"), values)
    paths = [uri for (uri,) in cursor.fetchall()]
    return Check(
        "quality",
        "warn",
        f"{found}; listen to the recordings, and delete useless ones",
        command("delete", *paths, collection=collection.name),
    )


def scores(cursor: Cursor, collection: Collection) -> Check:
    """Check that the scores of unrelated recordings are known, and of the collection's present size."""
    size = sampling.count(cursor, collection)
    model = sampling.load(cursor, collection)
    if size < MIN_RECORDINGS:
        few = f"false-alarm rates are unknown below {MIN_RECORDINGS} recordings"
        return Check("scores", "ok", few)
    if model is None:
        return Check("scores", "ok", "the next search compares unrelated recordings")
    found = (
        f"half of {model.n_pairs} pairs of unrelated recordings score below {model.quantile(0.5):.2f}, "
        f"99 % below {model.quantile(0.99):.2f}; compared on {model.made_at:%Y-%m-%d}"
    )
    if model.fits(size):
        return Check("scores", "ok", found)
    grown = f"{found}, with {model.collection_size} recordings in place of {size}"
    return Check("scores", "warn", grown, command("collections optimize", collection.name))


def event_scores(cursor: Cursor, collection: Collection) -> Check:
    """Say what is known of events in unrelated recordings; they are compared with the scores again."""
    models = sampling.load_event_models(cursor, collection)
    if sampling.count(cursor, collection) < MIN_RECORDINGS:
        few = f"false-alarm rates of events are unknown below {MIN_RECORDINGS} recordings"
        return Check("event scores", "ok", few)
    if not models:
        return Check("event scores", "ok", "the next search for events compares unrelated recordings")
    names = {"stored": "stored vectors", "reread": "sound"}
    parts = [
        f"by {names[step]}, 99 % of {model.null.n_pairs} unrelated pairs score below "
        f"{model.summary()['p99']:.2f}"
        for step, model in models.items()
    ]
    return Check("event scores", "ok", "; ".join(parts))


def integrity(cursor: Cursor, collection: Collection) -> Check:
    """Check that recordings have paths and the stored number of windows."""
    key = {"collection": collection.collection_id}
    cursor.execute(sql.queries()["count_orphans"], key)
    (orphans,) = cursor.fetchone() or (0,)
    if orphans:
        gone = psql(cursor, collection.statement("delete_orphans"))
        return Check("integrity", "warn", f"{orphans} recordings have no path", gone)
    cursor.execute(collection.statement("wrong_counts"), {"limit": SAMPLE_RECORDINGS})
    wrong = cursor.fetchall()
    if not wrong:
        return Check("integrity", "ok", "every recording has its path and its windows")
    keys = [recording_id for recording_id, _ in wrong[:_SHOWN]]
    paths = [uri for _, uri in wrong[:_SHOWN]]
    again = command("index", *paths, collection=collection.name)
    return Check(
        "integrity",
        "warn",
        f"{len(wrong)} recordings have a wrong number of windows; index them again, with their "
        "labels and tags",
        f"{command('delete', *keys, collection=collection.name)} && {again}",
    )


def chunks(cursor: Cursor, collection: Collection) -> Check:
    """Check that TimescaleDB does not compress windows: compressed chunks lose the vector index."""
    if not extensions(cursor).get("timescaledb", (None, None))[0]:
        return Check("chunks", "ok", "an ordinary table")
    cursor.execute(collection.statement("chunks"))
    total, compressed = cursor.fetchone() or (0, 0)
    cursor.execute(collection.statement("compression_jobs"))
    (jobs,) = cursor.fetchone() or (0,)
    if not compressed and not jobs:
        return Check("chunks", "ok", f"{total}, none compressed")
    return Check(
        "chunks",
        "warn",
        f"{compressed} of {total} are compressed{', and a job compresses more' if jobs else ''}; "
        "searches read compressed chunks completely",
        psql(cursor, collection.statement("stop_compression"), collection.statement("decompress")),
    )
