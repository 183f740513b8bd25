"""Run jobs in the background, which clients can watch and cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Dict, List, Set, TypeVar

from starlette.exceptions import HTTPException

from executors.gateway.background.job import REPEATS, Job, JobFile
from executors.gateway.background.journal import Journal, Record
from executors.gateway.problems import detail_of, problem_of
from soundalike.errors import (
    JobInterrupted,
    JobNotFound,
    JobWithoutResult,
    ServiceBusy,
    ServiceError,
    SoundalikeError,
    StoreUnavailable,
)

#: Finished jobs that are kept, and jobs that may wait.
_KEPT, _WAITING = 100, 20
#: Results that are kept, in memory: they may be large.
_RESULTS = 10
#: After so many kills of the service while it was running, a job fails: it may be the cause.
_MOST_INTERRUPTIONS = 3
#: Seconds that a request to cancel waits for the job to count the files it has sent.
_COUNTING_S = 10
#: Seconds that a job waits for the service to stop where executors or database cannot be reached.
_STOPPING_S = 3.0
_UNREACHABLE = frozenset((ServiceError.code, StoreUnavailable.code))
_POLL_S = 0.1
#: Between two attempts to take the journal over from a service that ends.
_TAKE_S = 1.0
#: Seconds that a request for a job waits for the journal, which may have the job.
_TAKEN_S = 30.0
#: Of a job that is resumed; its counts begin again.
_IDENTITY = {"id", "kind", "folder", "collection"}
_Result = TypeVar("_Result")
#: Does the work of a job, and updates its counts.
Work = Callable[[Job], Awaitable[None]]
#: Cleans up after it.
TidyUp = Callable[[], Awaitable[None]]


class Jobs:
    """Runs jobs one after the other, so that they do not compete for the processor.

    The last 100 finished jobs are kept. Jobs that have not finished when the service stops are resumed
    by the next one.

    Parameters
    ----------
    journal : Journal, optional
        Keeps the jobs across restarts. Without it they end with the service.
    stopping_s : float
        Seconds that a job waits before it fails because executors or database cannot be reached: they
        may have stopped together with the service, which then resumes the job.
    """

    def __init__(self, journal: Journal | None = None, *, stopping_s: float = _STOPPING_S) -> None:
        self._journal = journal
        self._stopping_s = stopping_s
        # One thread writes, so that writes keep their order.
        self._writer = ThreadPoolExecutor(1, "journal")
        self._jobs: Dict[str, Job] = {}
        self._requests: Dict[str, Dict[str, Any]] = {}
        self._tasks: Dict[str, asyncio.Task[None]] = {}
        # Apart from the jobs, which are sent whole whenever something has changed.
        self._files: Dict[str, List[JobFile]] = {}
        self._results: Dict[str, Any] = {}
        self._turn = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._cancelling: Set[str] = set()
        self._closed = asyncio.Event()
        self._taking: asyncio.Task[None] | None = None

    async def start(
        self,
        job: Job,
        work: Work,
        tidy_up: TidyUp | None = None,
        request: Dict[str, Any] | None = None,
    ) -> Job:
        """Let a job wait for its turn.

        Parameters
        ----------
        job : Job
        work : callable
            Called when its turn comes.
        tidy_up : callable, optional
            Called at its end, also where its turn never came, but not where the service stops.
        request : dict, optional
            Parameters of the work, which `restore` returns after a restart; JSON-compatible.

        Raises
        ------
        ServiceBusy
            Twenty are waiting already.
        """
        n_waiting = sum(not found.is_finished for found in self._jobs.values())
        if n_waiting >= _WAITING:
            raise ServiceBusy(f"{n_waiting} jobs are waiting; wait until one is done, or cancel one")
        self._jobs[job.id], self._requests[job.id] = job, request or {}
        try:
            await self._save(job)
            await self._forget_old()
        except BaseException:
            del self._jobs[job.id], self._requests[job.id]
            if self._journal is not None:
                self._journal.delete([job.id])
            raise
        self._tasks[job.id] = asyncio.create_task(self._run(job, work, tidy_up))
        return job

    def restore(self) -> List[Record]:
        """Read the journal; return the unfinished jobs, which `resume` is to be called for."""
        unfinished = []
        for record in self._journal.load() if self._journal is not None else ():
            job = record.job
            if not job.is_finished:
                interrupted = job.interrupted + (job.state == "running")
                job = Job(**{**job.model_dump(include=_IDENTITY), "interrupted": interrupted})
                self._requests[job.id] = record.request
                unfinished.append(Record(job, record.request))
            elif record.files:
                self._files[job.id] = list(record.files)
            self._jobs[job.id] = job
        return unfinished

    @property
    def has_journal(self) -> bool:
        """Tell whether jobs survive the end of the service."""
        return self._journal is not None

    def take_over_later(self, path: Path, resume: Callable[[List[Record]], None]) -> None:
        """Wait for the journal in the background, which another service has, and go on with its jobs.

        Parameters
        ----------
        path : Path
            Of the journal.
        resume : callable
            Called with the unfinished jobs, as `restore` returns them.
        """
        self._taking = asyncio.create_task(self._take_over(path, resume))

    async def _take_over(self, path: Path, resume: Callable[[List[Record]], None]) -> None:
        while (journal := await self._call(Journal.take, path)) is None:
            await asyncio.sleep(_TAKE_S)
        own, self._jobs = self._jobs, {}
        self._journal = journal
        resume(self.restore())
        self._jobs.update(own)
        for job in own.values():
            await self._save(job)

    def resume(self, job: Job, work: Work, tidy_up: TidyUp | None = None) -> None:
        """Let a job that `restore` has returned wait for its turn; parameters are those of `start`."""

        async def resumed(job: Job) -> None:
            if job.interrupted >= _MOST_INTERRUPTIONS:
                raise JobInterrupted(
                    f"the service was killed {job.interrupted} times while the job was running; see "
                    "its log for the reason, and start the job again"
                )
            await work(job)

        self._tasks[job.id] = asyncio.create_task(self._run(job, resumed, tidy_up))

    def note_file(self, job: Job, file: JobFile) -> None:
        """Keep the result of a file."""
        self._files.setdefault(job.id, []).append(file)

    def files_of(self, job: Job) -> List[JobFile]:
        """Return the results of a job's files, in their order."""
        return list(self._files.get(job.id, []))

    def keep_result(self, job: Job, result: Any) -> None:
        """Keep the result of a job, and forget the oldest ones."""
        self._results[job.id] = result
        for old in list(self._results)[:-_RESULTS]:
            del self._results[old]

    def result_of(self, job: Job) -> Any:
        """Return the result of a job that has ended.

        Raises
        ------
        JobWithoutResult
            It has none.
        """
        if job.state == "done" and job.id in self._results:
            return self._results[job.id]
        if job.kind not in REPEATS:
            reason = "a job that indexes has no result; see its files"
        elif job.state == "done":
            reason = f"the last {_RESULTS} results are kept until the service stops; start the job again"
        elif job.is_finished:
            reason = f"the job is {job.state} and has no result"
        else:
            reason = f"the job is {job.state}; wait until it is done"
        raise JobWithoutResult(reason)

    def newest_first(self) -> List[Job]:
        """Return all jobs that are known."""
        return list(self._jobs.values())[::-1]

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises
        ------
        JobNotFound
            There is none of this id.
        """
        if job_id not in self._jobs:
            raise JobNotFound(f"there is no job {job_id!r}; the last {_KEPT} finished jobs are kept")
        return self._jobs[job_id]

    async def find(self, job_id: str) -> Job:
        """Return a job as `get` does, also one of a service that is just ending."""
        if job_id not in self._jobs and self._taking is not None:
            await asyncio.wait([self._taking], timeout=_TAKEN_S)
        return self.get(job_id)

    async def cancel(self, job_id: str) -> Job:
        """Stop a job; indexed files stay. A finished job is left as it is.

        The job counts the files that it has sent before it ends. Where that takes long, it is returned
        before its end.
        """
        job = await self.find(job_id)
        if task := self._tasks.get(job_id):
            # A second time would end it before it has counted.
            if job_id not in self._cancelling:
                self._cancelling.add(job_id)
                await self._save(job)
                task.cancel()
            await asyncio.wait([task], timeout=_COUNTING_S)
        return job

    async def close(self) -> None:
        """Stop all jobs at once, to be resumed by the next service, and end all `watch`.

        A second call does nothing: Jina may shut a server down twice, at a signal and at its end.
        """
        self._closed.set()
        if self._taking is not None:
            self._taking.cancel()
        # One that is cancelled before its first step ends without leaving the list.
        while tasks := [task for task in self._tasks.values() if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_POLL_S)
        await self.notify()
        journal, self._journal = self._journal, None
        if journal is not None:
            await self._write(journal.close)
        self._writer.shutdown(wait=False)

    async def notify(self) -> None:
        """Wake all `watch`."""
        async with self._changed:
            self._changed.notify_all()

    async def watch(self, job: Job) -> AsyncIterator[Job]:
        """Yield the state of a job now, and after each change, until it is finished.

        A slow reader gets fewer states, and always the last one. Where the service stops, the last one
        is not a finished one.
        """
        while True:
            state = job.model_copy(deep=True)
            yield state
            if state.is_finished or self._closed.is_set():
                return
            async with self._changed:
                await self._changed.wait_for(
                    lambda: job != state or self._closed.is_set()  # noqa: B023 - waited for at once
                )

    async def _run(self, job: Job, work: Work, tidy_up: TidyUp | None) -> None:
        state: Any = "done"
        try:
            try:
                async with self._turn:
                    job.state, job.started_at = "running", datetime.now(UTC)
                    await self._save(job)
                    await self.notify()
                    await self._work(job, work)
            finally:
                if tidy_up is not None and not self._closed.is_set():
                    await tidy_up()
        except asyncio.CancelledError:
            # By its client, or because the service stops: with a journal, the next one goes on.
            is_kept = self._journal is not None and job.id not in self._cancelling
            state = "waiting" if is_kept else "cancelled"
        except Exception as exc:
            state = "failed"
            job.note_error(None, **_described(exc))
        await self._end(job, state)

    async def _work(self, job: Job, work: Work) -> None:
        try:
            await work(job)
        except Exception as exc:
            if self._journal is not None and _described(exc)["code"] in _UNREACHABLE:
                # Cancelled by `close` where they stopped together with the service.
                await asyncio.sleep(self._stopping_s)
            raise

    async def _end(self, job: Job, state: Any) -> None:
        job.state = state
        if job.is_finished:
            job.finished_at = datetime.now(UTC)
            self._requests[job.id] = {}
        # `close` cancels again and again.
        with suppress(asyncio.CancelledError):
            await self._save(job)
        del self._tasks[job.id]
        self._cancelling.discard(job.id)
        if job.is_finished:
            del self._requests[job.id]
        with suppress(asyncio.CancelledError):
            await self.notify()

    async def _save(self, job: Job) -> None:
        """Write a job into the journal; one that is being cancelled is not to be resumed."""
        if self._journal is None:
            return
        kept = job.model_copy(deep=True)
        if job.id in self._cancelling and not job.is_finished:
            kept.state, kept.finished_at = "cancelled", datetime.now(UTC)
        record = Record(kept, self._requests.get(job.id, {}), self.files_of(job))
        await self._write(self._journal.save, record)

    async def _forget_old(self) -> None:
        finished = [key for key, found in self._jobs.items() if found.is_finished]
        old = finished[: max(0, len(finished) - _KEPT)]
        for key in old:
            del self._jobs[key]
            self._files.pop(key, None)
        if old and self._journal is not None:
            await self._write(self._journal.delete, old)

    async def _write(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a method of the journal in its thread, to the end even where this task is cancelled."""
        await asyncio.shield(self._call(function, *arguments))

    def _call(self, function: Callable[..., _Result], *arguments: Any) -> asyncio.Future[_Result]:
        return asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)


def _described(exc: Exception) -> Dict[str, str]:
    """Return the code and the sentence of an exception, as in a problem document."""
    if isinstance(exc, HTTPException):
        problem = problem_of(exc.status_code, str(exc.detail))
    elif isinstance(exc, SoundalikeError):
        problem = problem_of(exc.http_status, repr(exc))
    else:
        problem = problem_of(500, detail_of(exc))
    return {"code": problem["code"], "detail": problem["detail"]}
