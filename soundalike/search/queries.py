"""What is looked for: a sound, something that is stored, or a vector; and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.errors import DimensionMismatch, ModelMismatch, ParameterError, SilentQuery
from soundalike.store.base import not_found, not_indexed
from soundalike.store.protocol import Store
from soundalike.types import Filters, FloatArray, IndexSpec, Window


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: exactly one of a sound, a stored recording and a vector.

    Attributes
    ----------
    source : str, Path, bytes or None
        A path or ``file:`` URL, or the bytes of a sound file.
    recording_id : str or None
        Of a stored recording.
    vector : sequence of float or None
        As many numbers as the collection's vectors have.
    excerpt : Excerpt
        Which part of the sound or of the recording is meant.

    Raises
    ------
    ParameterError
        None of the three is given, or several are, or a part of a vector is asked for.
    """

    source: str | Path | bytes | None = None
    recording_id: str | None = None
    vector: Sequence[float] | FloatArray | None = None
    excerpt: Excerpt = WHOLE

    def __post_init__(self) -> None:
        given = [
            name
            for name, value in (
                ("a sound", self.source),
                ("recording_id", self.recording_id),
                ("vector", self.vector),
            )
            if value is not None
        ]
        if len(given) != 1:
            raise ParameterError(
                f"the query has {' and '.join(given) or 'no sound, recording_id or vector'}; give "
                "exactly one of them"
            )
        if self.vector is not None and not self.excerpt.is_whole:
            raise ParameterError("a vector has no seconds; leave out start_s, end_s and at_s")


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """A query whose vectors are known.

    Attributes
    ----------
    name : str
        Its path, or the name that it came with; empty for a vector.
    recording_id : str or None
        Id of its content; None for a vector.
    windows : list of Window
        In seconds of the whole recording, of which the query may be a part.
    embeddings : (n_windows, spec.dimension) float32
        A row for each.
    spec : IndexSpec
        What these were made with.
    duration_s : float
        Length of what is looked for; 0.0 for a vector.
    warnings : tuple of str
        Damage that did not stop the decoding, and why the matches may be poor.
    """

    name: str
    recording_id: str | None
    windows: list[Window]
    embeddings: FloatArray
    spec: IndexSpec
    duration_s: float
    warnings: tuple[str, ...] = ()


def heard_query(
    name: str,
    recording_id: str | None,
    windows: Sequence[Window],
    embeddings: FloatArray,
    spec: IndexSpec,
    duration_s: float,
    warnings: Sequence[str] = (),
) -> EmbeddedQuery:
    """Return a query by a sound that was decoded: its windows that are no silence.

    Parameters are the attributes of `EmbeddedQuery`, with all windows.

    Raises
    ------
    SilentQuery
        All are silent.
    """
    loud = audible(windows)
    return EmbeddedQuery(
        name,
        recording_id,
        [windows[position] for position in loud],
        embeddings[loud],
        spec,
        duration_s,
        (*warnings, *short_query(duration_s, spec.window_s)),
    )


def short_query(duration_s: float, window_s: float) -> tuple[str, ...]:
    """Return a warning where a query is shorter than half a window, else nothing.

    Such a query is repeated until it fills the window, and that sounds like little else.

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
    """Return a query by a stored recording; nothing is decoded.

    Parameters
    ----------
    store : Store
    recording_id : str
    excerpt : Excerpt
        Which of its windows.
    collections : sequence of str
        Where to look for it; the first one that has it counts.

    Raises
    ------
    RecordingNotFound
        None of them has it.
    SilentQuery
        None of the windows has a vector.
    ParameterError
        The id is no UUID, or the recording is over before the part begins.
    IndexEmpty, StoreError
        As their names say.
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
    """Return a query by a vector that is taken for one of the collection's own.

    Raises
    ------
    IndexEmpty
        There is no such collection.
    DimensionMismatch
        The collection's vectors have another length.
    ParameterError
        The vector is no row of numbers, or all of them are 0.
    """
    spec = store.collections().get(collections[0])
    if spec is None:
        raise not_indexed(collections[0])
    try:
        row = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError) as exc:
        raise ParameterError(f"the vector is no row of numbers ({exc}); give a list of them") from exc
    if row.shape != (spec.dimension,):
        raise DimensionMismatch(
            f"the vector has shape {row.shape}, those of the collection {collections[0]!r} have "
            f"({spec.dimension},); embed with the settings of the index"
        )
    if not np.isfinite(row).all() or not row.any():
        raise ParameterError(
            "the vector holds only zeros, or numbers that are NaN or infinite; it has no direction"
        )
    return EmbeddedQuery("", None, [Window(0, 0.0, 0.0)], row[np.newaxis], spec, 0.0)


def query_without_sound(store: Store, query: Query, collections: Sequence[str]) -> EmbeddedQuery:
    """Return a query by a stored recording or a vector; see `stored_query` and `vector_query`."""
    if query.recording_id is not None:
        return stored_query(store, query.recording_id, query.excerpt, collections)
    assert query.vector is not None
    return vector_query(store, query.vector, collections)


def without_own(filters: Filters, query: EmbeddedQuery, *, exclude_self: bool) -> Filters:
    """Return filters that leave out the query's own recording where that is wanted and it has one."""
    return replace(filters, exclude_recording_id=query.recording_id) if exclude_self else filters


def audible(windows: Sequence[Window]) -> list[int]:
    """Return the positions of the windows that are not silent.

    Raises
    ------
    SilentQuery
        There are none.
    """
    loud = [position for position, window in enumerate(windows) if not window.is_silent]
    if not loud:
        raise SilentQuery(
            "the query is silent (below -80 dBFS throughout); there is nothing to look for"
        )
    return loud


def check_same_kind(store: Store, collections: Sequence[str]) -> None:
    """Raise unless these collections may be searched together.

    Raises
    ------
    IndexEmpty
        One of them is not there.
    ModelMismatch
        Two of them were made with different things.
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
                f"{specs[name].describe()}; search in each of them by itself"
            )
