"""Routes of the service itself: health, metrics, and the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from jina.proto.jina_pb2 import StatusProto
from starlette.responses import JSONResponse, Response

from executors.gateway.api import models
from executors.gateway.api.context import GivenContext
from executors.gateway.api.described import named_after_function, only_problems
from executors.gateway.metrics import CONTENT_TYPE
from executors.gateway.problems import ProblemResponse, problem_of
from soundalike.errors import ServiceError
from soundalike.maps.requests import WEB as MAP_FILES

STATIC = Path(__file__).parents[1] / "static"
#: Browsers ask each time whether a file is still the same, so that an update shows at once.
_ASK_AGAIN = {"Cache-Control": "no-cache"}

router = APIRouter(tags=["service"], generate_unique_id_function=named_after_function)
#: Of operations that need no key.
_OPEN_FAILURES = (403, 429, 500, 503)


class _Static(StaticFiles):
    """Files of the page."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        """Return a file that no cache gives out unasked."""
        response = super().file_response(*arguments, **keywords)
        response.headers.update(_ASK_AGAIN)
        return response


_FILES = _Static(directory=STATIC)
#: The map's drawing code, which the map as a file has too.
_MAP_FILES = _Static(directory=MAP_FILES)


def serve_page(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.mount("/static/map", _MAP_FILES, name="map")
    app.mount("/static", _FILES, name="static")


@router.head("/", include_in_schema=False)
@router.get(
    "/", response_class=HTMLResponse, responses=only_problems(*_OPEN_FAILURES), summary="Get the page"
)
async def get_page(request: Request) -> Response:
    """Return the web page. Jina asks for it too, to see whether the gateway is ready."""
    return await _FILES.get_response("index.html", request.scope)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=only_problems(401, *_OPEN_FAILURES),
    summary="Get metrics for Prometheus",
)
async def get_metrics(context: GivenContext) -> Response:
    """Return counts and durations of requests, of jobs and of the executors' work."""
    reports = await context.reports.ask()
    return Response(context.metrics.text(reports), media_type=CONTENT_TYPE)


@router.get("/health", responses=only_problems(*_OPEN_FAILURES), summary="Check every executor")
async def get_health(context: GivenContext) -> models.Health:
    """Ask every executor; 503 names executors that do not answer."""
    states = await context.flow.health()
    if wrong := {name: state for name, state in states.items() if state != "ok"}:
        named = "; ".join(f"{name}: {state}" for name, state in wrong.items())
        raise ServiceError(f"not every executor answers ({named}); restart the service")
    return models.Health(status="ok", executors=states)


@router.get(
    "/ready",
    response_model=models.Ready,
    responses=only_problems(*_OPEN_FAILURES),
    summary="Check whether searches can be answered",
)
async def get_ready(context: GivenContext) -> Response:
    """Check that all executors answer, and that a database can be used; 503 has the reasons."""
    checks = {"gateway": "stopping" if context.stopping.has_begun else "ok"}
    is_partial = False
    for report in await context.reports.recent():
        # One replica that works is enough.
        if checks.get(report.executor) != "ok":
            reason = "; ".join(report.faults) if report.is_up else "no answer"
            checks[report.executor] = reason or "ok"
            is_partial = is_partial or report.is_partial
    wrong = [f"{name}: {reason}" for name, reason in checks.items() if reason != "ok"]
    if wrong:
        problem = problem_of(503, f"{ServiceError.code}: not ready ({', '.join(wrong)})")
        return ProblemResponse({**problem, "checks": checks}, 503)
    # Without the names of the databases: this route needs no key.
    return JSONResponse({"status": "ready", "checks": checks, "partial": is_partial})


@router.get("/dry_run", include_in_schema=False)
async def dry_run(context: GivenContext) -> Dict[str, int]:
    """Answer as `/health` does, in the form that Jina's client expects."""
    await get_health(context)
    return {"code": StatusProto.SUCCESS}
