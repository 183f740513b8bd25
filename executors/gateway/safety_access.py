"""Who may ask: the API key over HTTP and gRPC, and which names and web pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import grpc
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from executors.access import KEY_HEADER, Access
from executors.gateway.refusals import refusal
from soundalike.errors import Forbidden, TooManyRequests, Unauthorized

#: What a browser fetches before anybody could type in a key, and what tells nothing but health.
OPEN_PATHS = frozenset(("/", "/health", "/docs", "/openapi.json", "/favicon.ico"))
OPEN_PREFIXES = ("/_docs/", "/static/")
#: What reads only; a browser asks for nothing else in a page's name without saying whose page it is.
_READING = frozenset(("GET", "HEAD", "OPTIONS"))
_HEALTH = "/grpc.health."
#: Wrong keys of one client before it has to wait.
_GUESSES = RateLimitItemPerMinute(30)
_NO_KEY = (
    "the request carries no API key, or a wrong one; send the service's SOUNDALIKE_API_KEY as "
    f"{KEY_HEADER}"
)


class SameSite:
    """Refuses requests under foreign names, and those that change something for another web page.

    A page that is open in a browser on this machine can send requests to it. Its name gives it away:
    as ``Host``, where its makers let the name lead here, or as ``Origin``.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._hosts = access.hosts
        self._origins = frozenset(access.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        answer = self._app
        if scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            if not self._is_known(headers.get("host", "")):
                answer = refusal(
                    Forbidden(
                        f"this service is not {headers.get('host', '')!r}; call it by the name that it "
                        "listens on, or add the name to SOUNDALIKE_HOSTS"
                    )
                )
            elif scope.get("method") not in _READING and not self._is_own(headers):
                answer = refusal(
                    Forbidden(
                        f"the request comes from a page of {headers.get('origin', '')!r}; if that is "
                        "meant, add it to SOUNDALIKE_CORS_ORIGINS"
                    )
                )
        await answer(scope, receive, send)

    def _is_known(self, host: str) -> bool:
        return self._hosts is None or _name_of(host) in self._hosts

    def _is_own(self, headers: Headers) -> bool:
        """Tell whether a request comes from no page, from one of ours, or from an allowed one."""
        origin = headers.get("origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return True
        return origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


class ApiKey:
    """Lets a request through that carries the key, or that may come without."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._guesses = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        answer = self._app
        if scope["type"] in ("http", "websocket") and not self._is_open(scope):
            key = Headers(scope=scope).get(KEY_HEADER)
            if not self._access.admits(key):
                answer = self._refused(scope, has_key=bool(key))
        await answer(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        path = scope["path"]
        is_public = path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
        return scope.get("method") == "OPTIONS" or (is_public and scope.get("method") in _READING)

    def _refused(self, scope: Scope, *, has_key: bool) -> ASGIApp:
        client = (scope.get("client") or ("",))[0]
        if has_key and not self._guesses.hit(_GUESSES, client):
            return refusal(
                TooManyRequests(f"{client} has sent {_GUESSES.amount} wrong keys; wait a minute"),
                retry_after_s=60,
            )
        return refusal(Unauthorized(_NO_KEY))


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Ends calls over gRPC that do not carry the key; anybody may ask for the health."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def intercept_service(
        self, continuation: Callable[..., Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler of a call, or one that ends it."""
        details = handler_call_details
        handler = await continuation(details)
        key = dict(details.invocation_metadata or ()).get(KEY_HEADER)
        if details.method.startswith(_HEALTH) or self._access.admits(key):
            return handler
        return grpc.stream_stream_rpc_method_handler(_end)


async def _end(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
    # Clients that are refused while they still send may see a broken connection instead.
    async for _ in messages:
        break
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"{Unauthorized.code}: {_NO_KEY}")
