"""Labels and folds from a table beside the clips, such as ESC-50's ``meta/esc50.csv``."""

from __future__ import annotations

from pathlib import Path

from soundalike.errors import MetadataError
from soundalike.evaluation.clips import LabelledClip
from soundalike.metadata import LABEL_COLUMNS, needed_text, place_of, read_rows, text_of

#: Names of a column, the first that is there counts.
FILE_COLUMNS = ("file_name", "filename")
FOLD_COLUMN = "fold"


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
    rows = read_rows(path, [FILE_COLUMNS, LABEL_COLUMNS], [FOLD_COLUMN])
    clips: dict[Path, LabelledClip] = {}
    lines: dict[Path, int] = {}
    has_folds = None
    for line, row in rows:
        name = needed_text(row, FILE_COLUMNS, line)
        found = place_of(name, [folder])
        if found in clips:
            raise MetadataError(
                f"lines {lines[found]} and {line} name the same file, {name!r}; keep one of them"
            )
        fold = text_of(row.get(FOLD_COLUMN), FOLD_COLUMN, line)
        has_folds = bool(fold) if has_folds is None else has_folds
        if bool(fold) != has_folds:
            raise MetadataError(f"line {line}: a fold is needed for every clip or for none")
        clips[found] = LabelledClip(found, needed_text(row, LABEL_COLUMNS, line), fold or None)
        lines[found] = line
    if not clips:
        raise MetadataError(f"{path.name!r} names no clip")
    if not any(clip.is_file() for clip in clips):
        raise MetadataError(
            f"none of the {len(clips)} files that {path.name!r} names is in {str(folder)!r} or its "
            f"folder 'audio', the first being {next(iter(clips)).name!r}; give the folder of the files"
        )
    return [clips[key] for key in sorted(clips)]
