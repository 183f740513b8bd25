"""Send files to a service in batches, and wait for its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from soundalike.audio.sources import folder_label, resolve_path
from soundalike.client.service import Job, Service
from soundalike.errors import AudioError, ParameterError, ServiceBusy, SoundalikeError, TooManyRequests
from soundalike.faults import recording_error
from soundalike.indexing.items import IndexItem, IndexResult, failed_result

#: Content of a request: enough files for the service to work on side by side, and few enough bytes to
#: send again quickly.
_BATCH_FILES, _BATCH_BYTES = 16, 64 << 20
#: Seconds between two looks at a job.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.05, 1.0
#: Seconds to wait for a busy service, longer each time.
_BUSY_S = (1, 2, 5, 10, 20, 30, 60)

_Found = TypeVar("_Found")
OnWait = Callable[[SoundalikeError, int], None]


def send(
    service: Service,
    items: Sequence[IndexItem],
    collection: str,
    *,
    on_sent: Callable[[int, int], None] = lambda n_bytes, total: None,
    on_wait: OnWait = lambda error, wait_s: None,
) -> Iterator[IndexResult]:
    """Send files in batches, and yield the result of each in their order.

    Parameters
    ----------
    service : Service
    items : sequence of IndexItem
    collection : str
    on_sent : callable, optional
        Called with the number of bytes that were sent, and of all.
    on_wait : callable, optional
        Called with the service's error and the seconds until the next attempt.
    """
    total = sum(_size(item) for item in items)
    n_sent = 0

    def count(n_bytes: int) -> None:
        nonlocal n_sent
        n_sent += n_bytes
        on_sent(n_sent, total)

    for batch in _batches(items):
        yield from _sent(service, batch, collection, count, on_wait)


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
    return folder_label(Path(item.uri)) if item.label is None else item.label


def _size(item: IndexItem) -> int:
    with suppress(OSError):
        return Path(item.uri).stat().st_size
    return 0


def _sent(
    service: Service,
    batch: Sequence[IndexItem],
    collection: str,
    on_sent: Callable[[int], None],
    on_wait: OnWait,
) -> list[IndexResult]:
    """Send files together; one by one where that is refused, so that only the one at fault fails."""
    try:
        paths = [resolve_path(item.uri) for item in batch]
        job = patiently(
            lambda: service.upload(paths, batch[0], collection=collection, on_sent=on_sent), on_wait
        )
    except Exception as exc:
        if len(batch) == 1:
            return [failed_result(batch[0].uri, recording_error(exc, batch[0].uri))]
        if isinstance(exc, SoundalikeError) and not isinstance(exc, (AudioError, ParameterError)):
            raise
        return [one for item in batch for one in _sent(service, [item], collection, on_sent, on_wait)]
    for state in watched(service, job, on_wait):
        job = state
    return patiently(partial(service.results_of, job, paths), on_wait)


def watched(service: Service, job: Job, on_wait: OnWait) -> Iterator[Job]:
    """Yield how far a job is until it is finished; it is cancelled when that is interrupted."""
    wait_s = _FIRST_LOOK_S
    try:
        while not job.is_finished:
            time.sleep(wait_s)
            wait_s = min(1.5 * wait_s, _LAST_LOOK_S)
            job = patiently(partial(service.job, job.job_id), on_wait)
            yield job
    except KeyboardInterrupt:
        with suppress(SoundalikeError):
            service.cancel(job)
        raise


def patiently(ask: Callable[[], _Found], on_wait: OnWait) -> _Found:
    """Ask again where the service has too much to do, and give up after two minutes."""
    for wait_s in _BUSY_S:
        try:
            return ask()
        except (ServiceBusy, TooManyRequests) as exc:
            on_wait(exc, wait_s)
            time.sleep(wait_s)
    return ask()
