"""Send clients and load balancers elsewhere before the gateway stops."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundalike.errors import ConfigError

_VARIABLE = "SOUNDALIKE_DRAIN_S"
_MOST_S = 3600


def drain_s_from_env(environ: Mapping[str, str] | None = None) -> float:
    """Return the seconds in which a gateway that is asked to stop still accepts requests.

    Raises
    ------
    ConfigError
        ``SOUNDALIKE_DRAIN_S`` is not a number of seconds.
    """
    text = (os.environ if environ is None else environ).get(_VARIABLE) or "0"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _MOST_S:
        raise ConfigError(f"{_VARIABLE} is {text!r}; give seconds from 0 to {_MOST_S}")
    return seconds


class Stopping:
    """Whether the gateway is about to stop.

    Parameters
    ----------
    drain_s : float
        Seconds in which it still accepts requests.
    """

    def __init__(self, drain_s: float = 0.0) -> None:
        self._drain_s = drain_s
        self.has_begun = False

    async def drain(self) -> None:
        """Begin to stop, and return when the gateway may close; a second call returns at once."""
        if not self.has_begun:
            self.has_begun = True
            await asyncio.sleep(self._drain_s)


class ClosedConnections:
    """Ends the connection after each answer once the gateway is about to stop.

    A client that kept it would send its next request just when the gateway closes it.
    """

    def __init__(self, app: ASGIApp, stopping: Stopping) -> None:
        self._app = app
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back."""

        async def send_and_close(message: Message) -> None:
            if self._stopping.has_begun and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_and_close)
