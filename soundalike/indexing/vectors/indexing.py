"""Store recordings that are known by their vectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ModelMismatch, ParameterError, SoundalikeError
from soundalike.indexing.items import IndexResult, failed_result
from soundalike.indexing.vectors.recordings import Refused, VectorRecording
from soundalike.store.base import Entry
from soundalike.store.each import add_each
from soundalike.store.protocol import Store
from soundalike.store.renewal import count_searchable, hidden_by_encoder
from soundalike.types import EXTERNAL, FloatArray, IndexSpec

#: Windows that are stored in one transaction.
_BATCH_WINDOWS = 2000
_ENCODER_NAME = re.compile(r"[\w.:/+-]{1,80}")
_DIGITS = 6

Found = VectorRecording | Refused


def external_spec(
    store: Store,
    recordings: Sequence[Found],
    dimension: int,
    *,
    encoder: str = EXTERNAL,
    collection: str = DEFAULT_COLLECTION,
) -> IndexSpec:
    """Return what the collection of such vectors is made with.

    Parameters
    ----------
    store : Store
    recordings : sequence of VectorRecording or Refused
        The usual length and distance of their windows are those of a new collection.
    dimension : int
        Numbers in each vector.
    encoder : str
        What computed the vectors.
    collection : str
        One that is there keeps what it was made with.

    Raises
    ------
    ModelMismatch
        The collection holds other vectors.
    ParameterError
        `encoder` is not a name.
    """
    if not _ENCODER_NAME.fullmatch(encoder):
        raise ParameterError(
            f"the encoder is called {encoder[:80]!r}; use up to 80 letters, digits and . : / + - _"
        )
    window_s, stride_s = _usual_windows(recordings)
    wanted = IndexSpec(encoder, EXTERNAL, dimension, window_s, stride_s)
    stored = store.collections().get(collection)
    if stored is None:
        return wanted
    if (stored.encoder, stored.fingerprint, stored.dimension) != (encoder, EXTERNAL, dimension):
        raise ModelMismatch(
            f"the collection {collection!r} was made with {stored.describe()}, these vectors with "
            f"{wanted.describe()}; choose another collection"
        )
    return stored


def _usual_windows(recordings: Iterable[Found]) -> tuple[float, float]:
    """Return the most frequent length of a window, and the most frequent distance, in seconds."""
    lengths: Counter[float] = Counter()
    distances: Counter[float] = Counter()
    for found in recordings:
        if isinstance(found, VectorRecording):
            windows = found.windows
            lengths.update(round(window.end_s - window.start_s, _DIGITS) for window in windows)
            gaps = (round(b.start_s - a.start_s, _DIGITS) for a, b in pairwise(windows))
            distances.update(gap for gap in gaps if gap > 0)
    window_s = lengths.most_common(1)[0][0] if lengths else 1.0
    return window_s, distances.most_common(1)[0][0] if distances else window_s


def index_vectors(
    store: Store,
    recordings: Sequence[Found],
    spec: IndexSpec,
    *,
    collection: str = DEFAULT_COLLECTION,
    uri_of: Callable[[str], str] = str,
) -> Iterator[IndexResult]:
    """Store recordings by their vectors; yield one result each, in their order.

    One that cannot be stored yields a ``failed`` result, and the rest goes on. One whose vectors have
    changed replaces what was stored under its name.

    Parameters
    ----------
    store : Store
    recordings : sequence of VectorRecording or Refused
    spec : IndexSpec
        From `external_spec`.
    collection : str
    uri_of : callable
        Returns the path or name that a recording is stored under; may raise a `SoundalikeError`.

    Raises
    ------
    StoreError
        The database cannot be used, or the collection holds other vectors.
    """
    for batch in _batches(recordings):
        yield from _store(store, batch, spec, collection, uri_of)
    store.finish_batch(collection=collection)


def _batches(recordings: Sequence[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    n_windows = 0
    for found in recordings:
        batch.append(found)
        n_windows += len(found.windows) if isinstance(found, VectorRecording) else 0
        if n_windows >= _BATCH_WINDOWS:
            yield batch
            batch, n_windows = [], 0
    if batch:
        yield batch


def _store(
    store: Store,
    batch: Sequence[Found],
    spec: IndexSpec,
    collection: str,
    uri_of: Callable[[str], str],
) -> list[IndexResult]:
    prepared = [_prepared(found, uri_of) for found in batch]
    entries = [each for each in prepared if isinstance(each, Entry)]
    outcomes = iter(add_each(store, entries, spec, collection=collection))
    return [_result(each, next(outcomes)) if isinstance(each, Entry) else each for each in prepared]


def _prepared(found: Found, uri_of: Callable[[str], str]) -> Entry | IndexResult:
    if isinstance(found, Refused):
        return failed_result(found.name, found.error)
    try:
        recording = found.as_recording(uri_of(found.name))
    except SoundalikeError as exc:
        return failed_result(found.name, exc)
    return Entry(recording, found.windows, _of_length_1(found.vectors))


def _of_length_1(vectors: FloatArray) -> FloatArray:
    """Return vectors of the same directions that half precision can hold; zeros stay zeros."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def _result(entry: Entry, outcome: str | SoundalikeError) -> IndexResult:
    recording = entry.recording
    if isinstance(outcome, SoundalikeError):
        return failed_result(recording.uri, outcome)
    return IndexResult(
        recording.uri,
        outcome,
        recording.recording_id,
        len(entry.windows),
        recording.duration_s,
        tuple(hidden_by_encoder(entry.windows, entry.embeddings)),
        n_searchable=count_searchable(entry.windows, entry.embeddings),
    )
