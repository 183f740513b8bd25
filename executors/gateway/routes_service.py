"""The service itself: health, metrics, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

from executors.gateway import models
from executors.gateway.context import GivenContext, problems
from executors.gateway.metrics import CONTENT_TYPE
from soundalike.errors import ServiceError

STATIC = Path(__file__).parent / "static"
#: Browsers ask each time whether a file is still the same, so that an update shows at once.
_ASK_AGAIN = {"Cache-Control": "no-cache"}

router = APIRouter(tags=["service"])


class _Static(StaticFiles):
    """Files of the page."""

    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        """Return a file that no cache gives out unasked."""
        response = super().file_response(*arguments, **keywords)
        response.headers.update(_ASK_AGAIN)
        return response


_FILES = _Static(directory=STATIC)


def serve_page(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.mount("/static", _FILES, name="static")


@router.get("/", include_in_schema=False)
@router.head("/", include_in_schema=False)
async def page(request: Request) -> Response:
    """Return the page. Jina asks for it too, to see whether the gateway is ready."""
    return await _FILES.get_response("index.html", request.scope)


@router.get(
    "/metrics", response_class=PlainTextResponse, responses=problems(), summary="Figures for Prometheus"
)
async def metrics(context: GivenContext) -> Response:
    """Return counts of requests, documents, indexed files and jobs in Prometheus' text format."""
    return Response(context.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/health", responses=problems(), summary="Whether every executor answers")
async def health(context: GivenContext) -> models.Health:
    """Ask every executor; 503 names those that give no answer."""
    states = await context.flow.health()
    if wrong := {name: state for name, state in states.items() if state != "ok"}:
        named = "; ".join(f"{name}: {state}" for name, state in wrong.items())
        raise ServiceError(f"not every executor answers ({named}); restart the service")
    return models.Health(status="ok", executors=states)
