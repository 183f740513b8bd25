"""Read label files of Audacity and Raven, and tables."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from soundalike.annotations.text import read_lines
from soundalike.annotations.types import Annotation, BadRow
from soundalike.errors import MetadataError, ParameterError

AnnotationFormat = Literal["audacity", "raven", "csv", "jsonl"]
ANNOTATION_FORMATS: tuple[AnnotationFormat, ...] = get_args(AnnotationFormat)
#: Maximum number of rows of a file.
MAX_ROWS = 1_000_000
_JSON_SUFFIXES = (".jsonl", ".ndjson")
_TABLE_SUFFIXES = (".csv", ".tsv")
_BEGIN, _END, _OFFSET = "Begin Time (s)", "End Time (s)", "File Offset (s)"
#: Names of columns, in lower case; the first that a table has counts.
_COLUMNS: Mapping[str, Sequence[str]] = {
    "start": (
        "start_s",
        "start",
        "begin_s",
        "begin",
        "onset_s",
        "onset",
        "begin time (s)",
        "start_time",
    ),
    "end": ("end_s", "end", "offset_s", "offset", "end time (s)", "end_time"),
    "duration": ("duration_s", "duration", "delta time (s)"),
    "label": (
        *("label", "annotation", "species", "common name", "class", "category", "event_label"),
        *("tag", "name"),
    ),
    "file": ("uri", "begin path", "path", "file", "file_name", "filename", "begin file", "recording"),
    "low": ("low_hz", "low freq (hz)", "low_freq", "freq_low"),
    "high": ("high_hz", "high freq (hz)", "high_freq", "freq_high"),
}
#: Signs at which spreadsheets take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_Row = tuple[int, Mapping[str, Any]]
_SHOWN = 80


class _Labels(NamedTuple):
    """Label of rows without one, and the column of the labels."""

    default: str
    column: str | None


def read_annotations(
    path: Path,
    format: AnnotationFormat | None = None,  # noqa: A002 - as users call it
    *,
    label: str | None = None,
    label_column: str | None = None,
    on_bad: Callable[[BadRow], None] | None = None,
) -> list[Annotation]:
    """Read a label file.

    Parameters
    ----------
    path : Path
    format : str, optional
        ``audacity``, ``raven``, ``csv`` (separated by commas, semicolons or tabs) or ``jsonl``; by
        default recognised by name and first line.
    label : str, optional
        Label of rows without one.
    label_column : str, optional
        Column of the labels in a table.
    on_bad : callable, optional
        Called with each unusable row; without it the first one is an error.

    Returns
    -------
    annotations : list of Annotation
        In the order of the file.

    Raises
    ------
    MetadataError
        The file cannot be read, lacks a column, or has an unusable row.
    """
    found: list[Annotation] = []
    for item in _items(path, format or format_of(path), _Labels(label or "", label_column)):
        if isinstance(item, BadRow):
            if on_bad is None:
                raise MetadataError(f"line {item.line} of {str(path)!r}: {item.reason}")
            on_bad(item)
        else:
            found.append(item)
        if len(found) > MAX_ROWS:
            raise MetadataError(f"{str(path)!r} has more than {MAX_ROWS} rows; divide it")
    return found


def format_of(path: Path) -> AnnotationFormat:
    """Return the format of a label file, from its name and its first line.

    Raises
    ------
    MetadataError
        The file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in _JSON_SUFFIXES:
        return "jsonl"
    head = next(read_lines(path), "")
    if _BEGIN in head.strip().split("\t"):
        return "raven"
    return "csv" if suffix in _TABLE_SUFFIXES else "audacity"


def without_guard(text: str) -> str:
    """Return the text of a cell without the apostrophe that `guarded` put before it.

    Examples
    --------
    >>> without_guard("'=owl"), without_guard("'owl'")
    ('=owl', "'owl'")
    """
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def guarded(text: str) -> str:
    """Return a text for a cell that no spreadsheet takes for a formula.

    Examples
    --------
    >>> guarded("=owl"), guarded("'=owl"), guarded("owl")
    ("'=owl", "''=owl", 'owl')
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def _items(path: Path, kind: AnnotationFormat, labels: _Labels) -> Iterator[Annotation | BadRow]:
    if kind == "audacity":
        yield from _audacity(read_lines(path), labels)
    elif kind == "raven":
        yield from _raven(path, labels)
    else:
        rows = _json_rows(path) if kind == "jsonl" else _table_rows(path)
        yield from (row if isinstance(row, BadRow) else _from_row(*row, labels) for row in rows)


def _audacity(lines: Iterator[str], labels: _Labels) -> Iterator[Annotation | BadRow]:
    """Read Audacity's labels: begin, end and text; a line with a backslash has the frequencies."""
    waiting: Annotation | None = None
    for number, line in enumerate(lines, start=1):
        cells = line.rstrip("\r\n").split("\t")
        try:
            if cells[0] == "\\":
                if waiting is None:
                    raise ParameterError("frequencies without a label before them")
                low, high = (_frequency(cell) for cell in (*cells[1:3], "", "")[:2])
                waiting = _checked(replace(waiting, low_hz=low, high_hz=high))
                continue
            if waiting is not None:
                yield waiting
                waiting = None
            if line.strip():
                waiting = _checked(_audacity_label(cells, number, labels))
        except ValueError as exc:
            yield BadRow(number, _reason(exc))
    if waiting is not None:
        yield waiting


def _audacity_label(cells: Sequence[str], line: int, labels: _Labels) -> Annotation:
    if len(cells) < 2:
        raise ParameterError("the line is not of the form BEGIN tab END tab LABEL")
    start_s = _seconds(cells[0])
    try:
        end_s = _seconds(cells[1])
    except ParameterError:
        # Audacity 1.2 wrote points as begin and label.
        if len(cells) > 2:
            raise
        return Annotation(start_s, start_s, cells[1], line=line)
    label = cells[2] if len(cells) > 2 and cells[2].strip() else labels.default
    return Annotation(start_s, end_s, label, line=line)


def _frequency(text: str) -> float | None:
    """Return a frequency; Audacity writes an unknown one as a negative number."""
    value = _seconds(text)
    return None if value < 0 else value


def _raven(path: Path, labels: _Labels) -> Iterator[Annotation | BadRow]:
    rows: list[_Row] = []
    for item in _table_rows(path, quoting=csv.QUOTE_NONE):
        if isinstance(item, BadRow):
            yield item
        else:
            rows.append(item)
    has_offset = bool(rows) and _OFFSET in rows[0][1]
    files = {_cell(row, "file") for _, row in rows}
    if not has_offset and len(files) > 1:
        raise MetadataError(
            f"{str(path)!r} names {len(files)} files but has no column {_OFFSET!r}; add that column in "
            "Raven and save again"
        )
    # A selection has a row for each view; the rows of spectrograms have the drawn frequencies.
    seen: dict[object, _Row] = {}
    for number, row in rows:
        key = (row.get("Selection") or number, _cell(row, "file"), row.get(_BEGIN))
        if key not in seen or "Spectrogram" in str(row.get("View")):
            seen[key] = (number, row)
    for number, row in sorted(seen.values(), key=lambda item: item[0]):
        if has_offset:
            try:
                offset_s = _seconds(row[_OFFSET])
                length_s = _seconds(row[_END]) - _seconds(row[_BEGIN])
            except (KeyError, ValueError) as exc:
                yield BadRow(number, _reason(exc))
                continue
            row = {**row, _BEGIN: offset_s, _END: round(offset_s + length_s, 9)}
        yield _from_row(number, row, labels)


def _table_rows(path: Path, quoting: Literal[0, 3] = csv.QUOTE_MINIMAL) -> Iterator[_Row | BadRow]:
    """Yield the rows of a table with a header, with their line numbers; Raven quotes nothing."""
    lines = read_lines(path)
    head = next(lines, "")
    delimiter = max("\t;,", key=head.count)
    reader = csv.reader(_chain(head, lines), delimiter=delimiter, quoting=quoting)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header)
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(header):
                yield BadRow(reader.line_num, f"it has {len(cells)} cells, the header has {len(header)}")
                continue
            values = (without_guard(cell) for cell in cells)
            yield reader.line_num, dict(zip(header, values, strict=True))
    except csv.Error as exc:
        raise MetadataError(
            f"{str(path)!r} cannot be read as a table (line {reader.line_num}: {exc}); check it"
        ) from exc


def _chain(head: str, lines: Iterator[str]) -> Iterator[str]:
    yield head
    yield from lines


def _check_header(path: Path, header: Sequence[str]) -> None:
    names = {name.lower() for name in header}
    if not names.intersection(_COLUMNS["start"]):
        shown = ", ".join(repr(name[:40]) for name in header[:20]) or "none"
        raise MetadataError(f"{str(path)!r} has no column start_s; its columns are: {shown}")


def _json_rows(path: Path) -> Iterator[_Row | BadRow]:
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield (number, row) if isinstance(row, dict) else BadRow(number, "it is not a JSON object")


def _from_row(line: int, row: Mapping[str, Any], labels: _Labels) -> Annotation | BadRow:
    try:
        start_s = _seconds(_cell(row, "start"))
        end = _cell(row, "end")
        end_s = start_s + _seconds(_cell(row, "duration")) if end == "" else _seconds(end)
        label = str(row.get(labels.column) or "") if labels.column else _cell(row, "label")
        low, high = (_optional(_cell(row, name)) for name in ("low", "high"))
        label = label if label.strip() else labels.default
        return _checked(Annotation(start_s, end_s, label, low, high, _cell(row, "file"), line))
    except ValueError as exc:
        return BadRow(line, _reason(exc))


def _cell(row: Mapping[str, Any], what: str) -> str:
    """Return the text of the first column of a kind that a row has; empty without one."""
    by_name = {str(name).strip().lower(): value for name, value in row.items()}
    for name in _COLUMNS[what]:
        value = by_name.get(name)
        if value not in (None, ""):
            return str(value)
    return ""


def _seconds(value: object) -> float:
    """Return a number; some programs write a comma for the point.

    Raises
    ------
    ParameterError
        It is not a finite number.
    """
    text = str(value).strip()
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ParameterError(f"{text[:_SHOWN]!r} is not a number")
    return number


def _optional(text: str) -> float | None:
    return _seconds(text) if text else None


def _checked(annotation: Annotation) -> Annotation:
    annotation.check()
    return annotation


def _reason(exc: Exception) -> str:
    return exc.message if isinstance(exc, ParameterError) else str(exc)
