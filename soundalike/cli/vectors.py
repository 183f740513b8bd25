"""Vectors as text, JSON lines, CSV or npy, on stdout or in a file that appears when it is whole."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from soundalike.audio.files import looks_like_audio
from soundalike.cli import output
from soundalike.cli.target import Target, blaming
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    import numpy.typing as npt

    from soundalike.encoders.clips import FileEmbedding

_BLOCK_BYTES = 1 << 20
_WAITING = f"a temporary file in {tempfile.gettempdir()}"
FORMATS = ("text", "json", "csv", "npy")
_SUFFIXES = {
    **{".txt": "text", ".csv": "csv", ".npy": "npy"},
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
}


def format_of(asked: str | None, target: Path | None, *, as_json: bool) -> str:
    """Return the format that was asked for, or that the output's name asks for.

    Raises
    ------
    ParameterError
        Two formats are asked for, or none where the name does not tell.
    """
    if as_json and asked not in (None, "json"):
        raise ParameterError(f"--json and --format {asked} exclude each other; leave one out")
    if asked or as_json:
        return asked or "json"
    if target is None:
        return "text"
    if target.suffix.lower() not in _SUFFIXES:
        raise ParameterError(
            f"--output is {str(target)!r}, whose format its name does not tell; add --format"
        )
    return _SUFFIXES[target.suffix.lower()]


class Writer(Protocol):
    """Takes the vectors of one file after the other."""

    def write(self, result: FileEmbedding, encoder: str) -> None:
        """Write a file's rows; none where it failed."""
        ...

    def summary(self) -> str:
        """Return what was written, as part of a sentence."""
        ...


@contextmanager
def vector_writer(layout: str, target: Path | None, files: Sequence[Path]) -> Iterator[Writer]:
    """Yield what writes vectors.

    Parameters
    ----------
    layout : str
        One of `FORMATS`.
    target : Path or None
        None: stdout. A file gets its name when all went well and there was something to write; until
        then what bore that name before stays.
    files : sequence of Path
        What is embedded, and must not be overwritten.

    Raises
    ------
    ParameterError
        The target cannot be written, or is a sound; or npy should go to a terminal, or to stdout
        without a word on which row is which file's.
    """
    if target is not None:
        _check_target(target, files)
    elif layout == "npy" and (output.to_terminal() or len(files) > 1):
        raise ParameterError(
            "npy is for one file and no terminal when it goes to stdout; add --output FILE.npy"
        )
    with ExitStack() as stack:
        sink = stack.enter_context(Target(target)) if target is not None else None
        if layout != "npy":
            yield LineWriter(layout, sink, several=len(files) > 1)
            return
        table = stack.enter_context(Target(rows_path(target))) if target is not None else None
        with blaming(_WAITING):
            waiting = stack.enter_context(tempfile.TemporaryFile())
        npy = NpyWriter(sink, table, waiting)
        yield npy
        npy.finish()


def _check_target(target: Path, files: Sequence[Path]) -> None:
    with blaming(f"--output {str(target)!r}"):
        is_file = target.is_file()
    if is_file and (Path(os.path.abspath(target)) in files or looks_like_audio(target)):
        raise ParameterError(
            f"--output is {str(target)!r}, a sound; name a file that may be overwritten"
        )


def rows_path(target: Path) -> Path:
    """Return the name of the table that says which row of an array is what.

    Examples
    --------
    >>> str(rows_path(Path("vectors/birds.npy")))
    'vectors/birds.rows.csv'
    """
    name = target.stem if target.suffix.lower() == ".npy" else target.name
    return target.with_name(f"{name}.rows.csv")


class LineWriter:
    """Writes a line a vector.

    Parameters
    ----------
    layout : str
        ``text``, ``json`` or ``csv``.
    target : Target or None
        None: stdout.
    several : bool
        Whether text must say which file its lines are of.
    """

    def __init__(self, layout: str, target: Target | None, *, several: bool) -> None:
        self._layout = layout
        self._target = target
        self._several = several
        self._n_rows = 0

    def write(self, result: FileEmbedding, encoder: str) -> None:
        """Write a file's rows."""
        for line in self._lines(result, encoder):
            if self._target is None:
                output.data(line)
            else:
                self._target.write(f"{line}\n".encode())

    def summary(self) -> str:
        """Return how many rows there are."""
        return f"{self._n_rows} rows"

    def _lines(self, result: FileEmbedding, encoder: str) -> Iterator[str]:
        if self._layout == "text" and self._several and result.error is None:
            # As numpy.loadtxt and others skip it.
            yield f"# {' '.join(result.uri.splitlines())}"
        for row, vector in _rows(result, encoder):
            numbers = vector.tolist()
            is_float = vector.dtype.kind == "f"
            if self._layout == "text":
                shown = " ".join(f"{number:.6f}" if is_float else str(number) for number in numbers)
                yield f"{row['start_s']:.10g} {row['end_s']:.10g} {shown}"
            else:
                # Nine digits give every float32 back as it was.
                exact = [float(f"{number:.9g}") if is_float else number for number in numbers]
                if self._layout == "json":
                    yield json.dumps({**row, "embedding": exact}, ensure_ascii=False, allow_nan=False)
                else:
                    if not self._n_rows:
                        yield _csv_line([*row, *(f"e{place}" for place in range(len(exact)))])
                    yield _csv_line([*row.values(), *exact])
            self._n_rows += 1


class NpyWriter:
    """Writes one array; a table beside it says which row is what.

    Parameters
    ----------
    target : Target or None
        None: stdout.
    table : Target or None
        Where the table goes to.
    waiting : file
        A temporary file: an array begins with the number of its rows, so they wait until it is known.
    """

    def __init__(self, target: Target | None, table: Target | None, waiting: IO[bytes]) -> None:
        self._target = target
        self._table = table
        self._waiting = waiting
        self._n_rows = 0
        self._like: npt.NDArray[Any] | None = None

    def write(self, result: FileEmbedding, encoder: str) -> None:
        """Keep a file's rows, and write what they are into the table."""
        if result.vectors is not None:
            self._like = result.vectors
            with blaming(_WAITING):
                self._waiting.write(result.vectors.tobytes())
        for row, _ in _rows(result, encoder):
            if self._table is not None:
                if not self._n_rows:
                    self._table.write(f"{_csv_line(['row', *row])}\n".encode())
                self._table.write(f"{_csv_line([self._n_rows, *row.values()])}\n".encode())
            self._n_rows += 1

    def finish(self) -> None:
        """Write the array, if there are rows."""
        from numpy.lib import format as npy

        if self._like is None:
            return
        header = io.BytesIO()
        shape = (self._n_rows, self._like.shape[1])
        described = npy.dtype_to_descr(self._like.dtype)
        npy.write_array_header_1_0(header, {"descr": described, "fortran_order": False, "shape": shape})
        put = output.data_bytes if self._target is None else self._target.write
        put(header.getvalue())
        self._waiting.seek(0)
        while block := self._waiting.read(_BLOCK_BYTES):
            put(block)

    def summary(self) -> str:
        """Return the shape of the array."""
        if self._like is None:
            return "nothing written"
        return f"{self._n_rows} rows of {self._like.shape[1]} ({self._like.dtype})"


def _rows(result: FileEmbedding, encoder: str) -> Iterator[tuple[dict[str, Any], npt.NDArray[Any]]]:
    """Yield what each of a file's vectors is, and the vector."""
    if result.vectors is not None:
        for window, vector in zip(result.windows, result.vectors, strict=True):
            yield {"uri": result.uri, **asdict(window), "encoder": encoder}, vector


def _csv_line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    cells = [str(value).lower() if isinstance(value, bool) else value for value in values]
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
