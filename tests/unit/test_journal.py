"""The journal keeps jobs across restarts, and never fails one."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from executors.gateway.background.job import Job, JobFile
from executors.gateway.background.jobs import Jobs
from executors.gateway.background.journal import FILE_NAME, Journal, Record
from soundalike.errors import JobNotFound, ServiceBusy, StoreUnavailable

FILE = JobFile(
    uri="a.wav",
    recording_id="1",
    outcome="added",
    n_windows=2,
    n_searchable=2,
    duration_s=5.0,
    warnings=[],
    error_code=None,
    error=None,
)


def _job() -> Job:
    return Job(kind="folder", folder="/sounds", collection="default")


@pytest.fixture
def open_journal(tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Open the journal of a folder, as the next service would."""
    opened: list[Journal] = []

    def begin() -> Journal:
        if opened:
            opened.pop().close()
        journal = Journal.open(tmp_path / FILE_NAME)
        assert journal is not None
        opened.append(journal)
        return journal

    yield begin
    for journal in opened:
        journal.close()


def _kill(jobs: Jobs) -> None:
    """Let nothing be written any more, as if the process had ended here."""
    assert jobs._journal is not None
    jobs._journal.close()


async def _until_written(jobs: Jobs, job: Job) -> None:
    """Wait until the journal has the state of a job; it is written in a thread."""
    assert jobs._journal is not None
    while job.state not in [each.job.state for each in jobs._journal.load() if each.job.id == job.id]:
        await asyncio.sleep(0.01)


async def _nothing(_: Job) -> None:
    await asyncio.sleep(0)


async def _for_ever(_: Job) -> None:
    await asyncio.Event().wait()


async def _until(jobs: Jobs, job: Job, state: str) -> None:
    async for found in jobs.watch(job):
        if found.state == state:
            return


def test_jobs_are_loaded_as_they_were_saved_and_in_their_order(open_journal: Callable[[], Journal]):
    first, second = _job(), Job(kind="upload", collection="other")
    request = {"label": "é\0", "files": [["/uploads/1.wav", "a.wav"]], "tags": {"n": 1.5}}
    journal = open_journal()
    journal.save(Record(first, {}))
    journal.save(Record(second, request, [FILE]))
    first.note_error("b.wav", "audio.empty", "it is empty")
    first.added = 3
    journal.save(Record(first, {}))

    assert list(open_journal().load()) == [Record(first, {}, []), Record(second, request, [FILE])]


def test_one_service_at_a_time_has_the_journal(
    open_journal: Callable[[], Journal],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("executors.gateway.background.journal._LOCK_TIMEOUT_S", 0.05)
    open_journal().save(Record(_job(), {}))
    with caplog.at_level(logging.WARNING):
        assert Journal.open(tmp_path / FILE_NAME) is None
    assert "will not survive a restart" in caplog.text
    assert "locked" in caplog.text


def test_a_journal_is_for_the_service_alone(open_journal: Callable[[], Journal]):
    assert open_journal()._path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_journal_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 100)
    journal = Journal.open(tmp_path / FILE_NAME)
    assert journal is not None
    journal.save(Record(_job(), {}))
    assert len(list(journal.load())) == 1
    journal.close()
    assert (tmp_path / "jobs.damaged").read_bytes().startswith(b"no database")
    assert "is damaged" in caplog.text


def test_a_job_that_cannot_be_read_is_left_out(
    open_journal: Callable[[], Journal], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    bad, good = _job(), _job()
    journal = open_journal()
    for job in (bad, good):
        journal.save(Record(job, {}))
    journal.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE jobs SET job = '{}' WHERE id = ?", [bad.id])
    connection.close()
    assert [record.job for record in open_journal().load()] == [good]
    assert bad.id in caplog.text


def test_a_folder_that_cannot_be_written_costs_the_journal_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    assert Journal.open(tmp_path / "file" / FILE_NAME) is None
    assert "will not survive a restart" in caplog.text


def test_a_full_disk_does_not_fail_a_job(
    open_journal: Callable[[], Journal], caplog: pytest.LogCaptureFixture
):
    async def run() -> Job:
        journal = open_journal()
        journal._connection.execute("PRAGMA max_page_count = 1")
        jobs = Jobs(journal)
        job = await jobs.start(_job(), _nothing, request={"label": "x" * 100_000})
        await _until(jobs, job, "done")
        return job

    assert asyncio.run(run()).state == "done"
    assert "may not survive a restart" in caplog.text
    assert "full" in caplog.text


def test_what_has_not_finished_is_resumed_and_the_rest_is_listed(open_journal: Callable[[], Journal]):
    done, failed, cancelled, running, waiting = (_job() for _ in range(5))

    async def fail(_: Job) -> None:
        raise StoreUnavailable("no server")

    async def index(job: Job) -> None:
        jobs.note_file(job, FILE)

    async def before() -> list[Job]:
        await jobs.start(done, index)
        await jobs.start(failed, fail)
        await _until(jobs, failed, "failed")
        for job in (cancelled, running, waiting):
            await jobs.start(job, _for_ever, request={"id": job.id})
        await jobs.cancel(cancelled.id)
        await _until(jobs, running, "running")
        await _until_written(jobs, running)
        running.added = 7
        _kill(jobs)
        return [job.model_copy(deep=True) for job in jobs.newest_first()]

    jobs = Jobs(open_journal(), stopping_s=0)
    listed = asyncio.run(before())

    async def after() -> None:
        jobs = Jobs(open_journal())
        pending = jobs.restore()
        assert [(record.job.id, record.request) for record in pending] == [
            (job.id, {"id": job.id}) for job in (running, waiting)
        ]
        assert [job.id for job in jobs.newest_first()] == [job.id for job in listed]
        assert jobs.newest_first()[2:] == listed[2:]
        assert jobs.files_of(done) == [FILE]
        for record in pending:
            jobs.resume(record.job, _nothing)
        await _until(jobs, pending[-1].job, "done")
        states = [(job.state, job.interrupted, job.added) for job in jobs.newest_first()[:2]]
        assert states == [("done", 0, 0), ("done", 1, 0)]

    asyncio.run(after())
    assert [record.job.state for record in open_journal().load()] == [
        *("done", "failed", "cancelled", "done", "done")
    ]


def test_an_orderly_stop_is_no_interruption(open_journal: Callable[[], Journal]):
    async def run() -> list[str]:
        jobs = Jobs(open_journal())
        job = await jobs.start(_job(), _for_ever)
        watched = [state.state async for state in _stopped_when_running(jobs, job)]
        assert not job.is_finished
        return watched

    assert asyncio.run(run()) == ["running", "waiting"]
    (record,) = Jobs(open_journal()).restore()
    assert (record.job.state, record.job.interrupted) == ("waiting", 0)


async def _stopped_when_running(jobs: Jobs, job: Job) -> Any:
    async for state in jobs.watch(job):
        if state.state == "running" and not jobs._closed.is_set():
            closing = asyncio.create_task(jobs.close())
        if state.state != "waiting" or jobs._closed.is_set():
            yield state
    await closing


def test_a_job_that_fails_because_the_service_stops_is_resumed(open_journal: Callable[[], Journal]):
    """The executors may be gone a moment before the gateway knows that it is to stop."""

    async def fail(_: Job) -> None:
        raise StoreUnavailable("the server stops")

    async def run() -> None:
        jobs = Jobs(open_journal(), stopping_s=60)
        job = await jobs.start(_job(), fail)
        await _until(jobs, job, "running")
        await asyncio.wait_for(jobs.close(), 5)

    asyncio.run(run())
    (record,) = Jobs(open_journal()).restore()
    assert record.job.errors == []


def test_a_cancelled_job_that_still_counts_is_not_resumed(open_journal: Callable[[], Journal]):
    async def run() -> None:
        jobs = Jobs(open_journal())

        async def work(_: Job) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(60)

        job = await jobs.start(_job(), work)
        await _until(jobs, job, "running")
        cancelling = asyncio.create_task(jobs.cancel(job.id))
        await asyncio.wait([cancelling], timeout=0.2)
        assert not job.is_finished
        _kill(jobs)
        await jobs.close()
        # As Jina does, where a signal stops the server and its end shuts it down.
        await jobs.close()

    asyncio.run(run())
    (record,) = open_journal().load()
    assert record.job.state == "cancelled"
    assert record.job.finished_at is not None


def test_a_job_that_kills_the_service_is_given_up(open_journal: Callable[[], Journal]):
    job = _job()
    job.state = "running"
    open_journal().save(Record(job, {}))

    async def start_and_be_killed() -> Job:
        jobs = Jobs(open_journal())
        (record,) = jobs.restore()
        jobs.resume(record.job, _for_ever)
        await asyncio.wait([next(iter(jobs._tasks.values()))], timeout=0.2)
        _kill(jobs)
        return record.job

    states = [asyncio.run(start_and_be_killed()) for _ in range(3)]
    assert [found.interrupted for found in states] == [1, 2, 3]
    assert not states[1].errors
    assert (states[2].state, states[2].errors[0].code) == ("failed", "service.job_interrupted")
    assert Jobs(open_journal()).restore() == []


def test_what_is_forgotten_leaves_the_journal(open_journal: Callable[[], Journal]):
    async def run() -> None:
        jobs = Jobs(open_journal())
        for _ in range(105):
            last = await jobs.start(_job(), _nothing)
            await _until(jobs, last, "done")

    asyncio.run(run())
    jobs = Jobs(open_journal())
    assert jobs.restore() == []
    assert len(jobs.newest_first()) == 101


def test_a_job_that_is_refused_is_not_in_the_journal(open_journal: Callable[[], Journal]):
    async def run() -> None:
        jobs = Jobs(open_journal())
        for _ in range(20):
            await jobs.start(_job(), _for_ever)
        refused = _job()
        with pytest.raises(ServiceBusy):
            await jobs.start(refused, _for_ever)
        with pytest.raises(JobNotFound):
            jobs.get(refused.id)
        await jobs.close()

    asyncio.run(run())
    assert len(Jobs(open_journal()).restore()) == 20


def test_a_service_takes_the_jobs_of_one_that_ends(
    open_journal: Callable[[], Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An update starts the next gateway before the last one ends."""
    monkeypatch.setattr("executors.gateway.background.jobs._TAKE_S", 0.01)
    own = _job()

    async def run() -> list[str]:
        last, following = Jobs(open_journal()), Jobs()
        job = await last.start(_job(), _for_ever)
        following.take_over_later(tmp_path / FILE_NAME, lambda records: _resume(following, records))
        await _until(following, await following.start(own, _nothing), "done")
        asking = asyncio.create_task(following.find(job.id))
        await asyncio.sleep(0.05)
        assert not asking.done()
        assert not following.has_journal
        await last.close()
        await _until(following, await asking, "done")
        listed = [found.id for found in following.newest_first()]
        with pytest.raises(JobNotFound):
            await following.find("other")
        await following.close()
        assert listed == [own.id, job.id]
        return listed

    ids = asyncio.run(run())
    saved = {record.job.id: record.job.state for record in open_journal().load()}
    assert saved == dict.fromkeys(ids, "done")


def _resume(jobs: Jobs, records: list[Record]) -> None:
    for record in records:
        jobs.resume(record.job, _nothing)


def test_a_service_that_ends_no_longer_waits_for_the_journal(
    open_journal: Callable[[], Journal], tmp_path: Path
):
    async def run() -> None:
        journal, jobs = open_journal(), Jobs()
        jobs.take_over_later(tmp_path / FILE_NAME, lambda records: None)
        await asyncio.sleep(0.05)
        await asyncio.wait_for(jobs.close(), 5)
        journal.close()
        assert jobs._taking is not None
        assert jobs._taking.cancelled()
        with pytest.raises(JobNotFound):
            await jobs.find("other")

    asyncio.run(run())
