"""Store recordings of external vectors."""

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
from soundalike.store.each import add_each, batches
from soundalike.store.protocol import Store
from soundalike.store.renewal import count_searchable, zero_warning
from soundalike.types import EXTERNAL, FloatArray, IndexSpec

#: Number of windows per transaction.
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
    """Return the specification of a collection of external vectors.

    Parameters
    ----------
    store : Store
    recordings : sequence of VectorRecording or Refused
        A new collection gets the most frequent length and distance of their windows.
    dimension : int
        Length of a vector.
    encoder : str
        Name of the program that computed the vectors.
    collection : str
        An existing collection keeps its specification.

    Raises
    ------
    ModelMismatch
        The collection has other vectors.
    ParameterError
        `encoder` is not a valid name.
    """
    if not _ENCODER_NAME.fullmatch(encoder):
        raise ParameterError(
            f"the encoder is {encoder[:80]!r}; use up to 80 letters, digits and . : / + - _"
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
    """Return the most frequent length and distance of windows, in seconds."""
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
    """Store recordings with their vectors, and yield their results in order.

    A recording that cannot be stored yields a ``failed`` result, and the rest goes on. A recording with
    changed vectors replaces the stored one with its name.

    Parameters
    ----------
    store : Store
    recordings : sequence of VectorRecording or Refused
    spec : IndexSpec
        Result of `external_spec`.
    collection : str
    uri_of : callable
        Returns the path or name to store for a recording; may raise a `SoundalikeError`.

    Raises
    ------
    StoreError
        The database cannot be used, or the collection has other vectors.
    """
    for batch in batches(recordings, _size, _BATCH_WINDOWS):
        yield from _store(store, batch, spec, collection, uri_of)
    store.finish_batch(collection=collection)


def _size(found: Found) -> int:
    return len(found.windows) if isinstance(found, VectorRecording) else 0


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
    """Return vectors scaled to length 1 for half precision; zero vectors are unchanged."""
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
        tuple(zero_warning(entry.windows, entry.embeddings)),
        n_searchable=count_searchable(entry.windows, entry.embeddings),
    )
