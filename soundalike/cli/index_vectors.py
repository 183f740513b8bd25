"""``soundalike index --vectors``: make a collection of vectors that another program computed."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.cli.commands import opened_store, settings_from
from soundalike.cli.report import Report
from soundalike.cli.server import service_from
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.indexing.items import IndexResult

#: Options of files, which say nothing of vectors.
_OF_FILES = {
    "paths": "PATH",
    "label": "--label",
    "tag": "--tag",
    "recorded_at": "--recorded-at",
    "time_pattern": "--time-pattern",
    "metadata": "--metadata",
    "checksum": "--checksum",
    "prune": "--prune",
    "dry_run": "--dry-run",
    "list_skipped": "--list-skipped",
    "on_server": "--on-server",
    "model": "--model",
    "checkpoint": "--checkpoint",
    "precision": "--precision",
    "window_size": "--window-size",
    "stride": "--stride",
}


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of vectors."""
    command.add_argument(
        "--vectors",
        type=Path,
        metavar="FILE",
        help="instead of PATH: vectors that another program computed, as .npy, .parquet or .jsonl; they "
        "make a collection of their own, which search --vector and --recording-id find in",
    )
    command.add_argument(
        "--rows",
        type=Path,
        metavar="FILE",
        help="CSV or JSON lines with a row for each vector: recording, start and end in seconds, label, "
        "tags (a JSON object), recorded_at; other columns become tags. Default: the columns beside the "
        "vectors",
    )
    command.add_argument(
        "--encoder-name", metavar="NAME", help="what computed the vectors; default: external"
    )


def check_options(arguments: argparse.Namespace) -> None:
    """Raise `ParameterError` where options of files and of vectors are mixed, or nothing is given."""
    if arguments.vectors is None:
        for name in ("rows", "encoder_name"):
            if getattr(arguments, name) is not None:
                raise ParameterError(
                    f"--{name.replace('_', '-')} needs --vectors FILE; leave it out to index sound files"
                )
        if not arguments.paths:
            raise ParameterError("there is nothing to index; give PATH, or --vectors FILE")
        return
    for name, option in _OF_FILES.items():
        if getattr(arguments, name, None) not in (None, False, []):
            raise ParameterError(f"{option} does not go with --vectors; leave it out")


def run(arguments: argparse.Namespace) -> int:
    """Store vectors, here or on a service, and report."""
    report = Report()
    started = time.monotonic()
    if service := service_from(arguments):
        results: Iterable[IndexResult] = service.index_vectors(
            arguments.vectors,
            arguments.rows,
            encoder=arguments.encoder_name,
            collection=arguments.collection,
            on_warning=_warn,
        )
        _tell(results, report, arguments)
    else:
        _index_here(arguments, report)
    report.write(time.monotonic() - started, as_json=arguments.json)
    return report.exit_status


def _index_here(arguments: argparse.Namespace, report: Report) -> None:
    from soundalike.clock.start_time import zone_named
    from soundalike.indexing.vectors import read_vectors
    from soundalike.indexing.vectors.indexing import external_spec, index_vectors

    settings = settings_from(arguments)
    table = read_vectors(arguments.vectors, arguments.rows, zone_named(settings.time_zone))
    for warning in table.warnings:
        _warn(warning)
    encoder = {"encoder": arguments.encoder_name} if arguments.encoder_name else {}
    which = {"collection": arguments.collection}
    with opened_store(settings) as store:
        spec = external_spec(store, table.recordings, table.dimension, **encoder, **which)
        folder = (arguments.rows or arguments.vectors).absolute().parent
        output.note(f"collection {arguments.collection}: {spec.describe()}")
        results = index_vectors(
            store, table.recordings, spec, **which, uri_of=lambda name: _file_or_name(folder, name)
        )
        _tell(results, report, arguments)


def _tell(results: Iterable[IndexResult], report: Report, arguments: argparse.Namespace) -> None:
    for result in results:
        report.tell(result, as_json=arguments.json)


def _warn(text: str) -> None:
    output.note(f"warning: {text}")


def _file_or_name(folder: Path, name: str) -> str:
    """Return the path of the file that a table names, so that it can be played; else the name."""
    path = os.path.abspath(folder / name)
    return path if os.path.isfile(path) else name
