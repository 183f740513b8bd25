"""The layers before the gateway's routes, around an application of a few lines."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, File, HTTPException, Request, UploadFile
from fastapi.responses import PlainTextResponse, StreamingResponse

from executors.gateway.api import routes_search
from executors.gateway.api.description import describe
from executors.gateway.guard.limits import _discard
from executors.gateway.guard.load import Load
from executors.gateway.guard.middleware import protect
from executors.gateway.guard.policy import Access
from executors.gateway.problems import answer_with_problems
from soundalike.errors import ConfigError
from soundalike.limits import Limits

OWN = "127.0.0.1:45678"
KEY = "sesame-open"


@dataclass
class Answer:
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: bytes
    n_read: int

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.json["code"])

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


Ask = Callable[..., Awaitable[Answer]]


async def ask(
    app: Any,
    method: str = "POST",
    path: str = "/search",
    chunks: Iterable[bytes] = (b"{}",),
    client: str = "10.0.0.1",
    **headers: str,
) -> Answer:
    """Send one request, its body in chunks; without any, the body never comes."""
    names = {"host": OWN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in names.items()],
        "client": (client, 1),
        "server": ("127.0.0.1", 45678),
        "scheme": "http",
    }
    parts = list(chunks)
    messages: list[Any] = []

    n_read = 0

    async def receive() -> dict[str, Any]:
        nonlocal n_read
        n_read += 1
        if not parts:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return Answer(
        messages[0]["status"],
        {name.decode(): value.decode() for name, value in messages[0]["headers"]},
        b"".join(message.get("body", b"") for message in messages[1:]),
        n_read,
    )


@pytest.fixture
def make_app() -> Callable[..., FastAPI]:
    def make(environ: dict[str, str] | None = None, rate: str | None = None, **limits: int) -> FastAPI:
        app = FastAPI()
        app.state.open, app.state.most_open = 0, 0
        app.state.gate = asyncio.Event()

        @app.exception_handler(HTTPException)
        async def on_exception(_: Request, exc: HTTPException) -> PlainTextResponse:
            return PlainTextResponse(json.dumps({"code": exc.detail.split(":")[0]}), exc.status_code)

        @app.post("/search")
        async def search(request: Request) -> int:
            return len(await request.body())

        @app.post("/wait")
        async def wait() -> None:
            app.state.open += 1
            app.state.most_open = max(app.state.most_open, app.state.open)
            await app.state.gate.wait()
            app.state.open -= 1

        @app.get("/listen")
        async def listen() -> StreamingResponse:
            async def sound() -> AsyncIterator[bytes]:
                app.state.open += 1
                await app.state.gate.wait()
                yield b"x"

            return StreamingResponse(sound())

        for path in ("/", "/health", "/static/page.js", "/api/jobs/1/events", "/api/recordings"):
            app.get(path)(lambda: "here")
        most = Limits(**limits)
        protect(app, Access.from_env("127.0.0.1", environ or {}), most, Load.of(most, rate))
        return app

    return make


def run(*requests: Awaitable[Answer]) -> list[Answer]:
    """Send requests at once; return the answers in order."""

    async def gather() -> list[Answer]:
        return list(await asyncio.gather(*requests))

    return asyncio.run(gather())


@pytest.mark.parametrize("host", [OWN, "localhost", "LocalHost:1", "[::1]:45678", "127.0.0.1"])
def test_own_names_are_answered(make_app: Callable[..., FastAPI], host: str):
    (answer,) = run(ask(make_app(), host=host))
    assert (answer.status, answer.body) == (200, b"2")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:45678", "", "[", "localhost@evil"]
)
@pytest.mark.parametrize("path", ["/", "/search", "/health"])
def test_foreign_names_are_refused(make_app: Callable[..., FastAPI], host: str, path: str):
    (answer,) = run(ask(make_app(), "GET", path, host=host))
    assert (answer.status, answer.code) == (403, "service.forbidden")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("sounds.example", 200),
        ("Sounds.example:8443", 200),
        ("noise.example:8443", 200),
        ("noise.example", 403),
        ("noise.example:1", 403),
        ("sounds.example.evil", 403),
        # Jina asks by this name whether the gateway is ready.
        (OWN, 200),
    ],
)
def test_names_that_are_configured_are_answered(
    make_app: Callable[..., FastAPI], host: str, status: int
):
    app = make_app({"SOUNDALIKE_HOSTS": "sounds.example, noise.example:8443"})
    (answer,) = run(ask(app, host=host))
    assert answer.status == status


def test_a_star_stands_for_every_name(make_app: Callable[..., FastAPI]):
    (answer,) = run(ask(make_app({"SOUNDALIKE_HOSTS": "*"}), host="any.example"))
    assert answer.status == 200


@pytest.mark.parametrize("name", ["https://sounds.example", "sounds.example/path", "a:b:c"])
def test_an_address_is_no_name_of_a_host(make_app: Callable[..., FastAPI], name: str):
    with pytest.raises(ConfigError, match="SOUNDALIKE_HOSTS"):
        make_app({"SOUNDALIKE_HOSTS": name})


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (f"http://{OWN}", 200),
        ("http://127.0.0.1:1234", 403),
        ("http://evil.example", 403),
        (f"http://{OWN}.evil.example", 403),
        (f"http://{OWN}0", 403),
        ("http://127.0.0.1", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_pages_elsewhere_change_nothing(make_app: Callable[..., FastAPI], origin: str, status: int):
    app = make_app()
    (answer,) = run(ask(app, origin=origin))
    assert answer.status == status
    (reading,) = run(ask(app, "GET", "/health", origin=origin))
    assert reading.status == 200
    assert "access-control-allow-origin" not in reading.headers


def test_pages_that_are_configured_may(make_app: Callable[..., FastAPI]):
    app = make_app({"SOUNDALIKE_CORS_ORIGINS": "https://a.example", "SOUNDALIKE_API_KEY": KEY})
    right, wrong, before = run(
        ask(app, origin="https://a.example", x_api_key=KEY),
        ask(app, origin="https://b.example", x_api_key=KEY),
        ask(
            app,
            "OPTIONS",
            origin="https://a.example",
            access_control_request_method="POST",
            access_control_request_headers="x-api-key",
        ),
    )
    assert (right.status, right.headers["access-control-allow-origin"]) == (200, "https://a.example")
    assert wrong.status == 403
    (longer,) = run(ask(app, origin="https://a.example.evil", x_api_key=KEY))
    assert longer.status == 403
    assert "access-control-allow-origin" not in longer.headers
    assert (before.status, before.headers["access-control-allow-headers"]) == (200, "x-api-key")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": ""},
        {"x_api_key": "wrong"},
        {"x_api_key": "é"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer {KEY}", "x_api_key": "wrong"},
        {"authorization": "Bearer wrong", "x_api_key": KEY},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/search"), ("GET", "/api/recordings"), ("POST", "/")]
)
def test_without_the_key_nothing_is_told(
    make_app: Callable[..., FastAPI], headers: dict[str, str], method: str, path: str
):
    (answer,) = run(ask(make_app({"SOUNDALIKE_API_KEY": KEY}), method, path, **headers))
    assert (answer.status, answer.code) == (401, "service.unauthorized")
    assert KEY.encode() not in answer.body
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("path", ["/", "/health", "/static/page.js", "/docs", "/redoc", "/openapi.json"])
def test_the_page_and_the_health_need_no_key(make_app: Callable[..., FastAPI], path: str):
    (answer,) = run(ask(make_app({"SOUNDALIKE_API_KEY": KEY}), "GET", path))
    assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": KEY},
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"authorization": f"Bearer {KEY}", "x_api_key": KEY},
        # A proxy in front may ask for a password of its own.
        {"authorization": "Basic YTpi", "x_api_key": KEY},
    ],
)
def test_the_key_opens_everything(make_app: Callable[..., FastAPI], headers: dict[str, str]):
    (answer,) = run(ask(make_app({"SOUNDALIKE_API_KEY": KEY}), **headers))
    assert answer.status == 200


@pytest.mark.parametrize(("name", "scheme"), [("x_api_key", ""), ("authorization", "Bearer ")])
def test_who_guesses_keys_has_to_wait(make_app: Callable[..., FastAPI], name: str, scheme: str):
    app = make_app({"SOUNDALIKE_API_KEY": KEY})
    guesses = run(*(ask(app, **{name: f"{scheme}guess {number}"}) for number in range(31)))
    assert [answer.status for answer in guesses] == [401] * 30 + [429]
    assert guesses[-1].headers["retry-after"] == "60"
    other, right = run(ask(app, x_api_key="guess", client="10.0.0.2"), ask(app, x_api_key=KEY))
    assert (other.status, right.status) == (401, 200)


def test_a_request_without_a_key_is_no_guess(make_app: Callable[..., FastAPI]):
    app = make_app({"SOUNDALIKE_API_KEY": KEY})
    answers = run(
        *(ask(app) for _ in range(40)), *(ask(app, authorization="Basic x") for _ in range(40))
    )
    assert {answer.status for answer in answers} == {401}
    (guess,) = run(ask(app, x_api_key="guess"))
    assert guess.status == 401


@pytest.mark.parametrize("has_key", [True, False])
def test_the_description_names_the_key(has_key: bool):
    app = FastAPI()
    app.include_router(routes_search.router)
    describe(app, has_key=has_key)
    found = app.openapi()
    schemes = found.get("components", {}).get("securitySchemes", {})
    assert {name: scheme["type"] for name, scheme in schemes.items()} == (
        {"key": "apiKey", "bearer": "http"} if has_key else {}
    )
    assert found["security"] == ([{"key": []}, {"bearer": []}] if has_key else [])


def test_every_answer_has_the_headers_of_a_careful_page(make_app: Callable[..., FastAPI]):
    app = make_app({"SOUNDALIKE_API_KEY": KEY})
    for answer in run(ask(app), ask(app, host="evil"), ask(app, "GET", "/"), ask(app, "GET", "/none")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
    (swagger,) = run(ask(app, "GET", "/docs"))
    assert "script-src 'self' 'unsafe-inline'" in swagger.headers["content-security-policy"]


def test_a_body_that_says_it_is_too_large_is_not_read(make_app: Callable[..., FastAPI]):
    (answer,) = run(
        ask(make_app(max_body_mb=1), chunks=(), expect="100-continue", content_length=str((1 << 20) + 1))
    )
    assert (answer.status, answer.code) == (413, "audio.too_large")
    assert b"SOUNDALIKE_MAX_BODY_MB" in answer.body
    # The client waits for the answer, and sends nothing.
    assert answer.n_read == 0


def test_a_refused_body_that_comes_anyway_is_read_and_forgotten(make_app: Callable[..., FastAPI]):
    """A client that is still sending would see a broken connection in place of the answer."""
    app = make_app(max_body_mb=1)
    (answer,) = run(ask(app, chunks=[b"x"] * 5, content_length=str((1 << 20) + 1)))
    assert (answer.status, answer.n_read) == (413, 5)


def test_a_refused_body_is_not_read_on_when_its_client_has_gone():
    messages = [{"type": "http.request", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    asyncio.run(_discard(receive))
    assert messages == []


def test_a_body_that_does_not_say_so_is_read_up_to_the_limit(make_app: Callable[..., FastAPI]):
    app = make_app(max_body_mb=1)
    within, beyond = run(
        ask(app, chunks=[b"x" * (1 << 18)] * 4), ask(app, chunks=[b"x" * (1 << 18)] * 100)
    )
    assert (within.status, within.body) == (200, b"1048576")
    assert (beyond.status, beyond.code) == (413, "audio.too_large")


def test_uploads_have_a_limit_of_their_own(make_app: Callable[..., FastAPI]):
    app = make_app(max_body_mb=1, max_upload_mb=2)
    type_, chunk = "multipart/form-data; boundary=x", b"x" * (1 << 20)
    within, beyond = run(
        ask(app, chunks=[chunk] * 2, content_type=type_),
        ask(app, chunks=[chunk] * 3, content_type=type_),
    )
    assert (within.status, beyond.status) == (200, 413)


def test_a_body_that_does_not_come_is_not_waited_for(make_app: Callable[..., FastAPI]):
    (answer,) = run(ask(make_app(body_stall_s=1), chunks=()))
    assert answer.status == 408


def test_some_run_some_wait_and_the_others_come_again(make_app: Callable[..., FastAPI]):
    app = make_app(max_running=2, max_waiting=3)

    async def crowd() -> tuple[list[Answer], Answer, Answer]:
        app.state.gate = asyncio.Event()
        tasks = [asyncio.create_task(ask(app, path="/wait")) for _ in range(8)]
        while sum(task.done() for task in tasks) < 3:
            await asyncio.sleep(0)
        health, events = [await ask(app, "GET", path) for path in ("/health", "/api/jobs/1/events")]
        app.state.gate.set()
        return list(await asyncio.gather(*tasks)), health, events

    answers, health, events = asyncio.run(crowd())
    assert [answer.status for answer in answers] == [200] * 5 + [503] * 3
    assert {answer.code for answer in answers[5:]} == {"service.busy"}
    assert answers[-1].headers["retry-after"] == "2"
    assert (health.status, events.status) == (200, 200)
    assert app.state.most_open == 2
    assert app.state.open == 0


def test_who_listens_slowly_takes_no_place(make_app: Callable[..., FastAPI]):
    app = make_app(max_running=1, max_waiting=3)

    async def crowd() -> list[Answer]:
        app.state.gate = asyncio.Event()
        listening = [asyncio.create_task(ask(app, "GET", "/listen")) for _ in range(3)]
        while app.state.open < 3:
            await asyncio.wait(listening, timeout=0.01)
            assert not any(task.done() for task in listening)
        other = await ask(app)
        app.state.gate.set()
        return [other, *await asyncio.gather(*listening)]

    answers = asyncio.run(asyncio.wait_for(crowd(), 20))
    assert [answer.status for answer in answers] == [200] * 4


def test_who_gives_up_waiting_leaves_the_place_to_others(make_app: Callable[..., FastAPI]):
    app = make_app(max_running=1, max_waiting=1)

    async def crowd() -> Answer:
        app.state.gate = asyncio.Event()
        running = asyncio.create_task(ask(app, path="/wait"))
        waiting = asyncio.create_task(ask(app, path="/wait"))
        while not app.state.open:
            await asyncio.sleep(0)
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        return await ask(app)

    assert asyncio.run(crowd()).status == 200


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [(errno.ENOSPC, 507, "service.disk_full"), (errno.EIO, 500, "soundalike.error")],
)
@pytest.mark.parametrize("while_reading", [True, False])
def test_a_full_disk_is_no_fault_of_the_client(
    number: int, status: int, code: str, while_reading: bool, monkeypatch: pytest.MonkeyPatch
):
    app = FastAPI()
    answer_with_problems(app)

    def fail(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    if while_reading:
        monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", fail)

    @app.post("/search")
    def search(file: Annotated[UploadFile, File()]) -> None:
        fail()

    file = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nsound\r\n--x--\r\n'
    (answer,) = run(ask(app, chunks=[file], content_type="multipart/form-data; boundary=x"))
    assert (answer.status, answer.code) == (status, code)


def test_a_client_that_asks_too_often_has_to_wait(make_app: Callable[..., FastAPI]):
    app = make_app(rate="3/minute")
    answers = run(*(ask(app) for _ in range(4)))
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[3].code == "service.too_many_requests"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60
    other, health = run(ask(app, client="10.0.0.2"), ask(app, "GET", "/health"))
    assert (other.status, health.status) == (200, 200)


def test_a_rate_that_cannot_be_read_is_refused(make_app: Callable[..., FastAPI]):
    with pytest.raises(ConfigError, match="600/minute"):
        make_app(rate="often")
