"""Jobs wait for their turn, are watched, cancelled and forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from executors.gateway.api.indexing_jobs import UploadIndexing
from executors.gateway.background.job import Job, JobFile
from executors.gateway.background.jobs import Jobs
from executors.gateway.background.uploads import Kept
from executors.gateway.metrics import Metrics
from executors.messages.documents import Clip, Indexed
from soundalike.errors import (
    AudioTooLarge,
    JobNotFound,
    JobWithoutResult,
    ParameterError,
    ServiceBusy,
    StoreUnavailable,
)


def _job() -> Job:
    return Job(kind="folder", collection="default")


async def _nothing(job: Job) -> None:
    job.total = 0


async def _finished(jobs: Jobs, job: Job) -> Job:
    async for state in jobs.watch(job):
        last = state
    return last


def test_one_runs_at_a_time_and_in_order():
    async def run() -> None:
        jobs, begun = Jobs(), []

        async def work(job: Job) -> None:
            assert sum(found.state == "running" for found in jobs.newest_first()) == 1
            begun.append(job.id)
            await asyncio.sleep(0)

        started = [await jobs.start(_job(), work) for _ in range(5)]
        for job in started:
            assert (await _finished(jobs, job)).state == "done"
        assert begun == [job.id for job in started]
        assert [job.id for job in jobs.newest_first()] == begun[::-1]

    asyncio.run(run())


def test_only_the_last_hundred_are_remembered():
    async def run() -> None:
        jobs = Jobs()
        first = await jobs.start(_job(), _nothing)
        for _ in range(110):
            await _finished(jobs, await jobs.start(_job(), _nothing))
        assert len(jobs.newest_first()) <= 102
        with pytest.raises(JobNotFound):
            jobs.get(first.id)

    asyncio.run(run())


def test_no_more_than_twenty_wait():
    async def run() -> None:
        jobs, go_on = Jobs(), asyncio.Event()

        async def work(_: Job) -> None:
            await go_on.wait()

        for _ in range(20):
            await jobs.start(_job(), work)
        with pytest.raises(ServiceBusy, match="20 jobs are waiting"):
            await jobs.start(_job(), work)
        await asyncio.sleep(0)
        await jobs.close()
        assert {job.state for job in jobs.newest_first()} == {"cancelled"}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StoreUnavailable("no server"), "store.unavailable", "no server"),
        (KeyError("secret"), "soundalike.error", "KeyError"),
    ],
)
def test_a_job_that_fails_says_why(error: Exception, code: str, said: str):
    async def run() -> Job:
        jobs = Jobs()

        async def work(_: Job) -> None:
            raise error

        return await _finished(jobs, await jobs.start(_job(), work))

    job = asyncio.run(run())
    assert (job.state, job.errors[0].code, job.errors[0].detail) == ("failed", code, said)
    assert job.errors[0].uri is None
    assert job.finished_at is not None


def test_a_job_is_tidied_up_after_however_it_ends_but_not_where_the_service_stops():
    async def run() -> list[str]:
        jobs, tidied, begun = Jobs(), [], asyncio.Event()

        async def fail(_: Job) -> None:
            raise StoreUnavailable("no server")

        async def wait(_: Job) -> None:
            begun.set()
            await asyncio.sleep(60)

        async def start(name: str, work: Any) -> Job:
            async def tidy_up() -> None:
                tidied.append(name)

            return await jobs.start(_job(), work, tidy_up)

        for name, work in (("done", _nothing), ("failed", fail)):
            assert (await _finished(jobs, await start(name, work))).state == name
        running, waiting = await start("running", wait), await start("waiting", wait)
        await begun.wait()
        for job in (waiting, running):
            assert (await jobs.cancel(job.id)).state == "cancelled"
        begun.clear()
        await start("stopped", wait)
        await begun.wait()
        await jobs.close()
        return tidied

    assert asyncio.run(run()) == ["done", "failed", "waiting", "running"]


def test_a_job_counts_from_zero_and_keeps_the_first_of_a_long_list():
    job = Job(kind="folder", collection="default")
    counts = {value for value in job.model_dump().values() if isinstance(value, int)}
    assert counts == {0}
    for number in range(101):
        job.note_error(str(number), "audio.empty", "empty")
        job.note_warning(str(number), "damaged")
        job.note_left_out(str(number), "no sound")
    assert [error.uri for error in job.errors] == [str(number) for number in range(100)]
    assert [warning.uri for warning in job.warnings] == [str(number) for number in range(100)]
    assert [file.uri for file in job.left_out_files] == [str(number) for number in range(20)]


def test_who_watches_late_sees_the_end():
    async def run() -> list[str]:
        jobs = Jobs()
        job = await jobs.start(_job(), _nothing)
        await _finished(jobs, job)
        return [state.state async for state in jobs.watch(job)]

    assert asyncio.run(run()) == ["done"]


def test_the_service_stops_at_once_whatever_a_job_waits_for():
    async def run() -> None:
        jobs, asked = Jobs(), asyncio.Event()

        async def work(job: Job) -> None:
            asked.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                # As long as it takes until what was sent has been counted.
                await asyncio.sleep(60)

        job = await jobs.start(_job(), work)
        await asked.wait()
        cancelling = asyncio.create_task(jobs.cancel(job.id))
        await asyncio.wait([cancelling], timeout=0.05)
        await asyncio.wait_for(jobs.close(), 5)
        assert (await cancelling).state == "cancelled"

    asyncio.run(run())


class _Flow:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def ask(self, _: str, clips: list[Clip], *__: Any) -> list[Indexed]:
        self.asked.set()
        await self.go_on.wait()
        bad = {"outcome": "failed", "error_code": "audio.empty", "error": "empty"}
        return [
            Indexed(id=clip.id, **({"outcome": "added"} if number else bad))
            for number, clip in enumerate(clips)
        ]


def test_a_job_that_is_cancelled_counts_what_it_has_sent():
    """It is indexed all the same: the job must not say that nothing was done."""

    async def run() -> None:
        jobs, flow = Jobs(), _Flow()
        context: Any = SimpleNamespace(jobs=jobs, flow=flow, metrics=Metrics(jobs))
        files = [Kept(Path(f"/uploads/{number}.wav"), f"{number}.wav") for number in range(60)]
        job = await jobs.start(
            Job(kind="upload", collection="default"), UploadIndexing(context, files=files).run
        )
        await flow.asked.wait()
        cancelling = asyncio.create_task(jobs.cancel(job.id))
        await asyncio.wait([cancelling], timeout=0.05)
        assert not job.is_finished
        flow.go_on.set()
        await cancelling
        assert job.state == "cancelled"
        assert (job.total, job.done, job.added, job.failed) == (60, 16, 15, 1)
        assert len(jobs.files_of(job)) == 16

    asyncio.run(run())


class _Breaking:
    """Fails the whole request where a certain file is in it."""

    def __init__(self, detail: str) -> None:
        self.detail, self.n_asked = detail, 0

    async def ask(self, _: str, clips: list[Clip], *__: Any) -> list[Indexed]:
        self.n_asked += 1
        if any(str(clip.uri).endswith("/3.wav") for clip in clips):
            raise HTTPException(500, self.detail)
        return [Indexed(id=clip.id, uri=clip.uri, outcome="added") for clip in clips]


async def _uploaded(flow: Any, n_files: int) -> tuple[Job, list[JobFile]]:
    jobs = Jobs()
    context: Any = SimpleNamespace(
        jobs=jobs, flow=flow, metrics=Metrics(jobs), uploads=SimpleNamespace(let_go=lambda _: None)
    )
    files = [Kept(Path(f"/uploads/{number}.wav"), f"{number}.mine") for number in range(n_files)]
    work = UploadIndexing(context, files=files)
    job = await _finished(jobs, await jobs.start(Job(kind="upload", collection="default"), work.run))
    return job, jobs.files_of(job)


@pytest.mark.parametrize(
    ("detail", "code"),
    [
        ("KeyError", "audio.unexpected"),
        (repr(AudioTooLarge("too large")), "audio.too_large"),
        (repr(ParameterError("odd")), "parameter.invalid"),
    ],
)
def test_a_file_that_breaks_the_request_fails_alone(detail: str, code: str):
    job, files = asyncio.run(_uploaded(_Breaking(detail), 20))
    assert (job.state, job.done, job.added, job.failed) == ("done", 20, 19, 1)
    assert [(file.uri, file.error_code) for file in files if file.error_code] == [("3.mine", code)]
    assert "/uploads" not in job.errors[0].detail


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), ServiceBusy("busy")], ids=repr)
def test_what_is_no_files_fault_fails_the_job_at_once(error: Exception):
    flow = _Breaking(repr(error))
    job, files = asyncio.run(_uploaded(flow, 20))
    assert (job.state, job.errors[0].code, files) == ("failed", error.code, [])  # type: ignore[attr-defined]
    assert flow.n_asked == 1


def test_a_result_is_kept_until_there_are_ten_later_ones():
    async def steps() -> None:
        jobs = Jobs()

        async def work(job: Job) -> None:
            jobs.keep_result(job, {"groups": [job.id]})

        made = [await jobs.start(Job(kind="duplicates", collection="c"), work) for _ in range(11)]
        while not all(job.is_finished for job in made):
            await asyncio.sleep(0.01)
        assert jobs.result_of(made[1]) == {"groups": [made[1].id]}
        with pytest.raises(JobWithoutResult, match="start the job again"):
            jobs.result_of(made[0])
        await jobs.close()

    asyncio.run(steps())


def test_a_cancelled_job_and_one_that_runs_have_no_result():
    async def steps() -> None:
        jobs = Jobs()

        async def work(job: Job) -> None:
            jobs.keep_result(job, {})
            await asyncio.sleep(60)

        job = await jobs.start(Job(kind="motifs", collection="c"), work)
        while job.state != "running":
            await asyncio.sleep(0.01)
        with pytest.raises(JobWithoutResult, match="is running"):
            jobs.result_of(job)
        await jobs.cancel(job.id)
        with pytest.raises(JobWithoutResult, match="is cancelled"):
            jobs.result_of(job)
        with pytest.raises(JobWithoutResult, match="indexes"):
            jobs.result_of(Job(kind="folder", collection="c"))
        await jobs.close()

    asyncio.run(steps())
