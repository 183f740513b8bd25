"""Index files on the workers of a Dask cluster."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from soundalike.cluster.batches import BATCH_FILES, FileBatch, batches_of
from soundalike.cluster.work import BulkJob, index_files
from soundalike.errors import ServiceError, SoundalikeError, UnexpectedFault
from soundalike.indexing.items import (
    IndexItem,
    IndexResult,
    ScannedFile,
    failed_result,
    unchanged_result,
)
from soundalike.indexing.pipeline import Pipeline

if TYPE_CHECKING:
    from distributed import Client, Future

#: Batches that wait or run, for each thread of the workers: one runs, one is there when it is done.
_BATCHES_AHEAD = 2
#: Bytes of files that wait or run at once, whatever the number of workers.
MAX_BYTES_AHEAD = 64 << 30
#: Batches for each thread, at least, where there are enough files: the last ones end at about one time.
_BATCHES_EACH = 4


def index_on(
    client: Client, pipeline: Pipeline, job: BulkJob, items: Sequence[IndexItem]
) -> Iterator[IndexResult]:
    """Index files on a cluster, and yield the results as they come.

    Files that are up to date are recognised here. The others go to the workers in batches, of which a
    bounded number waits. Each batch is stored as `Pipeline.index` stores it, so that it may be done
    again: after the end of a worker, Dask gives its batches to another one. A batch during which
    several workers have ended comes last, and is divided until the file that ends them is alone; it
    fails, and the others are stored. The vector index is built at the end.

    Parameters
    ----------
    client : distributed.Client
    pipeline : Pipeline
        Opens the same database.
    job : BulkJob
    items : sequence of IndexItem

    Raises
    ------
    StoreError, ModelError
        The database or the encoder of a worker cannot be used; the yielded results are stored.
    ServiceError
        The cluster cannot be used; run it again to do the rest.
    """
    pipeline.store.create_collection(job.collection, job.spec)
    dispatch = _Dispatch(client, job, len(items))
    for file in pipeline.scan(items):
        if file.known is not None and not job.checksum and file.is_unchanged():
            yield unchanged_result(file.known)
            continue
        yield from dispatch.add(file)
    yield from dispatch.rest()
    pipeline.store.finish_batch(collection=job.collection)


class _Dispatch:
    """Sends batches to the cluster, and receives their results."""

    def __init__(self, client: Client, job: BulkJob, n_files: int) -> None:
        from distributed import as_completed

        self._client, self._job = client, job
        share = math.ceil(n_files / (_BATCHES_EACH * max(1, self._n_threads())))
        self._batch_files = min(BATCH_FILES, max(1, share))
        self._running: dict[object, FileBatch] = {}
        self._done = as_completed([], loop=client.loop)
        self._gathered: list[ScannedFile] = []
        self._suspects: list[FileBatch] = []
        self._is_alone = False
        self._n_bytes = 0

    def add(self, file: ScannedFile) -> Iterator[IndexResult]:
        """Take another file, and yield what is done if there are enough on their way."""
        self._gathered.append(file)
        if len(self._gathered) >= self._batch_files:
            yield from self._send()

    def rest(self) -> Iterator[IndexResult]:
        """Yield the results of all that is on its way, and of the batches that were given up."""
        yield from self._send()
        while self._running or self._suspects:
            if not self._running:
                # Alone, so that the end of a worker has one cause.
                self._submit(self._suspects.pop(), is_alone=True)
            yield from self._next()

    def _send(self) -> Iterator[IndexResult]:
        for batch in batches_of(self._gathered):
            while self._running and not self._has_room():
                yield from self._next()
            self._submit(batch)
        self._gathered.clear()

    def _has_room(self) -> bool:
        # Without a worker, one batch waits for the first.
        most = max(1, _BATCHES_AHEAD * self._n_threads())
        return len(self._running) < most and self._n_bytes < MAX_BYTES_AHEAD

    def _n_threads(self) -> int:
        return sum(self._client.nthreads().values())

    def _submit(self, batch: FileBatch, *, is_alone: bool = False) -> None:
        self._is_alone = is_alone
        future = self._client.submit(index_files, self._job, batch.items, pure=False)
        self._running[future.key] = batch
        self._n_bytes += batch.n_bytes
        self._done.add(future)

    def _next(self) -> Iterator[IndexResult]:
        """Wait for a batch, and yield its results."""
        future = next(self._done)
        batch = self._running.pop(future.key)
        self._n_bytes -= batch.n_bytes
        results = self._results(future, batch)
        future.release()
        yield from results

    def _results(self, future: Future[list[IndexResult]], batch: FileBatch) -> list[IndexResult]:
        from distributed import KilledWorker

        if future.status == "finished":
            found: list[IndexResult] = future.result()
            return found
        error: Any = None if future.cancelled() else future.exception()
        if isinstance(error, KilledWorker):
            return self._given_up(batch)
        if isinstance(error, SoundalikeError):
            raise error
        why = "it has lost the work" if error is None else f"{type(error).__name__}: {error}"
        raise ServiceError(
            f"the Dask cluster cannot index: {why}; check its workers, and run the command again to do "
            "the rest"
        )

    def _given_up(self, batch: FileBatch) -> list[IndexResult]:
        """Keep a batch during which workers have ended for later, or its halves if it was alone.

        Dask blames all batches of a worker, also the waiting ones.
        """
        if not self._is_alone:
            self._suspects.append(batch)
            return []
        if halves := batch.halves():
            self._suspects += halves
            return []
        (item,) = batch.items
        fault = UnexpectedFault(
            f"{item.uri!r}: several workers ended while they indexed it; check their memory and their "
            "logs, or leave the file out"
        )
        return [failed_result(item.uri, fault)]
