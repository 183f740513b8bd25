"""``soundalike embed``: the vectors of files, for programs that do more with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.cli.commands import encoder_of, settings_from, start_decoding, window_plan
from soundalike.cli.paths import list_left_out, note_left_out, sound_files
from soundalike.cli.vectors import FORMATS, format_of, vector_writer
from soundalike.errors import AudioError, AudioNotFound, ParameterError

if TYPE_CHECKING:
    from soundalike.audio.files import FileList
    from soundalike.audio.windows import WindowPlan
    from soundalike.config import Settings
    from soundalike.encoders.base import Encoder
    from soundalike.encoders.clips import FileEmbedding
    from soundalike.encoders.vggish.postprocess import Postprocessor

__all__ = ["FORMATS", "GRANULARITIES", "POOLINGS", "run"]

# As in `soundalike.encoders.clips`, which the parser need not load.
GRANULARITIES = ("window", "second", "file")
POOLINGS = ("mean", "sum")


def run(arguments: argparse.Namespace) -> int:
    """Embed files and write their vectors; report each failure."""
    from soundalike.audio.files import NO_TRACK
    from soundalike.audio.sources import path_of
    from soundalike.encoders.clips import embed_files

    plan = _checked_plan(arguments)
    target = None if arguments.output == Path("-") else arguments.output
    layout = format_of(arguments.format, target, as_json=arguments.json)
    settings = settings_from(arguments)
    found = _files(arguments)
    files = found.files
    start_decoding(len(files))
    failed = skipped = 0
    with vector_writer(layout, target, files) as writer:
        encoder = encoder_of(settings)
        results = embed_files(
            files,
            encoder,
            per=arguments.per,
            plan=plan,
            pooling=arguments.pooling or "mean",
            postprocessor=_postprocessor(encoder, settings) if arguments.postprocess else None,
        )
        # Rows on a terminal show by themselves how far it is.
        quiet = len(files) == 1 or (target is None and output.to_terminal())
        show = (lambda done: None) if quiet else output.progress(len(files), "embedding")
        for number, result in enumerate(results, start=1):
            show(number)
            if result.error and found.may_skip(path_of(result.uri), result.error.code):
                skipped += 1
                if arguments.list_skipped:
                    list_left_out({result.uri: NO_TRACK}, as_json=arguments.json)
                continue
            _tell(result)
            failed += result.error is not None
            writer.write(result, encoder.name)
    if target is not None or len(files) > 1:
        output.note(f"{len(files) - skipped} files: {writer.summary()}, {failed} failed")
    note_left_out(found.skipped + skipped, is_listed=arguments.list_skipped)
    return AudioError.exit_status if failed else 0


def _checked_plan(arguments: argparse.Namespace) -> WindowPlan:
    """Return the windows; raise where an option has no meaning beside the others."""
    if arguments.per == "window" and arguments.postprocess:
        raise ParameterError("--postprocess is not for windows; add --per second or --per file")
    if arguments.per != "file" and arguments.pooling:
        raise ParameterError(f"--pooling is not for --per {arguments.per}; add --per file")
    if arguments.per != "window" and (arguments.window_size, arguments.stride) != (None, None):
        raise ParameterError(
            f"--window-size and --stride are not for --per {arguments.per}; leave them out"
        )
    return window_plan(arguments, None)


def _files(arguments: argparse.Namespace) -> FileList:
    from soundalike.audio.sources import resolve_path

    paths = arguments.paths
    found = sound_files([str(resolve_path(path)) if "://" in path else path for path in paths])
    if arguments.list_skipped:
        list_left_out(found.left_out, as_json=arguments.json)
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
