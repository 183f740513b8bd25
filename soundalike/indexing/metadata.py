"""Read tables with metadata of files, such as ESC-50's ``meta/esc50.csv``."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from soundalike.audio.files import FileList
from soundalike.clock.wall_clock import parse_moment
from soundalike.errors import MetadataError, ParameterError

#: Names of columns; the first one in a table counts.
FILE_COLUMNS = ("file_name", "filename", "file", "path")
LABEL_COLUMNS = ("label", "category")
START_COLUMN = "recorded_at"
FOLD_COLUMN = "fold"
#: Names of tables in a folder, as in Hugging Face's AudioFolder.
TABLE_NAMES = ("metadata.csv", "metadata.jsonl")
#: Subfolders of the files; ESC-50 has ``audio``.
_PLACES = ("", "audio")
_JSON_SUFFIXES = (".jsonl", ".ndjson")
_DELIMITERS = ",;\t"
#: Numbers as in JSON, so that ``007`` and ``1_000`` stay text; longer digit strings are probably names.
_NUMBER = re.compile(
    r"-?(?:0|[1-9][0-9]{0,17})(?P<fraction>\.[0-9]{1,17})?(?P<exponent>[eE][+-]?[0-9]{1,2})?"
)

Row = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a table, and its file.

    Attributes
    ----------
    place : Path
        Absolute path of the file, which may not exist.
    table : Path
    line : int
        From 1.
    cells : dict
        Values by column; those of CSV are text.
    """

    place: Path
    table: Path
    line: int
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """Metadata of a file in a table.

    Attributes
    ----------
    label : str or None
    tags : dict
        All other columns with a value.
    recorded_at : datetime or None
        Start time in UTC.
    """

    label: str | None
    tags: dict[str, Any]
    recorded_at: datetime | None


def read_file_rows(
    tables: Sequence[Path],
    folders: Sequence[Path],
    needed: Sequence[Sequence[str]] = (),
) -> list[FileRow]:
    """Read the rows of tables of files; all commands that accept such tables use this reader.

    Parameters
    ----------
    tables : sequence of Path
        As for `read_rows`, with the file's name in the column ``file_name``, ``filename``, ``file`` or
        ``path``.
    folders : sequence of Path
        File names are relative to their table's folder, or to one of these, or to a subfolder
        ``audio`` of one of them.
    needed : sequence of sequences of str
        As for `read_rows`, in addition to the file's name.

    Raises
    ------
    MetadataError
        A table cannot be read, lacks a column or names no file, or a file is named twice.
    """
    rows: dict[Path, FileRow] = {}
    for table in tables:
        before = len(rows)
        with _named(table, tables):
            for line, cells in read_rows(table, [FILE_COLUMNS, *needed]):
                name = needed_text(cells, FILE_COLUMNS, line)
                row = FileRow(place_of(name, [table.parent, *folders]), table, line, cells)
                if row.place in rows:
                    raise _twice(rows[row.place], row, name)
                rows[row.place] = row
            if len(rows) == before:
                raise MetadataError(f"{table.name!r} names no file")
    return list(rows.values())


@contextmanager
def _named(table: Path, tables: Sequence[Path]) -> Iterator[None]:
    """Add the table's path to errors if there are several tables, which may have the same name."""
    try:
        yield
    except MetadataError as exc:
        raise MetadataError(f"{table}: {exc.message}" if len(tables) > 1 else exc.message) from exc


def _twice(first: FileRow, second: FileRow, name: str) -> MetadataError:
    if first.table == second.table:
        lines = f"lines {first.line} and {second.line}"
    else:
        lines = f"line {second.line} and line {first.line} of {str(first.table)!r}"
    return MetadataError(f"{lines} name the same file, {name!r}; remove one of them")


def read_file_metadata(
    tables: Path | Sequence[Path], folders: Sequence[Path], zone: tzinfo
) -> dict[Path, FileMetadata]:
    """Read the metadata of files from tables.

    Parameters
    ----------
    tables : Path or sequence of Path
        As for `read_file_rows`. ``label`` or ``category`` is the label, ``recorded_at`` the start, and
        everything else that has a value is a tag. In CSV, ``true``, ``false`` and numbers are taken
        as such.
    folders : sequence of Path
        File names are relative to the table's folder, or to one of these, or to a subfolder ``audio``
        of one of them.
    zone : tzinfo
        Time zone of start times without one.

    Returns
    -------
    found : dict of Path to FileMetadata
        By absolute path, including missing files.

    Raises
    ------
    MetadataError
        A table cannot be read, lacks the column of file names, names no file or a file twice, or
        contains a value that cannot be stored.
    """
    tables = [tables] if isinstance(tables, Path) else tables
    found: dict[Path, FileMetadata] = {}
    for row in read_file_rows(tables, folders):
        with _named(row.table, tables):
            found[row.place] = _metadata_of(row, zone)
    return found


def find_tables(files: FileList) -> list[Path]:
    """Return the tables in the folders of files, including subfolders.

    A table has one of `TABLE_NAMES` and a first row that names a file; other files with these names,
    such as lists of recorders, are ignored.
    """
    beside = {path.parent / name for path in files.named for name in TABLE_NAMES}
    below = {Path(path) for path in files.left_out if Path(path).name in TABLE_NAMES}
    return sorted(path for path in beside | below if path.is_file() and _names_files(path))


def _names_files(table: Path) -> bool:
    try:
        # Reads only the beginning.
        _, row = next(read_rows(table, [FILE_COLUMNS], ()), (0, {}))
    except MetadataError:
        return False
    return not set(FILE_COLUMNS).isdisjoint(row)


def _metadata_of(row: FileRow, zone: tzinfo) -> FileMetadata:
    cells, line = row.cells, row.line
    is_json = row.table.suffix.lower() in _JSON_SUFFIXES
    label_column = column_of(cells, LABEL_COLUMNS)
    known = (column_of(cells, FILE_COLUMNS), label_column, START_COLUMN)
    tags = {
        key: value if is_json else typed(value)
        for key, value in cells.items()
        if key not in known and key and value not in (None, "")
    }
    label = text_of(cells.get(label_column), label_column, line) or None
    _check_storable([label, tags], line)
    start = text_of(cells.get(START_COLUMN), START_COLUMN, line)
    try:
        at = parse_moment(start, zone, START_COLUMN) if start else None
    except ParameterError as exc:
        raise MetadataError(f"line {line}: {exc.message}") from exc
    return FileMetadata(label, tags, at)


def _check_storable(values: list[Any], line: int) -> None:
    try:
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError as exc:
        raise MetadataError(f"line {line} contains a value that cannot be stored: {exc}") from exc
    if "\\u0000" in text:
        raise MetadataError(f"line {line} contains the character NUL, which cannot be stored; remove it")


def typed(text: str) -> Any:
    """Convert the text of a cell to a boolean or a number if it looks like one.

    Examples
    --------
    >>> [typed(text) for text in ("True", "12", "-1.5e3", "007", "nan", "pond")]
    [True, 12, -1500.0, '007', 'nan', 'pond']
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return float(text) if number["fraction"] or number["exponent"] else int(text)


def place_of(name: str, folders: Sequence[Path]) -> Path:
    """Return the path of a file named in a table; in the first folder if it does not exist."""
    places = [Path(os.path.abspath(folder / sub / name)) for folder in folders for sub in _PLACES]
    return next((place for place in places if os.path.isfile(place)), places[0])


def read_rows(
    path: Path, needed: Sequence[Sequence[str]], used: Sequence[str] | None = None
) -> Iterator[Row]:
    """Yield the rows of a table with their line numbers.

    Parameters
    ----------
    path : Path
        JSON lines (``.jsonl`` or ``.ndjson``), or CSV in UTF-8 with a header, separated by commas,
        semicolons or tabs.
    needed : sequence of sequences of str
        Alternative names of required columns; a CSV must have one of each.
    used : sequence of str, optional
        Other columns that must not be repeated; None: all.

    Raises
    ------
    MetadataError
        The table cannot be read, or lacks a column.
    """
    if not path.is_file():
        raise MetadataError(f"there is no file at {str(path)!r}; give a table, CSV or JSON lines")
    try:
        if path.suffix.lower() in _JSON_SUFFIXES:
            yield from _json_rows(path)
        else:
            yield from _csv_rows(path, needed, used)
    except OSError as exc:
        raise MetadataError(
            f"{str(path)!r}: {exc.strerror}; check the path and its permissions"
        ) from exc


def _csv_rows(path: Path, needed: Sequence[Sequence[str]], used: Sequence[str] | None) -> Iterator[Row]:
    try:
        # utf-8-sig: spreadsheets write a byte order mark, which is not part of the first name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            delimiter = max(_DELIMITERS, key=head.count)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_columns(header, path, needed, used)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise MetadataError(
                        f"line {reader.line_num} has {len(cells)} cells, the header has "
                        f"{len(header)}; quote texts that contain {delimiter!r}"
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except (csv.Error, UnicodeError) as exc:
        raise MetadataError(f"{path.name!r} cannot be read as CSV in UTF-8: {exc}") from exc


def _check_columns(
    header: Sequence[str], path: Path, needed: Sequence[Sequence[str]], used: Sequence[str] | None
) -> None:
    for names in needed:
        if not set(names) & set(header):
            raise MetadataError(
                f"{path.name!r} has no column {' or '.join(names)}; its columns are: "
                f"{', '.join(repr(name[:40]) for name in header[:20]) or 'none'}"
            )
    known = (
        set(header) - {""} if used is None else {*used, *(name for names in needed for name in names)}
    )
    if twice := [name for name in header if name in known and header.count(name) > 1]:
        raise MetadataError(f"{path.name!r} has two columns {twice[0]!r}; rename one of them")


def _json_rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, text in enumerate(file, start=1):
                if not text.strip():
                    continue
                row = _parsed(text, number)
                if not isinstance(row, dict):
                    raise MetadataError(f"line {number} is not a JSON object; write one object per line")
                yield number, row
    except UnicodeError as exc:
        raise MetadataError(f"{path.name!r} is not in UTF-8: {exc}") from exc


def _parsed(text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise MetadataError(f"line {number} is not JSON: {exc}") from exc


def needed_text(row: dict[str, Any], columns: Sequence[str], line: int) -> str:
    """Return the text of the first existing column; raise an error if it is empty."""
    column = column_of(row, columns)
    value = text_of(row.get(column), column, line)
    if not value:
        raise MetadataError(f"line {line} has no {' or '.join(columns)}; every row needs one")
    return value


def column_of(row: dict[str, Any], columns: Sequence[str]) -> str:
    """Return the first of several columns that exists, or else the first."""
    return next((name for name in columns if name in row), columns[0])


def text_of(value: Any, column: str, line: int) -> str:
    """Return a text or number as stripped text."""
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool) or value != value:
        raise MetadataError(f"line {line}: {column} is {value!r}; give a text or a number")
    return str(value).strip()
