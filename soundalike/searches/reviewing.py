"""Mark what a named search has found, take marks back, and accept right places as annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from soundalike.annotations.types import Annotation
from soundalike.audio.sources import stored_names
from soundalike.errors import ParameterError, SpanOutside
from soundalike.search.examples import Example
from soundalike.searches.places import UNMARKED, verdicts
from soundalike.store.base import not_found
from soundalike.store.named_searches import SearchMark, Undone, accepted_annotation
from soundalike.store.protocol import Store

#: Parts that end at most this much after the recording are cut there: lengths are often rounded.
_SLACK_S = 0.5


@dataclass(frozen=True, slots=True)
class Accepted:
    """Result of accepting right places.

    Attributes
    ----------
    label : str
    added : int
        New annotations.
    unchanged : int
        Places that are annotated already.
    missing : int
        Places in recordings that are not stored.
    """

    label: str
    added: int
    unchanged: int
    missing: int


def mark_place(
    store: Store, name: str, place: Example, *, is_right: bool, by: str = "", collection: str
) -> SearchMark:
    """Mark a recording or a part of it as right or wrong.

    Parameters
    ----------
    store : Store
    name : str
        Name of the search.
    place : Example
        Path or id of a stored recording, and the part; without a part the whole recording.
    is_right : bool
    by : str
        Name of who marks.
    collection : str

    Raises
    ------
    SearchNotFound
        The collection has no search of this name.
    RecordingNotFound
        The recording is not stored.
    SpanOutside
        The part begins or ends after the end of the recording.
    """
    recording = _recording(store, place.key, collection)
    if recording is None:
        store.search_marks(name, collection=collection)
        raise not_found(place.key, collection)
    recording_id, uri, duration_s = recording
    start_s, end_s = _bounds(place, duration_s)
    mark = SearchMark(recording_id, uri, start_s, end_s, is_right, by, datetime.now(UTC))
    store.put_search_marks(name, [mark], collection=collection)
    return mark


def clear_place(
    store: Store, name: str, place: Example, *, by: str = "", collection: str
) -> list[SearchMark]:
    """Clear the marks of a recording, or only the ones over a part of it; return these marks.

    The recording need not be stored any more.

    Raises
    ------
    SearchNotFound
        The collection has no search of this name.
    ParameterError
        There is no such mark.
    """
    marks = store.search_marks(name, collection=collection)
    recording = _recording(store, place.key, collection)
    keys = {place.key.lower(), place.key, *stored_names(place.key)}
    if recording is not None:
        keys.add(recording[0])
    chosen = [mark for mark in marks if mark.recording_id in keys or mark.uri in keys]
    if not place.excerpt.is_whole:
        start_s, end_s = place.excerpt.bounds_s
        chosen = [mark for mark in chosen if verdicts([start_s], [end_s], [mark])[0] != UNMARKED]
    if not chosen:
        raise ParameterError(
            f"the search {name!r} has no mark at {str(place)!r}; see: soundalike searches show {name}"
        )
    cleared = [replace(mark, is_right=None, marked_by=by, marked_at=None) for mark in chosen]
    store.put_search_marks(name, cleared, collection=collection)
    return chosen


def accept_marks(store: Store, name: str, label: str, *, by: str = "", collection: str) -> Accepted:
    """Store an annotation for each right place.

    Raises
    ------
    SearchNotFound
        The collection has no search of this name.
    ParameterError
        The label cannot be stored.
    """
    Annotation(0, 0, label).check()
    right = [mark for mark in store.search_marks(name, collection=collection) if mark.is_right]
    known = store.known_lengths([mark.recording_id for mark in right], collection=collection)
    stored = [accepted_annotation(mark, label, name) for mark in right if mark.recording_id in known]
    added = store.accept_search(name, stored, by=by, collection=collection)
    return Accepted(label, added, len(stored) - added, len(right) - len(stored))


def mark_to_json(mark: SearchMark) -> dict[str, Any]:
    """Return the JSON object of a mark."""
    return {
        "recording_id": mark.recording_id,
        "uri": mark.uri,
        "start_s": mark.start_s,
        "end_s": mark.end_s,
        "verdict": None if mark.is_right is None else "right" if mark.is_right else "wrong",
        "marked_by": mark.marked_by,
        "marked_at": mark.marked_at and mark.marked_at.isoformat(),
    }


def undone_to_json(undone: Undone | None) -> dict[str, Any]:
    """Return the JSON object of what was taken back; `undone` is null if there was nothing."""
    if undone is None:
        return {"undone": None, "mark": None, "label": None, "annotations": 0}
    return {
        "undone": undone.action,
        "mark": undone.mark and mark_to_json(undone.mark),
        "label": undone.label,
        "annotations": undone.annotations,
    }


def counts(marks: Sequence[SearchMark]) -> Mapping[str, int]:
    """Return the numbers of right and wrong places."""
    n_right = sum(bool(mark.is_right) for mark in marks)
    return {"right": n_right, "wrong": len(marks) - n_right}


def _recording(store: Store, key: str, collection: str) -> tuple[str, str, float] | None:
    """Return id, path and length of a recording by its path or id; None if it is not stored."""
    names = [key, *stored_names(key)]
    found = store.files_named(names, collection=collection)
    file = next((found[name].recording for name in names if name in found), None)
    return None if file is None else (file.recording_id, file.uri, file.duration_s)


def _bounds(place: Example, duration_s: float) -> tuple[float, float]:
    if place.excerpt.is_whole:
        return 0.0, duration_s
    start_s, end_s = place.excerpt.bounds_s
    if start_s >= duration_s or end_s > duration_s + _SLACK_S:
        raise SpanOutside(
            f"{str(place)!r} is outside of the recording, which has {duration_s:g} s; give a part of it"
        )
    return start_s, min(end_s, duration_s)
