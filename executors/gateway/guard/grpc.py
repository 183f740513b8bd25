"""Guard gRPC calls: API key, rate limit and concurrency limit."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any, Optional
from urllib.parse import unquote

import grpc
from jina.types.request.data import DataRequest

from executors.gateway.guard.access import NO_KEY
from executors.gateway.guard.forwarded import FORWARDED_FOR
from executors.gateway.guard.load import Load, Rejection, Reservation, Slots
from executors.gateway.guard.policy import Access, keys_in
from executors.jina_fixes.request_steps import Forward
from soundalike.errors import Unauthorized

#: gRPC's own services: health, which needs no key, and reflection.
_HEALTH, _OWN = "/grpc.health.", "/grpc."
#: Jina's readiness check tells nothing but health, and `jina ping` sends no key.
_DRY_RUN = "/jina.JinaGatewayDryRunRPC/"


class _Call:
    """A gRPC call whose requests still need a slot."""

    reservation: Optional[Reservation] = None

    def release(self) -> None:
        """Give the call's reservation back, if it has one."""
        if self.reservation is not None:
            self.reservation.release()


#: Requests over HTTP have a slot when they come to the streamer; requests over gRPC do not.
_CALL: ContextVar[Optional[_Call]] = ContextVar("call", default=None)


class CallGuard(grpc.aio.ServerInterceptor):
    """Ends calls without the key, and calls beyond the limits.

    Each message of a call counts as a request, because Jina's client sends all of them in one call.
    The first one is rejected where too many requests wait. Later ones wait themselves: a client that has
    begun to send a long list gets on with it.

    Parameters
    ----------
    access : Access
    load : Load
    most_ahead : int
        Messages of one call that are read and not answered yet. Without a limit, a client that does not
        fetch its answers could fill the memory with them.
    """

    def __init__(self, access: Access, load: Load, most_ahead: int) -> None:
        self._access = access
        self._load = load
        self._most_ahead = most_ahead

    async def intercept_service(
        self, continuation: Callable[..., Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler of a call, or one that ends it."""
        details = handler_call_details
        handler = await continuation(details)
        if details.method.startswith((_HEALTH, _DRY_RUN)):
            return handler
        keys = keys_in(details.invocation_metadata or ())
        if not self._access.admits_all(keys):
            return grpc.stream_stream_rpc_method_handler(self._refuse if keys else _ask_for_key)
        if handler is None or details.method.startswith(_OWN):
            return handler
        # On the wire a call of one message is a stream of one.
        return grpc.stream_stream_rpc_method_handler(
            functools.partial(self._answers, handler),
            handler.request_deserializer,
            handler.response_serializer,
        )

    async def _refuse(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        if rejection := self._load.failed_keys.hit(self._client(context)):
            await _first_of(messages)
            await _reject(context, rejection)
        await _ask_for_key(messages, context)

    def _client(self, context: grpc.aio.ServicerContext) -> str:
        """Return the address of the client, also behind a trusted proxy."""
        given = context.invocation_metadata() or ()
        forwarded_for = [str(value) for name, value in given if name == FORWARDED_FOR]
        return self._access.proxies.client_of(client_of(context.peer()), forwarded_for)

    async def _answers(
        self, handler: Any, messages: AsyncIterator[Any], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[Any]:
        call = _Call()
        _CALL.set(call)
        client = self._client(context)
        ahead = asyncio.Semaphore(self._most_ahead)
        rejection: Optional[Rejection] = None
        is_over = False

        async def admitted() -> AsyncIterator[Any]:
            """Yield messages until one is rejected; earlier ones are answered."""
            nonlocal rejection
            is_first = True
            while True:
                await ahead.acquire()
                message = None if is_over else await anext(messages, None)
                if message is None:
                    return
                rejection = self._load.rate.hit(client)
                if rejection is None and is_first:
                    rejection = self._load.slots.rejection()
                if rejection is not None:
                    return
                if is_first:
                    call.reservation = self._load.slots.reserve()
                is_first = False
                yield message

        try:
            async for answer in _answered(handler, admitted(), context):
                yield answer
                ahead.release()
        finally:
            # Jina goes on to read messages of a call that has ended.
            is_over = True
            ahead.release()
            call.release()
        if rejection is not None:
            await _reject(context, rejection)


class SlotTurns:
    """Share the slots between gRPC and HTTP: a step.

    Parameters
    ----------
    slots : Slots
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def __call__(self, request: DataRequest, forward: Forward) -> DataRequest:
        """Forward a request when it has a slot."""
        call = _CALL.get()
        if call is None:
            return await forward(request)
        # Requests that the gateway makes on behalf of this one must not wait for a slot as well.
        _CALL.set(None)
        call.release()
        await self._slots.take()
        try:
            return await forward(request)
        finally:
            self._slots.give_back()


def client_of(peer: str) -> str:
    """Return the address of a client as HTTP has it.

    Parameters
    ----------
    peer : str
        gRPC's name of it.

    Examples
    --------
    >>> client_of("ipv4:127.0.0.1:45678"), client_of("ipv6:%5B::1%5D:45678")
    ('127.0.0.1', '::1')
    """
    return unquote(peer.partition(":")[2]).rpartition(":")[0].strip("[]")


async def _answered(
    handler: Any, messages: AsyncIterator[Any], context: grpc.aio.ServicerContext
) -> AsyncIterator[Any]:
    """Yield a handler's answers, whatever kind of call it is for."""
    if handler.stream_stream:
        async for answer in handler.stream_stream(messages, context):
            yield answer
        return
    message = await anext(messages, None)
    if message is not None and handler.unary_unary:
        yield await handler.unary_unary(message, context)
    elif message is not None:
        async for answer in handler.unary_stream(message, context):
            yield answer


async def _ask_for_key(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
    await _first_of(messages)
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"{Unauthorized.code}: {NO_KEY}")


async def _first_of(messages: AsyncIterator[Any]) -> None:
    # Clients that are refused while they still send may see a broken connection instead.
    async for _ in messages:
        break


async def _reject(context: grpc.aio.ServicerContext, rejection: Rejection) -> None:
    metadata = (("retry-after", str(rejection.retry_after_s)),)
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, repr(rejection.error), metadata)
