"""Jobs wait for their turn, are watched, cancelled and forgotten."""

from __future__ import annotations

import asyncio

import pytest

from executors.gateway.jobs import Job, Jobs
from soundalike.errors import JobNotFound, ServiceBusy, StoreUnavailable


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

        started = [jobs.start(_job(), work) for _ in range(5)]
        for job in started:
            assert (await _finished(jobs, job)).state == "done"
        assert begun == [job.id for job in started]
        assert [job.id for job in jobs.newest_first()] == begun[::-1]

    asyncio.run(run())


def test_only_the_last_hundred_are_remembered():
    async def run() -> None:
        jobs = Jobs()
        first = jobs.start(_job(), _nothing)
        for _ in range(110):
            await _finished(jobs, jobs.start(_job(), _nothing))
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
            jobs.start(_job(), work)
        with pytest.raises(ServiceBusy, match="20 jobs are waiting"):
            jobs.start(_job(), work)
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

        return await _finished(jobs, jobs.start(_job(), work))

    job = asyncio.run(run())
    assert (job.state, job.errors[0].code, job.errors[0].detail) == ("failed", code, said)
    assert job.errors[0].uri is None
    assert job.finished_at is not None


def test_errors_are_kept_up_to_a_hundred():
    job = _job()
    for number in range(150):
        job.note_error(f"{number}.wav", "audio.unreadable", "no sound")
    assert [error.uri for error in job.errors] == [f"{number}.wav" for number in range(100)]


def test_who_watches_late_sees_the_end():
    async def run() -> list[str]:
        jobs = Jobs()
        job = jobs.start(_job(), _nothing)
        await _finished(jobs, job)
        return [state.state async for state in jobs.watch(job)]

    assert asyncio.run(run()) == ["done"]
