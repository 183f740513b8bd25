"""Read where events begin and end: tables (CSV, TSV), Audacity's labels, Raven's selection tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from soundalike.annotations.reading import read_annotations
from soundalike.audio.files import looks_like_audio
from soundalike.errors import MetadataError

_RAVEN_SUFFIX = re.compile(r"\.Table\.\d+\.selections$", re.IGNORECASE)
#: Label of rows without one, which the reader needs.
_NONE = "-"


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
        As for `soundalike.annotations.reading.read_annotations`. Events without the name of a recording
        belong to the one that is called as the table, like ``night.txt`` and ``night.wav``. Names are
        relative to the table's folder.

    Returns
    -------
    events : list of TruthEvent
        In the order of the file, at least one.

    Raises
    ------
    MetadataError
        The file cannot be read, a row is wrong, an event has no length, or no recording has the file's
        name.
    """
    found = read_annotations(table, label=_NONE)
    if not found:
        raise MetadataError(f"events {str(table)!r} names no event; give one line for each event")
    for one in found:
        if one.end_s <= one.start_s:
            raise MetadataError(
                f"events {str(table)!r}, line {one.line}: the event at {one.start_s:g} s has no length; "
                "give an end after the begin"
            )
    own = None if all(one.file for one in found) else _recording_of(table)
    return [
        TruthEvent(
            table.parent / one.file if one.file or own is None else own,
            one.start_s,
            one.end_s,
            None if one.label == _NONE else one.label,
        )
        for one in found
    ]


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
