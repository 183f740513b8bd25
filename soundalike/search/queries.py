"""Queries: a sound, a stored recording, a vector, a text, or the annotations with a label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from soundalike.audio.excerpt import WHOLE, Excerpt, check_whole
from soundalike.errors import DimensionMismatch, ModelMismatch, ParameterError, SilentQuery
from soundalike.filters import Filters
from soundalike.ranges import check_text
from soundalike.search.annotated import label_examples
from soundalike.search.marks import Marks
from soundalike.store.base import not_found, not_indexed
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, IndexSpec, Window

_SOURCES = ("a sound", "recording_id", "vector", "text", "like_label")


@dataclass(frozen=True, slots=True)
class Query:
    """A query: exactly one of a sound, a stored recording, a vector, a text and a label of annotations.

    Attributes
    ----------
    source : str, Path, bytes or None
        A path or ``file:`` URL, or the bytes of a sound file.
    recording_id : str or None
        Id of a stored recording.
    vector : sequence of float or None
        A vector with the dimension of the collection.
    excerpt : Excerpt
        Part of the sound or the recording.
    text : str or None
        A description of a sound, for an encoder that takes texts.
    like_label : str or None
        Label of annotations, all of which are examples.

    Raises
    ------
    ParameterError
        Not exactly one of the five is given, an excerpt of a vector, a text or a label is requested, or
        the text is empty or too long.
    """

    source: str | Path | bytes | None = None
    recording_id: str | None = None
    vector: Sequence[float] | FloatArray | None = None
    excerpt: Excerpt = WHOLE
    text: str | None = None
    like_label: str | None = None

    def __post_init__(self) -> None:
        given = [
            name
            for name, value in zip(
                _SOURCES,
                (self.source, self.recording_id, self.vector, self.text, self.like_label),
                strict=True,
            )
            if value is not None
        ]
        if len(given) != 1:
            raise ParameterError(
                f"the query has {' and '.join(given) or 'none of ' + ', '.join(_SOURCES)}; give exactly "
                "one of them"
            )
        for name, value in (("vector", self.vector), ("text", self.text), ("label", self.like_label)):
            if value is not None:
                check_whole(self.excerpt, name)
        if self.text is not None:
            check_text(self.text)


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """A query with its vectors.

    Attributes
    ----------
    name : str
        Path or name of the query; empty for a vector.
    recording_id : str or None
        Id of its content; None for a vector.
    windows : list of Window
        In seconds of the whole recording.
    embeddings : (n_windows, spec.dimension) float32
        One row per window.
    spec : IndexSpec
        Specification of the vectors.
    duration_s : float
        Length of the query in seconds; 0.0 for a vector.
    warnings : tuple of str
        Damage that did not stop the decoding, and reasons why matches may be unreliable.
    is_text : bool
        Whether the vector stands for a text, not for a sound.
    marks : Marks or None
        Further examples, if there are any; the windows are then those of all right examples.
    """

    name: str
    recording_id: str | None
    windows: list[Window]
    embeddings: FloatArray
    spec: IndexSpec
    duration_s: float
    warnings: tuple[str, ...] = ()
    is_text: bool = False
    marks: Marks | None = None


def text_query(text: str, vector: FloatArray, spec: IndexSpec) -> EmbeddedQuery:
    """Return the query of a text.

    Parameters
    ----------
    text : str
        Its name in the answer.
    vector : (1, spec.dimension) float32
    spec : IndexSpec
        Of the encoder that has computed the vector.
    """
    return EmbeddedQuery(text, None, [Window(0, 0.0, 0.0)], vector, spec, 0.0, is_text=True)


def sound_query(
    name: str,
    recording_id: str | None,
    windows: Sequence[Window],
    embeddings: FloatArray,
    spec: IndexSpec,
    duration_s: float,
    warnings: Sequence[str] = (),
) -> EmbeddedQuery:
    """Return the query of a decoded sound, without its silent windows.

    Parameters are the attributes of `EmbeddedQuery`, with all windows.

    Raises
    ------
    SilentQuery
        All windows are silent.
    """
    rows = non_silent(windows)
    return EmbeddedQuery(
        name,
        recording_id,
        [windows[row] for row in rows],
        embeddings[rows],
        spec,
        duration_s,
        (*warnings, *short_query(duration_s, spec.window_s)),
    )


def short_query(duration_s: float, window_s: float) -> tuple[str, ...]:
    """Return a warning if a query is shorter than half a window.

    Such a query is repeated to fill the window, which resembles few other sounds.

    Examples
    --------
    >>> short_query(2.0, 4.0)
    ()
    >>> short_query(1.0, 4.0)[0].partition(";")[0]
    'the query has 1.0 s, a window 4 s: matches of short queries are unreliable'
    """
    if duration_s >= window_s / 2:
        return ()
    smaller = max(1, math.floor(duration_s))
    instead = f", or index with --window-size {smaller}" if smaller < window_s else ""
    length = f"{duration_s:.1f}" if duration_s >= 1 else f"{duration_s:.2g}"
    return (
        f"the query has {length} s, a window {window_s:g} s: matches of short queries are unreliable; "
        f"give a longer one{instead}",
    )


def stored_query(
    store: Store, recording_id: str, excerpt: Excerpt, collections: Sequence[str]
) -> EmbeddedQuery:
    """Return the query of a stored recording, with its stored vectors.

    Parameters
    ----------
    store : Store
    recording_id : str
    excerpt : Excerpt
        Selects windows.
    collections : sequence of str
        Collections to search for the recording; the first one that has it counts.

    Raises
    ------
    RecordingNotFound
        No collection has the recording.
    SilentQuery
        None of the windows has a vector.
    ParameterError
        The id is not a UUID, or the recording ends before the excerpt begins.
    IndexEmpty, StoreError
        No collection exists, or the database failed.
    """
    specs = store.collections()
    for name in dict.fromkeys(collections):
        content = store.content(recording_id, excerpt, collection=name)
        if content is None or name not in specs:
            continue
        rows = [row for row, window in enumerate(content.windows) if window.quality == "ok"]
        windows = [content.windows[row] for row in rows]
        begin_s, end_s = content.windows[0].start_s, content.windows[-1].end_s
        if not rows:
            raise SilentQuery(
                f"{content.files[0].uri!r} is silent or clipped from {begin_s:g} s to {end_s:g} s; "
                "there is nothing to look for"
            )
        duration_s = content.files[0].duration_s if excerpt.is_whole else end_s - begin_s
        return EmbeddedQuery(
            content.files[0].uri,
            content.files[0].recording_id,
            windows,
            content.embeddings[rows].astype(np.float32),
            specs[name],
            duration_s,
            short_query(duration_s, specs[name].window_s),
        )
    if not specs.keys() & set(collections):
        raise not_indexed(collections[0])
    raise not_found(recording_id, collections[0])


def vector_query(
    store: Store, vector: Sequence[float] | FloatArray, collections: Sequence[str]
) -> EmbeddedQuery:
    """Return the query of a vector with the specification of the first collection.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    DimensionMismatch
        The collection has another dimension.
    ParameterError
        The vector is not a list of finite numbers, or is zero.
    """
    spec = store.collections().get(collections[0])
    if spec is None:
        raise not_indexed(collections[0])
    try:
        row = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError) as exc:
        raise ParameterError(f"the vector is not a list of numbers ({exc}); give one") from exc
    if row.shape != (spec.dimension,):
        raise DimensionMismatch(
            f"the vector has shape {row.shape}, the collection {collections[0]!r} needs "
            f"({spec.dimension},); embed with the settings of the index"
        )
    if not np.isfinite(row).all() or not row.any():
        raise ParameterError(
            "the vector is zero, or contains NaN or infinite numbers; give one with a direction"
        )
    return EmbeddedQuery("", None, [Window(0, 0.0, 0.0)], row[np.newaxis], spec, 0.0)


def annotated_query(store: Store, label: str, collections: Sequence[str]) -> EmbeddedQuery:
    """Return the query of all annotated spans with a label; a search compares with the best one.

    Parameters and errors are those of `soundalike.search.annotated.label_examples`.
    """
    found = label_examples(store, label, collections)
    return EmbeddedQuery(
        f"label:{label}",
        None,
        # Seconds of several recordings would mean nothing in an answer.
        [Window(number, 0.0, 0.0) for number in range(len(found.windows))],
        found.vectors,
        found.spec,
        found.duration_s,
        found.warnings,
    )


def query_without_sound(store: Store, query: Query, collections: Sequence[str]) -> EmbeddedQuery:
    """Return the query of a stored recording, a label or a vector.

    See `stored_query`, `annotated_query` and `vector_query`.
    """
    if query.like_label is not None:
        return annotated_query(store, query.like_label, collections)
    if query.recording_id is not None:
        return stored_query(store, query.recording_id, query.excerpt, collections)
    assert query.vector is not None
    return vector_query(store, query.vector, collections)


def exclude_query(filters: Filters, query: EmbeddedQuery, *, exclude_self: bool) -> Filters:
    """Return filters that exclude the query recording if `exclude_self` is set."""
    return replace(filters, exclude_recording_id=query.recording_id) if exclude_self else filters


def non_silent(windows: Sequence[Window]) -> list[int]:
    """Return the positions of the windows that are not silent.

    Raises
    ------
    SilentQuery
        All windows are silent.
    """
    rows = [position for position, window in enumerate(windows) if not window.is_silent]
    if not rows:
        raise SilentQuery(
            "the query is silent (below -80 dBFS throughout); there is nothing to look for"
        )
    return rows


def check_same_kind(store: Store, collections: Sequence[str]) -> None:
    """Raise an error unless these collections may be searched together.

    Raises
    ------
    IndexEmpty
        A collection does not exist.
    ModelMismatch
        Two collections have different specifications.
    """
    if len(collections) < 2:
        return
    specs = store.collections()
    first, *_ = collections
    for name in collections:
        if name not in specs:
            raise not_indexed(name)
        if specs[name] != specs[first]:
            raise ModelMismatch(
                f"the collection {first!r} was made with {specs[first].describe()}, {name!r} with "
                f"{specs[name].describe()}; search them separately"
            )
