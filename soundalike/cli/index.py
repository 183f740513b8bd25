"""``soundalike index``: make the index agree with files and folders."""

from __future__ import annotations

import argparse
import glob
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.audio.allowed_roots import note_indexed
from soundalike.cli import index_vectors, output
from soundalike.cli.commands import UNKNOWN, opened_pipeline, parse_tags, settings_from, start_decoding
from soundalike.cli.index_remote import LOCAL_OPTIONS, NOT_SENT, NOT_THERE, index_folders, send
from soundalike.cli.paths import list_left_out, metadata_tables, sound_files
from soundalike.cli.report import Report
from soundalike.cli.server import service_from
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import MetadataError, SoundalikeError

if TYPE_CHECKING:
    from soundalike.audio.files import FileList
    from soundalike.client import Service
    from soundalike.clock.wall_clock import StartTimeRules
    from soundalike.indexing.metadata import FileMetadata
    from soundalike.indexing.pipeline import IndexItem, IndexResult, Pipeline
    from soundalike.indexing.pruning import Place


def run(arguments: argparse.Namespace) -> int:
    """Index what is new or changed, take out what is gone if asked to, and report."""
    from soundalike.clock.wall_clock import StartTimeRules

    index_vectors.check_options(arguments)
    if arguments.vectors is not None:
        return index_vectors.run(arguments)
    impossible = {**LOCAL_OPTIONS, **(NOT_THERE if arguments.on_server else NOT_SENT)}
    if service := service_from(arguments, impossible):
        return _run_on(service, arguments)
    start_rules = StartTimeRules.described(settings_from(arguments).time_zone, arguments.time_pattern)
    report = Report(is_dry_run=arguments.dry_run, lists_left_out=arguments.list_skipped)
    # What is not there is said before the encoder is loaded; with --prune, it may be in the index.
    wanted = None if arguments.prune else _wanted(arguments, start_rules, arguments.paths)
    if not arguments.dry_run:
        start_decoding(UNKNOWN if wanted is None else len(wanted.items))
    with opened_pipeline(arguments, start_rules, make=not arguments.dry_run) as pipeline:
        places = _places(arguments, pipeline) if arguments.prune else {}
        if wanted is None:
            gone = [name for name, place in places.items() if place.is_gone]
            paths = [path for path in arguments.paths if path not in gone]
            wanted = _wanted(arguments, start_rules, paths)
        if not arguments.dry_run:
            note_indexed(settings_from(arguments).data_dir, _named(arguments.paths))
        show = output.progress(len(wanted.items), "looking" if arguments.dry_run else "indexing")
        report.n_left_out = wanted.files.skipped
        with _reported(report, as_json=arguments.json):
            for number, result in enumerate(_results(arguments, pipeline, wanted.items), start=1):
                show(number)
                wanted.tell(result, report, arguments)
            for result in _pruned(arguments, pipeline, list(places.values())):
                report.tell(result, as_json=arguments.json)
            stored = pipeline.store.status(collection=pipeline.collection)
            report.note_earlier(stored.earlier_decoder, _mend(arguments))
    return report.exit_status


def _run_on(service: Service, arguments: argparse.Namespace) -> int:
    """Do the same on a service."""
    from soundalike.clock.wall_clock import StartTimeRules

    report = Report(lists_left_out=arguments.list_skipped)
    if arguments.on_server:
        with _reported(report, as_json=arguments.json):
            index_folders(service, arguments, report)
            _note_earlier_on(service, arguments, report)
        return report.exit_status
    start_rules = StartTimeRules.described(settings_from(arguments).time_zone)
    wanted = _wanted(arguments, start_rules, arguments.paths)
    report.n_left_out = wanted.files.skipped
    with _reported(report, as_json=arguments.json):
        for result in send(service, wanted.items, arguments.collection):
            wanted.tell(result, report, arguments)
        _note_earlier_on(service, arguments, report)
    return report.exit_status


def _note_earlier_on(service: Service, arguments: argparse.Namespace, report: Report) -> None:
    # What was indexed is indexed, whatever becomes of this question.
    with suppress(SoundalikeError):
        stored = service.status(arguments.collection)
        report.note_earlier(stored["earlier_decoder"], f"on the service's machine, {_mend(arguments)}")


def _mend(arguments: argparse.Namespace) -> str:
    which = arguments.collection
    where = "" if which == DEFAULT_COLLECTION else f" --collection {which}"
    return f"soundalike reindex{where} decodes them again"


@contextmanager
def _reported(report: Report, *, as_json: bool) -> Iterator[None]:
    """Write the report at the end, also of what was done before it was interrupted."""
    started = time.monotonic()
    is_done = False
    try:
        yield
        is_done = True
    finally:
        if is_done or report.n_files:
            report.write(time.monotonic() - started, as_json=as_json)


def _places(arguments: argparse.Namespace, pipeline: Pipeline) -> dict[str, Place]:
    from soundalike.indexing.pruning import find_places

    paths = [path for path in arguments.paths if path]
    return find_places(pipeline.store, paths, pipeline.spec, collection=pipeline.collection)


def _named(paths: list[str]) -> Iterator[str]:
    """Yield the folders and files that are named, themselves or by a pattern."""
    for path in paths:
        yield from [path] if os.path.exists(path) else glob.glob(path, recursive=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be indexed, and the files that the paths mean."""

    items: list[IndexItem]
    files: FileList

    def tell(self, result: IndexResult, report: Report, arguments: argparse.Namespace) -> None:
        """Take in what became of a file."""
        from soundalike.audio.files import NO_TRACK
        from soundalike.indexing.items import mark_skipped

        result = mark_skipped(result, self.files)
        report.tell(result, as_json=arguments.json)
        if result.outcome == "skipped" and arguments.list_skipped:
            list_left_out({result.uri: NO_TRACK}, as_json=arguments.json)


def _wanted(arguments: argparse.Namespace, start_rules: StartTimeRules, paths: list[str]) -> _Wanted:
    from soundalike.clock.wall_clock import parse_moment
    from soundalike.indexing.metadata import read_file_metadata
    from soundalike.indexing.pipeline import IndexItem

    tags = parse_tags(arguments.tag)
    given = arguments.recorded_at and parse_moment(
        arguments.recorded_at, start_rules.zone, "--recorded-at"
    )
    tables, files = metadata_tables(arguments, sound_files(paths))
    if arguments.list_skipped:
        list_left_out(files.left_out, as_json=arguments.json)
    items = [IndexItem(str(path), arguments.label, tags, given) for path in files.files]
    if not tables:
        return _Wanted(items, files)
    # Those that were found name the files beside them.
    folders = [Path(path) if os.path.isdir(path) else Path(path).parent for path in paths]
    told = read_file_metadata(tables, folders if arguments.metadata else [], start_rules.zone)
    _tell_of_metadata(arguments, tables, told, files.files)
    described = [
        _with_metadata(item, told[path]) if path in told else item
        for item, path in zip(items, files.files, strict=True)
    ]
    return _Wanted(described, files)


def _tell_of_metadata(
    arguments: argparse.Namespace,
    tables: list[Path],
    told: dict[Path, FileMetadata],
    files: list[Path],
) -> None:
    """Say what is only in the tables, and what is not in them."""
    wanted = set(files)
    absent = [path for path in told if path not in wanted]
    shown = ", ".join(output.visible(output.short_path(str(table))) for table in tables)
    if arguments.metadata and files and len(absent) == len(told):
        names = ", ".join(repr(table.name) for table in tables)
        raise MetadataError(
            f"none of the {len(told)} files that {names} names is among those to be indexed, the first "
            f"being {str(absent[0])!r}; names are relative to the table's folder or to the folders that "
            "are indexed"
        )
    if absent:
        first = output.visible(output.short_path(str(absent[0])))
        output.note(
            f"warning: {len(absent)} of {len(told)} files that {shown} names are not there or not to be "
            f"indexed, the first being {first}"
        )
    if unnamed := len(wanted - told.keys()):
        output.note(
            f"{unnamed} of {len(files)} files are not named by {shown}; their folder is their label"
        )


def _with_metadata(item: IndexItem, told: FileMetadata) -> IndexItem:
    """Return a file with what the table says of it, which outdoes what is said of all files."""
    return replace(
        item,
        label=item.label if told.label is None else told.label,
        tags={**item.tags, **told.tags},
        recorded_at=told.recorded_at or item.recorded_at,
    )


def _results(
    arguments: argparse.Namespace, pipeline: Pipeline, items: list[IndexItem]
) -> Iterator[IndexResult]:
    from soundalike.indexing.dry_run import preview

    if arguments.dry_run:
        return preview(pipeline, items, checksum=arguments.checksum)
    return pipeline.index(items, checksum=arguments.checksum)


def _pruned(
    arguments: argparse.Namespace, pipeline: Pipeline, places: list[Place]
) -> Iterator[IndexResult]:
    """Take out what is gone, behind the rest: a file that was moved has been linked by then."""
    from soundalike.indexing.pruning import find_gone, prune, pruned_result

    if not arguments.dry_run:
        return prune(pipeline.store, places, collection=pipeline.collection)
    gone = find_gone(pipeline.store, places, collection=pipeline.collection)
    return (pruned_result(file) for file in gone)
