"""Read a file of vectors and the table of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path

import numpy as np

from soundalike.errors import MetadataError
from soundalike.indexing.metadata import read_rows
from soundalike.indexing.vectors.arrays import Vectors, read_arrays
from soundalike.indexing.vectors.recordings import (
    RECORDING_COLUMNS,
    Refused,
    Row,
    VectorRecording,
    has_bounds,
    recordings_of,
)
from soundalike.types import FloatArray

_ROW_COLUMN = "row"
_NO_BOUNDS = (
    "the table has no columns start and end: each vector of a recording counts as one second, in order"
)


@dataclass(frozen=True, slots=True)
class VectorTable:
    """Recordings of a file of vectors.

    Attributes
    ----------
    recordings : list of VectorRecording or Refused
        In the order of their first rows.
    dimension : int
        Length of a vector.
    warnings : tuple of str
        Assumptions.
    """

    recordings: list[VectorRecording | Refused]
    dimension: int
    warnings: tuple[str, ...] = ()


def read_vectors(vectors: Path, rows: Path | None = None, zone: tzinfo = UTC) -> VectorTable:
    """Read vectors and the recordings of their rows.

    Parameters
    ----------
    vectors : Path
        As for `soundalike.indexing.vectors.arrays.read_arrays`.
    rows : Path, optional
        CSV or JSON lines with a row per vector, in the same order, or with a column ``row`` that has the
        position of the vector, from 0. The columns are ``recording`` (or ``uri``, ``file_name``,
        ``fileName`` and others), ``start`` and ``end`` in seconds, ``duration``, ``label``, ``tags`` (a
        JSON object) and ``recorded_at``; other columns become tags. By default the columns of the file
        of vectors.
    zone : tzinfo
        Time zone of start times without one.

    Raises
    ------
    MetadataError
        A file cannot be read, or the files do not match.
    """
    found = read_arrays(vectors)
    if rows is None and found.rows is None:
        raise MetadataError(
            f"{str(vectors)!r} contains only vectors; give the table of its rows with --rows FILE.csv"
        )
    table, matrix = _joined(found, vectors, rows)
    warnings = () if has_bounds(table) else (_NO_BOUNDS,)
    return VectorTable(list(recordings_of(table, matrix, zone)), int(matrix.shape[1]), warnings)


def _joined(found: Vectors, vectors: Path, rows: Path | None) -> tuple[list[Row], FloatArray]:
    """Return the rows and their vectors."""
    if rows is None:
        return list(enumerate(found.rows or [], start=1)), found.matrix
    table: list[Row] = [(line, row) for line, row in read_rows(rows, [RECORDING_COLUMNS])]
    places = [_place(row[_ROW_COLUMN], line) for line, row in table if _ROW_COLUMN in row]
    n_vectors = len(found.matrix)
    if len(table) != n_vectors or len(places) not in (0, n_vectors):
        raise MetadataError(
            f"{str(rows)!r} has {len(table)} rows, and {str(vectors)!r} {n_vectors} vectors; give a row "
            "for each vector"
        )
    if not places:
        return table, found.matrix
    if sorted(places) != list(range(n_vectors)):
        raise MetadataError(
            f"the column row of {str(rows)!r} does not have the numbers 0 to {n_vectors - 1}; remove "
            "it, or number the vectors"
        )
    return table, found.matrix[np.array(places)]


def _place(value: object, line: int) -> int:
    try:
        return int(str(value))
    except ValueError as exc:
        raise MetadataError(f"line {line}: row is {value!r}; give the vector's position from 0") from exc
