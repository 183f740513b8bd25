"""Indexing that takes a while: uploads and folders."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Annotated, List, Optional

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from executors.documents import parse_time
from executors.gateway.context import GivenContext, problems
from executors.gateway.form_names import unescape_name
from executors.gateway.indexing import FolderSync, UploadIndexing
from executors.gateway.jobs import Job, JobFile
from executors.gateway.links import at_root
from executors.gateway.queries import parse_tags
from executors.gateway.uploads import FIELD_LIMITS
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import AudioNotFound

router = APIRouter(tags=["indexing"], form_limits=FIELD_LIMITS)
_ACCEPTED = "answered with 202; the header Location says where the job can be watched"


class FolderRequest(BaseModel):
    """A folder to index."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(min_length=1, description="on the server, and seen by it under this path")
    collection: str = DEFAULT_COLLECTION
    label: Optional[str] = Field(default=None, description="default: the name of each file's folder")
    prune: bool = Field(default=False, description="take out what is gone from the folder")


class JobFiles(BaseModel):
    """What became of the files of a job, in their order."""

    files: List[JobFile]


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: List[Job]


async def _job(context: GivenContext, job_id: str) -> Job:
    return context.jobs.get(job_id)


GivenJob = Annotated[Job, Depends(_job)]


@router.post(
    "/api/recordings",
    status_code=202,
    responses=problems(),
    response_description=_ACCEPTED,
    summary="Upload recordings and index them",
)
async def upload(
    context: GivenContext,
    request: Request,
    response: Response,
    files: Annotated[List[UploadFile], File()],
    label: Annotated[Optional[str], Form()] = None,
    collection: Annotated[str, Form()] = DEFAULT_COLLECTION,
    recorded_at: Annotated[Optional[str], Form(description="ISO-8601 with zone")] = None,
    tags: Annotated[str, Form(description="of all files, one JSON object")] = "{}",
) -> Job:
    """Keep the files, each content once, and index them."""
    parse_time(recorded_at or None)
    given_tags = parse_tags(tags or "{}")
    work = UploadIndexing(context, label or None, recorded_at or None, given_tags)
    await context.library.check_names(collection, label)
    try:
        for file in files:
            unescape_name(file, request)
            work.files.append(await context.uploads.keep(file))
        job = Job(kind="upload", collection=collection, total=len(work.files))
        context.jobs.start(job, work.run, work.let_go)
    except BaseException:
        await work.let_go()
        raise
    return _accepted(job, request, response)


@router.post(
    "/api/jobs",
    status_code=202,
    responses=problems(404),
    response_description=_ACCEPTED,
    summary="Make a collection agree with a folder",
)
async def sync_folder(
    context: GivenContext, request: Request, response: Response, wanted: FolderRequest
) -> Job:
    """Index what is new or changed in a folder and below; unchanged files are not decoded."""
    await context.library.check_names(wanted.collection, wanted.label)
    folder = await context.decoding.run(_folder, context, wanted.folder)
    work = FolderSync(context, folder, wanted.label, wanted.prune)
    job = Job(kind="folder", folder=str(folder), collection=wanted.collection)
    return _accepted(context.jobs.start(job, work.run), request, response)


@router.get("/api/jobs", responses=problems(), summary="The jobs, the newest first")
async def jobs(context: GivenContext) -> JobList:
    """Return those that wait, that run, and the last ones that are finished."""
    return JobList(jobs=context.jobs.newest_first())


@router.get("/api/jobs/{job_id}", responses=problems(404), summary="How far a job is")
async def job_state(job: GivenJob) -> Job:
    """Return it as it is now."""
    return job


@router.get(
    "/api/jobs/{job_id}/files", responses=problems(404), summary="What became of each uploaded file"
)
async def job_files(context: GivenContext, job: GivenJob) -> JobFiles:
    """Return those that are done, in the order in which they were sent; none of a folder's."""
    return JobFiles(files=context.jobs.files_of(job))


@router.get(
    "/api/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=problems(404),
    summary="How far a job is, as it goes on",
)
async def job_events(context: GivenContext, job: GivenJob) -> AsyncIterable[ServerSentEvent]:
    """Send `progress` with the job whenever it has changed, and `end` when it is finished."""
    async for state in context.jobs.watch(job):
        yield ServerSentEvent(event="progress", data=state)
    yield ServerSentEvent(event="end", data=job)


@router.delete("/api/jobs/{job_id}", responses=problems(404), summary="Cancel a job")
async def cancel(context: GivenContext, job_id: str) -> Job:
    """Stop it; what it has indexed stays."""
    return await context.jobs.cancel(job_id)


def _accepted(job: Job, request: Request, response: Response) -> Job:
    response.headers["Location"] = at_root(request, f"/api/jobs/{job.id}")
    return job


def _folder(context: GivenContext, name: str) -> Path:
    """Return a folder that may be indexed.

    Raises
    ------
    AudioNotAllowed
        It lies outside of the allowed folders.
    AudioNotFound
        It is no folder.
    """
    # The paths of its files will be like this.
    folder = Path(os.path.abspath(name))
    context.roots.check(str(folder))
    if not folder.is_dir():
        raise AudioNotFound(f"{name!r} is no folder; give the path of one that the server can read")
    return folder
