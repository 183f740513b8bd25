"""Read a file of vectors together with the table that says what its rows are."""

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
    "the table has no columns start and end: each vector of a recording is taken for one second, in "
    "their order"
)


@dataclass(frozen=True, slots=True)
class VectorTable:
    """What files of vectors say.

    Attributes
    ----------
    recordings : list of VectorRecording or Refused
        In the order in which the table names them.
    dimension : int
        Numbers in each vector.
    warnings : tuple of str
        What was assumed.
    """

    recordings: list[VectorRecording | Refused]
    dimension: int
    warnings: tuple[str, ...] = ()


def read_vectors(vectors: Path, rows: Path | None = None, zone: tzinfo = UTC) -> VectorTable:
    """Read vectors and what they belong to.

    Parameters
    ----------
    vectors : Path
        As for `soundalike.indexing.vectors.arrays.read_arrays`.
    rows : Path, optional
        CSV or JSON lines with a row for each vector, in their order, or with a column ``row`` that
        counts them from 0. The columns: ``recording`` (or ``uri``, ``file_name``, ``fileName`` and
        others), ``start`` and ``end`` in seconds, ``duration``, ``label``, ``tags`` (a JSON object) and
        ``recorded_at``; other columns become tags. By default the columns beside the vectors.
    zone : tzinfo
        The zone of starts that name none.

    Raises
    ------
    MetadataError
        A file cannot be read, or the two do not agree.
    """
    found = read_arrays(vectors)
    if rows is None and found.rows is None:
        raise MetadataError(
            f"{str(vectors)!r} holds vectors alone; give the table of its rows with --rows FILE.csv"
        )
    table, matrix = _joined(found, vectors, rows)
    warnings = () if has_bounds(table) else (_NO_BOUNDS,)
    return VectorTable(list(recordings_of(table, matrix, zone)), int(matrix.shape[1]), warnings)


def _joined(found: Vectors, vectors: Path, rows: Path | None) -> tuple[list[Row], FloatArray]:
    """Return the rows, and for each of them its vector."""
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
            f"the column row of {str(rows)!r} does not count from 0 to {n_vectors - 1}; leave it out, "
            "or number the vectors"
        )
    return table, found.matrix[np.array(places)]


def _place(value: object, line: int) -> int:
    try:
        return int(str(value))
    except ValueError as exc:
        raise MetadataError(f"line {line}: row is {value!r}; give the vector's place from 0") from exc
