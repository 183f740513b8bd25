"""Who may ask over HTTP: the API key, and which names and web pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from executors.access import KEY_HEADER, Access
from executors.gateway.load import Guesses
from executors.gateway.refusals import refusal
from soundalike.errors import Forbidden, Unauthorized

#: What a browser fetches before anybody could type in a key, and what tells nothing but health.
OPEN_PATHS = frozenset(("/", "/health", "/dry_run", "/docs", "/redoc", "/openapi.json", "/favicon.ico"))
OPEN_PREFIXES = ("/_docs/", "/static/")
#: What reads only; a browser asks for nothing else in a page's name without saying whose page it is.
_READING = frozenset(("GET", "HEAD", "OPTIONS"))
NO_KEY = (
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

    def __init__(self, app: ASGIApp, access: Access, guesses: Guesses) -> None:
        self._app = app
        self._access = access
        self._guesses = guesses

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
        if has_key and (later := self._guesses.hit(client)):
            return refusal(later.error, retry_after_s=later.retry_after_s)
        return refusal(Unauthorized(NO_KEY))
