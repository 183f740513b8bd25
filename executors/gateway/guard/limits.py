"""Limit HTTP requests: rate, concurrency, size of bodies, and time until they come."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from executors.gateway.guard.access import OPEN_PATHS, OPEN_PREFIXES
from executors.gateway.guard.forwarded import route_path
from executors.gateway.guard.load import Rate, Slots
from executors.gateway.guard.problem_responses import refusal
from soundalike.errors import AudioTooLarge
from soundalike.limits import Limits

#: Paths of event streams begin and end like this; they last as long as the client listens.
_JOBS, _EVENTS = "/api/jobs/", "/events"
_MB = 1 << 20
_DISCARD_S = 10
#: The rest of a refused body is not read, so no request can follow it.
_CLOSE = {"Connection": "close"}


class RateLimit:
    """Rejects requests of clients that ask too often."""

    def __init__(self, app: ASGIApp, rate: Rate) -> None:
        self._app = app
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        answer = self._app
        if not _is_cheap(scope) and (rejection := self._rate.hit((scope.get("client") or ("",))[0])):
            answer = refusal(rejection.error, retry_after_s=rejection.retry_after_s)
        await answer(scope, receive, send)


class ConcurrencyLimit:
    """Bounds how many requests run and how many wait; the others are rejected.

    A waiting request takes no memory: its body has not been read. A request whose answer has begun
    gives its slot back: a recording is sent for as long as its client plays it.
    """

    def __init__(self, app: ASGIApp, slots: Slots) -> None:
        self._app = app
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        if _is_cheap(scope) or _is_listening(scope):
            await self._app(scope, receive, send)
        elif rejection := self._slots.rejection():
            answer = refusal(rejection.error, retry_after_s=rejection.retry_after_s)
            await answer(scope, receive, send)
        else:
            await self._slots.take()
            await self._work(scope, receive, send)

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and give its slot back once."""
        has_slot = True

        def leave() -> None:
            nonlocal has_slot
            if has_slot:
                has_slot = False
                self._slots.give_back()

        async def send_and_leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                leave()
            await send(message)

        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            leave()


class BodyLimit:
    """Limits the size of bodies, and the time that it waits for them.

    A multipart upload is written to the disk as it comes, so it may be larger than other bodies.
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
    """Read and forget the rest of a refused body, for a limited time.

    Most clients read the answer when they have sent everything; where the connection is closed before,
    they see only that.
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
    path = route_path(scope)
    return scope["method"] == "GET" and path.startswith(_JOBS) and path.endswith(_EVENTS)


def _is_cheap(scope: Scope) -> bool:
    """Tell whether a request costs next to nothing, or is not HTTP."""
    if scope["type"] != "http":
        return True
    path = route_path(scope)
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
