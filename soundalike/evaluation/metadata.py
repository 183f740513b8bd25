"""Read labels and folds of clips from tables, such as ESC-50's ``meta/esc50.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from soundalike.errors import MetadataError
from soundalike.evaluation.clips import LabelledClip
from soundalike.indexing.metadata import (
    FOLD_COLUMN,
    LABEL_COLUMNS,
    FileRow,
    column_of,
    needed_text,
    read_file_rows,
    text_of,
)


def read_metadata(tables: Path | Sequence[Path], folder: Path) -> list[LabelledClip]:
    """Read labelled clips from tables.

    Parameters
    ----------
    tables : Path or sequence of Path
        As for `soundalike.indexing.metadata.read_file_rows`. Required columns are the file's name and
        ``label`` or ``category``; ``fold`` is for all clips or none; other columns are ignored.
    folder : Path
        File names are relative to their table's folder, to this one, or to its subfolder ``audio``.

    Returns
    -------
    clips : list of LabelledClip
        Sorted by path. Missing files are included, and fail when they are read.

    Raises
    ------
    MetadataError
        A table cannot be read, lacks a column or a value, names a file twice, or no file exists.
    """
    tables = [tables] if isinstance(tables, Path) else tables
    rows = read_file_rows(tables, [folder], [LABEL_COLUMNS])
    clips = {row.place: LabelledClip(row.place, _label(row), _fold(row)) for row in rows}
    has_folds = _fold(rows[0]) is not None
    for row in rows:
        if (_fold(row) is not None) != has_folds:
            raise MetadataError(f"line {row.line}: a fold is needed for every clip or for none")
    if not any(clip.is_file() for clip in clips):
        names = ", ".join(repr(table.name) for table in tables)
        raise MetadataError(
            f"none of the {len(clips)} files that {names} names is in {str(folder)!r} or its folder "
            f"'audio', the first being {next(iter(clips)).name!r}; give the folder of the files"
        )
    return [clips[key] for key in sorted(clips)]


def with_metadata(clips: Sequence[LabelledClip], tables: Sequence[Path]) -> list[LabelledClip]:
    """Set the labels and folds of clips from tables in their folders.

    Parameters
    ----------
    clips : sequence of LabelledClip
        Clips that are not in a table are unchanged.
    tables : sequence of Path
        As for `read_metadata`; file names are relative to their table's folder, and labels may be
        missing.

    Raises
    ------
    MetadataError
        A table cannot be read, or names a file twice.
    """
    rows = {row.place: row for row in read_file_rows(tables, [])}
    return [
        replace(clip, label=_label_or(rows[clip.path], clip.label), fold=_fold(rows[clip.path]))
        if clip.path in rows
        else clip
        for clip in clips
    ]


def _label(row: FileRow) -> str:
    return needed_text(row.cells, LABEL_COLUMNS, row.line)


def _label_or(row: FileRow, otherwise: str) -> str:
    column = column_of(row.cells, LABEL_COLUMNS)
    return text_of(row.cells.get(column), column, row.line) or otherwise


def _fold(row: FileRow) -> str | None:
    return text_of(row.cells.get(FOLD_COLUMN), FOLD_COLUMN, row.line) or None
