"""``soundalike index --server``: files are sent to a service, or it indexes a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from soundalike.audio.urls import is_remote
from soundalike.cli import output
from soundalike.cli.place import first_given
from soundalike.cli.report import Report

if TYPE_CHECKING:
    from soundalike.client import Service
    from soundalike.errors import SoundalikeError
    from soundalike.indexing.items import IndexItem, IndexResult
    from soundalike.indexing.requests import IndexRequest

#: Options that do not go with a service, with files that are sent, and with folders of its own.
_LOCAL = {
    "time_patterns": "--time-pattern",
    "checksum": "--checksum",
    "dry_run": "--dry-run",
    "workers": "--workers",
    "dask": "--dask",
}
_NOT_SENT = {"prune": "--prune without --on-server"}
_NOT_THERE = {
    "tags": "--tag with --on-server",
    "recorded_at": "--recorded-at with --on-server",
}


def send(service: Service, items: Sequence[IndexItem], collection: str) -> Iterator[IndexResult]:
    """Send files, and yield what became of each, in their order."""
    from soundalike.client import sending

    with output.transfer("sending") as show:
        yield from sending.send(service, items, collection, on_sent=show, on_wait=_tell_wait)


def _tell_wait(error: SoundalikeError, wait_s: int) -> None:
    output.note(f"{error.message}; trying again in {wait_s} s")


def impossible(request: IndexRequest, *, on_server: bool) -> str:
    """Return an option of the request that does not go with a service; empty where all do."""
    wrong = first_given(vars(request), {**_LOCAL, **(_NOT_THERE if on_server else _NOT_SENT)})
    if not wrong and any(map(is_remote, request.paths)):
        return "a URL as PATH"
    if not wrong and on_server and request.tables.named:
        return "--metadata with --on-server"
    return wrong


def index_folders(service: Service, request: IndexRequest, report: Report) -> None:
    """Let the service index folders that it can read, and count into the report."""
    from soundalike.client.sending import patiently, watched

    for folder in request.paths:
        job = patiently(partial(service.index_folder, folder, request), _tell_wait)
        show = None
        for state in watched(service, job, _tell_wait):
            if state.total is not None:
                show = show or output.progress(state.total, "indexing")
                show(state.done)
            job = state
        report.n_left_out += job.n_left_out
        report.list_left_out(job.left_out, job.n_left_out + job.counts["skipped"] - len(job.left_out))
        for failure in job.failures:
            report.tell(failure)
        for uri, warning in job.warnings:
            report.warn(uri, warning)
        report.count_unsearchable(job.unsearchable)
        for outcome, count in job.counts.items():
            report.count_more(outcome, count - len(job.failures) * (outcome == "failed"))
