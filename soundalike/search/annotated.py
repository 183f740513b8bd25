"""Examples of a label: the windows of all annotated spans that have it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.audio.excerpt import LATEST_S, Excerpt
from soundalike.errors import ParameterError, RecordingNotFound, SilentQuery
from soundalike.store.base import not_indexed
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, IndexSpec, Window

#: Maximum number of spans, and of their windows, that are compared; the time of a search grows with it.
MAX_EXAMPLES = 64


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
    warnings : tuple of str
        Numbers of spans or windows beyond `MAX_EXAMPLES`, which are not used.
    """

    windows: list[Window]
    vectors: FloatArray
    spec: IndexSpec
    duration_s: float
    warnings: tuple[str, ...]


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
    spans = [found[row] for row in _spread(len(found))]
    examples: dict[tuple[str, int], tuple[Window, FloatArray]] = {}
    for span in spans:
        examples |= _examples(store, span, collection)
    if not examples:
        raise SilentQuery(
            f"all {len(spans)} spans with the label {label!r} are silent or clipped; there is nothing "
            "to look for"
        )
    every = list(examples.values())
    chosen = [every[row] for row in _spread(len(every))]
    warnings = [
        f"{len(every_one) - len(used)} of {len(every_one)} {what} are not used"
        for every_one, used, what in ((found, spans, "annotated spans"), (every, chosen, "examples"))
        if len(used) < len(every_one)
    ]
    return Examples(
        [replace(window, index=number) for number, (window, _) in enumerate(chosen)],
        np.stack([vector for _, vector in chosen]),
        spec,
        sum(one.annotation.end_s - one.annotation.start_s for one in spans),
        tuple(warnings),
    )


def _examples(
    store: Store, span: StoredAnnotation, collection: str
) -> dict[tuple[str, int], tuple[Window, FloatArray]]:
    """Return the windows that stand for a span, and their vectors, by recording and window."""
    content = None
    # Vectors of other programs may lie apart, so that a span may have no window.
    with suppress(ParameterError):
        content = store.content(span.recording_id, _excerpt(span.annotation), collection=collection)
    if content is None:
        return {}
    return {
        (span.recording_id, window.index): (window, vector.astype(np.float32))
        for window, vector in zip(content.windows, content.embeddings, strict=True)
        if window.quality == "ok"
    }


def _excerpt(span: Annotation) -> Excerpt:
    if span.end_s > span.start_s:
        return Excerpt(span.start_s, min(span.end_s, LATEST_S))
    return Excerpt(at_s=span.start_s)


def _spread(count: int) -> list[int]:
    """Return evenly distributed positions, at most `MAX_EXAMPLES`."""
    if count <= MAX_EXAMPLES:
        return list(range(count))
    return [round(position) for position in np.linspace(0, count - 1, MAX_EXAMPLES)]
