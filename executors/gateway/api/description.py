"""Write the API description: OpenAPI 3.1 that client generators accept.

FastAPI writes most of it. This module adds the parts that FastAPI cannot express, and replaces words of
OpenAPI 3.2 by words of 3.1.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Dict

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute

from executors.gateway.api import models, routes_normal, routes_searches, routes_speakers
from executors.gateway.api.described import schema_of, upload_form_of
from executors.gateway.api.description_jina import with_examples
from executors.gateway.api.description_schemas import renamed, tidy_schemas, without_null
from executors.gateway.guard.access import OPEN_PATHS

TEXT = """Find recordings with a similar sound, and the second at which it occurs.

The operations under `/api` take forms and JSON. Those with the tag `jina` take Jina's documents, for
clients of Jina. A request that fails is answered with a `Problem`, whose `code` is stable.
"""
_LICENCE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
_TAGS = {
    "search": "Find similar sounds",
    "library": "List, count and delete recordings",
    "indexing": "Upload or index recordings, and watch the job",
    "playback": "Play recordings and draw them",
    "searches": "Keep searches under names, with the decisions on what they find",
    "map": "Show a collection as a map",
    "normal": "Learn what sounds normal, and find what does not",
    "speakers": "Enrol, identify and verify speakers",
    "service": "Health, metrics and the web page",
    "jina": "The Flow's endpoints, which take and return Jina's documents",
}
_SCHEMES = {
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "SOUNDALIKE_API_KEY of the service",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "the same key, as `Authorization: Bearer KEY`",
    },
}
#: Sources of a query beside a file.
_OTHER_SOURCES = ("uri", "recording_id", "vector", "text", "like_label")


def describe(app: FastAPI, *, has_key: bool) -> None:
    """Let an application serve the description.

    Parameters
    ----------
    app : FastAPI
    has_key : bool
        Whether requests need a key.
    """
    # Jina adds a route after this, so it cannot be made now.
    app.openapi = functools.cache(lambda: _description(app, has_key=has_key))  # type: ignore[method-assign]
    app.router.routes[:] = [route for route in app.routes if _path_of(route) != app.openapi_url]

    @app.get("/openapi.json", include_in_schema=False)
    async def description(request: Request) -> JSONResponse:
        # Relative: the client knows the host; a proxy may have added a prefix.
        prefix = request.scope.get("root_path", "").rstrip("/")
        return JSONResponse({**app.openapi(), "servers": [{"url": prefix or "/"}]})


def _description(app: FastAPI, *, has_key: bool) -> Dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary="Search for similar sounds",
        description=app.description,
        license_info=_LICENCE,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        servers=[{"url": "/"}],
        # Jina has one for `GET /` as well, which the page stands before.
        routes=[route for route in app.routes if getattr(route, "name", "") != "_gateway_health"],
    )
    made["paths"] = dict(sorted(made["paths"].items(), key=_is_jinas))
    made["components"]["schemas"].update(_own_schemas())
    for operation in _operations(made):
        _tidy_operation(operation)
    made = renamed(made)
    with_examples(made)
    tidy_schemas(made)
    _secure(made, has_key=has_key)
    return made


def _own_schemas() -> Dict[str, Any]:
    """Return the schemas of bodies that routes read and write by themselves."""
    search, timeline, events = models.SearchRequest, models.TimelineRequest, models.EventsRequest
    voice, enrolment = routes_speakers.VoiceRequest, routes_speakers.EnrolRequest
    by_file = "A search by a sound file, which is not kept."
    over_time = "A count over time of sounds similar to a sound file, which is not kept."
    return {
        "Problem": schema_of(models.Problem),
        "SearchRequest": schema_of(search),
        "ExampleForm": schema_of(models.ExampleForm),
        "TimelineRequest": schema_of(timeline),
        "EventsRequest": schema_of(events),
        "Body_search_upload": upload_form_of(search, _OTHER_SOURCES, by_file),
        "Body_timeline_upload": upload_form_of(timeline, _OTHER_SOURCES, over_time),
        "Body_events_upload": upload_form_of(
            events, _OTHER_SOURCES, "A search for every occurrence of a sound file, which is not kept."
        ),
        "ScoreNormalRequest": schema_of(routes_normal.ScoreNormalRequest),
        "Body_score_normal_upload": upload_form_of(
            routes_normal.ScoreNormalRequest, _OTHER_SOURCES, "A recording to score, which is not kept."
        ),
        "SaveSearchRequest": schema_of(routes_searches.SaveSearchRequest),
        "EnrolRequest": schema_of(enrolment),
        "VoiceRequest": schema_of(voice),
        "Body_enrol_speaker_upload": upload_form_of(
            enrolment, _OTHER_SOURCES, "A recording of a speaker, which is kept."
        ),
        **{
            f"Body_{name}_speaker_upload": upload_form_of(
                voice, _OTHER_SOURCES, "A recording of a voice, which is not kept."
            )
            for name in ("identify", "verify")
        },
    }


def _is_jinas(path: tuple[str, Dict[str, Any]]) -> tuple[bool, str]:
    """Put Jina's endpoints last and in order, in which Jina has them as they come."""
    is_jinas = any(operation["tags"] == ["jina"] for operation in path[1].values())
    return is_jinas, path[0] if is_jinas else ""


def _operations(made: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    for path in made["paths"].values():
        yield from path.values()


def _tidy_operation(operation: Dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = without_null(parameter["schema"])
    for answer in operation["responses"].values():
        for content in answer.get("content", {}).values():
            # A word of OpenAPI 3.2, for streams of events.
            content.pop("itemSchema", None)


def _secure(made: Dict[str, Any], *, has_key: bool) -> None:
    """Name the key, so that Swagger UI asks for it and clients know how to send it."""
    made["security"] = [{name: []} for name in _SCHEMES] if has_key else []
    if not has_key:
        return
    made["components"]["securitySchemes"] = _SCHEMES
    for path in OPEN_PATHS & made["paths"].keys():
        made["paths"][path]["get"]["security"] = []


def _path_of(route: BaseRoute) -> str | None:
    return getattr(route, "path", None)
