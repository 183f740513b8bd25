"""Addresses in answers."""

from __future__ import annotations

from starlette.requests import Request


def at_root(request: Request, path: str) -> str:
    """Return where a client finds a path of the service, also behind a proxy that adds a prefix.

    Parameters
    ----------
    request : Request
    path : str
        As the routes know it, like ``/api/jobs/1``.
    """
    return f"{request.scope.get('root_path', '')}{path}"
