"""How much may be asked: how often, how many at once, how large, and how slowly it may come."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import limits as counting
from fastapi import HTTPException
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from executors.gateway.refusals import refusal
from executors.gateway.safety_access import OPEN_PATHS, OPEN_PREFIXES
from soundalike.errors import AudioTooLarge, ConfigError, ServiceBusy, TooManyRequests
from soundalike.limits import Limits

#: A request that found no place is told to come again after so long.
_BUSY_S = 2
#: Begins and ends the paths of answers that last as long as the client listens.
_JOBS, _EVENTS = "/api/jobs/", "/events"
_MB = 1 << 20
_DISCARD_S = 10
#: Of what was refused the rest is not read, so nothing can follow it.
_CLOSE = {"Connection": "close"}


def parse_rate(text: str) -> counting.RateLimitItem:
    """Return what a text like ``600/minute`` says.

    Raises
    ------
    ConfigError
        It says nothing.
    """
    try:
        return counting.parse(text)
    except ValueError as exc:
        raise ConfigError(
            f"SOUNDALIKE_RATE_LIMIT is {text!r}; give a number and a time, like 600/minute or 20/second"
        ) from exc


class RateLimit:
    """Makes a client wait that asks too often. Clients are told apart by their address."""

    def __init__(self, app: ASGIApp, rate: counting.RateLimitItem) -> None:
        self._app = app
        self._rate = rate
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        answer = self._app
        client = (scope.get("client") or ("",))[0]
        if not _is_cheap(scope) and not self._limiter.hit(self._rate, client):
            reset_at = self._limiter.get_window_stats(self._rate, client).reset_time
            wait_s = max(1, round(reset_at - time.time()))
            answer = refusal(
                TooManyRequests(f"{client} asks more than {self._rate}; come again in {wait_s} s"),
                retry_after_s=wait_s,
            )
        await answer(scope, receive, send)


class ConcurrencyLimit:
    """Works on so many requests at once, lets some wait, and turns the others away.

    Of a request that waits nothing has been read, so it takes no memory. One whose answer has begun
    makes room: a recording may be sent for as long as somebody listens to it.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._places = asyncio.Semaphore(limits.max_running)
        self._most_waiting = limits.max_waiting
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        if _is_cheap(scope) or _is_listening(scope):
            await self._app(scope, receive, send)
        elif self._places.locked() and self._waiting >= self._most_waiting:
            busy = ServiceBusy(
                f"{self._waiting} requests are waiting already; come again in {_BUSY_S} s"
            )
            await refusal(busy, retry_after_s=_BUSY_S)(scope, receive, send)
        else:
            self._waiting += 1
            try:
                await self._places.acquire()
            finally:
                self._waiting -= 1
            await self._work(scope, receive, send)

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and give its place away once."""
        has_place = True

        def leave() -> None:
            nonlocal has_place
            if has_place:
                has_place = False
                self._places.release()

        async def send_and_leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                leave()
            await send(message)

        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            leave()


class BodyLimit:
    """Reads of a body no more than is allowed, and does not wait for ever for it.

    A multipart upload goes to the disk as it comes and may be larger than what is kept in memory.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._body_mb, self._upload_mb = limits.max_body_mb, limits.max_upload_mb
        self._stall_s = limits.body_stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = headers.get("content-type", "").lower().startswith("multipart/")
        most_mb = self._upload_mb if is_upload else self._body_mb
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most_mb * _MB:
            answer = refusal(_too_large(f"{int(length) / _MB:.1f} MB", most_mb, is_upload=is_upload))
            answer.headers.update(_CLOSE)
            if "expect" not in headers:
                await _discard(receive)
            await answer(scope, receive, send)
            return
        n_read, is_whole = 0, False

        async def receive_some() -> Message:
            nonlocal n_read, is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout(self._stall_s):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"nothing of the body has come for {self._stall_s} s; send it again", _CLOSE
                ) from None
            n_read += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if n_read > most_mb * _MB:
                if not is_whole:
                    await _discard(receive)
                raise HTTPException(413, repr(_too_large("more", most_mb, is_upload=is_upload)), _CLOSE)
            return message

        await self._app(scope, receive_some, send)


async def _discard(receive: Receive) -> None:
    """Read and forget what still comes of a body that is refused, for some time.

    Most clients look for an answer when they have sent everything, and where the connection is closed
    before, they see that alone.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while (await receive()).get("more_body", False):
                pass


def _too_large(what: str, most_mb: int, *, is_upload: bool) -> AudioTooLarge:
    variable = "SOUNDALIKE_MAX_UPLOAD_MB" if is_upload else "SOUNDALIKE_MAX_BODY_MB"
    return AudioTooLarge(
        f"the body has {what}, and {most_mb} MB are taken; send less at once, or raise {variable}"
    )


def _is_listening(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "GET" and path.startswith(_JOBS) and path.endswith(_EVENTS)


def _is_cheap(scope: Scope) -> bool:
    """Tell whether a request costs next to nothing, or is none."""
    path = scope.get("path", "")
    return scope["type"] != "http" or path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
