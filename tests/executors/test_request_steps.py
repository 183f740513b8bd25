"""Steps see requests in the stated order, and their answers in the opposite one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from executors.jina_fixes.request_steps import add_steps


def _streamer(seen: list[str]) -> Any:
    async def answer(request: str) -> str:
        seen.append(f"executors {request}")
        return f"answer {request}"

    def handle(request: str, return_type: Any) -> Any:
        assert return_type == "type"
        return asyncio.ensure_future(answer(request)), None

    return SimpleNamespace(_streamer=SimpleNamespace(_request_handler=handle))


def _ask(streamer: Any, request: str) -> Any:
    async def run() -> Any:
        answer, rest = streamer._streamer._request_handler(request=request, return_type="type")
        assert rest is None
        return await answer

    return asyncio.run(run())


def test_the_first_step_sees_a_request_first_and_its_answer_last():
    seen: list[str] = []

    def step(name: str) -> Any:
        async def take(request: Any, forward: Any) -> Any:
            seen.append(f"{name} {request}")
            answer = await forward(f"{request}{name}")
            seen.append(f"{name} {answer}")
            return answer

        return take

    streamer = _streamer(seen)
    add_steps(streamer, [step("a"), step("b")])
    assert _ask(streamer, "x") == "answer xab"
    assert seen == ["a x", "b xa", "executors xab", "b answer xab", "a answer xab"]


def test_a_step_may_answer_itself_or_ask_twice():
    async def refuse(request: Any, forward: Any) -> Any:
        return "no" if request == "bad" else await forward(request)

    async def retry(request: Any, forward: Any) -> Any:
        await forward(request)
        return await forward(request)

    seen: list[str] = []
    streamer = _streamer(seen)
    add_steps(streamer, [refuse, retry])  # type: ignore[list-item]
    assert (_ask(streamer, "bad"), seen) == ("no", [])
    assert (_ask(streamer, "x"), seen) == ("answer x", ["executors x"] * 2)
