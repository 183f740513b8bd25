"""Named searches: save them, run them, and mark what they find."""

from __future__ import annotations

import json
from typing import Annotated, Any, Dict, List, Literal, Optional

from docarray import BaseDoc, DocList
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from executors.gateway.api import models
from executors.gateway.api.context import GivenContext
from executors.gateway.api.described import (
    BODY,
    JSON,
    SCRATCH,
    SEARCH,
    SEARCH_FILE,
    SIREN,
    SIREN_ID,
    CollectionName,
    body,
    named_after_function,
    problems,
)
from executors.gateway.api.queries import read_query
from executors.gateway.api.routes_search import named_as_sent, sent_clip
from executors.gateway.background.uploads import FIELD_LIMITS
from executors.gateway.problems import document_failed
from executors.messages.request_fields import pydantic_field
from executors.messages.searches import (
    AcceptedDoc,
    EstimateDoc,
    FoundAgain,
    ImportedSearchDoc,
    NamedSearchDoc,
    RemovedSearchDoc,
    ReviewHitDoc,
    ScoreBandDoc,
    SearchFileDoc,
    SearchMarkDoc,
    UndoneDoc,
)
from soundalike.config import DEFAULT_COLLECTION
from soundalike.learning.orders import Order
from soundalike.searches.requests import RunRequest, SaveRequest
from soundalike.searches.review_requests import EstimateRequest, ReviewRequest

router = APIRouter(
    tags=["searches"], form_limits=FIELD_LIMITS, generate_unique_id_function=named_after_function
)
_KNOWN = problems(*BODY, 404, 409, 507)

SearchMark = models.fields_of(SearchMarkDoc, "SearchMark")
_MARKS = (List[SearchMark], Field(description="in the order of marking"))  # type: ignore[valid-type]
NamedSearch = models.fields_of(NamedSearchDoc, "NamedSearch", marks=_MARKS)
NamedSearchSummary = models.fields_of(NamedSearchDoc, "NamedSearchSummary", without=("marks",))
AcceptedMarks = models.fields_of(AcceptedDoc, "AcceptedMarks")
ReviewHit = models.fields_of(ReviewHitDoc, "ReviewHit")
ScoreBand = models.fields_of(ScoreBandDoc, "ScoreBand")
_BANDS = (List[ScoreBand], Field(description="the highest scores first"))  # type: ignore[valid-type]
SearchEstimate = models.fields_of(EstimateDoc, "SearchEstimate", bands=_BANDS)
ImportedSearch = models.fields_of(ImportedSearchDoc, "ImportedSearch")

SearchName = Annotated[
    str, Path(description="name of the search", openapi_examples={"sirens": {"value": SEARCH}})
]


class NamedSearches(BaseModel):
    """The named searches of a collection, by name."""

    searches: List[NamedSearchSummary]  # type: ignore[valid-type]


class ReviewHits(BaseModel):
    """Hits without a mark, in the order of review."""

    hits: List[ReviewHit]  # type: ignore[valid-type]


class SearchMarks(BaseModel):
    """The marks that were made, or cleared."""

    marks: List[SearchMark]  # type: ignore[valid-type]


class UndoneStep(BaseModel):
    """What was taken back."""

    undone: Optional[Literal["mark", "clear", "accept"]] = Field(description="null: there was nothing")
    mark: Optional[SearchMark] = Field(description="the mark or the cleared place")  # type: ignore[valid-type]
    label: Optional[str] = Field(description="of the accepted annotations")
    annotations: int = Field(description="number of annotations that were removed")


class SaveSearchRequest(models.SearchRequest):
    """What to save: the fields of a search."""

    replace: bool = pydantic_field(SaveRequest, "replace")


class _OfCollection(models.StrictModel):
    collection: str = Field(default=DEFAULT_COLLECTION, description="name of the collection")

    @property
    def parameters(self) -> Dict[str, Any]:
        """The parameters of the Flow's endpoint."""
        return {name: value for name, value in self if value is not None}


class UndoSearchRequest(_OfCollection):
    """Which collection is meant."""


class RunSearchRequest(_OfCollection):
    """How to run a named search; what is not given is as it was saved."""

    since: Optional[str] = pydantic_field(RunRequest, "since")
    until: Optional[str] = pydantic_field(RunRequest, "until")
    time_zone: Optional[str] = pydantic_field(RunRequest, "time_zone")
    unmarked: bool = pydantic_field(RunRequest, "unmarked")
    use_marks: bool = pydantic_field(RunRequest, "use_marks")
    top_k: Optional[int] = pydantic_field(RunRequest, "top_k", is_limited=True)
    min_score: Optional[float] = pydantic_field(RunRequest, "min_score")
    max_false_alarms: Optional[float] = pydantic_field(RunRequest, "max_false_alarms")


class MarkSearchRequest(_OfCollection):
    """A place and the decision on it."""

    uri: Optional[str] = Field(default=None, description="path of the recording")
    recording_id: Optional[str] = Field(default=None, description="id of the recording, in its place")
    start_s: Optional[float] = Field(default=None, description="begin in seconds; default: all of it")
    end_s: Optional[float] = Field(default=None, description="end in seconds")
    verdict: Literal["right", "wrong", "clear"] = Field(
        description="clear removes the marks of the place"
    )
    by: str = Field(default="", description="name of the person who decides")


class AcceptSearchRequest(_OfCollection):
    """The label of new annotations."""

    label: str = Field(description="label of the annotations")
    by: str = Field(default="", description="name of the person who decides")


class ReviewSearchRequest(_OfCollection):
    """Which hits to review, and in which order."""

    order: Order = pydantic_field(ReviewRequest, "order")
    share: int = pydantic_field(ReviewRequest, "share", is_limited=True)
    seed: int = pydantic_field(ReviewRequest, "seed")
    min_precision: Optional[float] = pydantic_field(ReviewRequest, "min_precision")
    label: Optional[str] = pydantic_field(ReviewRequest, "label")
    use_marks: bool = pydantic_field(ReviewRequest, "use_marks")
    min_score: Optional[float] = pydantic_field(ReviewRequest, "min_score")
    top_k: Optional[int] = pydantic_field(ReviewRequest, "top_k", is_limited=True)


class EstimateSearchRequest(_OfCollection):
    """How to estimate the precision."""

    use_marks: bool = pydantic_field(EstimateRequest, "use_marks")
    min_score: Optional[float] = pydantic_field(EstimateRequest, "min_score")
    min_precision: float = pydantic_field(EstimateRequest, "min_precision", is_limited=True)


class ImportSearchRequest(_OfCollection):
    """The file of a search."""

    search: Dict[str, Any] = Field(description="the content of a file of a search")
    name: Optional[str] = Field(default=None, description="name of the search; default: the file's")
    replace: bool = pydantic_field(SaveRequest, "replace")


@router.get("/api/searches", responses=problems(409), summary="List named searches")
async def list_searches(
    context: GivenContext, collection: CollectionName = DEFAULT_COLLECTION
) -> NamedSearches:
    """Return the searches of a collection with the numbers of their marks."""
    found = await context.flow.ask("/searches", [], NamedSearchDoc, {"collection": collection})
    return NamedSearches(searches=[_plain(doc, "marks") for doc in found])


@router.post(
    "/api/searches",
    response_model=ImportedSearch,
    responses=_KNOWN,
    openapi_extra=body(JSON, "ImportSearchRequest", {"search": SEARCH_FILE, "replace": True}),
    summary="Import a named search",
)
async def import_search(context: GivenContext, given: ImportSearchRequest) -> Dict[str, Any]:
    """Save a search with its marks from the content of a file."""
    content = json.dumps(given.search, ensure_ascii=False)
    parameters = {name: value for name, value in given.parameters.items() if name != "search"}
    doc = SearchFileDoc(id="search", content=content)
    found = await context.flow.one("/search_import", doc, ImportedSearchDoc, parameters)
    return _plain(found)


@router.get(
    "/api/searches/{name}",
    response_model=NamedSearch,
    responses=problems(404),
    summary="Get a named search",
)
async def get_search(
    context: GivenContext, name: SearchName, collection: CollectionName = DEFAULT_COLLECTION
) -> Dict[str, Any]:
    """Return a search with its marks."""
    given = {"name": name, "collection": collection}
    (found,) = await context.flow.ask("/searches", [], NamedSearchDoc, given)
    return _plain(found)


@router.post(
    "/api/searches/{name}",
    response_model=NamedSearch,
    responses=problems(*BODY, 404, 409, 415, 507),
    openapi_extra=body(JSON, "SaveSearchRequest", {"uri": SIREN, "top_k": 3, "replace": True}),
    summary="Save a search under a name",
)
async def save_search(context: GivenContext, request: Request, name: SearchName) -> Dict[str, Any]:
    """Take the fields of a search, also as a form with `file`, which is not kept."""
    async with read_query(request, SaveSearchRequest) as (query, upload):
        parameters = {**query.parameters, "name": name}
        async with sent_clip(context, query, upload) as (clip, shown):
            if shown is not None:
                parameters["query_name"] = shown
            found = await context.flow.one("/search_save", clip, NamedSearchDoc, parameters)
        if found.error_code:
            if shown is not None:
                found.error = named_as_sent(str(found.error), str(clip.uri), shown)
            raise document_failed(found)
    return _plain(found)


@router.delete("/api/searches/{name}", responses=problems(404), summary="Remove a named search")
async def remove_search(
    context: GivenContext, name: SearchName, collection: CollectionName = DEFAULT_COLLECTION
) -> Dict[str, str]:
    """Remove a search with its marks. Recordings and annotations stay."""
    given = {"name": name, "collection": collection}
    (gone,) = await context.flow.ask("/search_remove", [], RemovedSearchDoc, given)
    return {"removed": gone.name}


@router.post(
    "/api/searches/{name}/run",
    responses=_KNOWN,
    openapi_extra=body(JSON, "RunSearchRequest", {"unmarked": True}),
    summary="Run a named search",
)
async def run_search(
    context: GivenContext, name: SearchName, given: RunSearchRequest
) -> models.AnswerAgain:
    """Search again; places that were marked wrong are not found."""
    asked = {**given.parameters, "name": name}
    (found,) = await context.flow.ask("/search_run", [], FoundAgain, asked)
    return models.AnswerAgain(**_plain(found))


@router.post(
    "/api/searches/{name}/marks",
    responses=_KNOWN,
    openapi_extra=body(
        JSON,
        "MarkSearchRequest",
        {"recording_id": SIREN_ID, "start_s": 1.0, "end_s": 2.5, "verdict": "right"},
    ),
    summary="Mark a place as right or wrong",
)
async def mark_search(context: GivenContext, name: SearchName, given: MarkSearchRequest) -> SearchMarks:
    """Mark a recording or a part of it, or clear its marks."""
    asked = {**given.parameters, "name": name}
    found = await context.flow.ask("/search_mark", [], SearchMarkDoc, asked)
    return SearchMarks(marks=[_plain(doc) for doc in found])


@router.post(
    "/api/searches/{name}/undo",
    responses=_KNOWN,
    openapi_extra=body(JSON, "UndoSearchRequest", {"collection": DEFAULT_COLLECTION}),
    summary="Take back the latest mark of a search",
)
async def undo_search(context: GivenContext, name: SearchName, given: UndoSearchRequest) -> UndoneStep:
    """Take back the latest mark, clearing or acceptance."""
    asked = {**given.parameters, "name": name}
    (found,) = await context.flow.ask("/search_undo", [], UndoneDoc, asked)
    row = _plain(found)
    marks = row.pop("marks")
    return UndoneStep(**row, mark=marks[0] if marks else None)


@router.post(
    "/api/searches/{name}/accept",
    response_model=AcceptedMarks,
    responses=_KNOWN,
    openapi_extra=body(JSON, "AcceptSearchRequest", {"label": SCRATCH}),
    summary="Annotate the right places of a search",
)
async def accept_search(
    context: GivenContext, name: SearchName, given: AcceptSearchRequest
) -> Dict[str, Any]:
    """Add an annotation with a label for each right place."""
    asked = {**given.parameters, "name": name}
    (found,) = await context.flow.ask("/search_accept", [], AcceptedDoc, asked)
    return _plain(found)


@router.post(
    "/api/searches/{name}/review",
    responses=_KNOWN,
    openapi_extra=body(JSON, "ReviewSearchRequest", {"order": "bands", "share": 25}),
    summary="List the hits of a search to review",
)
async def review_search(
    context: GivenContext, name: SearchName, given: ReviewSearchRequest
) -> ReviewHits:
    """Return the best place of each recording without a mark, in the order of review."""
    asked = {**given.parameters, "name": name}
    found = await context.flow.ask("/search_review", [], ReviewHitDoc, asked)
    return ReviewHits(hits=[_plain(doc) for doc in found])


@router.post(
    "/api/searches/{name}/estimate",
    response_model=SearchEstimate,
    responses=_KNOWN,
    openapi_extra=body(JSON, "EstimateSearchRequest", {"min_precision": 0.9}),
    summary="Get the precision of a search",
)
async def estimate_search(
    context: GivenContext, name: SearchName, given: EstimateSearchRequest
) -> Dict[str, Any]:
    """Return the share of right hits with its interval, from the marks in each band of scores."""
    asked = {**given.parameters, "name": name}
    (found,) = await context.flow.ask("/search_estimate", [], EstimateDoc, asked)
    return _plain(found)


@router.get("/api/searches/{name}/export", responses=problems(404), summary="Export a named search")
async def export_search_file(
    context: GivenContext, name: SearchName, collection: CollectionName = DEFAULT_COLLECTION
) -> Dict[str, Any]:
    """Return the content of a file, which the import takes."""
    given = {"name": name, "collection": collection}
    (found,) = await context.flow.ask("/search_export", [], SearchFileDoc, given)
    row: Dict[str, Any] = json.loads(found.content)
    return row


def _plain(doc: BaseDoc, *without: str) -> Dict[str, Any]:
    """Return the fields of a document and of those inside."""
    hidden = {"id", "error_code", "error", *without}
    return {
        name: [_plain(part) for part in value] if isinstance(value, DocList) else value
        for name, value in doc
        if name not in hidden
    }
