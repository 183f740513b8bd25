"""Check the API key, the host name and the origin of HTTP requests."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from executors.gateway.guard.forwarded import called_hosts, route_path
from executors.gateway.guard.load import FailedKeyLimit
from executors.gateway.guard.policy import Access, keys_in, split_host
from executors.gateway.guard.problem_responses import refusal
from soundalike.errors import Forbidden, Unauthorized

#: Paths that need no key: the page and its parts, the documentation, and health.
OPEN_PATHS = frozenset(
    ("/", "/health", "/ready", "/dry_run", "/docs", "/redoc", "/openapi.json", "/favicon.ico")
)
OPEN_PREFIXES = ("/_docs/", "/static/")
#: Methods that only read; for all others a browser sends the origin of the page.
_READING = frozenset(("GET", "HEAD", "OPTIONS"))
_DEFAULT_PORTS = {"http": 80, "https": 443}
NO_KEY = (
    "the request carries no API key, or a wrong one; send the service's SOUNDALIKE_API_KEY as "
    "X-API-Key, or as Authorization: Bearer"
)


class SameSite:
    """Refuses requests under foreign host names, and writing requests of other web pages.

    A page that is open in a browser on this machine can send requests to it. Its name is in ``Host``,
    where its DNS name leads to this machine, or in ``Origin``.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._origins = frozenset(access.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        answer = self._app
        if scope["type"] in ("http", "websocket"):
            origin, hosts = Headers(scope=scope).get("origin"), called_hosts(scope)
            unknown = [host for host in hosts if not self._access.is_known(host)]
            if unknown:
                answer = refusal(
                    Forbidden(
                        f"this service is not {unknown[0]!r}; call it by the name that it "
                        "listens on, or add the name to SOUNDALIKE_HOSTS"
                    )
                )
            elif scope.get("method") not in _READING and not self._is_own(origin, hosts):
                answer = refusal(
                    Forbidden(
                        f"the request comes from a page of {origin!r} and was sent to {hosts[-1]!r}; if "
                        "that is meant, add the page to SOUNDALIKE_CORS_ORIGINS; a proxy must pass on "
                        "the header Host with its port"
                    )
                )
        await answer(scope, receive, send)

    def _is_own(self, origin: str | None, hosts: tuple[str, ...]) -> bool:
        """Tell whether a request comes from no page, from our page, or from an allowed one."""
        if origin is None or origin in self._origins or "*" in self._origins:
            return True
        return any(_is_same(origin, host) for host in hosts)


def _is_same(origin: str, host: str) -> bool:
    """Tell whether a page of an origin was loaded from a host, by its name and port."""
    scheme, _, address = origin.partition("://")
    default = _DEFAULT_PORTS.get(scheme)
    (name, port), (own_name, own_port) = split_host(address), split_host(host)
    return name is not None and (name, port or default) == (own_name, own_port or default)


class ApiKey:
    """Lets requests through that carry the key or need none."""

    def __init__(self, app: ASGIApp, access: Access, failed_keys: FailedKeyLimit) -> None:
        self._app = app
        self._access = access
        self._failed_keys = failed_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        answer = self._app
        if scope["type"] in ("http", "websocket") and not self._is_open(scope):
            keys = keys_in(Headers(scope=scope).items())
            if not self._access.admits_all(keys):
                answer = self._refused(scope, has_key=bool(keys))
        await answer(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        path = route_path(scope)
        is_public = path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
        return scope.get("method") == "OPTIONS" or (is_public and scope.get("method") in _READING)

    def _refused(self, scope: Scope, *, has_key: bool) -> ASGIApp:
        client = (scope.get("client") or ("",))[0]
        if has_key and (rejection := self._failed_keys.hit(client)):
            return refusal(rejection.error, retry_after_s=rejection.retry_after_s)
        return refusal(Unauthorized(NO_KEY))
