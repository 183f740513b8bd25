"""``soundalike index``: index new and changed files."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli import index_cluster, index_urls, index_vectors, opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.index_remote import impossible, index_folders, send
from soundalike.cli.paths import metadata_tables, sound_files
from soundalike.cli.place import ENCODING, first_given
from soundalike.cli.report import Report
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import MetadataError, ParameterError, SoundalikeError
from soundalike.indexing.requests import IndexRequest, TableChoice, VectorsRequest

if TYPE_CHECKING:
    from soundalike.audio.files import FileList
    from soundalike.cli.place import Place
    from soundalike.client import Service
    from soundalike.clock.wall_clock import StartTimeRules
    from soundalike.config import Settings
    from soundalike.indexing.metadata import FileMetadata
    from soundalike.indexing.pipeline import IndexItem, IndexResult, Pipeline
    from soundalike.indexing.pruning import Place as PrunedPlace
    from soundalike.indexing.pruning import RemotePlace

#: Options of Dask.
DISTRIBUTED = {"workers": "--workers", "dask": "--dask"}
#: Options of files, which do not go with vectors.
_OF_FILES = {
    "paths": "PATH",
    "label": "--label",
    "tags": "--tag",
    "recorded_at": "--recorded-at",
    "time_patterns": "--time-pattern",
    "metadata": "--metadata",
    "checksum": "--checksum",
    "prune": "--prune",
    "dry_run": "--dry-run",
    "list_skipped": "--list-skipped",
    "on_server": "--on-server",
    **DISTRIBUTED,
    **ENCODING,
}


@make_command(
    "index",
    options.paths(required=False),
    options.option_of(IndexRequest, "label", "--label"),
    options.tags(IndexRequest),
    options.option_of(
        IndexRequest,
        "recorded_at",
        "--recorded-at",
        more="; default: from each file's header, its name or its modification time",
        metavar="TIME",
    ),
    options.option_of(
        IndexRequest,
        "time_patterns",
        "--time-pattern",
        more="; repeatable",
        multiple=True,
        metavar="PATTERN",
    ),
    *options.metadata(
        "label (or category), recorded_at; every other column becomes a tag. It overrides --label, "
        "--tag and --recorded-at"
    ),
    options.option_of(IndexRequest, "checksum", "--checksum"),
    options.option_of(
        IndexRequest,
        "prune",
        "--prune",
        more="; fails if a whole folder is missing (it may be unmounted)",
    ),
    options.option_of(IndexRequest, "dry_run", "--dry-run"),
    options.list_skipped(),
    options.option_of(IndexRequest, "workers", "--workers", type=int, metavar="N"),
    options.option_of(IndexRequest, "dask", "--dask", metavar="ADDRESS"),
    click.Option(
        ["--vectors"],
        type=options.FileName(),
        metavar="FILE",
        help="index vectors that another program computed instead of PATH: .npy, .parquet or .jsonl; "
        "they need a collection of their own; search it with --vector or --recording-id",
    ),
    click.Option(
        ["--rows"],
        type=options.FileName(),
        metavar="FILE",
        help="CSV or JSON lines with a row for each vector: recording, start and end in seconds, label, "
        "tags (a JSON object), recorded_at; other columns become tags. Default: the columns beside the "
        "vectors",
    ),
    click.Option(
        ["--encoder-name"],
        metavar="NAME",
        help=f"encoder that computed the vectors; default: {VectorsRequest.encoder}",
    ),
    options.collection(),
    options.time_zone("times without one"),
    *options.server(
        what_is_there="with --server, PATH is a folder on its machine; otherwise the files are sent and "
        "kept there"
    ),
    *options.encoding(),
)
def command(
    place: Place,
    *,
    as_json: bool,
    vectors: Path | None,
    rows: Path | None,
    encoder_name: str | None,
    list_skipped: bool,
    metadata: tuple[Path, ...],
    no_metadata: bool,
    **given: Any,
) -> int:
    """Read the request: files or vectors."""
    if vectors is not None:
        others = {**vars(place), **given, "metadata": metadata, "list_skipped": list_skipped}
        if wrong := first_given(others, _OF_FILES):
            raise ParameterError(f"{wrong} does not go with --vectors; leave it out")
        name = encoder_name or VectorsRequest.encoder
        of_vectors = VectorsRequest(
            vectors=vectors, rows=rows, encoder=name, collection=given["collection"]
        )
        return index_vectors.run(of_vectors, place, as_json=as_json)
    of_these = {"--rows": rows, "--encoder-name": encoder_name}
    if wrong := next((name for name, value in of_these.items() if value is not None), ""):
        raise ParameterError(f"{wrong} needs --vectors FILE; leave it out to index sound files")
    from soundalike.audio.sources import plain_path

    given["paths"] = tuple(map(plain_path, given["paths"]))
    request = IndexRequest(tables=TableChoice(metadata, not no_metadata), **given)
    report = Report(as_json=as_json, is_dry_run=request.dry_run, lists_left_out=list_skipped)
    return run(request, place, report)


def run(request: IndexRequest, place: Place, report: Report) -> int:
    """Index what is new or changed, take out what is gone if asked to, and report."""
    if service := place.service(impossible(request, on_server=place.on_server)):
        return _run_on(service, request, place, report)
    from soundalike.audio.allowed_roots import note_indexed
    from soundalike.clock.wall_clock import StartTimeRules

    settings = place.settings()
    start_rules = StartTimeRules.described(settings.time_zone, request.time_patterns)
    # What is not there is said before the encoder is loaded; with --prune, it may be in the index.
    wanted = None if request.prune else _wanted(request, request.paths, start_rules, report)
    if not request.dry_run and not request.is_distributed:
        opening.start_decoding(opening.UNKNOWN if wanted is None else len(wanted.items))
    make = not request.dry_run
    with opening.opened_pipeline(place, request.collection, start_rules, make=make) as pipeline:
        places = _places(request, pipeline) if request.prune else {}
        if wanted is None:
            gone = [name for name, found in places.items() if found.is_gone]
            paths = [path for path in request.paths if path not in gone]
            wanted = _wanted(request, paths, start_rules, report)
        if not request.dry_run:
            note_indexed(settings.data_dir, _named(request.paths))
        show = output.progress(len(wanted.items), "looking" if request.dry_run else "indexing")
        report.n_left_out = wanted.files.skipped
        with _reported(report):
            results = _results(request, pipeline, wanted.items, settings)
            for number, result in enumerate(results, start=1):
                show(number)
                wanted.tell(result, report)
            for result in _pruned(request, pipeline, list(places.values())):
                report.tell(result)
            stored = pipeline.store.status(collection=pipeline.collection)
            report.note_earlier(stored.earlier_decoder, _mend(request.collection))
    return report.exit_status


def _run_on(service: Service, request: IndexRequest, place: Place, report: Report) -> int:
    """Do the same on a service."""
    from soundalike.clock.wall_clock import StartTimeRules

    if place.on_server:
        with _reported(report):
            index_folders(service, request, report)
            _note_earlier_on(service, request.collection, report)
        return report.exit_status
    start_rules = StartTimeRules.described(place.settings().time_zone)
    wanted = _wanted(request, request.paths, start_rules, report)
    report.n_left_out = wanted.files.skipped
    with _reported(report):
        for result in send(service, wanted.items, request.collection):
            wanted.tell(result, report)
        _note_earlier_on(service, request.collection, report)
    return report.exit_status


def _note_earlier_on(service: Service, collection: str, report: Report) -> None:
    # What was indexed is indexed, whatever becomes of this question.
    with suppress(SoundalikeError):
        stored = service.status(collection)
        report.note_earlier(stored["earlier_decoder"], f"on the service's machine, {_mend(collection)}")


def _mend(collection: str) -> str:
    where = "" if collection == DEFAULT_COLLECTION else f" --collection {collection}"
    return f"soundalike reindex{where} decodes them again"


@contextmanager
def _reported(report: Report) -> Iterator[None]:
    """Write the report at the end, also of what was done before it was interrupted."""
    started = time.monotonic()
    is_done = False
    try:
        yield
        is_done = True
    finally:
        if is_done or report.n_files:
            report.write(time.monotonic() - started)


def _places(request: IndexRequest, pipeline: Pipeline) -> dict[str, PrunedPlace | RemotePlace]:
    from soundalike.indexing.pruning import find_places

    paths = [path for path in request.paths if path]
    return find_places(pipeline.store, paths, pipeline.spec, collection=pipeline.collection)


def _named(paths: Sequence[str]) -> Iterator[str]:
    """Yield the folders and files that are named, themselves or by a pattern."""
    for path in paths:
        yield from [path] if os.path.exists(path) else glob.glob(path, recursive=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be indexed, and the files that the paths mean."""

    items: list[IndexItem]
    files: FileList

    def tell(self, result: IndexResult, report: Report) -> None:
        """Take in what became of a file."""
        from soundalike.audio.files import NO_TRACK
        from soundalike.indexing.items import mark_skipped

        result = mark_skipped(result, self.files)
        report.tell(result)
        if result.outcome == "skipped":
            report.list_left_out({result.uri: NO_TRACK})


def _wanted(
    request: IndexRequest, paths: Sequence[str], start_rules: StartTimeRules, report: Report
) -> _Wanted:
    from soundalike.audio.urls import separated
    from soundalike.clock.wall_clock import parse_moment
    from soundalike.indexing.items import with_metadata
    from soundalike.indexing.metadata import read_file_metadata
    from soundalike.indexing.pipeline import IndexItem

    began = None
    if request.recorded_at:
        began = parse_moment(request.recorded_at, start_rules.zone, "--recorded-at")
    urls, paths = separated(paths)
    tables, files = metadata_tables(request.tables, sound_files(paths))
    remote, listed = index_urls.remote_files(urls, files, request)
    report.list_left_out(listed.left_out)
    of_all = partial(IndexItem, label=request.label, tags=request.tags, recorded_at=began)
    items = [of_all(str(path)) for path in files.files]
    remote_items = [of_all(one.uri, remote=one) for one in remote]
    if not tables:
        return _Wanted([*items, *remote_items], listed)
    # Tables that were found name the files beside them.
    folders = [Path(path) if os.path.isdir(path) else Path(path).parent for path in paths]
    is_named = bool(request.tables.named)
    told = read_file_metadata(tables, folders if is_named else [], start_rules.zone)
    _tell_of_metadata(tables, told, files.files, is_named=is_named)
    described = [
        with_metadata(item, told[path]) if path in told else item
        for item, path in zip(items, files.files, strict=True)
    ]
    return _Wanted([*described, *remote_items], listed)


def _tell_of_metadata(
    tables: Sequence[Path],
    told: dict[Path, FileMetadata],
    files: list[Path],
    *,
    is_named: bool,
) -> None:
    """Say what is only in the tables, and what is not in them."""
    wanted = set(files)
    absent = [path for path in told if path not in wanted]
    shown = ", ".join(output.visible(output.short_path(str(table))) for table in tables)
    if is_named and files and len(absent) == len(told):
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


def _results(
    request: IndexRequest, pipeline: Pipeline, items: list[IndexItem], settings: Settings
) -> Iterator[IndexResult]:
    from soundalike.indexing.dry_run import preview
    from soundalike.indexing.loading import begin_load

    if request.dry_run:
        return preview(pipeline, items, checksum=request.checksum)
    if begin_load(pipeline, items):
        output.note(
            "there is more to add than is stored: the vector index is dropped now and built at the end; "
            "searches are slower until then"
        )
    if request.is_distributed:
        return index_cluster.results(request, pipeline, items, settings)
    return pipeline.index(items, checksum=request.checksum)


def _pruned(
    request: IndexRequest, pipeline: Pipeline, places: list[PrunedPlace | RemotePlace]
) -> Iterator[IndexResult]:
    """Take out what is gone, behind the rest: a file that was moved has been linked by then."""
    from soundalike.indexing.pruning import find_gone, prune, pruned_result

    if not request.dry_run:
        return prune(pipeline.store, places, collection=pipeline.collection)
    gone = find_gone(pipeline.store, places, collection=pipeline.collection)
    return (pruned_result(file) for file in gone)
