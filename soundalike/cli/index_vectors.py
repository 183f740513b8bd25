"""``soundalike index --vectors``: make a collection of vectors that another program computed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import opening, output
from soundalike.cli.report import Report

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.config import Settings
    from soundalike.indexing.items import IndexResult
    from soundalike.indexing.requests import VectorsRequest


def run(request: VectorsRequest, place: Place, *, as_json: bool) -> int:
    """Store vectors, here or on a service, and report."""
    report = Report(as_json=as_json)
    started = time.monotonic()
    if service := place.service():
        _tell(service.index_vectors(request, on_warning=_warn), report)
    else:
        _index_here(request, place.settings(), report)
    report.write(time.monotonic() - started)
    return report.exit_status


def _index_here(request: VectorsRequest, settings: Settings, report: Report) -> None:
    from soundalike.clock.start_time import zone_named
    from soundalike.indexing.vectors import read_vectors
    from soundalike.indexing.vectors.indexing import external_spec, index_vectors

    table = read_vectors(request.vectors, request.rows, zone_named(settings.time_zone))
    for warning in table.warnings:
        _warn(warning)
    which = {"collection": request.collection}
    with opening.opened_store(settings) as store:
        spec = external_spec(store, table.recordings, table.dimension, encoder=request.encoder, **which)
        folder = (request.rows or request.vectors).absolute().parent
        output.note(f"collection {request.collection}: {spec.describe()}")
        results = index_vectors(
            store, table.recordings, spec, **which, uri_of=lambda name: _file_or_name(folder, name)
        )
        _tell(results, report)


def _tell(results: Iterable[IndexResult], report: Report) -> None:
    for result in results:
        report.tell(result)


def _warn(text: str) -> None:
    output.note(f"warning: {text}")


def _file_or_name(folder: Path, name: str) -> str:
    """Return the path of the file that a table names, so that it can be played; else the name."""
    path = os.path.abspath(folder / name)
    return path if os.path.isfile(path) else name
