"""What stands before gRPC calls, around a server of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from executors.gateway.guard.grpc import CallGuard, SlotTurns, _answered
from executors.gateway.guard.load import Load
from executors.gateway.guard.policy import Access
from executors.jina_fixes.request_steps import add_steps
from soundalike.limits import Limits

KEY = "sesame-open"
Talk = Callable[[grpc.aio.Channel], Awaitable[Any]]


class Worker:
    """Answers each message when the gate is open, through a hook like that of Jina's streamer."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.read = self.open = self.most_open = 0
        self._streamer = SimpleNamespace(_request_handler=self._handle)

    def _handle(self, request: bytes, return_type: Any) -> Any:
        return asyncio.ensure_future(self._work(request)), None

    async def _work(self, request: bytes) -> bytes:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await self.gate.wait()
        self.open -= 1
        return request

    async def stream(self, messages: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        """Read ahead and answer in order, as Jina does."""
        answers: asyncio.Queue[Any] = asyncio.Queue()

        async def read() -> None:
            async for message in messages:
                self.read += 1
                answer, _ = self._streamer._request_handler(request=message, return_type=None)
                answers.put_nowait(answer)
            answers.put_nowait(None)

        reading = asyncio.create_task(read())
        while (answer := await answers.get()) is not None:
            yield await answer
        await reading

    async def single(self, message: bytes, _: Any) -> bytes:
        """Answer a call of one message."""
        answer, _ = self._streamer._request_handler(request=message, return_type=None)
        found: bytes = await answer
        return found


async def serve(
    worker: Worker,
    load: Load,
    talk: Talk,
    most_ahead: int = 16,
    steps: Sequence[Any] = (),
    **environ: str,
) -> Any:
    """Serve a worker for as long as somebody talks to it."""
    add_steps(worker, [SlotTurns(load.slots), *steps])
    guard = CallGuard(Access.from_env("127.0.0.1", environ), load, most_ahead)
    server = grpc.aio.server(interceptors=[guard])
    handlers = {
        "stream": grpc.stream_stream_rpc_method_handler(worker.stream),
        "single": grpc.unary_unary_rpc_method_handler(worker.single),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tests.Worker", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            return await asyncio.wait_for(talk(channel), 30)
    finally:
        await server.stop(None)


async def send(channel: grpc.aio.Channel, count: int = 1, **metadata: str) -> tuple[int, Any]:
    """Send messages in one call; return the number of answers, and the error at the end."""
    given = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
    call = channel.stream_stream("/tests.Worker/stream")(iter([b"x"] * count), metadata=given)
    answers = 0
    try:
        async for _ in call:
            answers += 1
    except grpc.aio.AioRpcError as exc:
        return answers, exc
    return answers, None


async def send_in_turn(channel: grpc.aio.Channel, count: int) -> tuple[int, Any]:
    """Send a message when the one before is answered; return as `send` does.

    A client that is still writing when it is turned away may take that for an error of its own.
    """
    call = channel.stream_stream("/tests.Worker/stream")()
    answers = 0
    try:
        for _ in range(count):
            await call.write(b"x")
            assert await call.read() == b"x"
            answers += 1
    except grpc.aio.AioRpcError as exc:
        return answers, exc
    return answers, None


def code_of(error: Any) -> tuple[grpc.StatusCode, str]:
    return error.code(), error.details().split(":")[0]


TOO_MANY = (grpc.StatusCode.RESOURCE_EXHAUSTED, "service.too_many_requests")
BUSY = (grpc.StatusCode.RESOURCE_EXHAUSTED, "service.busy")


def test_each_message_counts_with_the_requests_over_http():
    async def talk(channel: grpc.aio.Channel) -> None:
        worker.gate.set()
        # As over HTTP: the same client is known there by the same name.
        assert load.rate.hit("127.0.0.1") is None
        answers, error = await send_in_turn(channel, 5)
        assert (answers, code_of(error)) == (2, TOO_MANY)
        wait_s = int(error.trailing_metadata()["retry-after"])
        assert 0 < wait_s <= 60
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await channel.unary_unary("/tests.Worker/single")(b"x")
        assert code_of(refusal.value) == TOO_MANY
        assert load.rate.hit("127.0.0.1") is not None

    worker, load = Worker(), Load.of(Limits(), "3/minute")
    asyncio.run(serve(worker, load, talk))


def test_some_run_some_wait_and_the_others_come_again():
    async def talk(channel: grpc.aio.Channel) -> None:
        calls = [asyncio.create_task(send(channel)) for _ in range(8)]
        while sum(call.done() for call in calls) < 3:
            await asyncio.sleep(0.01)
        # Those over HTTP have the same slots.
        assert load.slots.rejection() is not None
        worker.gate.set()
        found = await asyncio.gather(*calls)
        errors = [error for answers, error in found if not answers]
        assert [code_of(error) for error in errors] == [BUSY] * 3
        assert errors[0].trailing_metadata()["retry-after"] == "2"
        assert (worker.most_open, load.slots.rejection()) == (2, None)
        assert await channel.unary_unary("/tests.Worker/single")(b"x") == b"x"

    worker, load = Worker(), Load.of(Limits(max_running=2, max_waiting=3))
    asyncio.run(serve(worker, load, talk))


def test_a_long_call_is_worked_on_in_turn_and_not_broken_off():
    async def talk(channel: grpc.aio.Channel) -> None:
        call = asyncio.create_task(send(channel, 50))
        while worker.open < 2:
            await asyncio.sleep(0.01)
        worker.gate.set()
        assert await call == (50, None)
        assert worker.most_open == 2

    worker, load = Worker(), Load.of(Limits(max_running=2, max_waiting=1))
    asyncio.run(serve(worker, load, talk))


def test_who_does_not_fetch_answers_takes_no_place_and_is_not_read_for_ever():
    block = b"x" * (1 << 20)

    async def talk(channel: grpc.aio.Channel) -> None:
        worker.gate.set()
        call = channel.stream_stream("/tests.Worker/stream")()
        writing = asyncio.create_task(_write(call, block, 40))
        while worker.read < 4:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert worker.read < 20
        assert await send(channel) == (1, None)
        call.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    worker, load = Worker(), Load.of(Limits(max_running=1, max_waiting=1))
    asyncio.run(serve(worker, load, talk, most_ahead=4))


async def _write(call: Any, block: bytes, count: int) -> None:
    for _ in range(count):
        await call.write(block)


def test_who_gives_up_waiting_leaves_the_place_to_others():
    async def talk(channel: grpc.aio.Channel) -> None:
        given_up = channel.stream_stream("/tests.Worker/stream")(iter([b"x"] * 3))
        while worker.open < 1:
            await asyncio.sleep(0.01)
        given_up.cancel()
        worker.gate.set()
        assert await send(channel) == (1, None)

    worker, load = Worker(), Load.of(Limits(max_running=1, max_waiting=1))
    asyncio.run(serve(worker, load, talk))


def test_a_request_of_the_gateway_itself_needs_no_slot_of_its_own():
    """It is made on behalf of one that has the only slot, which would wait for ever."""

    async def ask_first(request: bytes, forward: Any) -> bytes:
        if request != b"inner":
            answer, _ = worker._streamer._request_handler(request=b"inner", return_type=None)
            assert await answer == b"inner"
        found: bytes = await forward(request)
        return found

    async def talk(channel: grpc.aio.Channel) -> None:
        worker.gate.set()
        assert await asyncio.wait_for(send(channel, 3), 5) == (3, None)
        assert load.slots.rejection() is None

    worker, load = Worker(), Load.of(Limits(max_running=1, max_waiting=5))
    asyncio.run(serve(worker, load, talk, steps=[ask_first]))


def test_calls_of_one_message_are_answered_and_calls_without_one_end():
    async def single(message: bytes, _: Any) -> bytes:
        return message

    async def twice(message: bytes, _: Any) -> AsyncIterator[bytes]:
        yield message
        yield message

    async def stream(*messages: bytes) -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    async def answers(handler: Any, *messages: bytes) -> list[bytes]:
        context: Any = None
        return [answer async for answer in _answered(handler, stream(*messages), context)]

    one = SimpleNamespace(stream_stream=None, unary_unary=single, unary_stream=None)
    several = SimpleNamespace(stream_stream=None, unary_unary=None, unary_stream=twice)
    for handler, expected in ((one, [b"x"]), (several, [b"x", b"x"])):
        assert asyncio.run(answers(handler, b"x")) == expected
        assert asyncio.run(answers(handler)) == []


def test_messages_of_a_call_that_has_ended_are_not_read():
    """Jina goes on to read them; each would take a slot, and nobody gets the answer."""

    async def run() -> None:
        async def messages() -> AsyncIterator[bytes]:
            nonlocal n_read
            while True:
                n_read += 1
                yield b"x"

        n_read = 0
        worker.gate.set()
        guard = CallGuard(Access(), Load.of(Limits()), most_ahead=1)
        handler = SimpleNamespace(stream_stream=worker.stream)
        context: Any = SimpleNamespace(peer=lambda: "ipv4:127.0.0.1:1", invocation_metadata=lambda: None)
        answers: Any = guard._answers(handler, messages(), context)
        assert await anext(answers) == b"x"
        assert n_read == 1
        await answers.aclose()
        for _ in range(10):
            await asyncio.sleep(0)
        assert n_read == 1

    worker = Worker()
    asyncio.run(run())


def test_who_guesses_keys_has_to_wait():
    async def talk(channel: grpc.aio.Channel) -> None:
        worker.gate.set()
        for number in range(30):
            wrong = {"x_api_key": "another"} if number % 2 else {"authorization": "Bearer another"}
            _, error = await send(channel, **wrong)
            assert code_of(error) == (grpc.StatusCode.UNAUTHENTICATED, "service.unauthorized")
        _, error = await send(channel, authorization="Bearer another")
        assert code_of(error) == TOO_MANY
        assert load.failed_keys.hit("127.0.0.1") is not None
        assert await send(channel, x_api_key=KEY) == (1, None)
        # Behind a proxy on this machine there is another client.
        _, error = await send(channel, x_api_key="another", x_forwarded_for="10.0.0.2")
        assert code_of(error) == (grpc.StatusCode.UNAUTHENTICATED, "service.unauthorized")

    worker, load = Worker(), Load.of(Limits())
    asyncio.run(serve(worker, load, talk, SOUNDALIKE_API_KEY=KEY))


def test_both_ways_to_send_the_key():
    async def talk(channel: grpc.aio.Channel) -> None:
        worker.gate.set()
        bearer = f"Bearer {KEY}"
        assert await send(channel, authorization=bearer) == (1, None)
        assert await send(channel, authorization=bearer, x_api_key=KEY) == (1, None)
        for wrong in (
            {"authorization": "Bearer another", "x_api_key": KEY},
            {"authorization": bearer, "x_api_key": "another"},
            {"authorization": KEY},
        ):
            _, error = await send(channel, **wrong)
            assert code_of(error) == (grpc.StatusCode.UNAUTHENTICATED, "service.unauthorized")

    worker, load = Worker(), Load.of(Limits())
    asyncio.run(serve(worker, load, talk, SOUNDALIKE_API_KEY=KEY))


def test_a_call_without_a_key_is_no_guess():
    async def talk(channel: grpc.aio.Channel) -> None:
        for _ in range(40):
            _, error = await send(channel)
            assert code_of(error) == (grpc.StatusCode.UNAUTHENTICATED, "service.unauthorized")
        assert load.failed_keys.hit("127.0.0.1") is None

    worker, load = Worker(), Load.of(Limits())
    asyncio.run(serve(worker, load, talk, SOUNDALIKE_API_KEY=KEY))
