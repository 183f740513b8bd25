"""Queries, examples and filters as Python programs write them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack, get_type_hints

import numpy as np
import numpy.typing as npt

from soundalike.audio import urls
from soundalike.audio.arrays import array_to_wav
from soundalike.audio.excerpt import Excerpt
from soundalike.audio.sources import stored_names
from soundalike.display.sound import Sound, shown_path
from soundalike.errors import ParameterError
from soundalike.events.types import Event
from soundalike.filters import Filters
from soundalike.repeats.requests import prefix_of_path
from soundalike.search.examples import Example, check_marks, is_id, parse_example
from soundalike.search.queries import Query
from soundalike.search.requests import Narrowing
from soundalike.types import Match, Recording

if TYPE_CHECKING:
    from soundalike.repeats.duplicates import Member
    from soundalike.repeats.motifs import Motif

#: Results that name a part of a stored recording.
Found: TypeAlias = "Match | Event | Member | Motif"
#: A path or the id of a stored recording, the bytes of a sound file, an array with its sample rate, a
#: recording or another result, or a `soundalike.Query`.
Asked: TypeAlias = "str | Path | bytes | tuple[npt.ArrayLike, float] | Recording | Found | Query"
#: An example is a stored recording, or a part of it, like ``"pond.flac:10-14"``.
Shown: TypeAlias = "str | Path | Recording | Found"


class Filtering(TypedDict, total=False):
    """Filters of recordings, None for none; see `soundalike.search.requests.Narrowing`."""

    labels: str | Sequence[str] | None
    tags: Mapping[str, Any] | None
    where: str | Sequence[str] | None
    under: str | Path | None
    since: str | date | None
    until: str | date | None
    time_of_day: str | None
    time_zone: str | None


def filters_of(default_zone: str, **given: Unpack[Filtering]) -> Filters:
    """Return the filters.

    Parameters
    ----------
    default_zone : str
        Time zone of times that name none.
    **given
        Fields of `Filtering`.

    Raises
    ------
    ParameterError
        A filter cannot be read.
    TypeError
        There is no filter of this name.
    """
    known = get_type_hints(Filtering)
    if unknown := sorted(given.keys() - known.keys()):
        raise TypeError(f"unknown argument {unknown[0]!r}; filters are {', '.join(known)}")
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in ("labels", "where"):
        if name in values:
            values[name] = _several(values[name])
    for name in ("since", "until"):
        if name in values:
            values[name] = moment_text(values[name])
    if "under" in values:
        values["under"] = _absolute(str(values["under"]))
    return Narrowing(**values).filters(default_zone)


def prefix_under(path: str | Path) -> str:
    """Return what the stored paths under a folder, or of a sound file, begin with; all for ``""``."""
    return prefix_of_path(_absolute(str(path))) if path else ""


def _absolute(name: str) -> str:
    """Return a path or URL as it is stored."""
    return stored_names(name)[0] if urls.is_remote(name) else os.path.abspath(name)


def _several(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def moment_text(value: str | date) -> str:
    """Return a date or time as text in ISO 8601."""
    return value.isoformat() if isinstance(value, date) else str(value)


def query_of(asked: Asked, start_s: float | None = None, end_s: float | None = None) -> Query:
    """Return the query.

    Parameters
    ----------
    asked : Asked
    start_s, end_s : float, optional
        The part, in seconds from the start of the sound.

    Raises
    ------
    ParameterError
        It is of another type, or the part cannot be read.
    """
    query = _whole(asked)
    if start_s is None and end_s is None:
        return query
    if not query.excerpt.is_whole:
        raise ParameterError("the query is a part already; leave out start_s and end_s, or give a path")
    return replace(query, excerpt=Excerpt(start_s, end_s))


def _whole(asked: Asked) -> Query:
    if isinstance(asked, Query):
        return asked
    if (part := _part_of(asked)) is not None:
        return Query(recording_id=part.key, excerpt=part.excerpt)
    if isinstance(asked, str) and is_id(asked):
        return Query(recording_id=asked)
    return Query(sound_of(asked))


def _part_of(found: object) -> Example | None:
    """Return the part of a recording that a result names; None if it is another thing."""
    # By their attributes: the modules of copies and motifs take seconds to import.
    part = getattr(found, "example", found)
    if isinstance(part, Recording):
        return Example(part.recording_id)
    recording = getattr(part, "recording", None)
    if not isinstance(recording, Recording):
        return None
    return Example(recording.recording_id, Excerpt(part.start_s, part.end_s))  # type: ignore[attr-defined]


def sound_of(asked: object) -> str | Path | bytes:
    """Return the source of a sound that need not be stored.

    Raises
    ------
    ParameterError
        It is not a path, bytes, or an array with its sample rate.
    """
    if isinstance(asked, str | Path | bytes):
        return asked
    if isinstance(asked, tuple) and len(asked) == 2 and not isinstance(asked[0], str | bytes):
        samples, rate = asked
        try:
            array = np.asarray(samples)
        except ValueError as exc:
            raise ParameterError(f"the samples are not an array ({exc}); give (n,) numbers") from exc
        return array_to_wav(array, rate)
    if isinstance(asked, np.ndarray):
        raise ParameterError(
            "an array does not hold its sample rate; give (samples, sample_rate), or a vector as "
            "soundalike.Query(vector=...)"
        )
    raise ParameterError(
        f"the query is of type {type(asked).__name__}; give a path, (samples, sample_rate), bytes, a "
        "recording, a match, an event, or a soundalike.Query"
    )


def examples_of(
    given: Shown | Sequence[Shown] | None, name: str, *, is_remote: bool
) -> tuple[Example, ...]:
    """Return right or wrong examples; `is_remote` leaves paths as they are.

    Raises
    ------
    ParameterError
        One is of another type, or there are too many.
    """
    if given is None:
        return ()
    is_one = isinstance(given, str | Path) or _part_of(given) is not None
    shown: Sequence[Any] = [given] if is_one else list(given)  # type: ignore[arg-type]
    found: list[Example] = []
    for each in shown:
        example = parse_example(str(each)) if isinstance(each, str | Path) else _part_of(each)
        if example is None:
            raise ParameterError(
                f"{name} contains a {type(each).__name__}; give paths, recordings, matches or events"
            )
        is_path = not (is_remote or is_id(example.key))
        found.append(replace(example, key=_absolute(example.key)) if is_path else example)
    check_marks(len(found), name)
    return tuple(found)


def sound_of_query(query: Query, name: str, start_s: float, end_s: float) -> Sound | None:
    """Return a part of the query's sound to show; None if it has none.

    Parameters
    ----------
    query : Query
    name : str
        Of the answer: the path of a stored recording.
    start_s, end_s : float
        The part.
    """
    if query.source is not None:
        is_path = not isinstance(query.source, bytes)
        title = f"query: {shown_path(os.path.abspath(str(query.source)))}" if is_path else "query"
        return Sound(query.source, title, start_s, end_s)
    if query.recording_id is not None:
        return Sound(name, f"query: {shown_path(name)}", start_s, end_s)
    return None
