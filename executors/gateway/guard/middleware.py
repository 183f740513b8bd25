"""Put the guards before the gateway's routes.

From the outside in: what a proxy says of the client, headers for browsers, the name that the service is
called by, pages elsewhere, the API key, how often, how many at once, and how large. Each layer is
plain ASGI, so that bodies and answers pass through as they come.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from executors.gateway.guard.access import ApiKey, SameSite
from executors.gateway.guard.forwarded import Forwarded
from executors.gateway.guard.headers import BrowserHeaders
from executors.gateway.guard.limits import BodyLimit, ConcurrencyLimit, RateLimit
from executors.gateway.guard.load import Load
from executors.gateway.guard.policy import Access
from soundalike.limits import Limits


def protect(app: FastAPI, access: Access, limits: Limits, load: Load) -> None:
    """Put the layers around an application.

    Parameters
    ----------
    app : FastAPI
    access : Access
        Key, host names and origins.
    limits : Limits
        How much of it.
    load : Load
        Counters that all protocols share.
    """
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(ConcurrencyLimit, slots=load.slots)
    app.add_middleware(RateLimit, rate=load.rate)
    app.add_middleware(ApiKey, access=access, failed_keys=load.failed_keys)
    if access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(access.origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(SameSite, access=access)
    app.add_middleware(BrowserHeaders)
    app.add_middleware(Forwarded, proxies=access.proxies)
