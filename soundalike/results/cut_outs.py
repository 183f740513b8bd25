"""Cut-outs of spans in a folder or a ZIP file, with a table of their contents."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import IO, Any, Protocol

from soundalike.annotations.reading import guarded
from soundalike.audio.cut_outs import CUT_OUT_FORMATS, CutOut, CutOutFormat, write_cut_out_as
from soundalike.audio.excerpt import Excerpt
from soundalike.audio.pictures import spectrogram_png
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sources import recording_id_of, resolve_path
from soundalike.audio.urls import is_remote
from soundalike.errors import AudioError, AudioNotFound, ParameterError
from soundalike.parameters import about
from soundalike.results.names import safe_name, shown_label
from soundalike.results.spans import Span
from soundalike.results.tables import COLUMNS, row_of
from soundalike.types import FileStat

MANIFEST = "manifest.csv"
MAX_PADDING_S = 60.0
_MAX_LABEL_BYTES, _MAX_FILE_BYTES = 40, 80
_HEADER = (
    *("file", "reason", "cut_start_s", "cut_end_s", "sample_rate_hz", "channels"),
    *COLUMNS,
)
_TEXTS = ("uri", "label")
_PICTURE: dict[str, Any] = {"width": 600, "height": 128}
#: Length of a point without padding.
_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True)
class CutOutRequest:
    """Form of cut-outs.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    padding_s: float = field(
        default=0.0,
        metadata=about("seconds before and after each span", ge=0, le=MAX_PADDING_S),
    )
    audio: CutOutFormat = field(default="wav", metadata=about("format of cut-outs: wav or flac"))
    pictures: bool = field(default=False, metadata=about("add a spectrogram of each cut-out as PNG"))
    max_bytes: int = field(
        default=2 << 30, metadata=about("stop when the cut-outs have this many bytes", ge=1)
    )

    def __post_init__(self) -> None:
        if not 0 <= self.padding_s <= MAX_PADDING_S:
            raise ParameterError(
                f"padding_s is {self.padding_s}; give seconds from 0 to {MAX_PADDING_S:g}"
            )
        if self.audio not in CUT_OUT_FORMATS:
            raise ParameterError(f"audio is {self.audio!r}; choose {' or '.join(CUT_OUT_FORMATS)}")
        if self.max_bytes < 1:
            raise ParameterError(f"max_bytes is {self.max_bytes}; give a number above 0")


@dataclass(frozen=True, slots=True)
class CutOutResult:
    """Result of one span.

    Attributes
    ----------
    span : Span
    name : str
        Name of the file.
    start_s, end_s : float
        Bounds of the cut-out, with padding.
    reason : str or None
        Reason why there is no cut-out.
    form : CutOut or None
    is_kept : bool
        Whether an earlier run wrote the file.
    """

    span: Span
    name: str
    start_s: float
    end_s: float
    reason: str | None = None
    form: CutOut | None = None
    is_kept: bool = False


class Destination(Protocol):
    """A place for files."""

    #: Folder for unfinished files.
    scratch: Path

    def existing(self, name: str) -> Path | None:
        """Return a complete file of an earlier run."""
        ...

    def put(self, name: str, path: Path) -> None:
        """Move a complete file to its place."""
        ...


class FolderDestination:
    """A folder, in which complete files of earlier runs stay.

    Parameters
    ----------
    folder : Path
        Created if missing.
    scratch : Path
        On the same file system.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder, self.scratch = folder, scratch

    def existing(self, name: str) -> Path | None:
        """Return a complete file of an earlier run."""
        path = self.folder / name
        return path if path.is_file() else None

    def put(self, name: str, path: Path) -> None:
        """Move a complete file to its place."""
        os.replace(path, self.folder / name)


class ZipDestination:
    """A ZIP file.

    Parameters
    ----------
    archive : ZipFile
    scratch : Path
    """

    def __init__(self, archive: zipfile.ZipFile, scratch: Path) -> None:
        self._archive, self.scratch = archive, scratch

    def existing(self, name: str) -> Path | None:
        """Return None: a ZIP file is always written as a whole."""
        return None

    def put(self, name: str, path: Path) -> None:
        """Add a complete file."""
        # FLAC and PNG are compressed already, and noise in WAV hardly is compressible.
        self._archive.write(path, name)
        path.unlink()


@contextmanager
def opened_folder(folder: Path) -> Iterator[FolderDestination]:
    """Yield a folder for cut-outs."""
    # Decoding processes have another working directory.
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".soundalike-", suffix=".part", dir=folder) as scratch:
        yield FolderDestination(folder, Path(scratch))


@contextmanager
def opened_zip(file: IO[bytes], scratch_parent: Path | None = None) -> Iterator[ZipDestination]:
    """Yield a ZIP file for cut-outs.

    Parameters
    ----------
    file : binary file
    scratch_parent : Path, optional
        Folder for the cut-out that is being written; by default the system's.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".soundalike-", dir=scratch_parent) as scratch,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        yield ZipDestination(archive, Path(scratch))


def write_cut_outs(
    spans: Iterable[Span],
    target: Destination,
    request: CutOutRequest,
    decoding: IsolatedDecoding,
    locate: Callable[[Span], Path],
) -> Iterator[CutOutResult]:
    """Write a cut-out of each span, and at the end the table ``manifest.csv``.

    A recording that is missing or has changed is listed with the reason, and the rest goes on.

    Parameters
    ----------
    spans : iterable of Span
    target : Destination
    request : CutOutRequest
    decoding : IsolatedDecoding
    locate : callable
        Returns the file of a span; raises `AudioError`.

    Yields
    ------
    result : CutOutResult
        One of each span.
    """
    with io.StringIO() as table:
        writer = csv.writer(table, lineterminator="\r\n")
        writer.writerow(_HEADER)
        room = request.max_bytes
        for number, span in enumerate(spans, start=1):
            result = _planned(number, span, request)
            if room <= 0:
                result = replace(result, reason=_limit(request))
            else:
                result, used = _written(result, target, request, decoding, locate, room)
                room = 0 if result.reason == _limit(request) else room - used
            writer.writerow(_manifest_row(result))
            yield result
        path = target.scratch / MANIFEST
        path.write_text(table.getvalue(), encoding="utf-8", errors="backslashreplace", newline="")
    target.put(MANIFEST, path)


def file_of(span: Span, stored_stat: Callable[[Span], FileStat | None]) -> Path:
    """Return the file of a span on this machine.

    Parameters
    ----------
    span : Span
    stored_stat : callable
        Returns size and time of the file when it was indexed, if known.

    Raises
    ------
    AudioError
        The file is missing, or has another content than when it was indexed.
    """
    if is_remote(span.uri):
        raise AudioNotFound(f"{span.uri!r} is a remote recording; download it to cut from it")
    if not span.uri.startswith(("/", "file://")):
        raise AudioNotFound(f"{span.uri!r} is not a file")
    path = resolve_path(span.uri)
    status = path.stat()
    known = span.stat or stored_stat(span)
    if known == (status.st_size, status.st_mtime_ns) or recording_id_of(path) == span.recording_id:
        return path
    raise AudioNotFound(f"{span.uri!r} has changed since it was indexed; index it again")


def file_name(number: int, span: Span, audio: str) -> str:
    """Return the name of a cut-out: number, label, recording and begin.

    Examples
    --------
    >>> file_name(7, Span("/a/night 1.wav", "", 123.45, 124.0, label="great tit"), "wav")
    '0007_great-tit_night-1_00123.450s.wav'
    """
    label = safe_name(shown_label(span), _MAX_LABEL_BYTES)
    stem = safe_name(PurePath(span.uri).stem, _MAX_FILE_BYTES)
    return f"{number:04d}_{label}_{stem}_{span.start_s:09.3f}s.{audio}"


def _planned(number: int, span: Span, request: CutOutRequest) -> CutOutResult:
    start_s = max(0.0, span.start_s - request.padding_s)
    end_s = span.end_s + request.padding_s
    if span.duration_s is not None and span.duration_s > start_s:
        end_s = min(end_s, span.duration_s)
    return CutOutResult(span, file_name(number, span, request.audio), start_s, end_s)


def _written(
    plan: CutOutResult,
    target: Destination,
    request: CutOutRequest,
    decoding: IsolatedDecoding,
    locate: Callable[[Span], Path],
    room: int,
) -> tuple[CutOutResult, int]:
    """Write a cut-out and its picture; return the result and the number of bytes."""
    part = target.scratch / plan.name
    picture = part.with_suffix(".png")
    earlier = target.existing(plan.name)
    form = _form_of(earlier, plan) if earlier else None
    is_kept = form is not None
    needs_picture = request.pictures and not (is_kept and target.existing(picture.name))
    end_s = max(plan.end_s, plan.start_s + _SHORTEST_S)
    try:
        if form is None or needs_picture:
            source = locate(plan.span)
            if form is None:
                form = decoding.run(
                    write_cut_out_as,
                    source,
                    part,
                    start_s=plan.start_s,
                    end_s=end_s,
                    audio=request.audio,
                )
            if needs_picture:
                excerpt = Excerpt(plan.start_s, end_s)
                picture.write_bytes(decoding.run(spectrogram_png, source, excerpt, **_PICTURE))
    except (AudioError, ParameterError) as exc:
        _forget(part, picture)
        return replace(plan, reason=f"{exc.message} [{exc.code}]"), 0
    made = [path for path in (part, picture) if path.exists()]
    used = sum(path.stat().st_size for path in made)
    used += earlier.stat().st_size if earlier and is_kept else 0
    if used > room:
        _forget(part, picture)
        return replace(plan, reason=_limit(request)), 0
    for path in made:
        target.put(path.name, path)
    return replace(plan, form=form, is_kept=is_kept), used


def _form_of(path: Path, plan: CutOutResult) -> CutOut | None:
    """Return the form of a cut-out of an earlier run; None if it has other bounds or is damaged."""
    import soundfile

    try:
        info = soundfile.info(path)
    except (soundfile.SoundFileError, OSError):
        return None
    expected = round(plan.end_s * info.samplerate) - round(plan.start_s * info.samplerate)
    is_same = abs(info.frames - max(1, expected)) <= 1
    return CutOut(info.samplerate, info.channels, info.frames) if is_same else None


def _forget(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _limit(request: CutOutRequest) -> str:
    return f"the limit of {request.max_bytes} bytes is reached"


def _manifest_row(result: CutOutResult) -> list[object]:
    values = row_of(result.span)
    form = result.form
    texts = {name: guarded(values[name]) for name in _TEXTS if values[name] is not None}
    return [
        result.name if form else "",
        result.reason or "",
        *(round(result.start_s, 6), round(result.end_s, 6)),
        *((form.sample_rate_hz, form.channels) if form else ("", "")),
        *(values | texts).values(),
    ]
