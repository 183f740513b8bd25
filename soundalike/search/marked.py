"""Search with several examples: candidates from the vector index, scored again by all examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from soundalike.errors import ModelMismatch
from soundalike.filters import Filters
from soundalike.search.examples import Example
from soundalike.search.marks import Marks, marked_scores
from soundalike.search.queries import EmbeddedQuery, stored_query
from soundalike.store.base import SearchResult, not_found
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, Hit, Window

#: Recordings that are scored again, in each collection.
_CANDIDATES = 500
#: Windows of an example, and of all right ones in the vector index, that are used at most.
_MAX_WINDOWS = 64


def with_examples(
    store: Store,
    query: EmbeddedQuery,
    like: Sequence[Example],
    unlike: Sequence[Example],
    collections: Sequence[str],
) -> EmbeddedQuery:
    """Return a query with further examples.

    Parameters
    ----------
    store : Store
    query : EmbeddedQuery
        The first right example.
    like, unlike : sequence of Example
        Right and wrong examples, which are stored.
    collections : sequence of str
        Collections to search for the examples; the first one that has an example counts.

    Raises
    ------
    RecordingNotFound
        An example is not stored.
    SilentQuery
        An example is silent or clipped.
    ModelMismatch
        The query has another encoder or other windows than an example.
    """
    if not like and not unlike:
        return query
    right = [stored_example(store, one, collections) for one in like]
    return joined(query, right, [stored_example(store, one, collections) for one in unlike])


def joined(
    query: EmbeddedQuery, like: Sequence[EmbeddedQuery], unlike: Sequence[EmbeddedQuery]
) -> EmbeddedQuery:
    """Return a query with further examples whose vectors are known; see `with_examples`."""
    if not like and not unlike:
        return query
    found = [*like, *unlike]
    for one in found:
        if one.spec != query.spec:
            raise ModelMismatch(
                f"the query was made with {query.spec.describe()}, the example {one.name!r} with "
                f"{one.spec.describe()}; use the encoder of the collection"
            )
    vectors = [usable_rows(one.embeddings) for one in found]
    right = (usable_rows(query.embeddings), *vectors[: len(like)])
    rows = np.concatenate(right)
    rows = rows[_spread(len(rows))]
    ids = {one.recording_id for one in (query, *found) if one.recording_id is not None}
    return replace(
        query,
        # Seconds of several recordings would mean nothing in an answer.
        windows=[Window(number, 0.0, 0.0) for number in range(len(rows))],
        embeddings=rows,
        marks=Marks(right, tuple(vectors[len(like) :]), frozenset(ids)),
    )


def search_marked(
    store: Store,
    query: EmbeddedQuery,
    marks: Marks,
    *,
    top_k: int | None,
    filters: Filters,
    collection: str,
) -> SearchResult:
    """Return the hits of the best recordings, scored by all examples.

    Parameters
    ----------
    store : Store
    query : EmbeddedQuery
    marks : Marks
    top_k : int or None
        Maximum number of recordings; None for all candidates.
    filters : Filters
        If they exclude the query recording, all examples are excluded.
    collection : str
    """
    found = store.search(
        query.embeddings,
        query.spec,
        top_k=max(_CANDIDATES, top_k or 0),
        filters=filters,
        collection=collection,
    )
    best: dict[tuple[str, int], Hit] = {}
    for hit in found.hits:
        window = (hit.recording_id, hit.window_index)
        if window not in best or hit.score > best[window].score:
            best[window] = hit
    vectors = store.window_vectors(list(best), collection=collection)
    known = [window for window in sorted(best) if window in vectors and vectors[window].any()]
    if not known:
        return replace(found, hits=[], recordings={})
    scores = marked_scores(np.stack([vectors[window] for window in known]), marks).tolist()
    hits = [best[window]._replace(score=score) for window, score in zip(known, scores, strict=True)]
    excluded = marks.recording_ids if filters.exclude_recording_id is not None else frozenset()
    kept = [one for one in hits if one.recording_id not in excluded]
    return best_recordings(replace(found, hits=kept), top_k)


def best_recordings(found: SearchResult, top_k: int | None) -> SearchResult:
    """Return the hits of the best recordings."""
    scores: dict[str, float] = {}
    for hit in found.hits:
        scores[hit.recording_id] = max(hit.score, scores.get(hit.recording_id, hit.score))
    # In the order of answers, so that equal scores are cut as the ranking would.
    kept = sorted(
        scores.keys() & found.recordings.keys(),
        key=lambda one: (-scores[one], found.recordings[one].uri, one),
    )[:top_k]
    return replace(
        found,
        hits=[hit for hit in found.hits if hit.recording_id in set(kept)],
        recordings={key: found.recordings[key] for key in kept},
    )


def stored_example(store: Store, example: Example, collections: Sequence[str]) -> EmbeddedQuery:
    """Return the vectors of an example in the first of these collections that has it.

    Raises
    ------
    RecordingNotFound
        None has it.
    SilentQuery
        The example is silent or clipped.
    """
    specs = store.collections()
    for name in dict.fromkeys(collections):
        known = store.files_named([example.key], collection=name) if name in specs else {}
        if example.key in known:
            recording_id = known[example.key].recording.recording_id
            return stored_query(store, recording_id, example.excerpt, [name])
    raise not_found(example.key, collections[0])


def usable_rows(rows: FloatArray) -> FloatArray:
    """Return evenly distributed rows, without zero vectors, whose cosine is undefined."""
    rows = rows[rows.any(axis=1)]
    return rows[_spread(len(rows))]


def _spread(count: int) -> list[int]:
    if count <= _MAX_WINDOWS:
        return list(range(count))
    return [round(position) for position in np.linspace(0, count - 1, _MAX_WINDOWS)]
