"""Read vectors from NumPy arrays, Parquet files and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.errors import MetadataError
from soundalike.faults import one_line
from soundalike.indexing.metadata import read_rows
from soundalike.types import FloatArray

#: Suffixes of files with vectors.
SUFFIXES = (".npy", ".parquet", ".jsonl", ".ndjson")
#: Names of the column of vectors; the first one in a file counts.
VECTOR_COLUMNS = ("vector", "embedding", "audioVector")


class Vectors(NamedTuple):
    """The vectors of a file.

    Attributes
    ----------
    matrix : (n, dimension) float32
    rows : list of dict, or None
        The other columns of each row by name; None if the file has only vectors.
    """

    matrix: FloatArray
    rows: list[dict[str, Any]] | None


def read_arrays(path: Path) -> Vectors:
    """Read the vectors and other columns of a file.

    Parameters
    ----------
    path : Path
        A ``.npy`` file of shape ``(n, dimension)``; or a ``.parquet`` file or JSON lines with a column
        ``vector``, ``embedding`` or ``audioVector`` of lists of numbers.

    Raises
    ------
    MetadataError
        The file cannot be read, or has other content.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MetadataError(f"{str(path)!r} has an unknown suffix; give one of {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise MetadataError(f"there is no file at {str(path)!r}; give the file of the vectors")
    try:
        if suffix == ".npy":
            return Vectors(_checked(np.load(path, mmap_mode="r", allow_pickle=False), path), None)
        return _from_parquet(path) if suffix == ".parquet" else _from_json(path)
    except OSError as exc:
        reason = exc.strerror or "it is damaged"
        raise MetadataError(f"{str(path)!r} cannot be read: {reason}; check the file") from exc
    except (ValueError, EOFError) as exc:
        if isinstance(exc, MetadataError):
            raise
        raise MetadataError(
            f"{str(path)!r} cannot be read as {suffix}: {one_line(exc)}; write it again"
        ) from exc


def _checked(found: npt.NDArray[Any], path: Path) -> FloatArray:
    if found.dtype.kind not in "fiu" or found.ndim != 2 or 0 in found.shape:
        raise MetadataError(
            f"{str(path)!r} contains {found.dtype} of shape {found.shape}; give numbers of shape "
            "(rows, dimension)"
        )
    return found.astype(np.float32, copy=False)


def _from_json(path: Path) -> Vectors:
    rows = [dict(row) for _, row in read_rows(path, [VECTOR_COLUMNS])]
    if not rows:
        raise MetadataError(f"{str(path)!r} contains no vectors")
    column = next((name for name in VECTOR_COLUMNS if name in rows[0]), None)
    if column is None:
        raise MetadataError(
            f"{str(path)!r} has no field {' or '.join(VECTOR_COLUMNS)}; its fields are: "
            f"{', '.join(map(repr, list(rows[0])[:20]))}"
        )
    try:
        matrix = np.array([row.pop(column) for row in rows], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as exc:
        raise MetadataError(
            f"{column} of {str(path)!r} does not have the same length in each line ({exc})"
        ) from exc
    return Vectors(_checked(matrix, path), rows)


def _from_parquet(path: Path) -> Vectors:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as exc:
        raise MetadataError(
            f"reading {path.name!r} needs the package pyarrow; install it with: pip install pyarrow"
        ) from exc
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as exc:
        reason = one_line(exc)[:200]
        raise MetadataError(f"{str(path)!r} cannot be read as Parquet: {reason}") from exc
    column = _vector_column(table.schema, path)
    # Consecutive vectors of one length: a view of the file's numbers instead of a list of lists.
    lists = table.column(column).combine_chunks()
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    lengths = set(pyarrow.compute.list_value_length(lists).to_pylist())
    if not table.num_rows:
        raise MetadataError(f"{str(path)!r} contains no vectors")
    if lists.null_count or len(lengths) != 1:
        raise MetadataError(f"the vectors in {column!r} of {str(path)!r} have different lengths")
    # Tags are JSON, so times and decimals become text.
    rows = [json.loads(json.dumps(row, default=str)) for row in table.drop_columns([column]).to_pylist()]
    return Vectors(_checked(flat.reshape(table.num_rows, -1), path), rows)


def _vector_column(schema: Any, path: Path) -> str:
    """Return the name of the column of vectors: a known name, or the only column of lists."""
    import pyarrow

    lists = [
        field.name
        for field in schema
        if pyarrow.types.is_list(field.type)
        or pyarrow.types.is_large_list(field.type)
        or pyarrow.types.is_fixed_size_list(field.type)
    ]
    named = [name for name in VECTOR_COLUMNS if name in lists] or lists
    if len(named) != 1 and not set(named) & set(VECTOR_COLUMNS):
        raise MetadataError(
            f"{str(path)!r} has {len(lists)} columns of lists; name the one with the vectors "
            f"{VECTOR_COLUMNS[0]!r}"
        )
    return named[0]
