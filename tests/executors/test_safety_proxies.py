"""What is believed of a reverse proxy, around an application of a few lines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI, Request

from executors.gateway.api.links import at_root
from executors.gateway.guard.load import Load
from executors.gateway.guard.middleware import protect
from executors.gateway.guard.policy import Access
from executors.gateway.guard.proxies import Proxies
from soundalike.errors import ConfigError
from soundalike.limits import Limits
from tests.executors.test_safety import OWN, ask, run

PROXY, STRANGER = "127.0.0.1", "203.0.113.9"


@pytest.fixture
def make_app() -> Callable[..., FastAPI]:
    def make(environ: dict[str, str] | None = None, rate: str | None = None) -> FastAPI:
        app = FastAPI()

        @app.api_route("/where", methods=["GET", "POST"])
        def where(request: Request) -> dict[str, str]:
            client = request.client.host if request.client else ""
            return {"link": at_root(request, "/x"), "url": str(request.url), "client": client}

        limits = Limits()
        protect(app, Access.from_env("127.0.0.1", environ or {}), limits, Load.of(limits, rate))
        return app

    return make


Make = Callable[..., FastAPI]


@pytest.mark.parametrize("path", ["/where", "/sounds/where"], ids=["taken off", "passed on"])
@pytest.mark.parametrize(
    ("environ", "headers"),
    [
        ({"SOUNDALIKE_ROOT_PATH": "/sounds"}, {}),
        ({"SOUNDALIKE_ROOT_PATH": "/sounds/"}, {}),
        ({}, {"x_forwarded_prefix": "/sounds"}),
        ({}, {"x_forwarded_prefix": "/sounds/"}),
        ({"SOUNDALIKE_ROOT_PATH": "/other"}, {"x_forwarded_prefix": "/sounds"}),
    ],
)
def test_a_prefix_goes_before_links(
    make_app: Make, path: str, environ: dict[str, str], headers: dict[str, str]
):
    (answer,) = run(ask(make_app(environ), "GET", path, client=PROXY, **headers))
    assert answer.status == 200, answer.body
    assert answer.json["link"] == "/sounds/x"
    assert answer.json["url"] == f"http://{OWN}/sounds/where"


@pytest.mark.parametrize(
    "prefix",
    ["//evil.example", "/a/../b", "/a b", "evil", "/a?b", "/a//b", "/é", "javascript:x", '/a"<b>'],
)
def test_a_prefix_is_a_plain_path(make_app: Make, prefix: str):
    (answer,) = run(ask(make_app(), "GET", "/where", client=PROXY, x_forwarded_prefix=prefix))
    assert answer.json["link"] == "/x"
    with pytest.raises(ConfigError, match="root-path"):
        make_app({"SOUNDALIKE_ROOT_PATH": prefix})


def test_the_layers_know_paths_below_a_prefix(make_app: Make):
    app = make_app({"SOUNDALIKE_ROOT_PATH": "/sounds", "SOUNDALIKE_API_KEY": "sesame-open"})
    docs, where, joined = run(
        *(
            ask(app, "GET", path, client=PROXY)
            for path in ("/sounds/docs", "/sounds/where", "/soundsdocs")
        )
    )
    assert "unsafe-inline" in docs.headers["content-security-policy"]
    assert [docs.status, where.status, joined.status] == [200, 401, 401]


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        # The client may have sent the beginning itself.
        ("1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, 10.0.0.3", "198.51.100.7"),
        ("198.51.100.7:5123, [::1]:80", "198.51.100.7"),
        ("2001:db8::5", "2001:db8::5"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("unknown, 10.0.0.3", "10.0.0.3"),
        ("unknown", PROXY),
        ("", PROXY),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_client_is_the_first_that_is_no_proxy(make_app: Make, forwarded_for: str, client: str):
    app = make_app({"SOUNDALIKE_TRUSTED_PROXIES": "127.0.0.1, ::1, 10.0.0.0/8"})
    (answer,) = run(ask(app, "GET", "/where", client=PROXY, x_forwarded_for=forwarded_for))
    assert answer.json["client"] == client


@pytest.mark.parametrize("environ", [{}, {"SOUNDALIKE_TRUSTED_PROXIES": "none"}])
def test_strangers_are_not_believed(make_app: Make, environ: dict[str, str]):
    app = make_app(environ)
    peer = PROXY if environ else STRANGER
    headers = {f"x_forwarded_{name}": value for name, value in FORWARDED.items()}
    (answer,) = run(ask(app, "GET", "/where", client=peer, **headers))
    assert answer.json == {"link": "/x", "url": f"http://{OWN}/where", "client": peer}


FORWARDED = {"for": "1.1.1.1", "prefix": "/sounds", "proto": "https", "host": "localhost:8443"}


def test_scheme_and_host_are_those_of_the_client(make_app: Make):
    headers = {f"x_forwarded_{name}": value for name, value in FORWARDED.items()}
    (answer,) = run(ask(make_app(), "GET", "/where", client=PROXY, **headers))
    assert answer.json["url"] == "https://localhost:8443/sounds/where"


@pytest.mark.parametrize(
    ("host", "forwarded", "status"),
    [
        (OWN, "sounds.example:8443", 200),
        (OWN, "evil.example", 403),
        # A page whose name leads to this machine can send any header but this.
        ("evil.example", "sounds.example", 403),
    ],
)
def test_a_forwarded_host_opens_nothing(make_app: Make, host: str, forwarded: str, status: int):
    app = make_app({"SOUNDALIKE_HOSTS": "sounds.example"})
    (answer,) = run(ask(app, "GET", "/where", client=PROXY, host=host, x_forwarded_host=forwarded))
    assert answer.status == status


@pytest.mark.parametrize(
    ("origin", "headers", "status"),
    [
        ("https://sounds.example:8443", {"host": "sounds.example:8443"}, 200),
        ("https://sounds.example:8443", {"x_forwarded_host": "sounds.example:8443"}, 200),
        ("https://sounds.example", {"host": "sounds.example"}, 200),
        ("https://sounds.example", {"host": "sounds.example:443"}, 200),
        ("https://sounds.example:8443", {"host": "sounds.example"}, 403),
        ("https://sounds.example:84430", {"host": "sounds.example:8443"}, 403),
        ("https://sounds.example:8443.evil", {"host": "sounds.example:8443"}, 403),
    ],
)
def test_pages_behind_a_proxy_change_things(
    make_app: Make, origin: str, headers: dict[str, str], status: int
):
    app = make_app({"SOUNDALIKE_HOSTS": "sounds.example"})
    (answer,) = run(ask(app, "POST", "/where", client=PROXY, origin=origin, **headers))
    assert answer.status == status
    if status == 403:
        assert "a proxy must pass on the header Host with its port" in answer.json["detail"]


def test_rates_and_guesses_are_those_of_the_client(make_app: Make):
    app = make_app({"SOUNDALIKE_API_KEY": "sesame-open"}, rate="2/minute")
    first, second = {"x_forwarded_for": "198.51.100.1"}, {"x_forwarded_for": "198.51.100.2"}

    def asked(**headers: str) -> int:
        (answer,) = run(ask(app, "GET", "/where", client=PROXY, **headers))
        return answer.status

    right = {"x_api_key": "sesame-open"}
    assert [asked(**right, **first) for _ in range(3)] == [200, 200, 429]
    assert asked(**right, **second) == 200
    assert [asked(x_api_key="no", **first) for _ in range(31)] == [401] * 30 + [429]
    assert asked(x_api_key="no", **second) == 401


@pytest.mark.parametrize(("text", "peer"), [("*", STRANGER), ("203.0.113.0/24", STRANGER), ("", PROXY)])
def test_proxies_that_are_configured_are_trusted(text: str, peer: str):
    assert Proxies.from_env({"SOUNDALIKE_TRUSTED_PROXIES": text}).trusts(peer)


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "10.0.0.0/40"])
def test_a_proxy_is_named_by_its_address(text: str):
    with pytest.raises(ConfigError, match="SOUNDALIKE_TRUSTED_PROXIES"):
        Proxies.from_env({"SOUNDALIKE_TRUSTED_PROXIES": text})
