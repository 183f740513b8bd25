"""Examples of a label: the windows of all annotated spans that have it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.audio.excerpt import LATEST_S, Excerpt
from soundalike.errors import ParameterError, RecordingNotFound, SilentQuery
from soundalike.store.base import not_indexed
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, IndexSpec, Window

#: Maximum number of example windows of a query; more would make the search slow.
MAX_EXAMPLES = 256


class Examples(NamedTuple):
    """Stored windows that stand for a label.

    Attributes
    ----------
    windows : list of Window
        In seconds of their recordings.
    vectors : (n_windows, spec.dimension) float32
    spec : IndexSpec
    duration_s : float
        Length of all annotated spans together.
    n_left_out : int
        Number of windows beyond `MAX_EXAMPLES`, which are not used.
    """

    windows: list[Window]
    vectors: FloatArray
    spec: IndexSpec
    duration_s: float
    n_left_out: int


def label_examples(store: Store, label: str, collections: Sequence[str]) -> Examples:
    """Return the examples of a label.

    The examples of a span are the windows that are at least half inside it, or else the one with the
    largest overlap.

    Parameters
    ----------
    store : Store
    label : str
    collections : sequence of str
        Collections to search for annotations; the first one that has the label counts.

    Raises
    ------
    RecordingNotFound
        No annotation has the label.
    SilentQuery
        All examples are silent or clipped.
    IndexEmpty, StoreError
        No collection exists, or the database failed.
    """
    specs = store.collections()
    for name in dict.fromkeys(collections):
        found = list(store.annotations(label=label, collection=name)) if name in specs else []
        if found:
            return _examples_in(store, name, specs[name], label, found)
    if not specs.keys() & set(collections):
        raise not_indexed(collections[0])
    raise RecordingNotFound(
        f"no annotation in {collections[0]!r} has the label {label!r}; list the labels with: "
        "soundalike annotations labels"
    )


def _examples_in(
    store: Store, collection: str, spec: IndexSpec, label: str, found: Sequence[StoredAnnotation]
) -> Examples:
    windows: list[Window] = []
    rows: list[FloatArray] = []
    for recording_id, group in groupby(found, key=lambda one: one.recording_id):
        spans = [one.annotation for one in group]
        some, vectors = _examples(store, recording_id, spans, collection)
        windows += some
        rows += vectors
    if not windows:
        raise SilentQuery(
            f"all {len(found)} spans with the label {label!r} are silent or clipped; there is nothing "
            "to look for"
        )
    chosen = _spread(len(windows))
    return Examples(
        [replace(windows[row], index=number) for number, row in enumerate(chosen)],
        np.stack([rows[row] for row in chosen]),
        spec,
        sum(one.annotation.end_s - one.annotation.start_s for one in found),
        len(windows) - len(chosen),
    )


def _examples(
    store: Store, recording_id: str, spans: Sequence[Annotation], collection: str
) -> tuple[list[Window], list[FloatArray]]:
    """Return the windows of a recording that stand for these spans, and their vectors."""
    content = store.content(recording_id, collection=collection)
    if content is None:
        # Deleted meanwhile.
        return [], []
    chosen: dict[int, Window] = {}
    for span in spans:
        # Vectors of other programs may lie apart, so that a span may have no window.
        with suppress(ParameterError):
            found = _excerpt(span).windows_of(content.windows)
            chosen |= {window.index: window for window in found if window.quality == "ok"}
    places = {window.index: row for row, window in enumerate(content.windows)}
    windows = [chosen[index] for index in sorted(chosen)]
    return windows, [content.embeddings[places[one.index]].astype(np.float32) for one in windows]


def _excerpt(span: Annotation) -> Excerpt:
    if span.end_s > span.start_s:
        return Excerpt(span.start_s, min(span.end_s, LATEST_S))
    return Excerpt(at_s=span.start_s)


def _spread(count: int) -> list[int]:
    """Return evenly distributed positions, at most `MAX_EXAMPLES`."""
    if count <= MAX_EXAMPLES:
        return list(range(count))
    return [round(position) for position in np.linspace(0, count - 1, MAX_EXAMPLES)]
