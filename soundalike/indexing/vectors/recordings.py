"""Group the rows of a table of vectors into recordings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

import numpy as np

from soundalike.audio.sources import recording_id_of
from soundalike.clock.wall_clock import parse_moment
from soundalike.errors import InvalidSamples, MetadataError, ParameterError, SoundalikeError
from soundalike.indexing.metadata import FILE_COLUMNS, LABEL_COLUMNS, START_COLUMN, text_of, typed
from soundalike.types import FloatArray, Recording, Tags, Window

#: Names of columns; the first one in a table counts. Azure's notebooks write ``fileName``.
RECORDING_COLUMNS = ("recording", "uri", *FILE_COLUMNS, "fileName")
BEGIN_COLUMNS = ("start", "start_s")
END_COLUMNS = ("end", "end_s")
LENGTH_COLUMNS = ("duration", "duration_s")
TAGS_COLUMN = "tags"
#: Columns of `soundalike embed` that describe windows, not recordings.
_OF_WINDOWS = ("row", "index", "encoder", "is_silent", "is_clipped")


@dataclass(frozen=True, slots=True)
class VectorRecording:
    """A recording with external vectors.

    Attributes
    ----------
    name : str
        Name in the table.
    windows : list of Window
        Sorted by start.
    vectors : (n_windows, dimension) float32
    duration_s : float
        Length in seconds; by default the end of the last window.
    label : str or None
    tags : mapping
    recorded_at : datetime or None
    """

    name: str
    windows: list[Window]
    vectors: FloatArray
    duration_s: float
    label: str | None = None
    tags: Tags = field(default_factory=dict)
    recorded_at: datetime | None = None

    def as_recording(self, uri: str) -> Recording:
        """Return the recording with a path or name.

        The id is derived from bounds and vectors, so equal vectors have the same id under any name, and
        changed vectors replace old ones.
        """
        bounds = np.array([(window.start_s, window.end_s) for window in self.windows], dtype="<f8")
        content = bounds.tobytes() + np.ascontiguousarray(self.vectors, dtype="<f4").tobytes()
        return Recording(
            recording_id_of(content), uri, self.duration_s, self.label, self.tags, self.recorded_at
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A recording with invalid rows, and the error."""

    name: str
    error: SoundalikeError


Row = tuple[int, Mapping[str, Any]]


def recordings_of(
    rows: Sequence[Row], matrix: FloatArray, zone: tzinfo
) -> Iterator[VectorRecording | Refused]:
    """Yield the recordings of a table in the order of their first rows.

    Parameters
    ----------
    rows : sequence of (int, mapping)
        Line number and values of each row; the vector has the same position in `matrix`.
    matrix : (n_rows, dimension) float32
    zone : tzinfo
        Time zone of start times without one.

    Raises
    ------
    MetadataError
        A row names no recording.
    """
    members: dict[str, list[int]] = {}
    for position, (line, row) in enumerate(rows):
        members.setdefault(_name_of(row, line), []).append(position)
    for name, positions in members.items():
        try:
            yield _recording(name, [rows[position] for position in positions], matrix[positions], zone)
        except SoundalikeError as exc:
            yield Refused(name, exc)


def _name_of(row: Mapping[str, Any], line: int) -> str:
    column = next((name for name in RECORDING_COLUMNS if name in row), None)
    if column is None:
        raise MetadataError(
            f"line {line} has no column {' or '.join(RECORDING_COLUMNS)}; its columns are: "
            f"{', '.join(repr(str(name)[:40]) for name in list(row)[:20]) or 'none'}"
        )
    name = text_of(row[column], column, line)
    if not name:
        raise MetadataError(f"line {line} has no {column}; every vector needs the name of its recording")
    return name


def _recording(name: str, rows: Sequence[Row], vectors: FloatArray, zone: tzinfo) -> VectorRecording:
    if not np.isfinite(vectors).all():
        raise InvalidSamples(f"a vector of {name!r} contains NaN or infinite numbers; compute it again")
    bounds = [_bounds(row, line, place) for place, (line, row) in enumerate(rows)]
    order = sorted(range(len(rows)), key=lambda place: bounds[place])
    windows = [
        Window(index, *bounds[place], *(_is_true(rows[place][1], flag) for flag in _OF_WINDOWS[3:]))
        for index, place in enumerate(order)
    ]
    end_s = max(end for _, end in bounds)
    lengths = [_number(row, LENGTH_COLUMNS, line) for line, row in rows]
    line, first = rows[0]
    start = text_of(first.get(START_COLUMN), START_COLUMN, line)
    return VectorRecording(
        name,
        windows,
        vectors[order],
        max(end_s, *(length or 0.0 for length in lengths)),
        _label(rows, name),
        _tags(rows),
        parse_moment(start, zone, START_COLUMN) if start else None,
    )


def _bounds(row: Mapping[str, Any], line: int, place: int) -> tuple[float, float]:
    """Return start and end in seconds; without these columns each row is one second."""
    begin_s, end_s = _number(row, BEGIN_COLUMNS, line), _number(row, END_COLUMNS, line)
    if begin_s is None and end_s is None:
        return float(place), float(place + 1)
    if begin_s is None or end_s is None or not 0 <= begin_s < end_s:
        raise MetadataError(
            f"line {line}: the vector is from {begin_s} s to {end_s} s; give both start and end, with "
            "the end after the start"
        )
    return begin_s, end_s


def has_bounds(rows: Sequence[Row]) -> bool:
    """Return whether a table has the bounds of the vectors."""
    return bool(rows) and any(name in rows[0][1] for name in (*BEGIN_COLUMNS, *END_COLUMNS))


def _number(row: Mapping[str, Any], columns: Sequence[str], line: int) -> float | None:
    column = next((name for name in columns if name in row), columns[0])
    value = row.get(column)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as exc:
        raise MetadataError(f"line {line}: {column} is {value!r}; give seconds") from exc
    if not math.isfinite(number):
        raise MetadataError(f"line {line}: {column} is {value!r}; give seconds")
    return number


def _is_true(row: Mapping[str, Any], column: str) -> bool:
    return row.get(column) in (True, "true", "True")


def _label(rows: Sequence[Row], name: str) -> str | None:
    column = next((each for each in LABEL_COLUMNS if each in rows[0][1]), LABEL_COLUMNS[0])
    labels = {text_of(row.get(column), column, line) or None for line, row in rows} - {None}
    if len(labels) > 1:
        shown = ", ".join(sorted(repr(label) for label in labels)[:3])
        raise MetadataError(
            f"the rows of {name!r} have {len(labels)} labels ({shown}), but a recording has one; remove "
            "the column, or give each labelled part its own name"
        )
    return labels.pop() if labels else None


def _tags(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the columns with the same value in all rows of a recording, and those in ``tags``."""
    line, first = rows[0]
    known = {
        *(*RECORDING_COLUMNS, *BEGIN_COLUMNS, *END_COLUMNS, *LENGTH_COLUMNS, *LABEL_COLUMNS),
        *(*_OF_WINDOWS, START_COLUMN, TAGS_COLUMN, ""),
    }
    same = {
        key: typed(value) if isinstance(value, str) else value
        for key, value in first.items()
        if key not in known and value not in (None, "") and all(row.get(key) == value for _, row in rows)
    }
    return {**same, **_given_tags(first.get(TAGS_COLUMN), line)}


def _given_tags(value: Any, line: int) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError as exc:
        raise MetadataError(f"line {line}: {TAGS_COLUMN} is not JSON ({exc}); give one object") from exc
    if not isinstance(found, dict):
        raise MetadataError(f"line {line}: {TAGS_COLUMN} is {str(value)[:80]!r}; give one JSON object")
    return found


def check_is_plain_name(name: str) -> str:
    """Return a name, and check that it is not a path.

    Raises
    ------
    ParameterError
        The name is an absolute path or a ``file:`` URL.
    """
    if name.startswith("/") or name.lower().startswith("file:"):
        raise ParameterError(
            f"the recording is named {name[:200]!r}, a path; use a name such as birds/1.wav"
        )
    return name
