"""Labels and folds from a table beside the clips, such as ESC-50's ``meta/esc50.csv``."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from soundalike.errors import MetadataError
from soundalike.evaluation.clips import LabelledClip

#: Names of a column, the first that is there counts.
FILE_COLUMNS = ("file_name", "filename")
LABEL_COLUMNS = ("label", "category")
FOLD_COLUMN = "fold"
#: Where the files may lie below the folder; ESC-50 keeps them in ``audio``.
_PLACES = ("", "audio")
_JSON_SUFFIXES = (".jsonl", ".ndjson")
_DELIMITERS = ",;\t"

_Row = tuple[int, dict[str, Any]]


def read_metadata(path: Path, folder: Path) -> list[LabelledClip]:
    """Read a table of clips.

    Parameters
    ----------
    path : Path
        Lines of JSON objects where its name ends in ``.jsonl`` or ``.ndjson``, otherwise CSV in UTF-8
        with a header, separated by commas, semicolons or tabs. Columns: ``file_name`` or
        ``filename``; ``label`` or ``category``; and, for all clips or none, ``fold``. Others are
        ignored.
    folder : Path
        File names are relative to it, or to its subfolder ``audio``.

    Returns
    -------
    clips : list of LabelledClip
        Ordered by path, so that the order of the lines changes nothing. A file that is not there
        stays in the list; it fails, with its code, when it is to be read.

    Raises
    ------
    MetadataError
        The table cannot be read, lacks a column or a value, names a file twice, or none of its files
        is there.
    """
    if not path.is_file():
        raise MetadataError(f"no file is at {str(path)!r}; give the table of clips, CSV or JSON lines")
    rows = _json_rows(path) if path.suffix.lower() in _JSON_SUFFIXES else _csv_rows(path)
    clips: dict[Path, LabelledClip] = {}
    lines: dict[Path, int] = {}
    has_folds = None
    for line, row in rows:
        name = _needed(row, FILE_COLUMNS, line)
        found = _place_of(name, folder)
        if found in clips:
            raise MetadataError(
                f"lines {lines[found]} and {line} name the same file, {name!r}; keep one of them"
            )
        fold = _text(row.get(FOLD_COLUMN), FOLD_COLUMN, line)
        has_folds = bool(fold) if has_folds is None else has_folds
        if bool(fold) != has_folds:
            raise MetadataError(f"line {line}: a fold is needed for every clip or for none")
        clips[found] = LabelledClip(found, _needed(row, LABEL_COLUMNS, line), fold or None)
        lines[found] = line
    if not clips:
        raise MetadataError(f"{path.name!r} names no clip")
    if not any(clip.is_file() for clip in clips):
        raise MetadataError(
            f"none of the {len(clips)} files that {path.name!r} names is in {str(folder)!r} or its "
            f"folder 'audio', the first being {next(iter(clips)).name!r}; give the folder of the files"
        )
    return [clips[key] for key in sorted(clips)]


def _place_of(name: str, folder: Path) -> Path:
    places = [Path(os.path.abspath(folder / place / name)) for place in _PLACES]
    return next((place for place in places if place.is_file()), places[0])


def _csv_rows(path: Path) -> Iterator[_Row]:
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front, which is no part of the first name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            delimiter = max(_DELIMITERS, key=head.count)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_columns(header, path)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise MetadataError(
                        f"line {reader.line_num} has {len(cells)} cells, the header has "
                        f"{len(header)}; quote texts that hold {delimiter!r}"
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except (csv.Error, UnicodeError) as exc:
        raise MetadataError(f"{path.name!r} cannot be read as CSV in UTF-8: {exc}") from exc
    except OSError as exc:
        raise MetadataError(
            f"{str(path)!r}: {exc.strerror}; check the path and its permissions"
        ) from exc


def _check_columns(header: Sequence[str], path: Path) -> None:
    for names in (FILE_COLUMNS, LABEL_COLUMNS):
        if not set(names) & set(header):
            raise MetadataError(
                f"{path.name!r} has no column {' or '.join(names)}; its columns are: "
                f"{', '.join(repr(name[:40]) for name in header[:20]) or 'none'}"
            )
    used = {*FILE_COLUMNS, *LABEL_COLUMNS, FOLD_COLUMN}
    if twice := [name for name in header if name in used and header.count(name) > 1]:
        raise MetadataError(f"{path.name!r} has two columns {twice[0]!r}; rename one of them")


def _json_rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, text in enumerate(file, start=1):
                if not text.strip():
                    continue
                row = _parsed(text, number)
                if not isinstance(row, dict):
                    raise MetadataError(f"line {number} is no JSON object; write one for each clip")
                yield number, row
    except UnicodeError as exc:
        raise MetadataError(f"{path.name!r} is not written in UTF-8: {exc}") from exc
    except OSError as exc:
        raise MetadataError(
            f"{str(path)!r}: {exc.strerror}; check the path and its permissions"
        ) from exc


def _parsed(text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise MetadataError(f"line {number} is not JSON: {exc}") from exc


def _needed(row: dict[str, Any], columns: Sequence[str], line: int) -> str:
    column = next((name for name in columns if name in row), columns[0])
    value = _text(row.get(column), column, line)
    if not value:
        raise MetadataError(f"line {line} has no {' or '.join(columns)}; every clip needs one")
    return value


def _text(value: Any, column: str, line: int) -> str:
    """Return a value as text without space around it; numbers, such as class 7, are taken too."""
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool) or value != value:
        raise MetadataError(f"line {line}: {column} is {value!r}; give a text or a number")
    return str(value).strip()
