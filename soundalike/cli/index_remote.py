"""``soundalike index --server``: files are sent to a service, or it indexes a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from soundalike.audio.urls import is_remote
from soundalike.cli import output
from soundalike.cli.place import first_given
from soundalike.cli.report import Report
from soundalike.errors import AudioError, ParameterError, ServiceBusy, SoundalikeError, TooManyRequests
from soundalike.faults import recording_error

if TYPE_CHECKING:
    from soundalike.client import Job, Service
    from soundalike.indexing.items import IndexItem, IndexResult
    from soundalike.indexing.requests import IndexRequest

#: What a request holds: enough files for the service to work on side by side, and no more bytes than
#: are quickly sent again.
_BATCH_FILES, _BATCH_BYTES = 16, 64 << 20
#: Between two looks at a job, in seconds.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.05, 1.0
#: How long a service that has too much to do is waited for, in seconds: the waits get longer.
_BUSY_S = (1, 2, 5, 10, 20, 30, 60)
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

_Found = TypeVar("_Found")


def send(service: Service, items: Sequence[IndexItem], collection: str) -> Iterator[IndexResult]:
    """Send files, and yield what became of each, in their order."""
    total = sum(_size(item) for item in items)
    with output.transfer("sending") as show:
        n_sent = 0

        def on_sent(n_bytes: int) -> None:
            nonlocal n_sent
            n_sent += n_bytes
            show(n_sent, total)

        for batch in _batches(items):
            yield from _sent(service, batch, collection, on_sent)


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
    for folder in request.paths:
        job = _patiently(partial(service.index_folder, folder, request))
        show = None
        for state in _watched(service, job):
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


def _batches(items: Sequence[IndexItem]) -> Iterator[list[IndexItem]]:
    """Yield batches: neighbouring files with the same description."""
    described = [replace(item, label=_label(item)) for item in items]
    for _, alike in groupby(described, lambda item: replace(item, uri="")):
        batch: list[IndexItem] = []
        n_bytes = 0
        for item in alike:
            size = _size(item)
            if batch and (len(batch) == _BATCH_FILES or n_bytes + size > _BATCH_BYTES):
                yield batch
                batch, n_bytes = [], 0
            batch.append(item)
            n_bytes += size
        yield batch


def _label(item: IndexItem) -> str | None:
    from soundalike.audio.sources import folder_label

    return folder_label(Path(item.uri)) if item.label is None else item.label


def _size(item: IndexItem) -> int:
    with suppress(OSError):
        return Path(item.uri).stat().st_size
    return 0


def _sent(
    service: Service, batch: Sequence[IndexItem], collection: str, on_sent: Callable[[int], None]
) -> list[IndexResult]:
    """Send files together; one by one where that is refused, so that only the one at fault fails."""
    from soundalike.audio.sources import resolve_path
    from soundalike.indexing.items import failed_result

    try:
        paths = [resolve_path(item.uri) for item in batch]
        job = _patiently(lambda: service.upload(paths, batch[0], collection=collection, on_sent=on_sent))
    except Exception as exc:
        if len(batch) == 1:
            return [failed_result(batch[0].uri, recording_error(exc, batch[0].uri))]
        if isinstance(exc, SoundalikeError) and not isinstance(exc, (AudioError, ParameterError)):
            raise
        return [one for item in batch for one in _sent(service, [item], collection, on_sent)]
    for state in _watched(service, job):
        job = state
    return _patiently(partial(service.results_of, job, paths))


def _watched(service: Service, job: Job) -> Iterator[Job]:
    """Yield how far a job is until it is finished; it is cancelled with this command."""
    wait_s = _FIRST_LOOK_S
    try:
        while not job.is_finished:
            time.sleep(wait_s)
            wait_s = min(1.5 * wait_s, _LAST_LOOK_S)
            job = _patiently(partial(service.job, job.job_id))
            yield job
    except KeyboardInterrupt:
        with suppress(SoundalikeError):
            service.cancel(job)
        raise


def _patiently(ask: Callable[[], _Found]) -> _Found:
    """Ask again where the service has too much to do, and give up after two minutes."""
    for wait_s in _BUSY_S:
        try:
            return ask()
        except (ServiceBusy, TooManyRequests) as exc:
            output.note(f"{exc.message}; trying again in {wait_s} s")
            time.sleep(wait_s)
    return ask()
