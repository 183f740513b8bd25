"""``--export``: write matches, events or annotations to a file, or as cut-outs."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from soundalike.cli import options, output
from soundalike.cli.target import Target, blaming
from soundalike.errors import AudioError, ParameterError

if TYPE_CHECKING:
    from soundalike.results.cut_outs import CutOutRequest, CutOutResult
    from soundalike.results.formats import ResultFormat
    from soundalike.results.spans import Span
    from soundalike.store import Store
    from soundalike.types import FileStat

FORMATS = ("csv", "jsonl", "parquet", "audacity", "raven", "m3u", "zip")
STDOUT = "-"
_PARTIAL_FAILURE = AudioError.exit_status
_SHOWN_FAILURES = 10
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


class Size(click.ParamType[int]):
    """A number of bytes, like 500M or 2G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is not a size; give bytes, or 500M or 2G", param, ctx)
        return int(float(found[1]) * _UNITS[found[2]])


@dataclass(frozen=True, kw_only=True)
class Export:
    """The options of an export; see `export_options`."""

    export: str | None = None
    format: str | None = None
    export_label: str | None = None
    padding_s: float | None = None
    audio: str | None = None
    pictures: bool = False
    max_bytes: int | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to write."""
        return self.export is not None

    @property
    def is_to_stdout(self) -> bool:
        """Whether stdout gets the export, and so nothing else."""
        return self.export == STDOUT

    @property
    def has_cut_outs(self) -> bool:
        """Whether sound is cut out."""
        return self.export is not None and self._kind(self.export) == "zip"

    def check(self) -> None:
        """Raise `ParameterError` unless the options belong together and name a format."""
        if self.export is None:
            for name in ("format", "export_label", "padding_s", "audio", "pictures", "max_bytes"):
                if getattr(self, name) not in (None, False):
                    raise ParameterError(
                        f"--{name.removesuffix('_s').replace('_', '-')} belongs to --export FILE"
                    )
            return
        if self._kind(self.export) == "zip":
            self.cut_out_request()
        elif self.padding_s is not None or self.audio or self.pictures or self.max_bytes is not None:
            raise ParameterError(
                "--padding, --audio, --pictures and --max-bytes are for cut-outs; give --export "
                "FILE.zip or a folder"
            )

    def cut_out_request(self) -> CutOutRequest:
        """Return the form of cut-outs."""
        from soundalike.results.cut_outs import CutOutRequest

        given = {
            name: value
            for name in ("padding_s", "audio", "pictures", "max_bytes")
            if (value := getattr(self, name)) is not None
        }
        return CutOutRequest(**given)

    def write(
        self,
        spans: Iterable[Span],
        stored_stat: Callable[[Span], FileStat | None] = lambda _: None,
    ) -> int:
        """Write the spans as they come; return the exit status.

        Parameters
        ----------
        spans : iterable of Span
        stored_stat : callable, optional
            As for `soundalike.results.cut_outs.file_of`.

        Raises
        ------
        ParameterError
            The target cannot be written.
        """
        assert self.export is not None
        kind = self._kind(self.export)
        if kind == "zip":
            return self._cut_out(spans, stored_stat)
        counted = _Counted(spans)
        found = self._chunks(kind, counted)
        if self.is_to_stdout:
            for chunk in found:
                output.data_bytes(chunk)
        else:
            with Target(Path(self.export), option="--export") as target:
                for chunk in found:
                    target.write(chunk)
        self._note(counted.count, "spans")
        return 0

    def _kind(self, name: str) -> str:
        from soundalike.results.formats import format_named

        if self.format is not None:
            return self.format
        if name.lower().endswith(".zip") or name.endswith("/") or Path(name).is_dir():
            return "zip"
        if found := format_named(name):
            return found
        raise ParameterError(f"--export is {name!r}, whose suffix is not that of a format; add --format")

    def _chunks(self, kind: str, spans: Iterable[Span]) -> Iterator[bytes]:
        from soundalike.results.formats import chunks
        from soundalike.results.labels import audacity_zip

        assert self.export is not None
        if kind == "audacity" and self.export.lower().endswith(".zip"):
            return iter([audacity_zip(spans)])
        found: ResultFormat = kind  # type: ignore[assignment]
        return chunks(spans, found)

    def _cut_out(self, spans: Iterable[Span], stored_stat: Callable[[Span], FileStat | None]) -> int:
        from soundalike.audio.sandbox import shared
        from soundalike.results import cut_outs

        assert self.export is not None
        request = self.cut_out_request()

        def write(target: cut_outs.Destination) -> Iterator[CutOutResult]:
            return cut_outs.write_cut_outs(
                spans, target, request, shared(), lambda span: cut_outs.file_of(span, stored_stat)
            )

        name = Path(self.export)
        if self.export.endswith("/") or name.is_dir():
            with blaming(f"--export {self.export!r}"), cut_outs.opened_folder(name) as folder:
                return self._report(write(folder))
        if self.is_to_stdout:
            with tempfile.TemporaryFile() as file:
                with cut_outs.opened_zip(file) as archive:
                    status = self._report(write(archive))
                file.seek(0)
                _copy_to_stdout(file)
                return status
        with (
            Target(name, option="--export") as target,
            cut_outs.opened_zip(target.file, name.absolute().parent) as archive,
        ):
            return self._report(write(archive))

    def _report(self, results: Iterable[CutOutResult]) -> int:
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for result in results:
            counts["kept" if result.is_kept else "failed" if result.reason else "written"] += 1
            if result.reason:
                reasons[f"{output.short_path(result.span.uri)}: {result.reason}"] += 1
        for reason, count in reasons.most_common(_SHOWN_FAILURES):
            output.note(f"no cut-out: {output.visible(reason)} ({count} spans)")
        if len(reasons) > _SHOWN_FAILURES:
            output.note(f"and {len(reasons) - _SHOWN_FAILURES} other reasons; manifest.csv lists all")
        kept = f", {counts['kept']} were there already" if counts["kept"] else ""
        self._note(counts["written"], f"cut-outs{kept}, {counts['failed']} failed")
        return _PARTIAL_FAILURE if counts["failed"] else 0

    def _note(self, count: int, what: str) -> None:
        where = "stdout" if self.is_to_stdout else output.visible(str(self.export))
        output.note(f"{where}: {count} {what}")


class _Counted:
    """Counts the items that pass."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = spans
        self.count = 0

    def __iter__(self) -> Iterator[Span]:
        for span in self._spans:
            self.count += 1
            yield span


def _copy_to_stdout(file: IO[bytes]) -> None:
    while block := file.read(shutil.COPY_BUFSIZE):  # type: ignore[attr-defined]
        output.data_bytes(block)


def export_options(*, cut_outs: bool = True) -> list[click.Parameter]:
    """Return the options of an export."""
    found: list[click.Parameter] = [
        click.Option(
            ["--export"],
            type=options.FileName(str),
            metavar="FILE|FOLDER/",
            help="write the results to this file, or - for stdout: .csv, .jsonl, .parquet, .txt (labels "
            "of Audacity), .selections.txt (Raven), .m3u8 (playlist); or cut-outs of sound into .zip or "
            "a folder, which may exist",
        ),
        click.Option(
            ["--format"],
            type=click.Choice(FORMATS),
            help="format of --export; default: from the name; zip: cut-outs",
        ),
        click.Option(
            ["--export-label"],
            metavar="TEXT",
            help="label of all spans in the export; default: the recording's",
        ),
    ]
    if cut_outs:
        found += _cut_out_options()
    return found


def _cut_out_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["padding_s", "--padding"],
            type=float,
            metavar="S",
            help="cut-outs: seconds before and after each span; default: 0",
        ),
        click.Option(
            ["--audio"], type=click.Choice(("wav", "flac")), help="cut-outs: format; default: wav"
        ),
        options.flag("--pictures", help="cut-outs: add a spectrogram of each as PNG"),
        click.Option(
            ["--max-bytes"],
            type=Size(),
            metavar="N",
            help="cut-outs: stop at this size, like 500M; default: 2 GiB",
        ),
    ]


def taken(given: dict[str, Any]) -> Export:
    """Remove the options of an export from the given ones, and return them checked.

    Raises
    ------
    ParameterError
        They do not belong together.
    """
    names = Export.__dataclass_fields__.keys() & given.keys()
    found = Export(**{name: given.pop(name) for name in names})
    found.check()
    return found


def stat_in(store: Store | None) -> Callable[[Span], FileStat | None]:
    """Return the function that finds the stored size and time of a span's file."""

    def stored_stat(span: Span) -> FileStat | None:
        if store is None:
            return None
        file = store.files_named([span.uri], collection=span.collection).get(span.uri)
        return file and file.recording.stat

    return stored_stat
