"""Maps of collections."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Dict, List, Literal, Optional

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from executors.gateway.api.context import Context, GivenContext
from executors.gateway.api.described import BODY, JSON, body, named_after_function, problems
from executors.gateway.api.models import StrictModel, fields_of
from executors.messages.maps import MapDoc, map_data
from executors.messages.request_fields import pydantic_field
from soundalike.config import DEFAULT_COLLECTION
from soundalike.maps.requests import MapRequest

router = APIRouter(tags=["map"], generate_unique_id_function=named_after_function)
page = APIRouter()

Points = Literal["recordings", "windows"]
Method = Literal["auto", "umap", "tsne", "pca"]


class MapCluster(BaseModel):
    """Points that lie close together."""

    cluster: int = Field(description="number in the column `cluster`; -1 there: in no cluster")
    name: str = Field(description="what distinguishes its members: labels, tags, folder")
    size: int


SoundMap = fields_of(
    MapDoc,
    "SoundMap",
    without=("content",),
    clusters=(List[MapCluster], Field(description="the largest first")),
    columns=(
        Dict[str, List[Any]],
        Field(
            description="a list for each field, with a value for each point: `uri`, `recording_id`, "
            "`x` and `y` from -1 to 1, `cluster`, `label`, `duration_s`, `start_s`, `end_s`, "
            "`occurred_at`, and `score` where a model of what is normal was given"
        ),
    ),
    tags=(
        Dict[str, List[Optional[str]]],
        Field(description="values for each point, of tags with few different ones"),
    ),
)


class MapBody(StrictModel):
    """Which map, and whether to lay it out again."""

    collection: str = pydantic_field(MapRequest, "collection")
    points: Points = pydantic_field(MapRequest, "points")
    method: Method = pydantic_field(MapRequest, "method")
    neighbours: int = pydantic_field(MapRequest, "neighbours", is_limited=True)
    seed: int = pydantic_field(MapRequest, "seed", is_limited=True)
    max_points: int = pydantic_field(MapRequest, "max_points", is_limited=True)
    min_cluster: Optional[int] = pydantic_field(MapRequest, "min_cluster", is_limited=True)
    refit: bool = pydantic_field(MapRequest, "refit")
    normal: Optional[str] = pydantic_field(MapRequest, "normal")


@router.get(
    "/api/map",
    response_model=SoundMap,
    responses=problems(404, 409),
    summary="Get the map of a collection",
)
async def get_map(
    context: GivenContext,
    collection: Annotated[str, Query(description="name of the collection")] = DEFAULT_COLLECTION,
    points: Annotated[Points, Query(description="what a point stands for")] = "recordings",
    method: Annotated[Method, Query(description="layout")] = "auto",
    max_points: Annotated[
        int, Query(ge=1, le=200_000, description="at most so many; of more, a sample")
    ] = MapRequest.max_points,
    normal: Annotated[
        Optional[str], Query(description="score points with this model of what is normal")
    ] = None,
) -> Response:
    """Return all points with their places. The first map of a collection computes the layout.

    Points keep their places when recordings are added.
    """
    asked = MapBody(
        collection=collection, points=points, method=method, max_points=max_points, normal=normal
    )
    return await _answer(context, asked)


@router.post(
    "/api/map",
    response_model=SoundMap,
    responses=problems(*BODY, 404, 409),
    openapi_extra=body(JSON, "MapBody", {"method": "pca"}),
    summary="Draw the map of a collection",
)
async def make_map(context: GivenContext, request: MapBody) -> Response:
    """Return the same, with more options; `refit` lays everything out again."""
    return await _answer(context, request)


@page.get("/map", include_in_schema=False)
async def redirect_to_map() -> RedirectResponse:
    """Lead to the view of the page."""
    # Relative, so that a prefix of a proxy goes before it.
    return RedirectResponse("./#/map")


async def _answer(context: Context, asked: MapBody) -> Response:
    parameters = {name: value for name, value in asked if value is not None}
    (found,) = await context.flow.ask("/map", [], MapDoc, parameters)
    # Not checked once more by the model: that takes seconds for many points.
    text = await asyncio.to_thread(lambda: json.dumps(map_data(found), separators=(",", ":")))
    return Response(text, media_type=JSON)
