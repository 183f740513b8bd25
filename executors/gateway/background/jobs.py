"""Long work that goes on after its request was answered, and that anybody can watch or cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Dict, List, Literal, Optional, Set
from uuid import uuid4

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from executors.gateway.problems import detail_of, problem_of
from soundalike.errors import JobNotFound, ServiceBusy, SoundalikeError

#: Jobs that are kept when they are done, and those that may wait.
_KEPT, _WAITING = 100, 20
_MOST_ERRORS = 100
MOST_LEFT_OUT = 20
#: Who cancels a job waits so long at most until it has counted.
_COUNTING_S = 10
_POLL_S = 0.1


class JobError(BaseModel):
    """What went wrong; `uri` is null where it was the job as a whole."""

    uri: Optional[str]
    code: str
    detail: str


class JobWarning(BaseModel):
    """What is wrong with a file that is stored all the same."""

    uri: str
    detail: str


class JobFile(BaseModel):
    """What became of an uploaded file; `uri` is what its client calls it."""

    uri: str
    recording_id: Optional[str]
    outcome: str = Field(description="added, unchanged, updated, linked, replaced or failed")
    n_windows: int
    n_searchable: int = Field(description="windows that a search can find")
    duration_s: float
    warnings: List[str]
    error_code: Optional[str]
    error: Optional[str]


class LeftOut(BaseModel):
    """A file of a folder that is no sound, and why it is not taken for one."""

    uri: str
    reason: str


class Job(BaseModel):
    """Files that are being indexed. `total` is null until they have been counted."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    kind: Literal["folder", "upload"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    folder: Optional[str] = None
    collection: str
    total: Optional[int] = None
    done: int = 0
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    failed: int = 0
    pruned: int = Field(default=0, description="paths taken out because their files are gone")
    skipped: int = Field(default=0, description="films without sound, which are done as well")
    left_out: int = Field(
        default=0, description="files of the folder that are no sounds, beside `total`"
    )
    left_out_files: List[LeftOut] = Field(default=[], description="the first 20 of these two kinds")
    metadata: List[str] = Field(default=[], description="tables in the folder that were read")
    unsearchable: int = Field(default=0, description="files that no search can find")
    errors: List[JobError] = Field(default=[], description="the first 100")
    warnings: List[JobWarning] = Field(default=[], description="the first 100")
    started_at: Optional[datetime] = None
    finished_at: Optional[datetime] = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")

    def note_left_out(self, uri: str, reason: str) -> None:
        """Keep the name of a file that is no sound, where there are not too many yet."""
        if len(self.left_out_files) < MOST_LEFT_OUT:
            self.left_out_files.append(LeftOut(uri=uri, reason=reason))

    def note_error(self, uri: Optional[str], code: str, detail: str) -> None:
        """Keep an error, where there are not too many yet."""
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(JobError(uri=uri, code=code, detail=detail))

    def note_warning(self, uri: str, detail: str) -> None:
        """Keep a warning, where there are not too many yet."""
        if len(self.warnings) < _MOST_ERRORS:
            self.warnings.append(JobWarning(uri=uri, detail=detail))


#: Does the work of a job, and writes into it how far it is.
Work = Callable[[Job], Awaitable[None]]
#: Tidies up behind it.
TidyUp = Callable[[], Awaitable[None]]


class Jobs:
    """Runs jobs one after the other, so that they do not take the processor from each other.

    The last 100 that are finished can be looked at; a new start of the service forgets them all. What
    they have indexed stays, and a job that is started again goes on where the first one was.
    """

    def __init__(self) -> None:
        self._jobs: Dict[str, Job] = {}
        self._tasks: Dict[str, asyncio.Task[None]] = {}
        # Apart from the jobs, which are sent whole whenever something has changed.
        self._files: Dict[str, List[JobFile]] = {}
        self._turn = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._stopping: Set[str] = set()
        self._is_closed = False

    def start(self, job: Job, work: Work, tidy_up: TidyUp | None = None) -> Job:
        """Let a job wait for its turn.

        Parameters
        ----------
        job : Job
        work : callable
            What is done when its turn comes.
        tidy_up : callable, optional
            Called at its end, also where its turn never came, but not where the service stops.

        Raises
        ------
        ServiceBusy
            Twenty are waiting already.
        """
        if len(self._tasks) >= _WAITING:
            raise ServiceBusy(
                f"{len(self._tasks)} jobs are waiting; wait until one is done, or cancel one"
            )
        self._jobs[job.id] = job
        self._tasks[job.id] = asyncio.create_task(self._run(job, work, tidy_up))
        finished = [key for key, found in self._jobs.items() if found.is_finished]
        for key in finished[: max(0, len(finished) - _KEPT)]:
            del self._jobs[key]
            self._files.pop(key, None)
        return job

    def note_file(self, job: Job, file: JobFile) -> None:
        """Keep what became of a file."""
        self._files.setdefault(job.id, []).append(file)

    def files_of(self, job: Job) -> List[JobFile]:
        """Return what was noted of a job's files, in that order."""
        return list(self._files.get(job.id, []))

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
            raise JobNotFound(
                f"there is no job {job_id!r}; jobs are forgotten when the service is started again"
            )
        return self._jobs[job_id]

    async def cancel(self, job_id: str) -> Job:
        """Stop a job; what it has indexed stays. One that is finished is left as it is.

        It counts what it has sent before it ends. Where that takes long, it is returned while it does.
        """
        job = self.get(job_id)
        if task := self._tasks.get(job_id):
            # A second time would end it without that.
            if job_id not in self._stopping:
                self._stopping.add(job_id)
                task.cancel()
            await asyncio.wait([task], timeout=_COUNTING_S)
        return job

    async def close(self) -> None:
        """Stop all jobs at once, and all who watch them."""
        self._is_closed = True
        while tasks := list(self._tasks.values()):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_POLL_S)

    async def tell(self) -> None:
        """Wake those who watch."""
        async with self._changed:
            self._changed.notify_all()

    async def watch(self, job: Job) -> AsyncIterator[Job]:
        """Yield the state of a job now, and whenever it has changed, until it is finished.

        Who is slow sees fewer states, and always the last one.
        """
        while True:
            state = job.model_copy(deep=True)
            yield state
            if state.is_finished:
                return
            async with self._changed:
                await self._changed.wait_for(lambda: job != state)  # noqa: B023 - waited for at once

    async def _run(self, job: Job, work: Work, tidy_up: TidyUp | None) -> None:
        try:
            try:
                async with self._turn:
                    job.state, job.started_at = "running", datetime.now(UTC)
                    await self.tell()
                    await work(job)
            finally:
                if tidy_up is not None and not self._is_closed:
                    await tidy_up()
            job.state = "done"
        except asyncio.CancelledError:
            job.state = "cancelled"
        except Exception as exc:
            job.state = "failed"
            job.note_error(None, **_described(exc))
        finally:
            job.finished_at = datetime.now(UTC)
            del self._tasks[job.id]
            self._stopping.discard(job.id)
            with suppress(asyncio.CancelledError):
                await self.tell()


def _described(exc: Exception) -> Dict[str, str]:
    """Return code and sentence of what a request would have been answered with."""
    if isinstance(exc, HTTPException):
        problem = problem_of(exc.status_code, str(exc.detail))
    elif isinstance(exc, SoundalikeError):
        problem = problem_of(exc.http_status, repr(exc))
    else:
        problem = problem_of(500, detail_of(exc))
    return {"code": problem["code"], "detail": problem["detail"]}
