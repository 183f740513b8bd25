"""Read where events begin and end: tables (CSV, TSV), Audacity's labels, Raven's selection tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundalike.audio.files import looks_like_audio
from soundalike.errors import MetadataError

#: Names of the columns, in lower case, the preferred one first.
_FILE = ("file_name", "filename", "file", "path", "uri", "recording", "begin path", "begin file")
_BEGIN = ("start_s", "begin_s", "start", "begin", "onset", "begin time (s)")
_END = ("end_s", "end", "offset", "end time (s)")
_LABEL = ("label", "category", "event_label", "annotation", "species", "common name", "type")
_RAVEN_SUFFIX = re.compile(r"\.Table\.\d+\.selections$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TruthEvent:
    """An event that is known to be in a recording.

    Attributes
    ----------
    path : Path
        The recording.
    start_s, end_s : float
        Begin and end in seconds.
    label : str or None
        What is heard.
    """

    path: Path
    start_s: float
    end_s: float
    label: str | None = None


def read_truth(table: Path) -> list[TruthEvent]:
    """Read the events of a table.

    Parameters
    ----------
    table : Path
        A CSV or TSV file with the columns ``file_name`` (or ``path``), ``start_s``, ``end_s`` and, if
        there are several kinds, ``label``; labels that Audacity has exported; or a selection table of
        Raven. A file without a column for recordings belongs to the recording that has its name, like
        ``night.txt`` to ``night.wav``. Names are relative to the table's folder.

    Returns
    -------
    events : list of TruthEvent
        In the order of the file, at least one.

    Raises
    ------
    MetadataError
        The file cannot be read, a number is missing or wrong, an event ends before it begins, or no
        recording has the file's name.
    """
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise MetadataError(f"events {str(table)!r} cannot be read: {reason}") from exc
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not filled:
        raise MetadataError(f"events {str(table)!r} has no lines; give one line for each event")
    first = filled[0][1]
    is_audacity = re.match(r"\s*-?\d+([.,]\d+)?\t\s*-?\d+([.,]\d+)?(\t|$)", first) is not None
    found = list(_audacity(table, filled) if is_audacity else _rows(table, filled))
    if not found:
        raise MetadataError(f"events {str(table)!r} names no event; give one line for each event")
    return found


def _audacity(table: Path, lines: Sequence[tuple[int, str]]) -> Iterable[TruthEvent]:
    path = _recording_of(table)
    for number, line in lines:
        if line.startswith("\\"):
            # The range of frequencies of the label above.
            continue
        cells = line.split("\t")
        label = cells[2].strip() if len(cells) > 2 else ""
        # Some languages of Audacity write a decimal comma.
        begin, end = (cell.replace(",", ".") for cell in [*cells, ""][:2])
        yield _event(table, number, path, begin, end, label)


def _rows(table: Path, lines: Sequence[tuple[int, str]]) -> Iterable[TruthEvent]:
    separator = "\t" if "\t" in lines[0][1] else ","
    header, *rows = csv.reader((line for _, line in lines), delimiter=separator)
    names = {name.strip().lower(): position for position, name in enumerate(header)}
    begin, end = _column(table, names, _BEGIN), _column(table, names, _END)
    file = next((names[name] for name in _FILE if name in names), None)
    label = next((names[name] for name in _LABEL if name in names), None)
    own = _recording_of(table) if file is None else None
    for (number, _), cells in zip(lines[1:], rows, strict=False):
        cells += [""] * (len(header) - len(cells))
        path = own or table.parent / cells[file or 0].strip()
        yield _event(
            table, number, path, cells[begin], cells[end], "" if label is None else cells[label].strip()
        )


def _column(table: Path, names: Mapping[str, int], wanted: Sequence[str]) -> int:
    for name in wanted:
        if name in names:
            return names[name]
    raise MetadataError(
        f"events {str(table)!r} has no column {wanted[0]!r} (or {', '.join(wanted[1:])}); its columns "
        f"are {', '.join(map(repr, names)) or 'none'}"
    )


def _event(table: Path, number: int, path: Path, begin: str, end: str, label: str) -> TruthEvent:
    try:
        start_s, end_s = float(begin), float(end)
    except ValueError:
        raise MetadataError(
            f"events {str(table)!r}, line {number}: {begin!r} and {end!r} are not times; give seconds"
        ) from None
    if not 0 <= start_s < end_s < float("inf"):
        raise MetadataError(
            f"events {str(table)!r}, line {number}: {begin} to {end} is not a stretch of time; give "
            "begin and end in seconds, the end after the begin"
        )
    return TruthEvent(path, start_s, end_s, label or None)


def _recording_of(table: Path) -> Path:
    """Return the recording that has the name of a table without a column for recordings."""
    stem = _RAVEN_SUFFIX.sub("", table.stem)
    found = sorted(
        path
        for path in table.parent.glob("*")
        if path.stem == stem and path != table and looks_like_audio(path)
    )
    if not found:
        raise MetadataError(
            f"events {str(table)!r} names no recordings, and no sound beside it is called {stem!r}; add "
            "a column file_name, or put the recording beside it"
        )
    return found[0]
