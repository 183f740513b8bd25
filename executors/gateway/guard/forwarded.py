"""Requests that come through a reverse proxy: client, scheme, host and path prefix."""

from __future__ import annotations

from typing import cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from executors.gateway.guard.proxies import Proxies, prefix_of

FORWARDED_FOR = "x-forwarded-for"
_CALLED = "soundalike.called_hosts"
_SCHEMES = ("http", "https")


class Forwarded:
    """Applies the headers of trusted proxies to a request.

    ``X-Forwarded-For``, ``-Proto``, ``-Host`` and ``-Prefix`` of other peers are ignored. A prefix may
    have been taken off the path by the proxy or not; afterwards the path begins with it, as ASGI wants.

    Parameters
    ----------
    app : ASGIApp
    proxies : Proxies
    """

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            # Outer layers read the route from the same scope.
            prefix = self._proxies.root_path or scope.get("root_path", "")
            peer, port = scope.get("client") or ("", 0)
            if self._proxies.trusts(peer):
                client = self._proxies.client_of(peer, headers.getlist(FORWARDED_FOR))
                scope["client"] = (client, port if client == peer else 0)
                _believe(scope, headers)
                prefix = prefix_of(headers.get("x-forwarded-prefix", "")) or prefix
            _put_below(scope, prefix)
        await self._app(scope, receive, send)


def called_hosts(scope: Scope) -> tuple[str, ...]:
    """Return the host names of a request: the header ``Host`` first, then the proxy's."""
    known = scope.get(_CALLED) or (Headers(scope=scope).get("host", ""),)
    return cast("tuple[str, ...]", known)


def route_path(scope: Scope) -> str:
    """Return the path of a request as the routes know it, without a prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _believe(scope: Scope, headers: Headers) -> None:
    """Set scheme and host to the client's."""
    scheme = _first(headers.get("x-forwarded-proto", "")).lower()
    if scope["type"] == "http" and scheme in _SCHEMES:
        scope["scheme"] = scheme
    host = _first(headers.get("x-forwarded-host", ""))
    if host:
        # A page could send the header as well: the name in Host still has to be right.
        scope[_CALLED] = (headers.get("host", ""), host)
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [(b"host", host.encode("latin-1")), *others]


def _put_below(scope: Scope, prefix: str) -> None:
    path = scope["path"]
    scope["root_path"] = prefix
    if prefix and path != prefix and not path.startswith(f"{prefix}/"):
        scope["path"] = prefix + path


def _first(value: str) -> str:
    return value.partition(",")[0].strip()
