"""Spans as labels of Audacity and as selection tables of Raven."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from soundalike.errors import ParameterError
from soundalike.results.names import one_line, safe_name, shown_label
from soundalike.results.spans import Span

#: Frequencies in a selection table where none are known: the band that the encoders hear.
LOWEST_HZ, HIGHEST_HZ = 0.0, 8000.0
_RAVEN = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)"),
    *("High Freq (Hz)", "Begin File", "Begin Path", "File Offset (s)", "Annotation", "Score"),
)
_UNKNOWN_HZ = -1.0


def audacity_chunks(spans: Iterable[Span]) -> Iterator[bytes]:
    """Yield the labels of one recording.

    Raises
    ------
    ParameterError
        The spans are in several recordings, and label files name none.
    """
    first: str | None = None
    for span in spans:
        first = first or span.recording_id
        if span.recording_id != first:
            raise ParameterError(
                "labels of Audacity belong to one recording, and these are in several; write them to a "
                "file with the suffix .zip, which gets a label file for each"
            )
        yield audacity_label(span)


def audacity_label(span: Span) -> bytes:
    """Return the lines of a label: begin, end and text; a second line if frequencies are known."""
    text = f"{span.start_s:.6f}\t{span.end_s:.6f}\t{one_line(shown_label(span))}\n"
    if span.low_hz is not None or span.high_hz is not None:
        bounds = (_UNKNOWN_HZ if one is None else one for one in (span.low_hz, span.high_hz))
        text += "\\\t" + "\t".join(f"{one:.6f}" for one in bounds) + "\n"
    return text.encode(errors="backslashreplace")


def audacity_zip(spans: Iterable[Span]) -> bytes:
    """Return a ZIP file with a label file for each recording, named like it with ``_labels.txt``."""
    labels: dict[str, list[Span]] = {}
    for span in spans:
        labels.setdefault(span.recording_id, []).append(span)
    content = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for found in labels.values():
            stem = safe_name(PurePath(found[0].uri).stem)
            name, number = f"{stem}_labels.txt", 1
            while name.lower() in taken:
                number += 1
                name = f"{stem}_{number}_labels.txt"
            taken.add(name.lower())
            found.sort(key=lambda span: (span.start_s, span.end_s))
            archive.writestr(name, b"".join(map(audacity_label, found)))
    return content.getvalue()


def raven_chunks(spans: Iterable[Span]) -> Iterator[bytes]:
    """Yield a selection table.

    Raven opens several files as one long sound: ``Begin Time (s)`` counts from the begin of the first
    file, in the order in which the files first appear in the table, and ``File Offset (s)`` from the
    begin of the span's own file.
    """
    yield _raven_line(_RAVEN)
    begins: dict[str, float] = {}
    next_s = 0.0
    for number, span in enumerate(spans, start=1):
        if span.recording_id not in begins:
            begins[span.recording_id] = next_s
            next_s += span.duration_s or 0.0
        begin_s = begins[span.recording_id]
        score = "" if span.score is None else f"{span.score:.6f}"
        yield _raven_line(
            (
                *(number, "Spectrogram 1", 1),
                *(f"{begin_s + span.start_s:.6f}", f"{begin_s + span.end_s:.6f}"),
                *(f"{LOWEST_HZ if span.low_hz is None else span.low_hz:g}",),
                *(f"{HIGHEST_HZ if span.high_hz is None else span.high_hz:g}",),
                *(one_line(PurePath(span.uri).name), one_line(span.uri), f"{span.start_s:.6f}"),
                *(one_line(shown_label(span)), score),
            )
        )


def _raven_line(cells: Iterable[Any]) -> bytes:
    return ("\t".join(map(str, cells)) + "\n").encode(errors="backslashreplace")
