"""The service behind nginx, configured as docs/deployment.md says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import grpc
import numpy as np
import pytest
import requests
from docarray import DocList
from jina import Client
from jina.proto import jina_pb2, jina_pb2_grpc
from jina.types.request.data import DataRequest

from executors.messages.documents import Clip, Found, Status
from tests.fixtures.nginx import DOCUMENT
from tests.fixtures.pages import loaded_by, parse_page

if TYPE_CHECKING:
    from tests.fixtures.nginx import Proxy
    from tests.fixtures.service import Service

METRICS = DOCUMENT.with_name("monitoring.md")


@pytest.fixture
def client(nginx: Proxy, service: Service) -> Iterator[requests.Session]:
    """Give a client that trusts nginx, before an empty index."""
    with requests.Session() as session:
        session.verify = str(nginx.certificate)
        session.trust_env = False
        yield session


def test_the_page_and_its_files_are_below_the_prefix(client: requests.Session, nginx: Proxy):
    answer = client.get(nginx.url, timeout=60)
    assert answer.url == f"{nginx.url}/"
    page = parse_page(answer.text)
    links = [link.get("href", "") for link in page.iter("a")]
    addresses = {address for address in [*loaded_by(page), *links] if not address.startswith("#")}
    assert len(addresses) > 20
    for address in addresses:
        found = client.get(urljoin(answer.url, address), timeout=60)
        assert found.status_code == 200, address
        assert found.url.startswith(f"{nginx.url}/")


def test_swagger_finds_its_description(client: requests.Session, nginx: Proxy):
    docs = client.get(f"{nginx.url}/docs", timeout=60)
    (address,) = re.findall(r"url: '([^']+)'", docs.text)
    assert urljoin(docs.url, address) == f"{nginx.url}/openapi.json"
    for address in re.findall(r'(?:src|href)="([^"]+)"', docs.text):
        assert client.get(urljoin(docs.url, address), timeout=60).status_code == 200
    description = client.get(f"{nginx.url}/openapi.json", timeout=60).json()
    assert description["servers"][0]["url"] == "/sounds"


def test_an_upload_is_followed_and_played(
    client: requests.Session, nginx: Proxy, tmp_path: Path, write_wav: Callable[..., Path]
):
    # More than nginx takes by default, which is 1 MB.
    noise = 0.1 * np.random.default_rng(1).standard_normal(1_200_000)
    sound = write_wav(tmp_path / "noise.wav", noise).read_bytes()
    assert len(sound) > 4_000_000
    origin = {"Origin": nginx.url.removesuffix("/sounds")}
    answer = client.post(
        f"{nginx.url}/api/recordings", files={"files": ("noise.wav", sound)}, headers=origin, timeout=60
    )
    assert answer.status_code == 202, answer.text
    job = urljoin(answer.url, answer.headers["Location"])
    assert job.startswith(f"{nginx.url}/api/jobs/")

    events = client.get(f"{job}/events", timeout=60).text
    assert events.rstrip().rpartition("event: ")[2].startswith("end")
    assert client.get(job, timeout=60).json()["added"] == 1
    (stored,) = client.get(f"{nginx.url}/api/recordings", timeout=60).json()["recordings"]
    part = client.get(
        f"{nginx.url}/api/recordings/{stored['recording_id']}/audio",
        headers={"Range": "bytes=100-199"},
        timeout=60,
    )
    assert (part.status_code, part.content) == (206, sound[100:200])


def test_events_come_as_they_happen(
    client: requests.Session, nginx: Proxy, small_files: Callable[[int], list[Path]]
):
    """Of a job that waits for another one there is a single event, which no buffer fills."""
    folder = small_files(300)[0].parent
    first, second = (
        client.post(f"{nginx.url}/api/jobs", json={"folder": str(folder)}, timeout=60) for _ in range(2)
    )
    running, waiting = (urljoin(job.url, job.headers["Location"]) for job in (first, second))
    with client.get(f"{waiting}/events", stream=True, timeout=60) as events:
        lines = (line for line in events.iter_lines(chunk_size=1) if line.startswith(b"data: "))
        told = json.loads(next(lines).removeprefix(b"data: "))
        now = client.get(waiting, timeout=60).json()
    assert (told["state"], now["state"]) == ("waiting", "waiting")
    for address in (waiting, running):
        client.delete(address, timeout=60)


def test_a_redirect_keeps_scheme_port_and_prefix(client: requests.Session, nginx: Proxy):
    answer = client.get(f"{nginx.url}/api/jobs/", allow_redirects=False, timeout=60)
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{nginx.url}/api/jobs")


def test_grpc_passes_through(nginx: Proxy, service: Service):
    credentials = grpc.ssl_channel_credentials(nginx.certificate.read_bytes())
    request = DataRequest()
    request.header.exec_endpoint = "/status"
    with grpc.secure_channel(nginx.grpc, credentials) as channel:
        (answer,) = jina_pb2_grpc.JinaRPCStub(channel).Call(iter([request]), timeout=60)
    assert answer.header.status.code == jina_pb2.StatusProto.SUCCESS
    (status,) = answer.proto_with_data.data.docs.docs
    assert status.data["configured_encoder"].text == "logmel-modulation"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/sounds/api/jobs", {"X-Forwarded-Prefix": "/sounds"}),
        ("/api/jobs", {"X-Forwarded-Prefix": "/sounds/"}),
    ],
    ids=["passed on", "taken off"],
)
def test_both_kinds_of_proxies_are_understood(
    service: Service, tmp_path: Path, path: str, headers: dict[str, str]
):
    body = json.dumps({"folder": str(tmp_path)}).encode()
    answer = service.request(path, body, headers=headers)
    assert answer.status == 202, answer.text
    assert answer.headers["Location"] == f"/sounds/api/jobs/{answer.json['id']}"
    assert service.request("/sounds/static/icon.svg", headers=headers).status == 200


def test_every_figure_is_described(service: Service):
    """The document names all metrics, and none that is not there."""
    text = service.request("/metrics").text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE soundalike_")}
    there = {name for name in names if not name.endswith("_created")}
    rows = re.findall(r"^\| `(soundalike_\w+)` \|", METRICS.read_text(encoding="utf-8"), re.MULTILINE)
    assert there == set(rows)


def _figures(service: Service) -> dict[str, float]:
    lines = [line for line in service.request("/metrics").text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _growth(before: dict[str, float], after: dict[str, float], name: str) -> dict[str, float]:
    return {
        key.removeprefix(name): after[key] - before.get(key, 0.0)
        for key in after
        if key.startswith(name + "{") and after[key] != before.get(key, 0.0)
    }


def test_figures_are_of_what_users_asked(service: Service, toy_data: Path):
    def ask() -> None:
        service.post("/index", {"uri": str(toy_data / "siren" / "siren_1.mp3")})
        service.request("/api/recordings")
        service.request("/api/search", json.dumps({"uri": "/nowhere.wav"}).encode())
        client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
        clips = [Clip(uri=str(toy_data / "siren" / "siren_2.m4a")), Clip(uri="/nowhere.wav")]
        client.post("/search", DocList[Clip](clips), return_type=DocList[Found])
        client.post("/status", return_type=DocList[Status])

    before = _figures(service)
    ask()
    after = _figures(service)

    def grown(name: str) -> dict[str, float]:
        return _growth(before, after, f"soundalike_{name}")

    assert grown("documents_total") == {
        '{endpoint="/index",outcome="ok"}': 1,
        '{endpoint="/search",outcome="ok"}': 1,
        '{endpoint="/search",outcome="failed"}': 2,
        '{endpoint="/status",outcome="ok"}': 1,
    }
    assert grown("grpc_requests_total") == {
        '{endpoint="/search",outcome="ok"}': 1,
        '{endpoint="/status",outcome="ok"}': 1,
    }
    assert grown("grpc_request_duration_seconds_count") == {
        '{endpoint="/search"}': 1,
        '{endpoint="/status"}': 1,
    }
    assert grown("grpc_calls_total") == {'{code="OK",method="/jina.JinaRPC/Call"}': 2}
    assert set(grown("lookups_total")) >= {'{endpoint="/recordings",outcome="ok"}'}
    assert "/recordings" not in "".join(grown("documents_total"))


def test_nobody_can_add_labels(service: Service):
    for path in ("/post", "/search"):
        body = json.dumps(
            {"data": [], "execEndpoint": "/of-a-stranger", "exec_endpoint": "/of-a-stranger"}
        )
        service.request(path, body.encode())
    request = DataRequest()
    request.header.exec_endpoint = "/of-a-stranger"
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        list(jina_pb2_grpc.JinaRPCStub(channel).Call(iter([request]), timeout=60))
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/jina.OfAStranger/Call")(b"", timeout=60)
    assert "tranger" not in service.request("/metrics").text
