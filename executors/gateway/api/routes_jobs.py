"""Routes of jobs: index uploads and folders in the background."""

from __future__ import annotations

from collections.abc import AsyncIterable
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional

from fastapi import APIRouter, Body, Depends, File, Form, Request, Response, UploadFile
from fastapi import Path as PathParameter
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from executors.gateway.api.context import GivenContext
from executors.gateway.api.described import BODY, SIREN, named_after_function, problems
from executors.gateway.api.form_names import unescape_name
from executors.gateway.api.indexing_jobs import FolderSync, UploadIndexing, find_folder
from executors.gateway.api.links import at_root
from executors.gateway.api.models import StrictModel
from executors.gateway.api.queries import parse_tags
from executors.gateway.background.job import Job, JobFile
from executors.gateway.background.uploads import FIELD_LIMITS
from executors.messages.documents import parse_time
from executors.messages.request_fields import pydantic_field
from soundalike.indexing.requests import IndexRequest, TableChoice
from soundalike.parameters import description_of

router = APIRouter(
    tags=["indexing"], form_limits=FIELD_LIMITS, generate_unique_id_function=named_after_function
)
_TOY_FOLDER = {"folder": str(Path(SIREN).parent)}
_FOLLOWING = ("get_job", "watch_job", "list_job_files", "cancel_job")
#: The answer that describes a job's beginning.
ACCEPTED: Dict[int | str, Dict[str, Any]] = {
    202: {
        "description": "The job was accepted",
        "headers": {"Location": {"description": "path of the job", "schema": {"type": "string"}}},
        "links": {
            name: {"operationId": name, "parameters": {"job_id": "$response.body#/id"}}
            for name in _FOLLOWING
        },
    }
}
_EVENTS: Dict[int | str, Dict[str, Any]] = {
    200: {
        "description": "Server-sent events until the job is finished",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "Events `progress`, one for each change, and one `end`; the data of "
                    "each is a `Job` as JSON.",
                },
                "example": 'event: progress\ndata: {"id":"…","state":"running"}\n\n'
                'event: end\ndata: {"id":"…","state":"done"}\n\n',
            }
        },
    }
}


class FolderRequest(StrictModel):
    """A folder to index."""

    folder: str = Field(min_length=1, description="path on the server")
    collection: str = pydantic_field(IndexRequest, "collection")
    label: Optional[str] = pydantic_field(IndexRequest, "label")
    prune: bool = pydantic_field(IndexRequest, "prune")
    metadata: bool = pydantic_field(TableChoice, "finds")


class JobFiles(BaseModel):
    """The results of a job's files, in their order."""

    files: List[JobFile]


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: List[Job]


JobId = Annotated[str, PathParameter(description="id of the job")]


async def _job(context: GivenContext, job_id: JobId) -> Job:
    return await context.jobs.find(job_id)


GivenJob = Annotated[Job, Depends(_job)]


@router.post(
    "/api/recordings",
    status_code=202,
    responses={**ACCEPTED, **problems(*BODY, 409, 507)},
    response_description="The job was accepted",
    summary="Upload recordings",
)
async def upload_recordings(
    context: GivenContext,
    request: Request,
    response: Response,
    files: Annotated[List[UploadFile], File(description="sound files")],
    label: Annotated[Optional[str], Form(description=description_of(IndexRequest, "label"))] = None,
    collection: Annotated[
        str, Form(description=description_of(IndexRequest, "collection"))
    ] = IndexRequest.collection,
    recorded_at: Annotated[
        Optional[str],
        Form(description=f"{description_of(IndexRequest, 'recorded_at')}, with time zone"),
    ] = None,
    tags: Annotated[
        str, Form(description=f"{description_of(IndexRequest, 'tags')}, one JSON object")
    ] = "{}",
) -> Job:
    """Keep the files, each content once, and index them in a job."""
    parse_time(recorded_at or None)
    given_tags = parse_tags(tags or "{}")
    work = UploadIndexing(context, label or None, recorded_at or None, given_tags)
    await context.library.check_names(collection, label)
    try:
        for file in files:
            unescape_name(file, request)
            work.files.append(await context.uploads.keep(file))
        job = Job(kind="upload", collection=collection, total=len(work.files))
        await context.jobs.start(job, work.run, work.let_go, work.request())
    except BaseException:
        await work.let_go()
        raise
    return accepted(job, request, response)


@router.post(
    "/api/jobs",
    status_code=202,
    responses={**ACCEPTED, **problems(*BODY, 404, 409, 507)},
    response_description="The job was accepted",
    summary="Index a folder",
)
async def index_folder(
    context: GivenContext,
    request: Request,
    response: Response,
    wanted: Annotated[FolderRequest, Body(openapi_examples={"toy data": {"value": _TOY_FOLDER}})],
) -> Job:
    """Index new and changed files in a folder and its subfolders; unchanged files are not decoded."""
    await context.library.check_names(wanted.collection, wanted.label)
    folder = await context.decoding.run(find_folder, context, wanted.folder)
    work = FolderSync(context, folder, wanted.label, wanted.prune, wanted.metadata)
    job = Job(kind="folder", folder=str(folder), collection=wanted.collection)
    await context.jobs.start(job, work.run, request=work.request())
    return accepted(job, request, response)


@router.get("/api/jobs", responses=problems(), summary="List jobs")
async def list_jobs(context: GivenContext) -> JobList:
    """Return the jobs that wait or run and the last finished ones, the newest first."""
    return JobList(jobs=context.jobs.newest_first())


@router.get("/api/jobs/{job_id}", responses=problems(404), summary="Get a job")
async def get_job(job: GivenJob) -> Job:
    """Return the state of a job and its counts."""
    return job


@router.get("/api/jobs/{job_id}/files", responses=problems(404), summary="List a job's files")
async def list_job_files(context: GivenContext, job: GivenJob) -> JobFiles:
    """Return the result of each uploaded file that is done; none where the job is of a folder."""
    return JobFiles(files=context.jobs.files_of(job))


@router.get(
    "/api/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={**_EVENTS, **problems(404)},
    response_description="Server-sent events until the job is finished",
    summary="Watch a job",
)
async def watch_job(context: GivenContext, job: GivenJob) -> AsyncIterable[ServerSentEvent]:
    """Send `progress` with the job whenever it has changed, and `end` when it is finished."""
    async for state in context.jobs.watch(job):
        yield ServerSentEvent(event="progress", data=state)
    # Where the service stops, the stream breaks off, and clients ask the next one.
    if job.is_finished:
        yield ServerSentEvent(event="end", data=job)


@router.delete("/api/jobs/{job_id}", responses=problems(404), summary="Cancel a job")
async def cancel_job(context: GivenContext, job_id: JobId) -> Job:
    """Stop a job; files that it has indexed stay in the index."""
    return await context.jobs.cancel(job_id)


def accepted(job: Job, request: Request, response: Response) -> Job:
    """Name a job in the answer's header, and return it."""
    response.headers["Location"] = at_root(request, f"/api/jobs/{job.id}")
    return job
