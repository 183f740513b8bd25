"""Copies of recordings, and sounds that occur again and again: jobs with a result."""

from __future__ import annotations

from typing import Annotated, Any, Dict, List, Literal, Optional

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, Field

from executors.gateway.api.context import GivenContext
from executors.gateway.api.described import BODY, named_after_function, problems
from executors.gateway.api.models import StrictModel
from executors.gateway.api.repeats_jobs import DuplicatesSearch, MotifsSearch, check_collection
from executors.gateway.api.routes_jobs import ACCEPTED, GivenJob, accepted
from executors.gateway.background.job import Job
from executors.messages.request_fields import pydantic_field
from soundalike.repeats.requests import DuplicatesRequest, MotifsRequest

router = APIRouter(generate_unique_id_function=named_after_function)


class DuplicatesBody(StrictModel):
    """Which recordings are compared, and how alike copies are."""

    under: str = pydantic_field(DuplicatesRequest, "under")
    min_score: float = pydantic_field(DuplicatesRequest, "min_score")
    min_overlap_s: float = pydantic_field(DuplicatesRequest, "min_overlap_s")
    candidates: int = pydantic_field(DuplicatesRequest, "candidates")
    collection: str = pydantic_field(DuplicatesRequest, "collection")


class MotifsBody(StrictModel):
    """Which recordings are searched, and for which motifs."""

    under: str = pydantic_field(MotifsRequest, "under")
    min_count: int = pydantic_field(MotifsRequest, "min_count")
    limit: int = pydantic_field(MotifsRequest, "limit")
    reread_s: float = pydantic_field(MotifsRequest, "reread_s")
    collection: str = pydantic_field(MotifsRequest, "collection")


class DuplicateMember(BaseModel):
    """A file in a group of copies, with the part that the first file holds too."""

    uri: str
    recording_id: str
    start_s: float
    end_s: float
    offset_s: float = Field(description="second of the first file at which this one begins")
    score: float
    evidence: Literal["content", "sound", "vectors"]
    suggestion: Literal["keep", "remove"]
    duration_s: float
    size_bytes: Optional[int]
    label: Optional[str]


class DuplicateGroup(BaseModel):
    """Copies of one recording, the one to keep first."""

    group: int
    members: List[DuplicateMember]


class MotifEvent(BaseModel):
    """An occurrence of a motif; the score is the similarity to the example."""

    uri: str
    recording_id: str
    start_s: float
    end_s: float
    score: float
    occurred_at: Optional[str]
    label: Optional[str]
    recorded_at: Optional[str]
    duration_s: float
    collection: str


class Motif(BaseModel):
    """A sound that occurs again and again."""

    motif: int
    count: int
    example: MotifEvent
    labels: Dict[str, int] = Field(description="labels of the recordings with their number of events")
    events: List[MotifEvent]


class JobResult(BaseModel):
    """The groups of a job that found copies, or the motifs."""

    groups: List[DuplicateGroup] = Field(default=[], description="of a job that found copies")
    motifs: List[Motif] = Field(default=[], description="of a job that found motifs")


@router.post(
    "/api/duplicates",
    status_code=202,
    tags=["search"],
    responses={**ACCEPTED, **problems(*BODY, 409)},
    response_description="The job was accepted",
    summary="Search for copies of recordings",
)
async def find_duplicates(
    context: GivenContext,
    request: Request,
    response: Response,
    wanted: Annotated[DuplicatesBody, Body(openapi_examples={"all": {"value": {}}})],
) -> Job:
    """Group copies in a job, and suggest which to keep; nothing is deleted."""
    work = DuplicatesSearch(context, DuplicatesRequest(**wanted.model_dump()))
    await check_collection(context, work.request.collection)
    job = Job(kind="duplicates", collection=work.request.collection)
    await context.jobs.start(job, work.run, request=work.parameters())
    return accepted(job, request, response)


@router.post(
    "/api/motifs",
    status_code=202,
    tags=["search"],
    responses={**ACCEPTED, **problems(*BODY, 409)},
    response_description="The job was accepted",
    summary="Search for sounds that occur again and again",
)
async def find_motifs(
    context: GivenContext,
    request: Request,
    response: Response,
    wanted: Annotated[MotifsBody, Body(openapi_examples={"all": {"value": {}}})],
) -> Job:
    """Find motifs in a job, the most frequent first."""
    work = MotifsSearch(context, MotifsRequest(**wanted.model_dump()))
    await check_collection(context, work.request.collection)
    job = Job(kind="motifs", collection=work.request.collection)
    await context.jobs.start(job, work.run, request=work.parameters())
    return accepted(job, request, response)


@router.get(
    "/api/jobs/{job_id}/result",
    tags=["indexing"],
    response_model=JobResult,
    response_model_exclude_unset=True,
    responses=problems(404, 409),
    response_description="`groups` of copies, or `motifs`",
    summary="Get a job's result",
)
async def get_job_result(context: GivenContext, job: GivenJob) -> Dict[str, Any]:
    """Return the groups of a job that found duplicates, or the motifs; the last ten results are kept."""
    found: Dict[str, Any] = context.jobs.result_of(job)
    return found
