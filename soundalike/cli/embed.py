"""``soundalike embed``: write the embeddings of sound files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.audio.windows import WindowPlan
from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.paths import LeftOut, sound_files
from soundalike.cli.vectors import FORMATS, format_of, vector_writer
from soundalike.errors import AudioError, AudioNotFound, ParameterError
from soundalike.ranges import GRANULARITIES, POOLINGS, Granularity, Pooling

if TYPE_CHECKING:
    from soundalike.audio.files import FileList
    from soundalike.cli.place import Place
    from soundalike.config import Settings
    from soundalike.encoders.base import Encoder
    from soundalike.encoders.clips import FileEmbedding
    from soundalike.encoders.vggish.postprocess import Postprocessor


@dataclass(frozen=True, kw_only=True)
class EmbedRequest:
    """Sound files, and what is to be computed of them.

    Attributes
    ----------
    paths : tuple of str
        Files, folders and patterns.
    per : str
        One of `GRANULARITIES`.
    pooling : str or None
        One of `POOLINGS`; how the seconds become a file's vector.
    postprocess : bool
        As in the AudioSet release.
    plan : WindowPlan or None
        Windows that were asked for; None: the standard ones.

    Raises
    ------
    ParameterError
        An option has no meaning beside the others.
    """

    paths: tuple[str, ...]
    per: Granularity = "window"
    pooling: Pooling | None = None
    postprocess: bool = False
    plan: WindowPlan | None = None

    def __post_init__(self) -> None:
        if self.per == "window" and self.postprocess:
            raise ParameterError("--postprocess is not for windows; add --per second or --per file")
        if self.per != "file" and self.pooling:
            raise ParameterError(f"--pooling is not for --per {self.per}; add --per file")
        if self.per != "window" and self.plan is not None:
            raise ParameterError(
                f"--window-size and --stride are not for --per {self.per}; leave them out"
            )


@make_command(
    "embed",
    options.paths(required=True),
    click.Option(
        ["--per"],
        type=click.Choice(GRANULARITIES),
        default=EmbedRequest.per,
        help="one vector for each window as the index has it (the vectors of its seconds one after the "
        "other, of length 1), the encoder's raw 128 numbers for each second, or 128 numbers of length "
        f"1 for the whole file; default: {EmbedRequest.per}",
    ),
    click.Option(
        ["--pooling"],
        type=click.Choice(POOLINGS),
        help=f"how seconds are combined into a file's vector; with --per file; default: {POOLINGS[0]}",
    ),
    options.flag(
        "--postprocess",
        help="PCA, whitening and 8 bits as in the AudioSet release; VGGish only, not for windows",
    ),
    click.Option(
        ["layout", "--format"],
        type=click.Choice(FORMATS),
        help="text: start, end and the numbers with 6 decimals; json: an object on each line; csv: with "
        "a header, a column for each number; npy: one array, a row for each vector; default: what "
        "--output ends in (.txt, .json, .jsonl, .csv, .npy), else text. --json is --format json",
    ),
    click.Option(
        ["output_file", "--output"],
        type=options.FileName(),
        metavar="FILE",
        help="write to this file instead of stdout; it appears when all is done. FILE.rows.csv beside "
        "FILE.npy describes its rows",
    ),
    options.list_skipped(),
    *options.encoding(of_index=False),
    server="noted",
)
def command(
    place: Place,
    *,
    as_json: bool,
    layout: str | None,
    output_file: Path | None,
    list_skipped: bool,
    **given: Any,
) -> int:
    """Read the request, embed files and write their vectors; report each failure."""
    asks_windows = (place.window_size, place.stride) != (None, None)
    request = EmbedRequest(plan=place.windows() if asks_windows else None, **given)
    target = None if output_file == Path("-") else output_file
    layout = format_of(layout, target, as_json=as_json)
    left_out = LeftOut(is_listed=list_skipped, as_json=as_json)
    return run(request, place.settings(), left_out, layout, target)


def run(
    request: EmbedRequest, settings: Settings, left_out: LeftOut, layout: str, target: Path | None
) -> int:
    """Embed files and write their vectors in a format, to stdout or a file; report each failure."""
    from soundalike.audio.files import NO_TRACK
    from soundalike.audio.sources import path_of
    from soundalike.encoders.clips import embed_files

    found = _files(request.paths, left_out)
    files = found.files
    opening.start_decoding(len(files))
    failed = skipped = 0
    with vector_writer(layout, target, files) as writer:
        encoder = opening.encoder_of(settings)
        results = embed_files(
            files,
            encoder,
            per=request.per,
            plan=request.plan or WindowPlan(),
            pooling=request.pooling or POOLINGS[0],
            postprocessor=_postprocessor(encoder, settings) if request.postprocess else None,
        )
        # Rows on a terminal show by themselves how far it is.
        quiet = len(files) == 1 or (target is None and output.to_terminal())
        show = (lambda _: None) if quiet else output.progress(len(files), "embedding")
        for number, result in enumerate(results, start=1):
            show(number)
            if result.error and found.may_skip(path_of(result.uri), result.error.code):
                skipped += 1
                left_out.tell({result.uri: NO_TRACK})
                continue
            _tell(result)
            failed += result.error is not None
            writer.write(result, encoder.name)
    if target is not None or len(files) > 1:
        output.note(f"{len(files) - skipped} files: {writer.summary()}, {failed} failed")
    left_out.sum_up(found.skipped + skipped)
    return AudioError.exit_status if failed else 0


def _files(paths: Sequence[str], left_out: LeftOut) -> FileList:
    from soundalike.audio.sources import resolve_path

    found = sound_files([str(resolve_path(path)) if "://" in path else path for path in paths])
    left_out.tell(found.left_out)
    if not found.files:
        raise AudioNotFound(f"no sound files are in {', '.join(paths)}; check the path")
    return found


def _postprocessor(encoder: Encoder, settings: Settings) -> Postprocessor:
    from soundalike.encoders.clips import check_postprocess, load_postprocessor

    check_postprocess(encoder)
    return load_postprocessor(settings.weights_dir)


def _tell(result: FileEmbedding) -> None:
    name = output.short_path(result.uri)
    for warning in result.warnings:
        output.note(f"warning: {name}: {warning}")
    if result.error is not None:
        output.note(f"failed: {name}: {result.error.message} [{result.error.code}]")
