"""A Flow that asks for a key, and what the shared one refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docarray import DocList
from jina import Client
from jina.excepts import BadServer, BadServerFlow
from playwright.sync_api import expect

from executors.messages.documents import Clip, Found, Status

if TYPE_CHECKING:
    from tests.fixtures.service import Service

KEY = "kept-in-no-log-1f3a"


@pytest.fixture(scope="module")
def locked(start_launcher: Callable[..., Service], service_environ: dict[str, str]) -> Iterator[Service]:
    """Start a Flow with a key that others than this machine may reach."""
    environ = {**service_environ, "SOUNDALIKE_API_KEY": KEY, "JINA_LOG_LEVEL": "INFO"}
    # A name that is not the one by which Jina asks whether the gateway is ready.
    environ["SOUNDALIKE_HOSTS"] = "sounds.example:8443"
    found = start_launcher(environ, options=("--host", "0.0.0.0", "--root-path", "/sounds"))
    yield found
    found.program.kill()


def _post(service: Service, path: str, **headers: str) -> tuple[int, Any]:
    answer = service.request(path, b'{"data": []}', headers=headers)
    return answer.status, answer.json


def test_over_http_the_key_is_needed(locked: Service):
    assert _post(locked, "/status", **{"X-API-Key": KEY})[0] == 200
    for headers in ({}, {"X-API-Key": "another"}):
        for path in ("/status", "/search", "/index", "/delete", "/nowhere"):
            status, problem = _post(locked, path, **headers)
            assert (status, problem["code"]) == (401, "service.unauthorized")
    assert locked.request("/").status == 200


def test_prometheus_can_read_the_figures(locked: Service):
    """It sends the key as Bearer, and nothing else."""
    right = locked.request("/metrics", headers={"Authorization": f"Bearer {KEY}"})
    assert "soundalike_http_requests_total{" in right.text
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        refused = locked.request("/metrics", headers=headers)
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    both = {"Authorization": f"Bearer {KEY}", "X-API-Key": "wrong"}
    assert locked.request("/metrics", headers=both).status == 401


def test_the_description_names_both_ways_to_send_the_key_and_the_prefix(locked: Service):
    description = locked.request("/openapi.json").json
    assert description["security"] == [{"key": []}, {"bearer": []}]
    assert set(description["components"]["securitySchemes"]) == {"key", "bearer"}
    assert description["servers"][0]["url"] == "/sounds"


def test_the_prefix_of_the_command_line_is_in_locations(locked: Service, tmp_path: Path):
    body = json.dumps({"folder": str(tmp_path)}).encode()
    for path in ("/api/jobs", "/sounds/api/jobs"):
        answer = locked.request(path, body, headers={"X-API-Key": KEY})
        assert answer.headers["Location"] == f"/sounds/api/jobs/{answer.json['id']}"


def test_only_names_that_are_configured_are_answered(locked: Service):
    for host, status in (("sounds.example:8443", 200), ("sounds.example:1", 403), ("evil", 403)):
        assert locked.request("/", headers={"Host": host}).status == status


def test_over_grpc_the_key_is_needed(locked: Service):
    client = Client(host="127.0.0.1", port=locked.grpc_port, protocol="grpc")
    for right in (("x-api-key", KEY), ("authorization", f"Bearer {KEY}")):
        (status,) = client.post("/status", return_type=DocList[Status], metadata=(right,))
        assert status.configured_encoder == "logmel-modulation"
    clips = DocList[Clip](Clip(uri="/nowhere.wav") for _ in range(3))
    wrong = (("x-api-key", "another"),)
    for metadata in ((), wrong, (("authorization", f"Bearer {KEY}"), *wrong)):
        for endpoint, given in (("/status", None), ("/search", clips)):
            with pytest.raises(BadServerFlow, match=r"UNAUTHENTICATED.*service.unauthorized"):
                client.post(endpoint, given, return_type=DocList[Found], metadata=metadata)


@pytest.mark.browser
def test_the_command_line_needs_the_key(locked: Service, soundalike: Callable[..., Any], toy_data: Path):
    command = ("search", toy_data / "queries" / "siren_query_1.mp3", "--collection", "none")
    for key, code in ((KEY, "store.index_empty"), ("wrong-7c2e", "service.unauthorized")):
        done = soundalike(*command, SOUNDALIKE_SERVER=locked.url, SOUNDALIKE_API_KEY=key)
        assert done.stderr.endswith(f"[{code}]\n")
        assert key not in done.stdout + done.stderr
    assert done.returncode == 6


def test_the_key_is_nowhere_to_be_seen(locked: Service):
    _post(locked, "/status", **{"X-API-Key": "another"})
    assert KEY not in locked.program.said
    assert "another" not in locked.program.said
    assert not [one for one in locked.program.everybody() if KEY in " ".join(one.cmdline())]
    told = locked.request("/status", b'{"data": []}', headers={"X-API-Key": KEY}).text
    assert KEY not in told


def test_only_the_gateway_can_be_reached_from_elsewhere(locked: Service):
    wide = {
        one.laddr.port
        for process in locked.program.everybody()
        for one in process.net_connections("inet")
        if one.status == "LISTEN" and not one.laddr.ip.endswith("127.0.0.1")
    }
    assert wide == {locked.port, locked.grpc_port}


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
def test_other_pages_are_refused(service: Service, headers: dict[str, str]):
    status, problem = _post(service, "/status", **headers)
    assert (status, problem["code"]) == (403, "service.forbidden")


def test_browsers_are_told_to_be_careful(service: Service):
    for path in ("/", "/docs", "/nowhere"):
        headers = service.request(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers
        assert "Server" not in headers


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(service: Service, is_chunked: bool):
    """A client that sends all of it before it looks for an answer gets one. The limit is 64 MB."""
    blocks = (b" " * (1 << 20) for _ in range(70))
    connection = HTTPConnection("127.0.0.1", service.port, timeout=60)
    length = {} if is_chunked else {"Content-Length": str(70 << 20)}
    headers = {"Content-Type": "application/json", **length}
    connection.request("POST", "/search", blocks, headers, encode_chunked=is_chunked)
    answer = connection.getresponse()

    assert answer.status == 413
    assert json.load(answer)["code"] == "audio.too_large"
    assert _post(service, "/status")[0] == 200


@pytest.mark.parametrize("path", ["/api/search", "/api/timeline", "/api/waveform", "/api/recordings"])
def test_fields_of_a_form_are_small_and_few(service: Service, path: str):
    """Files go to the disk, fields stay in memory: their limit is not that of an upload."""
    field = b'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\n%s\r\n'
    for body in (field % (b"a" * (1 << 19)), 300 * (field % b"a")):
        answer = service.request(path, body + b"--x--\r\n", "multipart/form-data; boundary=x")
        assert (answer.status, answer.json["code"]) == (400, "http.400")


def test_a_message_that_is_too_large_is_refused(service: Service):
    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
    clip = Clip(audio_base64="A" * (65 << 20))
    with pytest.raises(BadServerFlow, match="RESOURCE_EXHAUSTED"):
        client.post("/search", clip, return_type=DocList[Found])
    assert _post(service, "/status")[0] == 200


@pytest.mark.parametrize(
    "document",
    [
        '{"uri": "\\ud800"}',
        '{"audio_base64": "\\udfff"}',
        '{"uri": "a", "tags": {"a": [{"b": "\\ud800"}]}}',
        '{"uri": "a", "tags": {"\\ud800": 1}}',
        '{"uri": "a", "tags": {"n": 2147483648}}',
        '{"uri": "a", "tags": {"deep": ' + 40 * "[" + 40 * "]" + "}}",
    ],
)
def test_what_cannot_travel_is_refused_at_once(service: Service, document: str):
    for path in ("/search", "/index", "/timeline"):
        body = f'{{"data": [{document}], "parameters": {{"min_score": 0}}}}'
        answer = service.request(path, body.encode())
        assert (answer.status, answer.json["code"]) == (422, "parameter.invalid")


@pytest.mark.parametrize(
    "parameters",
    [
        '{"labels": ["\\ud800"]}',
        '{"tags": {"a": "\\ud800"}}',
        '{"min_score": NaN}',
        '{"min_score": -1e999}',
        '{"tags": {"a": [Infinity]}}',
    ],
)
def test_parameters_that_cannot_travel_are_refused_at_once(service: Service, parameters: str):
    body = f'{{"data": [{{"uri": "a"}}], "parameters": {parameters}}}'
    answer = service.request("/search", body.encode())
    assert (answer.status, answer.json["code"]) == (422, "parameter.invalid")


@pytest.mark.parametrize(
    "body", [100_000 * b"[", b'{"data":' * 100_000, b'{"data": [{"uri": "\xed\xa0\x80"}]}']
)
def test_a_body_that_nests_for_ever_is_refused(service: Service, body: bytes):
    assert service.request("/search", body).status in (400, 422)


def test_nobody_chooses_which_executors_are_asked(service: Service):
    """Who leaves out the segmenter could store any file, and have it played."""
    header = {"request_id": "1", "target_executor": "ranker"}
    body = json.dumps({"data": [{"uri": "/nowhere.wav"}], "header": header}).encode()
    answer = service.request("/search", body)
    assert (answer.status, answer.json["code"]) == (422, "parameter.invalid")
    assert "'ranker'" in answer.json["detail"]
    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
    clip = Clip(uri="/nowhere.wav")
    for stream in (True, False):
        with pytest.raises(BadServer, match=r"parameter\.invalid"):
            client.post(
                "/search", clip, return_type=DocList[Found], target_executor="ranker", stream=stream
            )


# The last one: the browser's event loop stays in this thread, and a client of Jina's could start none.
def test_the_page_asks_for_the_key_and_fetches_sound_and_pictures_with_it(
    locked: Service, browser_page: Any, toy_data: Path, database_server: Any, service_database: str
):
    database_server.sql("DROP SCHEMA IF EXISTS soundalike CASCADE", url=service_database)
    clip = toy_data / "siren" / "siren_1.mp3"
    body = json.dumps({"data": [{"uri": str(clip)}]}).encode()
    assert locked.request("/index", body, headers={"X-API-Key": KEY}).status == 200
    browser_page.goto(locked.url)
    said = browser_page.locator("#key-text")
    expect(said).to_contain_text("requires an API key")
    browser_page.get_by_label("Key", exact=True).fill("another")
    browser_page.keyboard.press("Enter")
    expect(said).to_contain_text("does not accept this key")
    browser_page.get_by_label("Key", exact=True).fill(KEY)
    browser_page.keyboard.press("Enter")
    expect(browser_page.locator("#results")).to_contain_text("In the library")

    browser_page.set_input_files("#file", clip)
    match = browser_page.locator(".match")
    expect(match.locator(".mel")).to_have_attribute("src", re.compile("^blob:"), timeout=60_000)
    match.get_by_role("button", name="Play").click()
    expect(browser_page.locator("#player")).to_have_js_property("paused", False)
    expect(browser_page.locator("#player")).to_have_attribute("src", re.compile("^blob:"))
    browser_page.reload()
    expect(match).to_have_count(1)
    assert KEY not in browser_page.content() + browser_page.url
