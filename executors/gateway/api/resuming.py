"""Resume the jobs that were under way when the service stopped."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Dict, List

from starlette.exceptions import HTTPException

from executors.gateway.api.context import Context
from executors.gateway.api.indexing_jobs import FolderSync, UploadIndexing, find_folder
from executors.gateway.api.repeats_jobs import DuplicatesSearch, MotifsSearch
from executors.gateway.background.job import Job
from executors.gateway.background.journal import FILE_NAME, Record
from soundalike.errors import AudioNotFound, SoundalikeError
from soundalike.repeats.requests import DuplicatesRequest, MotifsRequest

#: Between two attempts to reach the database.
_RETRY_S = 2.0


def resume_jobs(context: Context) -> None:
    """Start the unfinished jobs of the journal again, in their order.

    Indexing is idempotent: a folder job compares each file with the index, an upload job stores its
    files once more, which changes nothing where they are stored already. Where another gateway still has
    the journal, this one goes on with its jobs when it ends.
    """
    _resume(context, context.jobs.restore())
    path = context.uploads.folder / FILE_NAME
    # Without a file the folder cannot be written, and there is nobody to wait for.
    if not context.jobs.has_journal and path.is_file():
        context.jobs.take_over_later(path, partial(_resume, context))


def _resume(context: Context, records: List[Record]) -> None:
    for record in records:
        job = record.job
        if job.kind == "folder":
            context.jobs.resume(job, partial(_sync_folder, context, record.request))
        elif job.kind == "duplicates":
            duplicates = DuplicatesRequest(**record.request)
            context.jobs.resume(job, partial(_compare, DuplicatesSearch(context, duplicates)))
        elif job.kind == "motifs":
            motifs = MotifsRequest(**record.request)
            context.jobs.resume(job, partial(_compare, MotifsSearch(context, motifs)))
        else:
            work = UploadIndexing.of(context, record.request)
            job.total = len(work.files)
            context.jobs.resume(job, partial(_index_uploads, work), work.let_go)


async def _sync_folder(context: Context, request: Dict[str, Any], job: Job) -> None:
    await _until_reachable(context, job)
    # The settings may be others now, and the folder may be gone.
    folder = await context.decoding.run(find_folder, context, str(job.folder))
    await FolderSync(context, folder, **request).run(job)


async def _index_uploads(work: UploadIndexing, job: Job) -> None:
    await _until_reachable(work.context, job)
    if not any(kept.path.is_file() for kept in work.files):
        raise AudioNotFound("the uploaded files are gone from the service's disk; upload them again")
    await work.run(job)


async def _compare(work: DuplicatesSearch | MotifsSearch, job: Job) -> None:
    await _until_reachable(work.context, job)
    await work.run(job)


async def _until_reachable(context: Context, job: Job) -> None:
    """Wait for the database, which may start later than the service."""
    while True:
        try:
            await context.library.check_names(job.collection, None)
        except (HTTPException, SoundalikeError):
            await asyncio.sleep(_RETRY_S)
        else:
            return
